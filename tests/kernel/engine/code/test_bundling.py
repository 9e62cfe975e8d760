"""A bundle carries what was imported, nothing secret, the same bytes every time, and unpacks nowhere else."""

from __future__ import annotations

import io
import linecache
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.kernel.engine.code.conftest import Project
from treadle.kernel.engine.code.bundling import MANIFEST, bundle, unpack
from treadle.kernel.engine.code.errors import DamagedBundle, NotCode, UnsafeBundle

SECRET = "hunter" * 3


@pytest.fixture
def shop(project: Project) -> Project:
    project.write(
        prep="import shop.text\n\n\ndef tidy(x):\n    import later\n    return later.cut(shop.text.clean(x))\n",
        shop____init__="",
        shop__text="def clean(x):\n    return x + 1\n",
        later="def cut(x):\n    return x * 10\n",
        never="1 / 0\n",
    )
    folder = project.folder
    (folder / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    (folder / "uv.lock").write_text("version = 1\n")
    (folder / "contracts").mkdir()
    (folder / "contracts" / "flights.yaml").write_text("kind: DataContract\n")
    (folder / ".env").write_text(f"PASSWORD={SECRET}\n")
    (folder / "data").mkdir()
    (folder / "data" / "rates.csv").write_text("a,b\n")
    (folder / "data" / ".env.local").write_text(f"PASSWORD={SECRET}\n")
    return project


def test_a_bundle_holds_imported_modules_later_imports_and_project_files(shop: Project) -> None:
    module = shop.load("prep")

    made = bundle(module.tidy, shop.folder)

    # what other tests have imported from elsewhere is carried too; here only this project's files are looked at
    assert {each for each in made.manifest if (shop.folder / each).exists()} == {
        "prep.py",
        "shop/__init__.py",
        "shop/text.py",
        "later.py",
        "pyproject.toml",
        "uv.lock",
        "contracts/flights.yaml",
    }
    assert (made.entry, made.entry_name) == ("prep", "tidy")
    assert made.modules["shop.text"] == "shop/text.py"


def test_a_bundle_is_the_same_bytes_for_the_same_files(shop: Project) -> None:
    module = shop.load("prep")
    first = bundle(module.tidy, shop.folder)
    (shop.folder / "prep.py").touch()

    assert bundle(module.tidy, shop.folder) == first

    (shop.folder / "prep.py").write_text("def tidy(x):\n    return x\n")
    assert bundle(shop.load("prep").tidy, shop.folder).digest != first.digest


def test_files_that_look_like_secrets_stay_out_even_when_named(shop: Project) -> None:
    module = shop.load("prep")

    made = bundle(module.tidy, shop.folder, files=["data", ".env"])

    assert "data/rates.csv" in made.manifest
    assert SECRET.encode() not in made.content


def test_an_unpacked_bundle_runs_in_a_fresh_process(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = bundle(shop.load("prep").tidy, shop.folder)
    folder = tmp_path_factory.mktemp("worker")

    unpacked = unpack(made.content, folder)

    assert unpacked == made
    call = f"import {made.entry} as entry; print(entry.{made.entry_name}(2))"
    answer = subprocess.run([sys.executable, "-c", call], cwd=folder, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "30"


def test_a_script_is_carried_under_its_file_name(shop: Project, tmp_path: Path) -> None:
    script = shop.folder / "train.py"
    script.write_text(
        "from treadle.kernel.engine.code.bundling import bundle\n"
        "def fit(x):\n    return x\n"
        "made = bundle(fit, '.')\n"
        "print(made.entry, made.entry_name, 'train.py' in made.manifest)\n"
    )

    answer = subprocess.run([sys.executable, script.name], cwd=shop.folder, capture_output=True, text=True, check=True)

    assert answer.stdout.split() == ["train", "fit", "True"]


def test_notebook_cells_are_carried_as_a_module(tmp_path: Path) -> None:
    names: dict[str, object] = {"__name__": "__main__"}
    for number, source in enumerate(
        ("FACTOR = 3\ndef scale(x):\n    return x * FACTOR\n", "def tidy(x):\n    return scale(x)\n")
    ):
        name = f"<ipython-input-{number}-bundle>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), names)

    made = bundle(names["tidy"], tmp_path, modules=[sys])

    assert made.entry is not None
    unpack(made.content, tmp_path / "worker")
    call = f"import {made.entry} as entry; print(entry.{made.entry_name}(2))"
    answer = subprocess.run(
        [sys.executable, "-c", call], cwd=tmp_path / "worker", capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == "6"


def test_code_whose_source_nobody_keeps_is_refused_with_a_reason(tmp_path: Path) -> None:
    names: dict[str, object] = {"__name__": "generated_nowhere"}
    exec(compile("def tidy(x):\n    return x\n", "<string>", "exec"), names)

    with pytest.raises(NotCode) as refusal:
        bundle(names["tidy"], tmp_path)

    assert "file or a notebook" in refusal.value.fix


def zipped(**files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["../evil.py", "/etc/evil", "a/../../evil.py", "C:/evil.py", "folder/"])
def test_an_archive_that_leads_outside_is_refused_and_writes_nothing(tmp_path: Path, name: str) -> None:
    target = tmp_path / "inner" / "target"

    with pytest.raises(UnsafeBundle):
        unpack(zipped(**{"fine.py": b"", name: b"x"}), target)

    assert list(tmp_path.rglob("*")) == []


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("link.py")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")

    with pytest.raises(UnsafeBundle):
        unpack(buffer.getvalue(), tmp_path)


def test_a_damaged_archive_is_refused(shop: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    made = bundle(shop.load("prep").tidy, shop.folder)
    folder = tmp_path_factory.mktemp("worker")
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    forged = zipped(**{**files, "prep.py": b"print('other')"})

    for content in (
        b"no zip",
        made.content[: len(made.content) // 2],
        zipped(x=b""),
        forged,
        zipped(**{MANIFEST: b"{}"}),
    ):
        with pytest.raises(DamagedBundle):
            unpack(content, folder)
    assert list(folder.iterdir()) == []
