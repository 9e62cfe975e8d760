"""What an alert is diagnosed as: since when a figure moved, what came before, and what followed. Records and pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

FORTNIGHT_S = 14 * 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class DiagnoseRequest:
    """Asks what came before an alert. before_s: so long before the change that the search begins."""

    alert: str
    before_s: int = FORTNIGHT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One symptom with its change point. since: the start of the first window after the change; before, after: the
    mean of the figure on either side (0 is the reference, but for the error rate), None where there is no such window."""

    column: str
    how: str
    z: float
    impact: float | None
    since: datetime
    before: float | None
    after: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """Something that happened upstream before the change, or in its first window.

    id: of the event. at: when it was recorded, or the time of which it speaks, whichever lies nearer before the change: old
    rows may land today, and a season that is gone through again is recorded long after it. distance: steps of lineage between what happened and the endpoint. windows_before: how long before the end of
    the first changed window, in windows. look: the command that shows it.
    """

    id: str
    what: str
    subject: str
    at: datetime
    actor: str
    distance: int
    windows_before: float
    look: str

    @property
    def rank(self) -> float:
        """1 for what happened at the endpoint in the very moment, less with distance and with time."""
        return 1.0 / ((1 + self.distance) * (1.0 + self.windows_before))


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """What an alert led to: a run that it started, a version that the run registered, a decision, a move of an alias."""

    kind: str
    id: str
    title: str
    look: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """An alert with what moved (worst first), what came before (likeliest first), what it led to, and what is to be done.

    since: the start of the earliest window in which a symptom had changed. runbooks: the text of the routes that tell of it.
    """

    alert: str
    endpoint: str
    model_version: str
    since: datetime
    moved: list[Moved]
    suspects: list[Suspect] = field(default_factory=list)
    consequences: list[Consequence] = field(default_factory=list)
    runbooks: list[str] = field(default_factory=list)


def change_point(values: Sequence[float]) -> int:
    """The place of the first value after the change: where two means fit best, by least squares. values: at least two.

    Source: the first step of binary segmentation; Scott and Knott, Biometrics 1974.
    """
    array = np.asarray(values, dtype=np.float64)
    sizes = np.arange(1, array.size)
    sums = np.cumsum(array)[:-1]
    gaps = sums / sizes - (array.sum() - sums) / (array.size - sizes)
    return int(np.argmax(gaps**2 * sizes * (array.size - sizes))) + 1
