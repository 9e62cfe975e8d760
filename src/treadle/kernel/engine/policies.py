"""What a pipeline that starts by itself may cost, and which data a run of it is to use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from treadle.kernel.engine.errors import InvalidStep
from treadle.kernel.events import Event

WINDOW = "window"
"""The parameter in which a pipeline is told its window."""
WindowKind = Literal["all", "newest", "since_drift"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often a pipeline may start by itself, whatever starts it; looked at before anything is started.

    cool_down_s: seconds after its last run in which nothing starts it. max_runs: runs within any `period_s` seconds;
    max_compute_s: seconds that their steps took, summed. also: other pipelines whose runs count as well, such as the
    first training. Time is that of `td.now()` in the runs, so it holds for the past as well. Runs by hand count, and
    are never refused.
    """

    cool_down_s: float = 0.0
    max_runs: int | None = None
    max_compute_s: float | None = None
    period_s: float = 7 * 86_400.0
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        given = (self.cool_down_s, self.max_runs or 0, self.max_compute_s or 0)
        if min(given) < 0 or self.period_s <= 0:
            raise InvalidStep("The limits of a pipeline are not negative, and their period is longer than nothing.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Which data a run that starts by itself uses: all; the newest `days` or `rows`; what came since the drift began.

    since_drift: from the first window of the alert that started the run; where no alert did, as the rest says.
    """

    days: float | None = None
    rows: int | None = None
    since_drift: bool = False

    def __post_init__(self) -> None:
        if (self.days is not None and self.days <= 0) or (self.rows is not None and self.rows <= 0):
            raise InvalidStep("A data window holds more than no days and no rows.")

    def at(self, moment: datetime, cause: Event | None) -> DataWindow:
        """The window of a run that is for `moment`; cause: the event that started it."""
        began = None if cause is None else cause.body.get("began_at")
        if self.since_drift and began is not None:
            return DataWindow(kind="since_drift", since=datetime.fromisoformat(began), until=moment, rows=self.rows)
        if self.days is not None or self.rows is not None:
            since = None if self.days is None else moment - timedelta(days=self.days)
            return DataWindow(kind="newest", since=since, until=moment, rows=self.rows)
        return DataWindow(kind="all", until=moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataWindow:
    """The data of one run: `since <= t < until`, and of these the newest `rows`. None is no bound."""

    kind: WindowKind = "all"
    since: datetime | None = None
    until: datetime | None = None
    rows: int | None = None
