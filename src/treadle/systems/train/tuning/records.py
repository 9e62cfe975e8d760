"""What tuning says: studies, the changes in their journals, and what is asked of them.

Bodies are JSON texts in the form of Python's `json`, which also writes NaN and the infinities: parameters and attributes
belong to whoever tunes, and come back as they were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Direction = Literal["minimize", "maximize"]
TrialState = Literal["waiting", "running", "complete", "pruned", "failed"]
FINISHED: frozenset[str] = frozenset({"complete", "pruned", "failed"})

AttributeKind = Literal["param", "report", "user", "system"]
"""What can be written to a trial: a parameter, an intermediate value (its key is the step), an attribute of the user or
of the optimizer. A study itself has attributes alone."""

ChangeKind = Literal["trial", "state", "param", "report", "user", "system"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """`change` is the number of its newest change; `run` the run under which those of its trials stand."""

    number: int
    name: str
    directions: Sequence[Direction]
    change: int
    trials: int
    run: str | None
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """One write. `trial` is None when it is about the study. Bodies by kind:

    trial: `{state, started, completed, values, params, reports, user, system}`, each but state only where it is set;
    state: `{state, at, values}`; param: `[internal value, distribution, text]`; else the value itself.
    """

    number: int
    trial: int | None
    kind: ChangeKind
    key: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What followed; `position` is where to read on from. `is_complete`: there is no more at present."""

    position: int
    is_complete: bool
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialAdded:
    number: int
    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """`is_moved` is False when somebody else has set the trial running before."""

    is_moved: bool
    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateStudy:
    name: str
    directions: Sequence[Direction]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyNamed:
    """A study by its number or by its name."""

    number: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyNumbered:
    study: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangesAfter:
    """What was written to a study after a change; at most `limit` changes at once."""

    study: int
    after: int = 0
    limit: int = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AskTrial:
    """A new trial in a state; `body` as of the change `trial`, without its state."""

    study: int
    state: TrialState = "running"
    body: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A parameter, an intermediate value or an attribute of a trial; without a trial an attribute of the study."""

    study: int
    kind: AttributeKind
    key: str
    body: str
    trial: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TellTrial:
    """A trial's next state; `body` as of the change `state`, without the state."""

    study: int
    trial: int
    state: TrialState
    body: str = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialNumbered:
    study: int
    trial: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StaleTrials:
    """Running trials that have beaten once, but not for `grace_s` seconds."""

    study: int
    grace_s: float
