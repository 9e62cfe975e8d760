"""Compaction changes the layout and nothing else, whatever lands meanwhile and whoever is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.kernel.vocabulary.datasets import DataFile
from treadle.systems.collect import NamedDataset
from treadle.systems.collect.compacting.service import CompactDataset, Compacted, Compaction, groups
from treadle.systems.collect.records import RestoreSnapshot, WantedRows


def compact(home: Home, name: str = "numbers", target: int = 128 << 20) -> Compacted:
    return Compaction(home.datasets.workings).compact(ADA, CompactDataset(name=name, target_bytes=target))


def land(home: Home, *values: int, **others: object) -> None:
    home.datasets.land(ADA, "numbers", pl.DataFrame({"n": list(values), **others}))


def rows(home: Home, at: str | None = None) -> pl.DataFrame:
    return home.datasets.scan("default", home.datasets.snapshot("default", "numbers", at)).collect()


def folder_of(home: Home) -> Path:
    return Path(home.datasets.lookup.get("default", "numbers").dataset.location)


def test_many_files_become_one_and_rows_order_and_content_stay(home: Home) -> None:
    for n in range(5):
        land(home, n, n + 10, **({"x": ["late", None]} if n > 2 else {}))
    before = home.datasets.snapshot("default", "numbers")
    expected = rows(home)

    done = compact(home)

    after = home.datasets.snapshot("default", "numbers")
    assert (done.files_before, done.files_after, done.version, done.rows_moved) == (5, 1, 6, 10)
    assert_frame_equal(rows(home), expected)
    assert (after.content_id, after.origin) == (before.content_id, before.origin)
    assert after.layout_digest != before.layout_digest
    assert_frame_equal(rows(home, "5"), expected)
    assert rows(home, "2")["n"].to_list() == [0, 10, 1, 11]
    assert home.datasets.rows(ADA, WantedRows(name="numbers", rows=[f"{before.landing}:1"])).rows[0]["n"] == 14
    assert sorted(pl.scan_delta(str(folder_of(home))).collect()["n"]) == sorted(expected["n"])
    assert home.events.about("default", "dataset/numbers")[-1].kind == "dataset.compacted"


def test_other_engines_are_told_that_no_data_changed(home: Home) -> None:
    land(home, 1)
    land(home, 2)
    compact(home)

    newest = sorted((folder_of(home) / "_delta_log").glob("*.json"))[-1].read_text()

    assert '"dataChange":false' in newest
    assert '"dataChange":true' not in newest
    assert DeltaTable(folder_of(home)).version() == 3


def test_nothing_to_lay_together_makes_no_snapshot(home: Home) -> None:
    land(home, 1)
    assert compact(home).version is None
    land(home, 2)
    compact(home)

    assert compact(home).version is None
    assert home.datasets.snapshot("default", "numbers").version == 3


def test_large_files_stay_and_the_order_with_them(home: Home) -> None:
    land(home, 0)
    land(home, 1)
    land(home, *range(100, 20_000))
    land(home, 2)
    land(home, 3)
    expected = rows(home)

    done = compact(home, target=20_000)

    assert (done.files_before, done.files_after) == (5, 3)
    assert_frame_equal(rows(home), expected)
    assert compact(home).files_after == 1
    assert_frame_equal(rows(home), expected)


def test_an_earlier_state_comes_back_in_its_order_after_a_compaction(home: Home) -> None:
    for n in range(4):
        land(home, n)
    compact(home)
    land(home, 4)

    home.datasets.restore(ADA, RestoreSnapshot(name="numbers", at="3"))
    home.datasets.restore(ADA, RestoreSnapshot(name="numbers", at="6"))

    assert rows(home)["n"].to_list() == [0, 1, 2, 3, 4]
    assert home.datasets.snapshot("default", "numbers").origin == home.datasets.snapshot("default", "numbers", "6").id


@pytest.mark.parametrize("point", ["written", "planned"])
def test_what_lands_during_a_compaction_is_kept(tmp_path: Path, point: str) -> None:
    def at(reached: str) -> None:
        if armed and reached == point:
            armed.clear()
            land(other, 9)

    armed: list[bool] = []
    home, other = open_home(tmp_path, at=at), open_home(tmp_path)
    land(home, 1)
    land(home, 2)
    armed.append(True)

    compact(home)

    newest, before = (home.datasets.snapshot("default", "numbers", at) for at in (None, "3"))
    assert sorted(rows(home)["n"]) == [1, 2, 9]
    assert newest.content_id == before.content_id
    assert sorted(pl.scan_delta(str(folder_of(home))).collect()["n"]) == [1, 2, 9]
    home.store.close()
    other.store.close()


@pytest.mark.parametrize("point", ["written", "planned"])
def test_what_went_back_during_a_compaction_does_not_come_again(tmp_path: Path, point: str) -> None:
    def at(reached: str) -> None:
        if armed and reached == point:
            armed.clear()
            other.datasets.restore(ADA, RestoreSnapshot(name="numbers", at="1"))

    armed: list[bool] = []
    home, other = open_home(tmp_path, at=at), open_home(tmp_path)
    for n in (1, 2, 3):
        land(home, n)
    armed.append(True)

    compact(home)

    assert rows(home)["n"].to_list() == [1]
    assert pl.scan_delta(str(folder_of(home))).collect()["n"].to_list() == [1]
    states = [one.state for one in home.datasets.landings(ADA, NamedDataset(name="numbers")) if one.kind == "compact"]
    assert "abandoned" in states
    assert len(list(folder_of(home).rglob("*.parquet"))) == 3
    home.store.close()
    other.store.close()


def test_a_restore_is_of_that_state_whatever_lands_meanwhile(tmp_path: Path) -> None:
    def at(reached: str) -> None:
        if armed and reached == "planned":
            armed.clear()
            land(other, 9)

    armed: list[bool] = []
    home, other = open_home(tmp_path, at=at), open_home(tmp_path)
    land(home, 1)
    land(home, 2)
    armed.append(True)

    restored = home.datasets.restore(ADA, RestoreSnapshot(name="numbers", at="1"))

    assert rows(home)["n"].to_list() == [1]
    assert restored.version == 4
    assert rows(home, "3")["n"].to_list() == [1, 2, 9]
    home.store.close()
    other.store.close()


def test_a_compaction_that_was_overtaken_and_killed_is_cleared_away(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(home, 1)
    land(home, 2)
    with monkeypatch.context() as patched:
        patched.setattr("treadle.systems.collect.landing.Landings._finish", _killed)
        with pytest.raises(KeyboardInterrupt):
            compact(home)
    with monkeypatch.context() as patched:
        patched.setattr("treadle.systems.collect.landing.Landings.recover", lambda *_: [])
        home.datasets.restore(ADA, RestoreSnapshot(name="numbers", at="1"))

    home.datasets.recover("default")

    assert rows(home)["n"].to_list() == [1]
    assert home.datasets.recover("default") == []
    assert len(list(folder_of(home).rglob("*.parquet"))) == 2


def _killed(*_: object) -> None:
    raise KeyboardInterrupt


SIZES = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 3000)), max_size=30)


@given(sizes=SIZES, target=st.integers(10, 400))
def test_groups_are_neighbours_and_no_larger_than_asked_for(sizes: list[tuple[int, int]], target: int) -> None:
    files = [DataFile(path=str(n), sha256="", size=size, rows=count) for n, (size, count) in enumerate(sizes)]

    found = groups(files, target)

    for group in found:
        places = [int(file.path) for file in group]
        assert len(places) > 1
        assert places == list(range(places[0], places[0] + len(places)))
        assert sum(file.size for file in group) <= target
        assert all(file.size < target / 2 for file in group)
    together = [file.path for group in found for file in group]
    assert len(together) == len(set(together))


PROGRAM = Path(__file__).with_name("compaction_that_dies.py")


@pytest.mark.parametrize("point", ["written", "planned", "committed main"])
def test_a_compaction_killed_at_any_point_loses_and_doubles_no_row(tmp_path: Path, point: str) -> None:
    home = open_home(tmp_path)
    for n in range(3):
        land(home, n)
    died = subprocess.run([sys.executable, PROGRAM, tmp_path, point], capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()

    land(home, 3)
    compact(home)

    assert rows(home)["n"].to_list() == [0, 1, 2, 3]
    assert rows(home, "3")["n"].to_list() == [0, 1, 2]
    assert sorted(pl.scan_delta(str(folder_of(home))).collect()["n"]) == [0, 1, 2, 3]
    assert {one.state for one in home.datasets.landings(ADA, NamedDataset(name="numbers"))} <= {
        "committed",
        "abandoned",
    }
    home.store.close()
