"""A landing that is killed at any point leaves nothing lost and nothing doubled."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.systems.collect import FileSource, NamedDataset, Reading

PROGRAM = Path(__file__).with_name("landing_that_dies.py")
POINTS = ["intent", "written", "planned", "committed quarantine", "committed main", "settled"]


def months(folder: Path) -> FileSource:
    return FileSource("*.csv", root=folder / "inbox", name="months", reading=Reading(malformed="quarantine"))


def die(folder: Path, point: str) -> None:
    done = subprocess.run([sys.executable, PROGRAM, folder, point], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def write_months(folder: Path, *, first: int, last: int) -> None:
    inbox = folder / "inbox"
    inbox.mkdir(exist_ok=True)
    for month in range(first, last + 1):
        rows = [f"{month},{day}" for day in range(3)] + [f"{month},broken,line"]
        (inbox / f"2013-{month:02}.csv").write_text("month,day\n" + "\n".join(rows) + "\n")


def rows_of(home: Home, name: str) -> pl.DataFrame:
    snapshot = home.datasets.snapshot("default", name)
    return home.datasets.scan("default", snapshot).collect()


def open_table_of(home: Home, name: str) -> pl.DataFrame:
    """What Spark and others would see."""
    folder = next(d for d in (home.folder / "tables").iterdir() if d.name.endswith("quarantine") == ("quar" in name))
    return pl.scan_delta(str(folder)).collect()


@pytest.mark.parametrize("point", POINTS)
def test_a_landing_killed_at_any_point_is_neither_lost_nor_doubled(tmp_path: Path, point: str) -> None:
    write_months(tmp_path, first=1, last=1)
    home = open_home(tmp_path)
    home.datasets.land(ADA, "months", months(tmp_path))
    write_months(tmp_path, first=2, last=2)

    die(tmp_path, point)
    home.datasets.land(ADA, "months", months(tmp_path))

    kept, refused = rows_of(home, "months"), rows_of(home, "months.quarantine")
    assert sorted(kept["month"]) == [1, 1, 1, 2, 2, 2]
    assert sorted(refused["_raw"].str.slice(-13)) == ["1,broken,line", "2,broken,line"]
    assert open_table_of(home, "months").sort("_landing", "_row").equals(kept.sort("_landing", "_row"))
    assert open_table_of(home, "quarantine").height == 2
    landings = home.datasets.landings(ADA, NamedDataset(name="months"))
    committed = [landing for landing in landings if landing.state == "committed"]
    assert [landing.rows_kept + landing.rows_refused for landing in committed] == [4, 4]
    assert {landing.state for landing in landings} <= {"committed", "abandoned"}
    files = list((home.folder / "tables").rglob("*.parquet"))
    assert len(files) == 4  # nothing that no landing claims is left behind
    landed = [event for event in home.events.about("default", "dataset/months") if event.kind == "dataset.landed"]
    assert len(landed) == 2
    home.store.close()


@pytest.mark.parametrize("point", ["planned", "committed quarantine", "committed main"])
def test_a_planned_landing_is_completed_by_recovery_alone(tmp_path: Path, point: str) -> None:
    write_months(tmp_path, first=1, last=1)

    die(tmp_path, point)
    home = open_home(tmp_path)
    mended = home.datasets.recover("default")

    [landing] = home.datasets.landings(ADA, NamedDataset(name="months"))
    assert (landing.id, landing.state, landing.rows_kept, landing.cursor) == (mended[0], "committed", 3, "2013-01.csv")
    assert home.datasets.recover("default") == []
    home.store.close()


def test_a_dead_holder_of_the_turn_does_not_block_the_next_landing(tmp_path: Path) -> None:
    write_months(tmp_path, first=1, last=1)

    die(tmp_path, "committed main")
    home = open_home(tmp_path)
    home.datasets.land(ADA, "months", pl.DataFrame({"month": [9], "day": [9]}))

    assert sorted(rows_of(home, "months")["month"]) == [1, 1, 1, 9]
    home.store.close()


def test_the_landing_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    other = open_home(tmp_path)

    home = open_home(tmp_path, at=lambda point: seen.append(list(other.datasets.recover("default"))))
    home.datasets.land(ADA, "months", pl.DataFrame({"month": [1]}))

    assert seen
    assert not any(seen)
    home.store.close()
    other.store.close()
