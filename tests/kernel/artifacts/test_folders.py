"""Files and folders are stored by what is in them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from treadle.kernel.artifacts import Artifacts, LocalBlobs, NotLoadable, NotStorable


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(LocalBlobs(tmp_path / "blobs"), workspace=tmp_path / "workspace")


def make_folder(place: Path, files: dict[str, bytes]) -> Path:
    place.mkdir(parents=True)
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
    return place


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


FILES = {"a.txt": b"a" * 10_000, "deep/er/b.bin": b"\x00", "empty": b"", "ünï.txt": b"u"}


def test_a_folder_comes_back(artifacts: Artifacts, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "one", FILES)
    (folder / "hollow").mkdir()
    (folder / "a.txt").chmod(0o755)

    artifact = artifacts.put(folder)
    back = artifacts.load(artifact)

    assert content(back) == FILES
    assert (back / "hollow").is_dir()
    assert os.access(back / "a.txt", os.X_OK)
    assert not os.access(back / "empty", os.X_OK)
    assert artifact.size_bytes == sum(map(len, FILES.values()))
    assert artifacts.digest(back) == artifact.digest == artifacts.digest(folder)
    assert artifacts.verify(artifact, deep=True) is None


def test_an_empty_folder_comes_back(artifacts: Artifacts, tmp_path: Path) -> None:
    back = artifacts.load(artifacts.put(make_folder(tmp_path / "none", {})))
    assert back.is_dir()
    assert list(back.iterdir()) == []


@pytest.mark.parametrize(
    "other",
    [{**FILES, "a.txt": b"b"}, {**FILES, "more": b""}, {name: data for name, data in FILES.items() if name != "empty"}],
)
def test_content_and_names_are_the_identity(artifacts: Artifacts, tmp_path: Path, other: dict[str, bytes]) -> None:
    assert artifacts.digest(make_folder(tmp_path / "one", FILES)) != artifacts.digest(
        make_folder(tmp_path / "other", other)
    )


def test_the_executable_bit_counts_and_times_do_not(artifacts: Artifacts, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "one", FILES)
    before = artifacts.digest(folder)
    os.utime(folder / "a.txt", (0, 0))
    assert artifacts.digest(folder) == before
    (folder / "a.txt").chmod(0o755)
    assert artifacts.digest(folder) != before


def test_folders_share_the_files_that_they_have_in_common(artifacts: Artifacts, tmp_path: Path) -> None:
    one = artifacts.put(make_folder(tmp_path / "one", FILES))
    other = artifacts.put(make_folder(tmp_path / "other", {**FILES, "extra": b"e"}))

    assert len(set(artifacts.blobs_of(other)) - set(artifacts.blobs_of(one))) == 1
    assert artifacts.stands(other)


def test_links_are_refused(artifacts: Artifacts, tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "one", FILES)
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(NotStorable, match="symbolic link"):
        artifacts.put(folder)
    (tmp_path / "to").symlink_to(folder)
    with pytest.raises(NotStorable):
        artifacts.put(tmp_path / "to")


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "a/../../escape", "..", "a\\b"])
def test_a_manifest_cannot_lead_out_of_its_folder(artifacts: Artifacts, tmp_path: Path, name: str) -> None:
    artifact = artifacts.put(make_folder(tmp_path / "one", {"innocent": b"x"}))
    assert artifact.inline is not None
    forged = dataclasses.replace(
        artifact,
        digest="sha256:" + "1" * 64,
        inline=artifact.inline.replace(b"innocent", name.replace("\\", "\\\\").encode()),
    )

    with pytest.raises(NotLoadable, match="leads out"):
        artifacts.load(forged)
    assert not list(tmp_path.rglob("escape"))


def test_a_file_comes_back_under_its_name(artifacts: Artifacts, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"a,b\n1,2\n")

    artifact = artifacts.put(file)
    back = artifacts.load(artifact)

    assert back.name == "rows.csv"
    assert back.read_bytes() == b"a,b\n1,2\n"
    assert artifacts.load(artifact, bytes) == b"a,b\n1,2\n"
    assert artifacts.digest(file) == artifact.digest
    assert artifacts.verify(artifact, deep=True) is None


def test_changing_a_loaded_file_changes_nothing_that_is_stored(artifacts: Artifacts, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes(b"original")
    artifact = artifacts.put(file)

    artifacts.load(artifact).write_bytes(b"changed!")

    assert artifacts.load(artifact).read_bytes() == b"original"
    assert artifacts.load(artifact, bytes) == b"original"
    assert artifacts.verify(artifact) is None


def test_a_damaged_file_of_a_folder_is_named(artifacts: Artifacts, tmp_path: Path) -> None:
    artifact = artifacts.put(make_folder(tmp_path / "one", FILES))
    blob = next(iter(artifacts.blobs_of(artifact)))
    file = artifacts.blobs.path(blob)
    file.chmod(0o644)
    file.write_bytes(b"damaged")
    assert blob in (artifacts.verify(artifact) or "")
