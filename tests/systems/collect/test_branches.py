"""Branches: nobody sees them before the merge, and a merge loses, doubles and hides nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.kernel.store import Store
from treadle.systems.collect import FrameSource, NamedDataset
from treadle.systems.collect.branching.records import MakeBranch, MergeBranch, Merged, NamedBranch
from treadle.systems.collect.comparing.records import CompareSnapshots
from treadle.systems.collect.comparing.service import Comparisons
from treadle.systems.collect.delta_table import Table
from treadle.systems.collect.errors import (
    BranchInUse,
    BranchNotFound,
    DatasetNameRefused,
    MergeConflict,
    SnapshotNotFound,
)
from treadle.systems.collect.querying.records import QueryDatasets
from treadle.systems.collect.querying.service import Queries
from treadle.systems.collect.records import RestoreSnapshot, TagSnapshot

FIX = "numbers@fix"


def land(home: Home, name: str, *values: int, key: str | None = None) -> None:
    home.datasets.land(ADA, name, pl.DataFrame({"n": list(values)}), key=key)


def values(home: Home, name: str = "numbers", at: str | None = None) -> list[int]:
    snapshot = home.datasets.snapshot("default", name, at)
    return home.datasets.scan("default", snapshot).collect()["n"].to_list()


def branch(home: Home, name: str = "fix", at: str | None = None) -> None:
    home.branches.make(ADA, MakeBranch(name="numbers", branch=name, at=at))


def merge(home: Home, name: str = "fix", *, delete: bool = False) -> Merged:
    return home.branches.merge(ADA, MergeBranch(name="numbers", branch=name, delete=delete))


def folder_of(home: Home) -> Path:
    return Path(home.datasets.lookup.get("default", "numbers").dataset.location)


def in_the_open(home: Home) -> list[int]:
    """What Spark and others would see."""
    return sorted(pl.scan_delta(str(folder_of(home))).collect()["n"])


@pytest.fixture
def started(home: Home) -> Home:
    """Numbers 1 and 2 on main, 3 on the branch."""
    land(home, "numbers", 1)
    land(home, "numbers", 2)
    branch(home)
    land(home, FIX, 3)
    return home


def test_what_lands_on_a_branch_is_seen_on_the_branch_alone(started: Home) -> None:
    assert (values(started, FIX), values(started), in_the_open(started)) == ([1, 2, 3], [1, 2], [1, 2])
    assert values(started, "numbers", "fix") == values(started, "numbers@fix:1") == [1, 2, 3]
    assert [one.name for one in started.datasets.list(ADA)] == ["numbers"]
    [info] = started.branches.list(ADA, NamedDataset(name="numbers"))
    assert (info.branch, info.base_version, info.ahead, info.behind, info.rows) == ("fix", 2, 1, 0, 3)
    land(started, "numbers", 4)
    assert started.branches.list(ADA, NamedDataset(name="numbers"))[0].behind == 1
    assert [one.version for one in started.datasets.history(ADA, NamedDataset(name=FIX))] == [1]


def test_a_branch_begins_at_any_snapshot_and_copies_nothing(started: Home) -> None:
    files = sorted(folder_of(started).rglob("*.parquet"))

    branch(started, "old", at="1")
    branch(started, "twig", at="fix")
    assert sorted(folder_of(started).rglob("*.parquet")) == files
    land(started, "numbers@old", 10)
    land(started, "numbers@twig", 4)

    assert values(started, "numbers@old") == [1, 10]
    assert values(started, "numbers@twig") == [1, 2, 3, 4]


def test_making_a_branch_again_answers_the_one_that_is_there(started: Home) -> None:
    again = started.branches.make(ADA, MakeBranch(name="numbers", branch="fix", at="1"))

    assert (again.base_version, again.ahead) == (2, 1)


def test_a_merge_into_a_main_that_stood_still_is_the_same_content(started: Home) -> None:
    head = started.datasets.snapshot("default", FIX)

    merged = merge(started)

    main = started.datasets.snapshot("default", "numbers")
    assert (merged.how, merged.version, merged.rows_added, merged.landings) == ("fast-forward", 3, 1, 1)
    assert main.content_id == head.content_id
    assert values(started) == in_the_open(started) == [1, 2, 3]
    landings = started.datasets.landings(ADA, NamedDataset(name="numbers"))
    assert [(one.kind, one.version) for one in landings] == [("append", 1), ("append", 2), ("append", 3), ("merge", 3)]
    events = [event.kind for event in started.events.about("default", "dataset/numbers")]
    assert events[-2:] == ["dataset.merged", "dataset.landed"]


def test_a_merged_branch_goes_on_from_main(started: Home) -> None:
    merge(started)
    land(started, FIX, 4)

    [info] = started.branches.list(ADA, NamedDataset(name="numbers"))
    assert (info.base_version, info.ahead, info.behind) == (3, 1, 0)
    assert (values(started, FIX), values(started)) == ([1, 2, 3, 4], [1, 2, 3])
    assert merge(started, delete=True).how == "fast-forward"
    assert values(started) == [1, 2, 3, 4]
    assert started.branches.list(ADA, NamedDataset(name="numbers")) == []


def test_a_merge_into_a_main_that_moved_on_puts_the_branch_on_top(started: Home) -> None:
    land(started, "numbers", 9)

    merged = merge(started)

    assert (merged.how, merged.version) == ("replayed", 4)
    assert values(started) == [1, 2, 9, 3]
    assert in_the_open(started) == [1, 2, 3, 9]


def test_a_branch_that_went_back_takes_the_rows_away_on_main(started: Home) -> None:
    started.datasets.restore(ADA, RestoreSnapshot(name=FIX, at="main:1"))
    land(started, FIX, 7)
    land(started, "numbers", 9)
    assert values(started, FIX) == [1, 7]

    merged = merge(started)

    assert (merged.rows_added, merged.rows_removed) == (1, 1)
    assert values(started) == [1, 9, 7]
    assert values(started, at="3") == [1, 2, 9]
    assert in_the_open(started) == [1, 7, 9]


def test_a_branch_without_work_has_nothing_to_merge(home: Home) -> None:
    land(home, "numbers", 1)
    branch(home)

    assert merge(home).how == "nothing"
    assert home.datasets.snapshot("default", "numbers").version == 1
    assert home.branches.list(ADA, NamedDataset(name="numbers"))[0].branch == "fix"


def test_rows_that_main_has_laid_elsewhere_do_not_come_back(started: Home) -> None:
    started.datasets.restore(ADA, RestoreSnapshot(name=FIX, at="main:1"))
    DeltaTable(folder_of(started)).optimize.compact()
    started.datasets.adopt(ADA, NamedDataset(name="numbers"))

    with pytest.raises(MergeConflict, match="replaced"):
        merge(started)

    assert (sorted(values(started)), values(started, FIX)) == ([1, 2], [1])


def test_a_batch_that_both_have_landed_is_not_there_twice(home: Home) -> None:
    land(home, "numbers", 1, key="monday")
    branch(home)
    land(home, FIX, 1, key="monday")  # main had it before: nothing lands
    land(home, FIX, 2, key="tuesday")
    land(home, "numbers", 2, key="tuesday")

    with pytest.raises(MergeConflict, match="tuesday"):
        merge(home)

    assert values(home, FIX) == [1, 2]
    assert values(home) == [1, 2]


def test_a_batch_that_came_by_a_branch_does_not_land_on_main_again(started: Home) -> None:
    land(started, FIX, 4, key="friday")
    merge(started)

    land(started, "numbers", 4, key="friday")

    assert values(started) == [1, 2, 3, 4]


def pages(cursor: str | None) -> Iterator[tuple[pl.DataFrame, str]]:
    """One page more than was there."""
    n = int(cursor or 0) + 1
    yield pl.DataFrame({"n": [n]}), str(n)


def test_a_source_is_read_on_where_the_branch_has_left_it(home: Home) -> None:
    source = FrameSource(pages, name="pages")
    home.datasets.land(ADA, "numbers", source)
    branch(home)
    home.datasets.land(ADA, FIX, source)
    assert values(home, FIX) == [1, 2]

    merge(home)
    home.datasets.land(ADA, "numbers", source)

    assert values(home) == [1, 2, 3]


def test_a_branch_of_an_earlier_snapshot_reads_a_source_on_from_there(home: Home) -> None:
    source = FrameSource(pages, name="pages")
    for _ in range(3):
        home.datasets.land(ADA, "numbers", source)
    branch(home, at="1")

    home.datasets.land(ADA, FIX, source)

    assert values(home, FIX) == [1, 2]
    with pytest.raises(MergeConflict, match="pages:2"):
        merge(home)


def test_a_column_has_one_type_on_both_sides(home: Home) -> None:
    land(home, "numbers", 1)
    branch(home)
    home.datasets.land(ADA, FIX, pl.DataFrame({"n": [2], "x": ["a"]}))
    home.datasets.land(ADA, "numbers", pl.DataFrame({"n": [3], "x": [1.5]}))

    with pytest.raises(MergeConflict, match="'x' is string on the branch and double on main"):
        merge(home)


def test_a_column_that_a_branch_brought_is_there_after_the_merge(home: Home) -> None:
    land(home, "numbers", 1)
    branch(home)
    home.datasets.land(ADA, FIX, pl.DataFrame({"n": [2], "x": ["a"]}))
    assert DeltaTable(folder_of(home)).schema().to_arrow().names == ["_landing", "_row", "n"]

    merge(home)

    assert pl.scan_delta(str(folder_of(home))).sort("n").collect()["x"].to_list() == [None, "a"]


def test_a_tag_keeps_a_snapshot_of_a_branch_that_is_gone(started: Home) -> None:
    started.tags.tag(ADA, TagSnapshot(name="numbers", tag="kept", at="fix"))
    old = started.datasets.snapshot("default", FIX)

    started.branches.delete(ADA, NamedBranch(name="numbers", branch="fix"))
    branch(started, at="1")
    land(started, FIX, 30)

    assert values(started, at="kept") == values(started, at=old.id) == [1, 2, 3]
    assert values(started, "numbers@fix", old.id) == [1, 2, 3]  # as a run that was pinned to it asks
    assert values(started, FIX) == [1, 30]
    assert values(started) == [1, 2]


def test_a_branch_that_is_not_there_is_named_with_near_ones(started: Home) -> None:
    with pytest.raises(BranchNotFound) as caught:
        land(started, "numbers@fux", 1)
    started.branches.delete(ADA, NamedBranch(name="numbers", branch="fix"))
    with pytest.raises(BranchNotFound):
        merge(started)
    with pytest.raises(SnapshotNotFound):
        values(started, at="fix")

    assert "fix" in caught.value.why


@pytest.mark.parametrize(
    "name", ["main", "3", "2013-04-01", "snap_x", "a/b", "", "x@y", "a~b", "golden", "x.quarantine"]
)
def test_a_branch_has_a_name_that_nothing_else_could_mean(started: Home, name: str) -> None:
    started.tags.tag(ADA, TagSnapshot(name="numbers", tag="golden"))

    with pytest.raises(DatasetNameRefused):
        branch(started, name)
    with pytest.raises(DatasetNameRefused):
        started.branches.make(ADA, MakeBranch(name=FIX, branch="twig"))
    with pytest.raises(DatasetNameRefused):
        started.tags.tag(ADA, TagSnapshot(name="numbers", tag="fix"))


def test_a_branch_is_not_deleted_below_a_landing(tmp_path: Path) -> None:
    refused: list[str] = []

    def at(point: str) -> None:
        if armed and point == "written":
            with pytest.raises(BranchInUse):
                other.branches.delete(ADA, NamedBranch(name="numbers", branch="fix"))
            refused.append(point)

    armed: list[bool] = []
    home, other = open_home(tmp_path, at=at), open_home(tmp_path)
    land(home, "numbers", 1)
    branch(home)
    armed.append(True)
    land(home, FIX, 2)

    assert refused
    assert values(home, FIX) == [1, 2]
    home.store.close()
    other.store.close()


def test_other_engines_clean_up_leaves_the_files_of_branches(started: Home) -> None:
    branch(started, "other")
    land(started, "numbers@other", 5)
    merge(started, "other")
    table = DeltaTable(folder_of(started))

    taken = table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    assert taken == []
    assert (values(started, FIX), values(started)) == ([1, 2, 3], [1, 2, 5])


def test_snapshots_of_a_branch_and_of_main_are_compared(started: Home) -> None:
    found = Comparisons(started.datasets.lookup).diff(
        ADA, CompareSnapshots(name="numbers", before="main", after="fix", key=["n"])
    )

    assert (found.rows.added, found.rows.removed, found.rows.files_read) == (1, 0, 0)


def test_a_branch_is_asked_in_sql_like_any_place(started: Home) -> None:
    sql = "select (select count(*) from numbers), (select count(*) from numbers@fix), (select count(*) from numbers@fix:1)"

    answer = Queries(started.datasets.lookup).query(ADA, QueryDatasets(sql=sql))

    assert answer.rows == [[2, 3, 3]]


def test_refused_rows_of_a_branch_have_a_quarantine_of_their_own(started: Home) -> None:
    odd = pl.DataFrame({"n": ["4", "five"]})
    started.datasets.land(ADA, FIX, odd, on_mismatch="quarantine")

    refused = started.datasets.snapshot("default", "numbers@fix.quarantine")
    assert refused.rows == 1
    assert values(started, FIX) == [1, 2, 3, 4]
    assert started.datasets.find_snapshot("default", "numbers.quarantine") is None
    merge(started, delete=True)
    assert started.datasets.scan("default", refused).collect().height == 1


def test_branches_live_on_postgres_too(tmp_path: Path, postgres_store: Store) -> None:
    home = open_home(tmp_path, store=postgres_store)
    land(home, "numbers", 1, 2)
    branch(home)
    land(home, FIX, 3)
    land(home, "numbers", 4)
    home.datasets.restore(ADA, RestoreSnapshot(name=FIX, at="fix:1"))

    assert merge(home).how == "replayed"
    assert values(home) == [1, 2, 4, 3]
    assert home.branches.list(ADA, NamedDataset(name="numbers"))[0].ahead == 0


NAMES = st.sampled_from(["numbers", "numbers@a", "numbers@b"])
STEPS = st.one_of(
    st.tuples(st.just("land"), NAMES),
    st.tuples(st.just("restore"), NAMES, st.integers(0, 3)),
    st.tuples(st.just("branch"), st.sampled_from("ab"), st.sampled_from(["main", "a", "b", "1"])),
    st.tuples(st.just("merge"), st.sampled_from("ab"), st.booleans()),
    st.tuples(st.just("delete"), st.sampled_from("ab")),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEPS, min_size=4, max_size=14))
def test_any_history_reads_as_lists_that_were_branched_and_merged(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[object, ...]]
) -> None:
    """The model: a branch is a list and the list of main that it began with; a merge adds what is new and drops what went."""
    home = open_home(tmp_path_factory.mktemp("branches"))
    land(home, "numbers", 0)
    rows: dict[str, list[int]] = {"numbers": [0]}
    base: dict[str, list[int]] = {}
    next_value, past = 1, {home.datasets.snapshot("default", "numbers").id: [0]}
    for step in steps:
        match step:
            case ("land", str(name)) if name in rows:
                land(home, name, next_value)
                rows[name] = [*rows[name], next_value]
                next_value += 1
            case ("restore", str(name), int(back)) if name in rows:
                known = home.datasets.history(ADA, NamedDataset(name=name))
                if known:
                    wanted = known[max(0, len(known) - 1 - back)]
                    home.datasets.restore(ADA, RestoreSnapshot(name=name, at=wanted.id))
                    rows[name] = past[wanted.id]
            case ("branch", str(one), str(at)) if f"numbers@{one}" not in rows:
                source = {"main": "numbers", "1": "numbers"}.get(at, f"numbers@{at}")
                if source in rows:
                    branch(home, one, at)
                    first = home.datasets.history(ADA, NamedDataset(name="numbers"))[0]
                    begun = past[first.id] if at == "1" else rows[source]
                    rows[f"numbers@{one}"] = begun
                    base[one] = base.get(at, begun)
            case ("merge", str(one), bool(delete)) if f"numbers@{one}" in rows:
                mine, began, main = rows[f"numbers@{one}"], base[one], rows["numbers"]
                gone = [n for n in began if n not in mine]
                if any(n not in main for n in gone):
                    with pytest.raises(MergeConflict):
                        merge(home, one, delete=delete)
                    continue
                merged = merge(home, one, delete=delete)
                if merged.how != "nothing":
                    rows["numbers"] = [n for n in main if n not in gone] + [
                        n for n in mine if n not in began and n not in main
                    ]
                    rows[f"numbers@{one}"] = base[one] = rows["numbers"]
                if delete:
                    del rows[f"numbers@{one}"], base[one]
            case ("delete", str(one)) if f"numbers@{one}" in rows:
                home.branches.delete(ADA, NamedBranch(name="numbers", branch=one))
                del rows[f"numbers@{one}"], base[one]
        for name in rows:
            past[home.datasets.snapshot("default", name).id] = values(home, name)
    for name, expected in rows.items():
        assert sorted(values(home, name)) == sorted(expected)
    for id, expected in past.items():
        assert values(home, "numbers", id) == expected
    assert in_the_open(home) == sorted(rows["numbers"])
    home.store.close()


PROGRAM = Path(__file__).with_name("merge_that_dies.py")


@pytest.mark.parametrize("point", ["intent", "written", "planned", "committed main", "settled"])
def test_a_merge_killed_at_any_point_is_neither_lost_nor_doubled(tmp_path: Path, point: str) -> None:
    home = open_home(tmp_path)
    land(home, "numbers", 1)
    branch(home)
    land(home, FIX, 2, key="two")
    land(home, "numbers", 3)

    died = subprocess.run([sys.executable, PROGRAM, tmp_path, point], capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    merge(home, delete=True)

    assert values(home) == [1, 3, 2]
    assert in_the_open(home) == [1, 2, 3]
    assert Table(folder_of(home)).version() == 3
    assert home.branches.list(ADA, NamedDataset(name="numbers")) == []
    assert [event.kind for event in home.events.about("default", "dataset/numbers")].count("dataset.merged") == 1
    land(home, "numbers", 2, key="two")
    assert values(home) == [1, 3, 2]
    home.store.close()
