"""Clean-up takes what nothing holds and nothing else, whatever came before and wherever it is killed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.ground.clock import to_micros
from treadle.kernel.store import Store
from treadle.kernel.vocabulary.datasets import TableCleanUp
from treadle.systems.collect import NamedDataset
from treadle.systems.collect.branching.records import MakeBranch, MergeBranch, NamedBranch
from treadle.systems.collect.compacting.service import CompactDataset, Compaction
from treadle.systems.collect.errors import LandingTakenOver, MergeConflict, SnapshotExpired
from treadle.systems.collect.records import RestoreSnapshot, TagSnapshot, UntagSnapshot
from treadle.systems.collect.retaining.examining import TableFiles
from treadle.systems.collect.retaining.service import TableHoldings

GRACE = timedelta(hours=24)


class Days:
    """A clock that stands still until somebody turns it."""

    def __init__(self) -> None:
        self.now = datetime(2013, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, days: float) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture
def old(tmp_path: Path, days: Days) -> Iterator[Home]:
    home = open_home(tmp_path, clock=days)
    yield home
    home.store.close()


def clean(
    home: Home, days: Days, *, needed: tuple[str, ...] = (), retention: int = 30, dry: bool = False
) -> TableCleanUp:
    """One clean-up; what became of the numbers."""
    since, before = to_micros(days.now - timedelta(days=retention)), to_micros(days.now - GRACE)
    found = TableHoldings(home.datasets.workings).clean(
        "default", set(needed), since=since, before=before, is_dry_run=dry
    )
    return next(one for one in found if one.dataset == "numbers")


def clean_through(home: Home, days: Days, *, needed: tuple[str, ...] = ()) -> None:
    """What a year of clean-ups does."""
    days.pass_by(365)
    clean(home, days, needed=needed)
    days.pass_by(2)
    clean(home, days, needed=needed)


def land(home: Home, *values: int, name: str = "numbers") -> None:
    home.datasets.land(ADA, name, pl.DataFrame({"n": list(values)}))


def values(home: Home, at: str | None = None, name: str = "numbers") -> list[int]:
    return home.datasets.scan("default", home.datasets.snapshot("default", name, at)).collect()["n"].to_list()


def restore(home: Home, at: str) -> None:
    home.datasets.restore(ADA, RestoreSnapshot(name="numbers", at=at))


def files(home: Home) -> int:
    return len(list((home.folder / "tables").rglob("*.parquet")))


def in_the_open(home: Home) -> list[int]:
    folder = home.datasets.lookup.get("default", "numbers").dataset.location
    return sorted(pl.scan_delta(folder).collect()["n"])


@pytest.fixture
def went_back(old: Home, days: Days) -> Home:
    """1; 1 and 2; back at 1. The file of 2 is in version 2 alone."""
    for n in (1, 2):
        land(old, n)
        days.pass_by(1)
    restore(old, "1")
    return old


def test_a_file_that_no_held_snapshot_lists_goes_after_the_grace(went_back: Home, days: Days) -> None:
    days.pass_by(31)

    first = clean(went_back, days)
    assert (first.condemned, first.deleted, first.expired) == (1, 0, [2])
    assert values(went_back, "2") == [1, 2]
    days.pass_by(1.1)
    second = clean(went_back, days)

    assert (second.condemned, second.deleted, second.expired) == (0, 1, [2])
    assert second.deleted_bytes > 0
    assert files(went_back) == 1
    with pytest.raises(SnapshotExpired, match="version 2"):
        values(went_back, "2")
    assert values(went_back, "1") == values(went_back) == in_the_open(went_back) == [1]
    third = clean(went_back, days)
    assert (third.condemned, third.deleted) == (0, 0)
    assert "dataset.cleaned" in [event.kind for event in went_back.events.about("default", "dataset/numbers")]


def test_what_was_the_newest_within_retention_stays(went_back: Home, days: Days) -> None:
    days.pass_by(29.5)  # version 2 was the newest until then

    found = clean(went_back, days)

    assert found.condemned == 0
    assert found.kept == {"newest": 1, "newest within retention": 1}


def test_a_dry_run_says_what_would_go_and_why_the_rest_stays_and_changes_nothing(went_back: Home, days: Days) -> None:
    days.pass_by(40)
    dry = clean(went_back, days, dry=True)

    assert (dry.condemned, dry.expired, dry.kept) == (1, [2], {"newest": 1})
    assert clean(went_back, days, dry=True) == dry


def test_a_tag_a_use_and_a_branch_hold_a_snapshot_s_files(went_back: Home, days: Days) -> None:
    second = went_back.datasets.snapshot("default", "numbers", "2")

    for holding in ("tag", "content", "id", "branch"):
        if holding == "tag":
            went_back.tags.tag(ADA, TagSnapshot(name="numbers", tag="kept", at="2"))
        if holding == "branch":
            went_back.branches.make(ADA, MakeBranch(name="numbers", branch="fix", at="2"))
        needed = {"content": (second.content_id,), "id": (second.id,)}.get(holding, ())
        clean_through(went_back, days, needed=needed)
        assert values(went_back, "2") == [1, 2], holding
        if holding == "tag":
            went_back.tags.untag(ADA, UntagSnapshot(name="numbers", tag="kept"))
    went_back.branches.delete(ADA, NamedBranch(name="numbers", branch="fix"))
    clean_through(went_back, days)
    with pytest.raises(SnapshotExpired):
        values(went_back, "2")


def test_what_is_asked_for_again_within_the_grace_stays(went_back: Home, days: Days) -> None:
    days.pass_by(40)
    clean(went_back, days)
    went_back.tags.tag(ADA, TagSnapshot(name="numbers", tag="kept", at="2"))
    days.pass_by(2)
    clean(went_back, days)
    assert values(went_back, "kept") == [1, 2]

    went_back.tags.untag(ADA, UntagSnapshot(name="numbers", tag="kept"))
    clean(went_back, days)
    restore(went_back, "2")
    days.pass_by(2)
    clean(went_back, days)

    assert values(went_back) == in_the_open(went_back) == [1, 2]


def test_a_snapshot_that_has_expired_can_be_neither_tagged_nor_restored(went_back: Home, days: Days) -> None:
    clean_through(went_back, days)

    with pytest.raises(SnapshotExpired):
        went_back.tags.tag(ADA, TagSnapshot(name="numbers", tag="late", at="2"))
    with pytest.raises(SnapshotExpired):
        restore(went_back, "2")
    with pytest.raises(SnapshotExpired):
        went_back.branches.make(ADA, MakeBranch(name="numbers", branch="late", at="2"))


def test_appending_alone_costs_no_snapshot_its_files(old: Home, days: Days) -> None:
    for n in range(4):
        land(old, n)
        days.pass_by(40)

    clean_through(old, days)

    assert [values(old, str(version)) for version in range(1, 5)] == [[0], [0, 1], [0, 1, 2], [0, 1, 2, 3]]


def test_a_compaction_frees_the_small_files_and_its_own_version_is_read_from_the_large_one(
    old: Home, days: Days
) -> None:
    for n in range(4):
        land(old, n)
    Compaction(old.datasets.workings).compact(ADA, CompactDataset(name="numbers"))
    assert values(old, "2") == [0, 1]

    clean_through(old, days)

    assert files(old) == 1
    assert values(old, "4") == values(old) == in_the_open(old) == [0, 1, 2, 3]
    with pytest.raises(SnapshotExpired):
        values(old, "2")


def test_a_landing_that_restores_and_a_clean_up_do_not_cross(tmp_path: Path, days: Days) -> None:
    """The restore has read version 2's files; clean-up takes them before its plan stands."""

    def at(point: str) -> None:
        if armed and point == "written":
            armed.clear()
            days.pass_by(2)
            clean(other, days)

    armed: list[bool] = []
    home, other = open_home(tmp_path, at=at, clock=days), open_home(tmp_path, clock=days)
    for n in (1, 2):
        land(home, n)
    restore(home, "1")
    days.pass_by(40)
    clean(home, days)
    armed.append(True)

    with pytest.raises(LandingTakenOver, match="given up"):
        restore(home, "2")

    assert values(home) == in_the_open(home) == [1]
    home.store.close()
    other.store.close()


def test_a_plan_s_files_are_held_from_its_moment_on(tmp_path: Path, days: Days) -> None:
    def at(point: str) -> None:
        if armed and point == "planned":
            armed.clear()
            days.pass_by(2)
            clean(other, days)

    armed: list[bool] = []
    home, other = open_home(tmp_path, at=at, clock=days), open_home(tmp_path, clock=days)
    for n in (1, 2):
        land(home, n)
    restore(home, "1")
    days.pass_by(40)
    clean(home, days)
    armed.append(True)

    restore(home, "2")

    assert values(home) == in_the_open(home) == [1, 2]
    home.store.close()
    other.store.close()


def test_a_clean_up_killed_before_its_files_are_gone_is_finished_by_the_next(
    went_back: Home, days: Days, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.pass_by(40)
    clean(went_back, days)
    days.pass_by(2)
    with monkeypatch.context() as patched:
        patched.setattr(TableHoldings, "_unlink", lambda *_: None)
        clean(went_back, days)
    assert files(went_back) == 2
    with pytest.raises(SnapshotExpired):
        values(went_back, "2")

    clean(went_back, days)

    assert files(went_back) == 1
    assert values(went_back) == [1]


def test_files_that_are_not_ours_and_landings_on_their_way_are_left_alone(went_back: Home, days: Days) -> None:
    folder = Path(went_back.datasets.lookup.get("default", "numbers").dataset.location) / "data"
    (folder / "part-0001.parquet").write_bytes(b"of another engine")
    (folder / "land_00000000000000000000000000-00000.parquet").write_bytes(b"left by a crash")
    days.now = datetime.now(UTC) + timedelta(days=40)

    clean_through(went_back, days)

    assert {path.name[:5] for path in folder.iterdir()} == {"part-", "land_"}
    assert not (folder / "land_00000000000000000000000000-00000.parquet").exists()


def test_what_another_engine_committed_last_is_seen_first(went_back: Home, days: Days) -> None:
    """It restores version 2, whose file we would have deleted now."""
    days.pass_by(40)
    clean(went_back, days)
    days.pass_by(2)
    DeltaTable(went_back.datasets.lookup.get("default", "numbers").dataset.location).restore(2)

    clean(went_back, days)

    assert values(went_back) == in_the_open(went_back) == [1, 2]


def test_clean_up_lives_on_postgres_too(tmp_path: Path, days: Days, postgres_store: Store) -> None:
    home = open_home(tmp_path, clock=days, store=postgres_store)
    for n in (1, 2):
        land(home, n)
    restore(home, "1")

    clean_through(home, days)

    assert (files(home), values(home)) == (1, [1])
    with pytest.raises(SnapshotExpired):
        values(home, "2")


STEPS = st.one_of(
    st.just(("land",)),
    st.tuples(st.just("restore"), st.integers(0, 5)),
    st.just(("compact",)),
    st.tuples(st.just("tag"), st.sampled_from("xy"), st.integers(0, 5)),
    st.tuples(st.just("untag"), st.sampled_from("xy")),
    st.tuples(st.just("pin"), st.integers(0, 5)),
    st.tuples(st.just("branch"), st.integers(0, 5)),
    st.just(("branch land",)),
    st.tuples(st.just("merge"), st.booleans()),
    st.just(("delete branch",)),
    st.tuples(st.just("clean"), st.sampled_from([0.5, 2.0, 40.0])),
)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=5, max_size=18))
def test_what_is_held_is_read_as_it_was_after_any_sequence(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    """Heads, tags, pins and what was the newest lately are whole; what is not whole says so; other engines read on."""
    days = Days()
    home = open_home(tmp_path_factory.mktemp("held"), clock=days)
    land(home, 0)
    expected: dict[str, list[int]] = {}
    tags: dict[str, str] = {}
    pins: set[str] = set()
    next_value, has_branch = 1, False

    def note() -> None:
        for name in ["numbers", *(["numbers@b"] if has_branch else [])]:
            snapshot = home.datasets.snapshot("default", name)
            expected.setdefault(snapshot.id, values(home, snapshot.id))

    note()
    for step in [*steps, ("clean", 40.0), ("clean", 2.0)]:
        known = list(expected)
        try:
            match step:
                case ("land",):
                    land(home, next_value)
                    next_value += 1
                case ("restore", int(n)):
                    restore(home, known[n % len(known)])
                case ("compact",):
                    Compaction(home.datasets.workings).compact(ADA, CompactDataset(name="numbers"))
                case ("tag", str(tag), int(n)):
                    home.tags.tag(ADA, TagSnapshot(name="numbers", tag=tag, at=known[n % len(known)]))
                    tags[tag] = known[n % len(known)]
                case ("untag", str(tag)) if tag in tags:
                    home.tags.untag(ADA, UntagSnapshot(name="numbers", tag=tag))
                    del tags[tag]
                case ("pin", int(n)):
                    home.datasets.snapshot("default", "numbers", known[n % len(known)])
                    pins.add(known[n % len(known)])
                case ("branch", int(n)) if not has_branch:
                    home.branches.make(ADA, MakeBranch(name="numbers", branch="b", at=known[n % len(known)]))
                    has_branch = True
                case ("branch land",) if has_branch:
                    land(home, next_value, name="numbers@b")
                    next_value += 1
                case ("merge", bool(delete)) if has_branch:
                    home.branches.merge(ADA, MergeBranch(name="numbers", branch="b", delete=delete))
                    has_branch = not delete
                case ("delete branch",) if has_branch:
                    home.branches.delete(ADA, NamedBranch(name="numbers", branch="b"))
                    has_branch = False
                case ("clean", float(passed)):
                    days.pass_by(passed)
                    clean(home, days, needed=tuple(pins))
        except (SnapshotExpired, MergeConflict):
            pass
        note()
        held = {*tags.values(), *pins, home.datasets.snapshot("default", "numbers").id}
        for id in held:
            assert values(home, id) == expected[id]
        assert in_the_open(home) == sorted(values(home))
    for id, rows in expected.items():
        try:
            assert values(home, id) == rows
        except SnapshotExpired:
            assert id not in {*tags.values(), *pins}
    assert len(home.datasets.history(ADA, NamedDataset(name="numbers"))) >= 1
    home.store.close()


def test_every_file_of_a_dataset_is_looked_at(home: Home) -> None:
    """What is missing, shortened or changed is named; of bytes that only changed, a look that reads everything."""
    for n in range(3):
        home.datasets.land(ADA, "numbers", pl.DataFrame({"n": range(n * 100, n * 100 + 100)}))
    home.branches.make(ADA, MakeBranch(name="numbers", branch="fix"))
    files = TableFiles(home.datasets.workings)
    assert files.look_at("default", deep=True) == (3, [])
    gone, short, changed = sorted(path for path in (home.folder / "tables").rglob("*.parquet"))

    changed.write_bytes(changed.read_bytes()[:-1] + b"?")
    assert files.look_at("default", deep=False) == (3, [])
    gone.unlink()
    short.write_bytes(short.read_bytes()[:10])

    count, found = files.look_at("default", deep=True)
    assert count == 3
    assert sorted(problem.split(";")[0] for _, problem in found) == [
        "it has 10 bytes",
        "it is missing",
        "its bytes are not those that were landed",
    ]
    assert all(name.endswith(".parquet") for name, _ in found)
