"""The data goes round, the imports go down: the six sentences of docs/architecture.md, kept true."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, ROOT, modules

MAY_IMPORT_INSIDE_FUNCTIONS = {
    "treadle.faces": "nothing imports a face, so no circle can hide there, and a script pays only for what it uses",
    "treadle.assembly": "it makes each part when it is first asked for; it stands above all that it imports",
    "treadle.kernel.engine.pool.zygote": "it forks while it is small; what a worker needs is imported in the child",
}
"""Modules and packages of ours whose imports of ours may wait inside functions, with the reason."""

HOMES_OF_HEAVY_LIBRARIES = {
    "ray": ("treadle.backends",),
    "optuna": ("treadle.systems.train.tuning",),
    "kubernetes": ("treadle.backends",),
    "boto3": ("treadle.backends",),
    "torch": ("treadle.backends", "treadle.kernel.artifacts"),
    "obstore": ("treadle.backends", "treadle.kernel.artifacts", "treadle.systems.collect.connectors.objects"),
    "psycopg": ("treadle.backends", "treadle.systems.collect.connectors.postgres_changes", "treadle.testing"),
    "alembic": ("treadle.migrations",),
    "typer": (),
    "pydantic": (),
    "fastapi": (),
    "rich": ("treadle.faces.cli",),
    "starlette": ("treadle.faces.api", "treadle.systems.serve"),
    "uvicorn": ("treadle.faces", "treadle.systems.serve"),
}
"""A heavy library is named only below these packages: its module, or the backends."""


def run_contracts(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-logo", "--no-cache", "--config", str(config)],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def write_package(folder: Path, files: dict[str, str]) -> None:
    for name in ("ground", "kernel", "wire", "systems", "systems/train", "systems/serve", "backends", "faces", "loops"):
        files.setdefault(f"{name}/__init__.py", "")
    for name, text in {"__init__.py": "", **files}.items():
        path = folder / "treadle" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_tree_keeps_the_contracts():
    answer = run_contracts(ROOT / "pyproject.toml", PACKAGE.parent)

    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("ground/digests.py", "import treadle.kernel", "The imports go down"),
        ("kernel/runs.py", "import treadle.systems.train", "The imports go down"),
        ("systems/train/service.py", "import treadle.loops", "The imports go down"),
        ("systems/train/service.py", "import treadle.systems.serve", "No system imports another"),
        ("systems/train/service.py", "def late():\n    import treadle.systems.serve", "No system imports another"),
        ("loops/retrain.py", "import treadle.backends", "Only the assembly imports backends"),
        ("elsewhere.py", "import treadle.ground", "The imports go down"),
    ],
)
def test_a_forbidden_import_breaks_its_contract(tmp_path, file, line, contract):
    write_package(tmp_path, {file: line + "\n"})

    answer = run_contracts(ROOT / "pyproject.toml", tmp_path)

    assert answer.returncode != 0
    assert f"{contract} BROKEN" in answer.stdout


def test_an_allowed_import_breaks_nothing(tmp_path):
    write_package(tmp_path, {"systems/train/service.py": "import treadle.kernel\nimport treadle.ground\n"})

    answer = run_contracts(ROOT / "pyproject.toml", tmp_path)

    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_floor_of_the_plan_is_a_folder_and_every_folder_a_floor():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = next(contract for contract in contracts if contract["id"] == "floors")
    planned = {name.strip("() ") for layer in floors["layers"] for name in layer.replace(":", "|").split("|")}

    here = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}

    assert here - {"__init__"} <= planned


def test_no_import_of_ours_hides_inside_a_function():
    hidden = [
        f"{module.path.relative_to(ROOT)}:{entry.line} imports {entry.module}"
        for module in modules()
        if not is_below(module.name, tuple(MAY_IMPORT_INSIDE_FUNCTIONS))
        for entry in module.imports
        if entry.inside_function and entry.module.split(".")[0] == "treadle"
    ]

    assert hidden == []


def test_no_modules_import_each_other_in_a_circle():
    names = {module.name for module in modules()}
    arrows = {
        module.name: {target for entry in module.imports if not entry.for_types_only for target in entry.targets(names)}
        for module in modules()
    }

    assert circles(arrows) == []


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_a_heavy_library_is_named_only_where_it_lives():
    strays = [
        f"{module.path.relative_to(ROOT)}:{entry.line} imports {entry.module}"
        for module in modules()
        for entry in module.imports
        if (library := entry.module.split(".")[0]) in HOMES_OF_HEAVY_LIBRARIES
        if not entry.for_types_only and not is_below(module.name, HOMES_OF_HEAVY_LIBRARIES[library])
    ]

    assert strays == []


def is_below(name: str, homes: tuple[str, ...]) -> bool:
    return any(name == home or name.startswith(f"{home}.") for home in homes)


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of names that reach each other, by Tarjan's walk."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(arrows.get(name, ())):
            if target not in index:
                visit(target)
                low[name] = min(low[name], low[target])
            elif target in stack:
                low[name] = min(low[name], index[target])
        if low[name] == index[name]:
            group = [stack.pop()]
            while group[-1] != name:
                group.append(stack.pop())
            if len(group) > 1:
                groups.append(sorted(group))

    for name in arrows:
        if name not in index:
            visit(name)
    return groups
