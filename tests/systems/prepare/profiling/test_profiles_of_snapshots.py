"""The profile of a snapshot: made once, merged from those of its files, and said in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.systems.prepare.conftest import Workshop, open_workshop
from treadle.ground.clock import system_clock
from treadle.ground.profiling import Profile
from treadle.kernel.artifacts import Artifacts, LocalBlobs
from treadle.kernel.governance import Caller
from treadle.kernel.vocabulary.datasets import DataFile, Snapshot
from treadle.systems.collect.records import RestoreSnapshot
from treadle.systems.prepare.profiling.making import ProfileMaker
from treadle.systems.prepare.profiling.records import ProfileOf, SnapshotProfile
from treadle.systems.prepare.profiling.service import Profiles
from treadle.systems.prepare.profiling.shelf import ProfileRoots, ProfileShelf

ADA = Caller(project="default", actor="ada")


class CountingMaker(ProfileMaker):
    """Says which files were read."""

    read: list[str]

    def _batches(self, project: str, snapshot: Snapshot, file: DataFile) -> Iterator[pl.DataFrame]:
        self.read.append(file.path)
        return super()._batches(project, snapshot, file)


class Bench:
    """Datasets and their profiles on a fresh store."""

    def __init__(self, shop: Workshop, folder: Path) -> None:
        self.shop = shop
        self.artifacts = Artifacts(LocalBlobs(folder / "blobs"))
        self.shelf = ProfileShelf(shop.store, self.artifacts, system_clock)
        self.maker = CountingMaker(shop.datasets, self.shelf)
        self.maker.read = []
        self.profiles = Profiles(shop.datasets, self.maker)

    def land(self, **columns: object) -> None:
        self.shop.datasets.land(ADA, "sales", pl.DataFrame(columns))

    def profile(self, at: str | None = None) -> Profile:
        return self.maker.of_snapshot("default", self.shop.datasets.snapshot("default", "sales", at))

    def said(self, at: str | None = None) -> SnapshotProfile:
        return self.profiles.get(ADA, ProfileOf(dataset="sales", at=at))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    shop = open_workshop(tmp_path)
    yield Bench(shop, tmp_path)
    shop.store.close()


def test_an_append_reads_only_what_landed(bench):
    bench.land(amount=[1.0, 2.0])
    bench.profile()
    bench.land(amount=[3.0, None])
    bench.maker.read.clear()

    found = bench.profile()

    assert len(bench.maker.read) == 1
    assert (found.rows, found.columns[0].nulls, found.columns[0].numbers.high) == (4, 1, 3.0)
    assert found.names() == ["amount"]  # not `_landing` and `_row`


def test_a_profile_is_made_once(bench):
    bench.land(amount=[1.0])
    first = bench.profile()
    bench.maker.read.clear()

    assert bench.profile() == first
    assert bench.maker.read == []


def test_a_restored_version_has_the_profile_of_the_version_that_it_restores(bench):
    bench.land(amount=[1.0])
    bench.profile()
    bench.land(amount=[2.0])
    bench.shop.datasets.restore(ADA, RestoreSnapshot(name="sales", at="1"))
    bench.maker.read.clear()

    assert bench.profile() == bench.profile("1")
    assert bench.maker.read == []


def test_a_version_between_others_has_its_own_profile(bench):
    for amount in (1.0, 2.0, 3.0):
        bench.land(amount=[amount] * 300)

    assert [bench.profile(at).rows for at in ("3", "1", "2")] == [900, 300, 600]
    assert len(bench.maker.read) == 3


def test_the_profile_of_a_tiny_file_is_made_anew_and_takes_no_room(bench):
    bench.land(amount=[1.0])
    snapshot = bench.shop.datasets.snapshot("default", "sales")

    bench.maker.of_file("default", snapshot, snapshot.files[0])

    assert bench.shelf.find("default", snapshot.files[0].sha256) is None


def test_a_profile_whose_bytes_are_lost_is_made_again(bench, tmp_path):
    bench.land(amount=list(range(2000)), text=[f"t{k}" for k in range(2000)])
    first = bench.profile()
    for path in (tmp_path / "blobs").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.unlink()

    assert bench.profile() == first
    assert bench.shelf.find("default", bench.shop.datasets.snapshot("default", "sales").content_id) == first


def test_clean_up_is_told_which_artifacts_are_profiles(bench):
    bench.land(amount=[1.0])
    bench.profile()

    with bench.shop.store.read() as reader:
        assert len(set(ProfileRoots().needed(reader, "default"))) == 1  # of a single file and of its snapshot: the same
        assert list(ProfileRoots().needed(reader, "other")) == []


def test_projects_do_not_see_each_others_profiles(bench):
    bench.land(amount=[1.0])
    bench.profile()

    assert bench.shelf.find("other", bench.shop.datasets.snapshot("default", "sales").content_id) is None


def test_a_profile_is_said_in_numbers_and_times_that_people_read(bench):
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC)
    bench.land(
        amount=[1.0, 2.0, None, 4.0],
        at=[noon + timedelta(hours=k) for k in range(4)],
        paid=[True, False, True, True],
        who=[f"ada{k}@example.org" for k in range(4)],
    )

    columns = {column.name: column for column in bench.said().columns}

    assert (columns["amount"].null_share, columns["amount"].mean) == (0.25, pytest.approx(7 / 3))
    assert sum(columns["amount"].histogram.counts) == 3
    assert columns["at"].low == "2024-05-01T12:00:00Z"
    assert columns["at"].step == "hour"
    assert columns["at"].weekdays[2] == 4
    assert columns["at"].histogram.edges[0] == noon.timestamp()
    assert [(one.value, one.count) for one in columns["paid"].frequent] == [("true", 3), ("false", 1)]
    assert columns["who"].is_withheld
    assert columns["who"].personal[0].kind == "email"
    assert columns["who"].low == 16  # a length


def test_hints_say_what_catches_the_eye(bench):
    n = 200
    bench.land(
        id=list(range(n)),
        same=[1] * n,
        void=pl.Series([None] * n, dtype=pl.Float64),
        word=["AA", "aa ", "UA", "n/a"] * (n // 4),
        digits=[f"{k % 50}" for k in range(n)],
        reading=[20.0 + k % 7 for k in range(n - 5)] + [-999.0] * 5,
        twice=[k * 2 for k in range(n)],
        at=[datetime(1970, 1, 1, tzinfo=UTC)] + [datetime(2024, 1, 1, tzinfo=UTC)] * (n - 1),
    )

    found = {(hint.column, hint.kind) for hint in bench.said().hints}

    assert {
        (None, "redundant"), ("id", "key"), ("same", "constant"), ("void", "missing"), ("word", "spelling"),
        ("word", "stand-in"), ("digits", "text"), ("reading", "stand-in"), ("reading", "far"), ("at", "epoch"),
    } <= found  # fmt: skip


def test_steady_data_has_no_hints(bench):
    bench.land(price=[9.5 + k % 13 for k in range(300)], shop=["north", "south", "west"] * 100)

    assert list(bench.said().hints) == []
