"""Folders as datasets: versions of them, read back byte for byte, and nothing outside of them."""

from __future__ import annotations

import os
import struct
import unicodedata
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.ground.clock import to_micros
from treadle.kernel.artifacts import LocalBlobs
from treadle.systems.collect import NamedDataset
from treadle.systems.collect.branching.records import MakeBranch, MergeBranch
from treadle.systems.collect.comparing.records import CompareSnapshots
from treadle.systems.collect.comparing.service import Comparisons
from treadle.systems.collect.errors import (
    DataFileCorrupt,
    FileNotInSnapshot,
    FilesRefused,
    OutsideInbox,
    SnapshotExpired,
)
from treadle.systems.collect.filesets import packing
from treadle.systems.collect.filesets.blobs import ManifestBlobs
from treadle.systems.collect.filesets.images import size_of
from treadle.systems.collect.filesets.reading import FileSet
from treadle.systems.collect.filesets.service import FileSets, FilesLanded, LandFolder
from treadle.systems.collect.records import RestoreSnapshot
from treadle.systems.collect.retaining.service import TableHoldings

LONG_AGO = 1_300_000_000


def sets_of(home: Home) -> FileSets:
    return FileSets(home.datasets.workings, LocalBlobs(home.folder / "blobs"), inbox=home.folder / "inbox")


def write(folder: Path, *, at: int = LONG_AGO, **files: bytes | str) -> Path:
    """Files by name (`a__b` is `a/b`), last changed long ago."""
    for name, data in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        os.utime(path, (at, at))
    return folder


def land(home: Home, folder: Path, dataset: str = "photos") -> FilesLanded:
    return sets_of(home).land(ADA, dataset, folder)


def files(home: Home, at: str | None = None, dataset: str = "photos") -> FileSet:
    return sets_of(home).files("default", home.datasets.snapshot("default", dataset, at))


def contents(found: FileSet) -> dict[str, bytes]:
    return {entry.path: entry.bytes() for entry in found}


def png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(header))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "photos", a="one", b__c="two", b__picture=png(640, 480))


def test_a_folder_becomes_a_snapshot_and_is_read_back(home: Home, folder: Path) -> None:
    (folder / "b" / "picture").rename(folder / "b" / "picture.png")

    landed = land(home, folder)

    found = files(home)
    assert (landed.version, landed.added, landed.changed, landed.deleted, landed.unchanged) == (1, 3, 0, 0, 0)
    assert contents(found) == {"a": b"one", "b/c": b"two", "b/picture.png": png(640, 480)}
    picture = found["b/picture.png"]
    assert (picture.media_type, picture.width, picture.height, picture.size) == ("image/png", 640, 480, len(png(1, 1)))
    assert picture.modified == datetime.fromtimestamp(LONG_AGO, UTC)
    with found.open("a") as stream:
        assert stream.read() == b"one"
    assert ("a" in found, "z" in found, len(found)) == (True, False, 3)
    with pytest.raises(FileNotInSnapshot) as caught:
        found["b/d"]
    assert "b/c" in caught.value.why


def test_what_has_not_changed_is_not_read_and_makes_no_snapshot(home: Home, folder: Path) -> None:
    land(home, folder)

    again = land(home, folder)

    assert (again.version, again.unchanged, again.bytes_read, again.bytes_stored) == (1, 3, 0, 0)
    assert len(home.datasets.history(ADA, NamedDataset(name="photos"))) == 1


def test_new_changed_moved_and_deleted_files_make_the_next_snapshot(home: Home, folder: Path) -> None:
    land(home, folder)
    before = contents(files(home))
    rows = home.datasets.scan("default", home.datasets.snapshot("default", "photos")).collect()
    write(folder, at=LONG_AGO + 9, a="ONE", d="four")
    (folder / "b" / "c").rename(folder / "moved")
    os.utime(folder / "moved", (LONG_AGO, LONG_AGO))

    landed = land(home, folder)

    assert (landed.added, landed.changed, landed.deleted, landed.unchanged) == (2, 1, 1, 1)
    assert landed.bytes_stored == len("ONE") + len("four")  # what was moved is there already
    assert contents(files(home)) == {"a": b"ONE", "b/picture": before["b/picture"], "d": b"four", "moved": b"two"}
    assert contents(files(home, "1")) == before
    now = home.datasets.scan("default", home.datasets.snapshot("default", "photos")).collect()
    stayed = [frame.filter(path="b/picture").select("_landing", "_row").row(0) for frame in (rows, now)]
    assert stayed[0] == stayed[1]
    found = Comparisons(home.datasets.lookup).diff(ADA, CompareSnapshots(name="photos", before="1", key=["path"]))
    assert found.by_key is not None
    assert (found.by_key.inserted, found.by_key.deleted, found.by_key.updated) == (2, 1, 1)


def test_a_change_that_keeps_size_and_time_within_the_clock_s_tick_is_noticed(home: Home, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "a").write_bytes(b"one")
    time = (fresh / "a").stat().st_mtime_ns
    land(home, fresh)
    (fresh / "a").write_bytes(b"two")
    os.utime(fresh / "a", ns=(time, time))

    land(home, fresh)

    assert contents(files(home)) == {"a": b"two"}


def test_a_touched_file_is_read_and_makes_no_snapshot(home: Home, folder: Path) -> None:
    land(home, folder)
    os.utime(folder / "a", (LONG_AGO + 9, LONG_AGO + 9))

    again = land(home, folder)

    assert (again.version, again.unchanged, again.bytes_read) == (1, 3, 3)


def test_the_same_files_are_the_same_content_wherever_and_whenever_they_landed(home: Home, folder: Path) -> None:
    land(home, folder)
    first = home.datasets.snapshot("default", "photos")
    (folder / "a").unlink()
    land(home, folder)
    write(folder, at=LONG_AGO + 50, a="one")
    land(home, folder)
    land(home, folder, "others")

    third, others = home.datasets.snapshot("default", "photos"), home.datasets.snapshot("default", "others")

    assert third.content_id == others.content_id == first.content_id
    assert home.datasets.snapshot("default", "photos", "2").content_id != first.content_id


def test_a_folder_that_was_emptied_is_an_empty_snapshot(home: Home, folder: Path, tmp_path: Path) -> None:
    land(home, folder)
    empty = tmp_path / "empty"
    empty.mkdir()

    landed = land(home, empty)

    assert (landed.version, landed.deleted, len(files(home))) == (2, 3, 0)
    with pytest.raises(FilesRefused, match="no files"):
        land(home, empty, "nothing")


def test_restoring_brings_an_earlier_folder_back(home: Home, folder: Path) -> None:
    land(home, folder)
    expected = contents(files(home))
    write(folder, at=LONG_AGO + 9, a="other")
    land(home, folder)

    home.datasets.restore(ADA, RestoreSnapshot(name="photos", at="1"))

    assert contents(files(home)) == expected
    assert land(home, folder).changed == 1


def test_files_are_branched_and_merged_like_rows(home: Home, folder: Path) -> None:
    land(home, folder)
    home.branches.make(ADA, MakeBranch(name="photos", branch="fix"))
    write(folder, at=LONG_AGO + 9, a="mended")
    land(home, folder, "photos@fix")
    assert contents(files(home))["a"] == b"one"

    home.branches.merge(ADA, MergeBranch(name="photos", branch="fix", delete=True))

    assert contents(files(home))["a"] == b"mended"


def test_an_export_is_the_folder_again(home: Home, folder: Path, tmp_path: Path) -> None:
    land(home, folder)

    count = files(home).export(tmp_path / "out")

    assert count == 3
    out = {
        str(path.relative_to(tmp_path / "out")): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert out == contents(files(home))
    assert (tmp_path / "out" / "a").stat().st_mtime == LONG_AGO
    with pytest.raises(FilesRefused, match="not empty"):
        files(home).export(tmp_path / "out")


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", "a/../../x", "C:/x", "a\\..\\x", "", ".", "a//b", "./a", "a\0b", "//h/x"]
)
def test_a_path_that_leads_out_of_the_folder_is_never_written(
    home: Home, folder: Path, tmp_path: Path, path: str
) -> None:
    land(home, folder)
    found = files(home)
    forged = FileSet("forged", found.rows.with_columns(path=pl.lit(path)).head(1), LocalBlobs(home.folder / "blobs"))

    with pytest.raises(FilesRefused, match="not written"):
        forged.export(tmp_path / "deep" / "out")

    assert not (tmp_path / "deep" / "out").exists()


def test_names_that_differ_in_case_alone_are_told_apart_or_refused(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(home, write(tmp_path / "both", a="small", A="LARGE"))
    files(home).export(tmp_path / "out")
    assert (tmp_path / "out" / "A").read_bytes() == b"LARGE"

    monkeypatch.setattr("treadle.systems.collect.filesets.exporting._tells_case", lambda folder: False)
    with pytest.raises(FilesRefused, match="one file"):
        files(home).export(tmp_path / "elsewhere")


def test_a_name_is_one_name_however_its_accents_are_written(home: Home, tmp_path: Path) -> None:
    composed, apart = "caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")
    folder = tmp_path / "names"
    folder.mkdir()
    (folder / apart).write_bytes(b"x")
    land(home, folder)
    assert files(home)[composed].bytes() == files(home)[apart].bytes() == b"x"

    (folder / composed).write_bytes(b"y")
    with pytest.raises(FilesRefused, match="Two files are named"):
        land(home, folder)


def test_what_is_no_plain_file_is_refused_by_name(home: Home, folder: Path) -> None:
    (folder / "b" / "link").symlink_to("/etc/passwd")
    with pytest.raises(FilesRefused, match="b/link"):
        land(home, folder)
    (folder / "b" / "link").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(FilesRefused, match="pipe"):
        land(home, folder)
    (folder / "pipe").unlink()
    os.close(os.open(os.fsencode(folder) + b"/\xff", os.O_CREAT))
    with pytest.raises(FilesRefused, match="no text"):
        land(home, folder)
    with pytest.raises(FilesRefused, match="no folder"):
        land(home, folder / "a")

    assert home.datasets.find_snapshot("default", "photos") is None


def test_a_file_that_changes_while_it_is_read_lands_nothing(
    home: Home, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = packing.size_of

    def restless(head: bytes) -> tuple[int, int] | None:
        (folder / "a").write_bytes(b"another" + os.urandom(4))
        return real(head)

    read = packing.os.fstat
    counts = iter(range(10**6))

    def never_still(handle: int) -> os.stat_result:
        (folder / "a").write_bytes(b"x" * next(counts))
        return read(handle)

    monkeypatch.setattr(packing.os, "fstat", never_still)
    with pytest.raises(FilesRefused, match="changes while it is read"):
        land(home, folder)
    monkeypatch.undo()

    assert home.datasets.find_snapshot("default", "photos") is None
    assert restless(b"") is None


def test_rows_and_files_do_not_mix(home: Home, folder: Path) -> None:
    home.datasets.land(ADA, "rows", pl.DataFrame({"n": [1]}))

    with pytest.raises(FilesRefused, match="rows"):
        land(home, folder, "rows")
    with pytest.raises(FilesRefused, match="no files"):
        files(home, dataset="rows")


def test_the_verb_takes_folders_of_the_inbox_alone(home: Home) -> None:
    write(home.folder / "inbox" / "photos", a="one")

    assert sets_of(home).land_folder(ADA, LandFolder(dataset="photos", folder="photos")).added == 1
    for outside in ("/etc", "../x", "a/../../b"):
        with pytest.raises(OutsideInbox):
            sets_of(home).land_folder(ADA, LandFolder(dataset="photos", folder=outside))


def test_large_files_and_many_small_ones_are_kept_alike(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "SEGMENT_BYTES", 1000)
    monkeypatch.setattr(packing, "LARGE_BYTES", 500)
    expected = {f"{n:03}": os.urandom(n * 3) for n in range(0, 250, 5)}
    expected["twin"] = expected["100"]
    land(home, write(tmp_path / "many", **expected))

    found = files(home)

    assert contents(found) == expected
    with found.open("245") as stream:
        stream.seek(700)
        assert stream.read() == expected["245"][700:]
    assert found["twin"].blob == found["100"].blob
    assert 5 < found.rows["blob"].n_unique() < 40


def test_damaged_bytes_are_noticed(home: Home, folder: Path) -> None:
    land(home, folder)
    found = files(home)
    place = LocalBlobs(home.folder / "blobs").path(found["a"].blob)
    data = bytearray(place.read_bytes())
    data[found["a"].offset] ^= 1
    place.chmod(0o600)
    place.write_bytes(data)

    with pytest.raises(DataFileCorrupt, match="'a'"):
        found["a"].bytes()
    assert found["b/c"].bytes() == b"two"


def test_clean_up_knows_the_blobs_of_every_snapshot_that_can_be_read(home: Home, folder: Path) -> None:
    land(home, folder)
    old = {entry.blob for entry in files(home)}
    write(folder, a="x" * 100, b__c="y", b__picture="z")
    land(home, folder)
    new = {entry.blob for entry in files(home)}
    users = ManifestBlobs()

    def known() -> set[str]:
        with home.store.read() as reader:
            assert all(users.uses(reader, blob) for blob in users.blobs(reader))
            sizes = {blob: size for _, blob, size in users.sizes(reader, "default")}
            assert {blob: LocalBlobs(home.folder / "blobs").size(blob) for blob in sizes} == sizes
            return set(users.blobs(reader))

    assert known() == old | new
    for days in (40, 42):
        at = datetime.now(UTC) + timedelta(days=days)
        since, before = to_micros(at - timedelta(days=30)), to_micros(at - timedelta(days=1))
        TableHoldings(home.datasets.workings).clean("default", set(), since=since, before=before, is_dry_run=False)

    assert known() == new
    with pytest.raises(SnapshotExpired):
        files(home, "1")


def test_two_that_land_the_same_folder_at_once_leave_it_there_once(tmp_path: Path, folder: Path) -> None:
    def at(point: str) -> None:
        if armed and point == "written":
            armed.clear()
            land(other, folder)

    armed = [True]
    home, other = open_home(tmp_path, at=at), open_home(tmp_path)

    land(home, folder)

    assert len(files(home)) == 3
    assert home.datasets.snapshot("default", "photos").version == 1
    home.store.close()
    other.store.close()


NAMES = st.lists(st.sampled_from(["a", "b", "c", "d/e", "d/f"]), unique=True, max_size=5)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    states=st.lists(
        st.dictionaries(st.sampled_from(["a", "b", "c", "d__e", "d__f"]), st.binary(max_size=3)), max_size=6
    )
)
def test_every_state_of_a_folder_is_read_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, states: list[dict[str, bytes]]
) -> None:
    home = open_home(tmp_path_factory.mktemp("home"))
    seen: dict[int, dict[str, bytes]] = {}
    for n, state in enumerate([{"a": b"0"}, *states]):
        folder = tmp_path_factory.mktemp("state")
        write(folder, at=LONG_AGO + n, **state)
        landed = land(home, folder)
        seen[landed.version] = {name.replace("__", "/"): data for name, data in state.items()}
    for version, expected in seen.items():
        assert contents(files(home, str(version))) == expected
    home.store.close()


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (png(3, 4), (3, 4)),
        (b"GIF89a" + struct.pack("<HH", 5, 6), (5, 6)),
        (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc2\x00\x11\x08" + struct.pack(">HH", 7, 8), (8, 7)),
        (b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0" + b"\x09\0\0\x0b\0\0", (10, 12)),
        (b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f" + struct.pack("<I", 15 | (16 << 14)), (16, 17)),
        (b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a" + struct.pack("<HH", 18, 19), (18, 19)),
        (b"BM" + b"\0" * 16 + struct.pack("<ii", 20, -21), (20, 21)),
        (b"", None),
        (b"plain text", None),
        (b"\xff\xd8\xff\xd9", None),
        (png(3, 4)[:20], None),
    ],
)
def test_the_size_of_a_picture_stands_in_its_first_bytes(head: bytes, size: tuple[int, int] | None) -> None:
    assert size_of(head) == size


@given(
    st.binary(max_size=80),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF____WEBPVP8X", b"BM", b"GIF89a"]),
)
def test_no_bytes_make_a_picture_s_size_fail(rest: bytes, start: bytes) -> None:
    found = size_of(start + rest)

    assert found is None or (found[0] >= 0 and found[1] >= 0)
