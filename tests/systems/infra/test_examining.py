"""Examination finds what is wrong, says it in words, and says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.systems.infra.conftest import PROJECT, House
from treadle.kernel.artifacts import BlobCorrupt
from treadle.kernel.artifacts.local import LocalBlobs
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.engine import load, pipeline, step
from treadle.kernel.store.sql import parse

BIG = 6000


@step
def fetched(n: int) -> bytes:
    return b"%d" % n * BIG


@pipeline
def fetching(n: int) -> bytes:
    return fetched(n)


def flip(place: Path) -> None:
    """Changes one bit in the middle of a file."""
    place.chmod(0o600)
    data = bytearray(place.read_bytes())
    data[len(data) // 2] ^= 1
    place.write_bytes(bytes(data))


def blob_of(house: House, digest: str) -> Path:
    found = house.find(digest)
    assert found is not None
    assert found.blob is not None
    return house.blobs.path(found.blob)


def test_a_sound_house_is_said_to_be_sound(house: House) -> None:
    house.engine.run(fetching, {"n": 1})
    house.store.write(lambda tx: house.refs.move(tx, PROJECT, "pin/x", "sha256:x", actor="a", reason="r"))

    checks = house.examine(deep=True)

    assert {check.verdict for check in checks.values()} <= {"ok", "warning"}
    assert set(checks) == {
        "store",
        "event chain",
        "names",
        "stored bytes",
        "logged files",
        "interrupted runs",
        "disk",
    }
    assert "1 names" in checks["names"].found


def test_a_flipped_bit_is_found_by_a_deep_look_and_by_a_verified_read(house: House) -> None:
    run = house.engine.run(fetching, {"n": 1})
    flip(blob_of(house, run.value.digest))

    assert house.examine()["stored bytes"].verdict == "ok"
    found = house.examine(deep=True)["stored bytes"]

    assert found.verdict == "failed"
    assert run.value.digest in found.found
    assert "treadle why" in found.fix
    careful = Artifacts(LocalBlobs(house.blobs.root, verify_reads=True))
    artifact = house.find(run.value.digest)
    assert artifact is not None
    with pytest.raises(BlobCorrupt, match="not those of"):
        careful.load(artifact)


def test_a_blob_cut_short_is_found_without_reading_and_refused_when_read(house: House) -> None:
    run = house.engine.run(fetching, {"n": 1})
    place = blob_of(house, run.value.digest)
    place.chmod(0o600)
    place.write_bytes(place.read_bytes()[:-1])

    assert house.examine()["stored bytes"].verdict == "failed"
    with pytest.raises(BlobCorrupt, match="not whole"):
        load(run.value)


def test_missing_bytes_are_found_and_make_the_hit_a_miss(house: House) -> None:
    run = house.engine.run(fetching, {"n": 1})
    blob_of(house, run.value.digest).unlink()

    assert "bytes are missing" in house.examine()["stored bytes"].found
    again = house.engine.run(fetching, {"n": 1})

    assert again.counts["done"] == 1
    assert load(again.value) == b"1" * BIG
    assert house.examine(deep=True)["stored bytes"].verdict == "ok"


def test_a_file_missing_from_a_folder_is_found(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"a" * BIG)
    house.record(folder)
    for blob in list(house.blobs.list()):
        house.blobs.delete(blob.digest)

    assert house.examine()["stored bytes"].verdict == "failed"


def test_a_run_that_lost_its_driver_is_named_with_the_way_on(house: House) -> None:
    run = house.engine.run(fetching, {"n": 1})
    abandon = parse("-- name: abandon\nupdate run set status = 'running', lease_until = 0 where parent is null")[
        "abandon"
    ]
    house.store.write(lambda tx: tx.execute(abandon))

    found = house.examine()["interrupted runs"]

    assert found.verdict == "warning"
    assert f"treadle resume {run.id}" in found.fix


@pytest.mark.parametrize(
    "meddling",
    [
        "update ref set target = 'sha256:elsewhere'",
        "update ref set epoch = epoch + 1",
        "delete from ref_move",
        "update ref_move set event = 'evt_unknown'",
    ],
)
def test_a_name_that_was_moved_behind_its_history_is_found(house: House, meddling: str) -> None:
    house.store.write(lambda tx: house.refs.move(tx, PROJECT, "pin/x", "sha256:x", actor="a", reason="r"))
    house.store.write(lambda tx: tx.execute(parse(f"-- name: meddle\n{meddling}")["meddle"]))

    found = house.examine()["names"]

    assert found.verdict == "failed"
    assert "pin/x" in found.found


def test_a_changed_event_is_found(house: House) -> None:
    house.engine.run(fetching, {"n": 1})
    house.events.head(PROJECT)
    meddle = parse("-- name: meddle\nupdate event set actor = 'mallory' where position = 2")["meddle"]
    house.store.write(lambda tx: tx.execute(meddle))

    assert "position 2" in house.examine()["event chain"].found


def test_a_deleted_name_is_no_contradiction(house: House) -> None:
    house.store.write(lambda tx: house.refs.move(tx, PROJECT, "pin/x", "sha256:x", actor="a", reason="r"))
    house.store.write(lambda tx: house.refs.delete(tx, PROJECT, "pin/x", actor="a", reason="r"))

    assert house.examine()["names"].verdict == "ok"
