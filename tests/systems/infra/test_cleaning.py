"""Clean-up follows roots: what is needed stays whole, what is not goes after a grace, and nobody who comes back is robbed."""

from __future__ import annotations

import contextlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.systems.infra.conftest import ADA, PROJECT, House
from treadle.ground import digests
from treadle.kernel.artifacts.local import LocalBlobs
from treadle.kernel.engine import pipeline, step
from treadle.kernel.engine.errors import StepFailed
from treadle.kernel.engine.reporting import checkpoint
from treadle.kernel.store import Statement
from treadle.kernel.store.sql import parse
from treadle.systems.train import Registration
from treadle.systems.train.registry.service import RegisterModel

BIG = 6000


def asked(text: str) -> Statement:
    return parse(f"-- name: asked\n{text}")["asked"]


@step
def fetched(n: int) -> bytes:
    return b"%d" % n * BIG


@step
def trained(data: bytes, extra: bytes) -> bytes:
    return b"model" * BIG + data[:1] + extra[:1]


@step
def halting(n: int) -> int:
    checkpoint.save(b"state" * BIG)
    raise ValueError("not yet")


@pipeline
def fetching(n: int) -> bytes:
    return fetched(n)


@pipeline
def training(n: int, extra: bytes) -> bytes:
    return trained(fetched(n), extra)


@pipeline
def halted(n: int) -> int:
    return halting(n)


def test_what_nothing_needs_is_condemned_and_deleted_after_the_grace(house: House) -> None:
    run = house.engine.run(fetching, {"n": 1})
    house.wait(days=31)

    first = house.clean()
    again_too_early = house.clean()
    house.wait(hours=25)
    last = house.clean()

    assert (first.condemned, first.deleted, first.orphans) == (3, 0, 0)
    assert (again_too_early.condemned, again_too_early.deleted) == (3, 0)
    assert (last.deleted, last.orphans) == (3, 3)
    assert last.orphan_bytes == last.deleted_bytes
    assert house.find(run.value.digest) is None
    assert list(house.blobs.list()) == []


def test_what_was_condemned_is_no_hit_any_more(house: House) -> None:
    house.engine.run(fetching, {"n": 1})
    house.wait(days=31)
    house.clean()

    assert house.engine.run(fetching, {"n": 1}).counts["done"] == 1


def test_runs_within_the_retention_keep_what_they_used_and_made(house: House) -> None:
    run = house.engine.run(training, {"n": 1, "extra": b"x" * BIG})
    house.wait(days=28)

    house.clean_twice()

    assert house.stands(run.value.digest)
    assert house.clean().kept == house.clean().artifacts == 4


def test_an_old_result_that_a_new_run_uses_stays(house: House) -> None:
    first = house.engine.run(fetching, {"n": 1})
    house.wait(days=20)
    house.engine.run(fetching, {"n": 1})
    house.wait(days=20)

    house.clean_twice()

    assert house.stands(first.value.digest)


def test_a_large_argument_stays_with_its_run_however_old_its_bytes_are(house: House) -> None:
    extra = b"x" * (2 << 20)
    house.engine.run(training, {"n": 1, "extra": extra})
    house.wait(days=40)
    run = house.engine.run(training, {"n": 2, "extra": extra})

    house.clean_twice()

    assert house.engine.resume(run.id, training).status == "done"


def test_refs_keep_what_they_point_at(house: House) -> None:
    kept = house.record(b"pinned" * BIG)
    house.store.write(lambda tx: house.refs.move(tx, PROJECT, "pin/one", kept.digest, actor="ada", reason="keep"))
    house.wait(days=400)

    house.clean_twice()
    assert house.stands(kept.digest)

    house.store.write(lambda tx: house.refs.delete(tx, PROJECT, "pin/one", actor="ada", reason="done with"))
    house.clean_twice()
    assert house.find(kept.digest) is None


def test_steps_of_a_run_that_is_not_over_stay_however_old_they_are(house: House) -> None:
    run = house.engine.run(fetching, {"n": 1})
    house.store.write(lambda tx: tx.execute(asked("update run set status = 'waiting' where parent is null")))
    house.wait(days=400)

    house.clean_twice()

    assert house.stands(run.value.digest)


def test_checkpoints_of_unfinished_runs_stay_within_the_retention(house: House) -> None:
    with pytest.raises(StepFailed):
        _ = house.engine.run(halted, {"n": 1}).value
    ((digest,),) = house.rows("select digest from checkpoint")
    house.wait(days=20)
    house.clean_twice()
    assert house.stands(digest)

    house.wait(days=20)
    house.clean_twice()
    assert house.find(digest) is None


def test_a_registered_version_keeps_what_explains_and_verifies_it(house: House) -> None:
    extra = b"x" * (2 << 20)
    run = house.engine.run(training, {"n": 1, "extra": extra})
    probe, card, frame = (house.record(name.encode() * BIG) for name in ("probe", "card", "frame"))
    judged = house.record(b"judged" * BIG)
    registration = Registration(
        model="late",
        digest=run.value.digest,
        signature={},
        probe=probe.digest,
        card=card.digest,
        reference={"training": frame.digest, "rate": 0.2},
    )
    version = house.models.register(ADA, RegisterModel(registration=registration, run=run.value.run, root=run.id))
    house.store.write(
        lambda tx: house.evidence.add(
            tx, PROJECT, subject=version.subject, kind="gate", verdict="passed", body={"rows": judged.digest}, actor="a"
        )
    )
    unrelated = house.record(b"unrelated" * BIG)
    house.wait(days=400)

    house.clean_twice()

    inputs = [digest for (digest,) in house.rows("select digest from edge where run = :run", run=run.value.run)]
    ((bundle, environment),) = house.rows("select bundle_digest, environment_digest from run where id = :id", id=run.id)
    needed = [probe.digest, card.digest, frame.digest, judged.digest, bundle, environment, *inputs]
    assert [digest for digest in needed if not house.stands(digest)] == []
    assert house.find(unrelated.digest) is None
    assert house.engine.resume(run.id, training).status == "done"


def test_folders_and_values_keep_the_blobs_inside_them(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for n in range(3):
        (folder / f"{n}.bin").write_bytes(b"%d" % n * BIG)
    frame = pl.DataFrame({"a": list(range(5000))})
    kept = [house.record(folder), house.record({"frame": frame, "more": [frame.head(3000)]}), house.record((folder,))]
    for n, artifact in enumerate(kept):
        house.store.write(
            lambda tx, n=n, a=artifact: house.refs.move(tx, PROJECT, f"pin/{n}", a.digest, actor="a", reason="keep")  # type: ignore[misc]
        )
    house.wait(days=400)

    cleaned = house.clean_twice()

    assert cleaned.orphans == 0
    assert [artifact.digest for artifact in kept if not house.stands(artifact.digest)] == []
    assert house.artifacts.load(kept[1])["frame"].equals(frame)


def test_bytes_stay_while_another_project_names_them(house: House) -> None:
    ours, theirs = house.record(b"shared" * BIG), house.record(b"shared" * BIG, project="other")
    house.wait(days=400)

    house.clean_twice()

    assert house.find(ours.digest) is None
    found = house.find(theirs.digest, "other")
    assert found is not None
    assert house.artifacts.load(found) == b"shared" * BIG


def test_bytes_that_no_row_names_go_by_age(house: House) -> None:
    house.artifacts.put(b"left by a crash" * BIG)
    assert house.clean().orphans == 0

    house.wait(hours=25)

    assert house.clean().orphans == 1
    assert list(house.blobs.list()) == []


def test_nothing_is_an_orphan_while_the_parts_of_an_artifact_cannot_be_known(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for n in range(60):
        (folder / f"{n}.bin").write_bytes(b"%d" % n * 100)
    kept = house.record(folder)
    assert kept.blob is not None
    place = house.blobs.path(kept.blob)
    place.chmod(0o600)
    place.write_bytes(b"{" + place.read_bytes()[1:-1] + b"?")
    house.wait(hours=30)

    cleaned = house.clean()

    assert cleaned.orphans == 0
    assert kept.digest in cleaned.unreadable
    assert len(list(house.blobs.list())) == 61


def test_snapshots_of_datasets_are_left_to_their_system(house: House) -> None:
    values = {"at": 0}
    insert = """insert into artifact (project, digest, kind, codec, size_bytes, blob, inline, meta, recorded_at)
        values ('default', 'sha256:snapshot', 'snapshot', 'snapshot', 1000, null, :inline, '{}', :at)"""
    house.store.write(lambda tx: tx.execute(asked(insert), {**values, "inline": b"{}"}))

    cleaned = house.clean_twice()

    assert (cleaned.deleted, cleaned.unreadable) == (0, "")
    assert house.rows("select condemned_at from artifact") == [(None,)]


def test_a_dry_run_says_it_and_changes_nothing(house: House) -> None:
    house.engine.run(fetching, {"n": 1})
    house.wait(days=31)
    house.clean()
    house.artifacts.put(b"orphan" * BIG)
    house.wait(hours=25)
    before = house.everything()

    told = house.clean(is_dry_run=True)

    assert house.everything() == before
    assert (told.is_dry_run, told.deleted) == (True, 3)
    assert told.orphans == 1
    assert house.clean().deleted == 3


def test_what_was_done_is_an_event(house: House) -> None:
    house.engine.run(fetching, {"n": 1})
    house.wait(days=31)
    house.clean_twice()

    told = [(e.kind, e.body) for e in house.events.since(PROJECT, 0) if e.kind.startswith("storage.")]

    assert [kind for kind, _ in told] == ["storage.cleaned", "storage.cleaned", "storage.swept"]
    assert (told[0][1]["condemned"], told[1][1]["deleted"], told[2][1]["blobs"]) == (3, 3, 3)
    assert house.events.verify(PROJECT).broken is None


def test_a_put_revives_what_was_condemned(house: House) -> None:
    house.engine.run(fetching, {"n": 1})
    house.wait(days=31)
    house.clean()
    house.wait(hours=25)
    run = house.engine.run(fetching, {"n": 1})

    house.clean()

    assert house.stands(run.value.digest)


def test_a_need_that_came_back_lifts_the_condemnation(house: House) -> None:
    artifact = house.record(b"found again" * BIG)
    house.wait(days=31)
    house.clean()
    house.store.write(lambda tx: house.refs.move(tx, PROJECT, "pin/x", artifact.digest, actor="a", reason="again"))
    house.wait(hours=25)

    assert house.clean().deleted == 0
    assert house.stands(artifact.digest)


@pytest.mark.parametrize("seed", range(3))
def test_puts_and_clean_ups_race_and_no_committed_artifact_loses_its_bytes(house: House, seed: int) -> None:
    """Every digest is condemned and due at the moment at which somebody puts it again."""
    values = [b"%d-%d" % (seed, n) * BIG for n in range(12)]
    for value in values:
        house.record(value)
    house.wait(days=31)
    house.clean()
    house.wait(hours=25)
    gate = threading.Barrier(4)

    def put(part: int) -> list[str]:
        gate.wait()
        return [house.record(value).digest for value in values[part::2]]

    def clean() -> None:
        gate.wait()
        for _ in range(3):
            house.clean()

    with ThreadPoolExecutor(4) as pool:
        putters = [pool.submit(put, part) for part in range(2)]
        cleaners = [pool.submit(clean) for _ in range(2)]
        for cleaner in cleaners:
            cleaner.result()
        digests = [digest for putter in putters for digest in putter.result()]

    assert [digest for digest in digests if not house.stands(digest)] == []


class TestExpiry:
    """The seam between a put that finds the blob there and the clean-up that is about to remove it."""

    @pytest.fixture
    def blobs(self, tmp_path: Path) -> LocalBlobs:
        return LocalBlobs(tmp_path)

    def test_a_put_between_look_and_removal_is_seen(self, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
        data = b"renewed" * BIG
        digest = blobs.put_bytes(data)
        os.utime(blobs.path(digest), (0, 0))
        before = datetime.now(UTC) - timedelta(hours=1)
        rename = Path.rename

        def put_just_before(self: Path, target: Path) -> Path:
            if str(target).endswith(".aside"):
                monkeypatch.setattr(Path, "rename", rename)
                blobs.put_bytes(data)
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", put_just_before)

        assert not blobs.expire(digest, before)
        assert blobs.verify(digest) is None

    def test_a_put_after_it_was_set_aside_writes_anew(self, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
        data = b"written again" * BIG
        digest = blobs.put_bytes(data)
        os.utime(blobs.path(digest), (0, 0))
        settle = blobs._settle

        def put_first(digest: str, aside: Path, before_s: float) -> bool:
            blobs.put_bytes(data)
            return settle(digest, aside, before_s)

        monkeypatch.setattr(blobs, "_settle", put_first)
        blobs.expire(digest, datetime.now(UTC) - timedelta(hours=1))

        assert blobs.verify(digest) is None

    @pytest.mark.parametrize("age_s", [0.0, 1e6])
    def test_what_a_killed_clean_up_has_set_aside_is_settled_by_the_next(self, blobs: LocalBlobs, age_s: float) -> None:
        digest = blobs.put_bytes(b"between" * BIG)
        aside = blobs._aside(digest)
        place = blobs.path(digest)
        at = datetime.now(UTC).timestamp() - age_s
        os.utime(place, (at, at))
        place.rename(aside)

        blobs.sweep(datetime.now(UTC) - timedelta(hours=1))

        assert blobs.has(digest) == (age_s == 0)
        assert not aside.exists()

    @pytest.mark.parametrize("age_s", [0.0, 1e6])
    def test_a_reader_finds_what_is_set_aside_for_a_look(self, blobs: LocalBlobs, age_s: float) -> None:
        data = b"looked at" * BIG
        digest = blobs.put_bytes(data)
        place = blobs.path(digest)
        at = datetime.now(UTC).timestamp() - age_s
        os.utime(place, (at, at))
        place.rename(blobs._aside(digest))

        assert blobs.get(digest) == data
        blobs.sweep(datetime.now(UTC) - timedelta(hours=1))
        assert blobs.verify(digest) is None
        assert not list(blobs.root.glob("tmp/*"))

    def test_the_second_of_two_clean_ups_keeps_what_was_put_while_the_first_removed(
        self, blobs: LocalBlobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        data = b"put between two" * BIG
        digest = blobs.put_bytes(data)
        os.utime(blobs.path(digest), (0, 0))
        before = datetime.now(UTC) - timedelta(hours=1)
        unlink = Path.unlink

        def put_and_set_aside(self: Path, missing_ok: bool = False) -> None:
            monkeypatch.setattr(Path, "unlink", unlink)
            blobs.put_bytes(data)
            blobs.path(digest).rename(blobs._aside(digest))
            unlink(self, missing_ok=missing_ok)

        monkeypatch.setattr(Path, "unlink", put_and_set_aside)
        blobs.expire(digest, before)
        blobs.sweep(before)

        assert blobs.verify(digest) is None

    def test_writers_and_clean_ups_of_the_same_bytes_do_not_stumble(self, blobs: LocalBlobs) -> None:
        data = b"again and again" * BIG
        digest = digests.of_bytes(data)
        before = datetime.now(UTC) - timedelta(hours=1)
        end = threading.Event()

        def expire() -> None:
            while not end.is_set():
                blobs.expire(digest, before)

        with ThreadPoolExecutor(2) as pool:
            cleaners = [pool.submit(expire) for _ in range(2)]
            try:
                for _ in range(200):
                    with contextlib.suppress(FileNotFoundError):
                        os.utime(blobs._place(digest), (0, 0))
                    with blobs.create() as writer:
                        writer.write(data)
                        writer.commit()
                    assert blobs.get(digest) == data
            finally:
                end.set()
            for cleaner in cleaners:
                cleaner.result()
