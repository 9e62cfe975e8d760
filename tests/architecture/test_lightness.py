"""`import treadle` and `treadle --help` cost next to nothing, and the core install stays small."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import pytest

from tests.architecture.tree import ROOT

HEAVY = {
    "alembic", "deltalake", "duckdb", "httpx", "lightgbm", "msgspec", "numpy", "onnx", "onnxruntime", "pandas", "polars", "psutil",
    "pyarrow", "ray", "rich", "sklearn", "sqlalchemy", "starlette", "structlog", "typer", "uvicorn", "xgboost", "yaml",
}  # fmt: skip


def modules_after(statement: str) -> set[str]:
    program = f"{statement}\nimport sys; sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stderr.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import treadle",
        "import treadle.ground.settings",
        "import treadle.ground.plugins",
        "from treadle.faces.cli.entry import main; main(['--help'])",
        "from treadle.faces.cli.entry import main; main(['--version'])",
    ],
)
def test_no_library_is_imported_before_it_is_needed(statement):
    assert modules_after(statement) & HEAVY == set()


def test_import_treadle_imports_no_module_of_ours_but_itself():
    program = "import treadle, sys; print([name for name in sys.modules if name.startswith('treadle.')])"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_core_install_has_fewer_than_sixty_distributions():
    assert len(core_distributions()) < 60


def test_the_core_install_needs_no_library_of_an_extra():
    assert (
        core_distributions() & {"lightgbm", "xgboost", "scikit-learn", "onnxruntime", "ray", "pandas", "psycopg"}
        == set()
    )


def core_distributions() -> set[str]:
    """What `pip install treadle` brings, by the lock file; a marker is taken to hold, so this is an upper bound."""
    packages = {package["name"]: package for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    found: set[str] = set()
    waiting = ["treadle"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        waiting.extend(needed["name"] for needed in packages[name].get("dependencies", []))
    return found
