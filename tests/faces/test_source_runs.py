"""Sources with a schedule run while `treadle up` is up, and follow the file that declares them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from treadle.assembly import Workspace
from treadle.faces.up.source_runs import ScheduledSource, SourceRuns
from treadle.ground import settings
from treadle.kernel.engine.cron import parse
from treadle.systems.collect.records import NamedDataset

TOML = """
[sources.days]
kind = "files"
pattern = "in/*.csv"
settle_s = 0
every_s = 5

[sources.by-hand]
kind = "files"
pattern = "in/*.csv"
"""


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def info(self, text: str, **facts: Any) -> None:
        self.lines.append((text, facts))

    error = info


class StillLoop:
    """A loop that goes round when it is told to."""

    made: ClassVar[list[StillLoop]] = []

    def __init__(self, name: str, work: Any, *, every_s: float, log: Any) -> None:
        self.name, self.work, self.every_s, self.state = name, work, every_s, "new"
        StillLoop.made.append(self)

    def start(self) -> None:
        self.state = "started"

    def stop(self) -> None:
        self.state = "stopped"


class Clock:
    now = datetime(2024, 1, 1, 0, 30, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    (tmp_path / "treadle.toml").write_text(TOML)
    (tmp_path / "in").mkdir()
    StillLoop.made = []
    with Workspace(settings.load({}, environ={}, folder=tmp_path), clock=Clock()) as opened:
        yield opened


def rows(workspace: Workspace) -> int:
    return sum(one.rows_in for one in workspace.datasets.landings(workspace.caller, NamedDataset(name="days")))


def test_a_source_with_an_interval_lands_what_appears(workspace, tmp_path):
    log = Log()
    runs = SourceRuns(workspace, log, loop=StillLoop)  # type: ignore[arg-type]

    runs.look()
    runs.look()
    [loop] = StillLoop.made
    (tmp_path / "in" / "a.csv").write_text("day\n1\n2\n")
    loop.work()
    (tmp_path / "in" / "b.csv").write_text("day\n3\n")
    loop.work()
    loop.work()

    assert (loop.name, loop.every_s, loop.state) == ("source days", 5.0, "started")
    assert rows(workspace) == 3
    assert [facts["rows"] for _, facts in log.lines] == [2, 1]


def test_an_edit_of_the_file_ends_what_is_gone_and_begins_what_is_new(workspace, tmp_path):
    runs = SourceRuns(workspace, Log(), loop=StillLoop)  # type: ignore[arg-type]
    runs.look()
    (tmp_path / "treadle.toml").write_text(TOML.replace("every_s = 5", "every_s = 9"))

    runs.look()
    runs.stop()

    assert [(loop.every_s, loop.state) for loop in StillLoop.made] == [(5.0, "stopped"), (9.0, "stopped")]


def test_a_cron_expression_says_when_a_source_is_due(workspace, tmp_path):
    (tmp_path / "in" / "a.csv").write_text("day\n1\n")
    source = ScheduledSource(workspace, "days", parse("0 * * * *"), Log())

    source.round()
    with pytest.raises(Exception, match="There is no dataset"):
        rows(workspace)
    Clock.now = datetime(2024, 1, 1, 1, 0, tzinfo=UTC)
    try:
        source.round()
    finally:
        Clock.now = datetime(2024, 1, 1, 0, 30, tzinfo=UTC)

    assert rows(workspace) == 1


def test_a_source_ends_after_the_landing_that_is_under_way(workspace, tmp_path):
    for name in ("a", "b", "c"):
        (tmp_path / "in" / f"{name}.csv").write_text("day\n1\n")
    source = ScheduledSource(workspace, "days", None, Log())

    source.ended.set()
    source.round()

    assert rows(workspace) == 1
