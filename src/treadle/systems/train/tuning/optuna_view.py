"""A study as Optuna sees it, folded from its journal, change by change.

Each process folds a change once. A trial that has ended is one `FrozenTrial` for good; one that runs is a draft, and a
`FrozenTrial` is made of it when somebody asks, since what was handed out must not change under its reader.
"""

from __future__ import annotations

import json
from collections.abc import Container
from datetime import datetime
from functools import lru_cache
from threading import RLock
from typing import Any

from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from treadle.systems.train.tuning import records as said

STATES: dict[said.TrialState, TrialState] = {
    "waiting": TrialState.WAITING,
    "running": TrialState.RUNNING,
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}
WORDS = {state: word for word, state in STATES.items()}
TRIALS_OF_ONE_STUDY = 10**9
"""A trial's id is its study's number times this, and its own number: both can be read from it."""

distribution_of = lru_cache(maxsize=4096)(json_to_distribution)
"""The distribution of a JSON text. Trials of a study share theirs, as they do in Optuna's own storages."""


class Draft:
    """A trial that has not ended."""

    __slots__ = (
        "_frozen", "completed", "distributions", "id", "number", "params", "reports", "started", "state", "system",
        "user", "values",
    )  # fmt: skip

    def __init__(self, id: int, number: int, body: dict[str, Any]) -> None:
        self.id, self.number = id, number
        self.state = STATES[body["state"]]
        self.started = _time(body.get("started"))
        self.completed = _time(body.get("completed"))
        self.values: list[float] | None = body.get("values")
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}
        for name, (internal, written, _) in body.get("params", {}).items():
            self.set_param(name, internal, distribution_of(written))
        self.reports = {int(step): value for step, value in body.get("reports", {}).items()}
        self.user: dict[str, Any] = body.get("user", {})
        self.system: dict[str, Any] = body.get("system", {})
        self._frozen: FrozenTrial | None = None

    def set_param(self, name: str, internal: float, distribution: BaseDistribution) -> None:
        self.params[name] = distribution.to_external_repr(internal)
        self.distributions[name] = distribution

    def write(self, kind: str, key: str, value: Any) -> None:
        """Takes a parameter, an intermediate value or an attribute."""
        self._frozen = None
        if kind == "param":
            self.set_param(key, value[0], distribution_of(value[1]))
        elif kind == "report":
            self.reports[int(key)] = value
        elif kind == "user":
            self.user[key] = value
        else:
            self.system[key] = value

    def move(self, body: dict[str, Any]) -> None:
        """Takes the next state."""
        self._frozen = None
        self.state = STATES[body["state"]]
        self.values = body.get("values", self.values)
        if self.state is TrialState.RUNNING:
            self.started = _time(body.get("at"))
        elif self.state.is_finished():
            self.completed = _time(body.get("at"))

    def frozen(self) -> FrozenTrial:
        """The trial as it is now; the same object until something changes."""
        if self._frozen is None:
            self._frozen = self._freeze(dict)
        return self._frozen

    def final(self) -> FrozenTrial:
        """The trial for good; the draft is not used any more."""
        return self._freeze(lambda content: content)

    def _freeze(self, copied: Any) -> FrozenTrial:
        return FrozenTrial(
            number=self.number,
            trial_id=self.id,
            state=self.state,
            value=None,
            values=self.values,
            datetime_start=self.started,
            datetime_complete=self.completed,
            params=copied(self.params),
            distributions=copied(self.distributions),
            user_attrs=copied(self.user),
            system_attrs=copied(self.system),
            intermediate_values=copied(self.reports),
        )


class StudyView:
    """What this process knows of a study. Take `lock` around every use; `position` is the newest change folded in."""

    def __init__(self, study: int, name: str, directions: list[StudyDirection]) -> None:
        self.study, self.name, self.directions = study, name, directions
        self.lock = RLock()
        self.position = 0
        self.user: dict[str, Any] = {}
        self.system: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}
        self._trials: list[FrozenTrial] = []
        self._drafts: dict[int, Draft] = {}
        self._ended: dict[tuple[TrialState, ...], list[FrozenTrial]] = {}
        self._best: FrozenTrial | None = None

    def fold(self, change: said.Change) -> None:
        """Takes the next change."""
        value = json.loads(change.body)
        if change.trial is None:
            self._write(change.kind, change.key, value)
        elif change.kind == "trial":
            self._begin(change.trial, value)
        else:
            draft = self._drafts[change.trial]
            if change.kind == "state":
                draft.move(value)
                self._settle(draft)
            else:
                draft.write(change.kind, change.key, value)
                if change.kind == "param":
                    self.distributions[change.key] = draft.distributions[change.key]
        self.position = change.number

    def trial(self, number: int) -> FrozenTrial | None:
        """A trial as it is now, or None when there is none of that number."""
        draft = self._drafts.get(number)
        if draft is not None:
            return draft.frozen()
        return self._trials[number] if 0 <= number < len(self._trials) else None

    def trials(self, states: Container[TrialState] | None) -> list[FrozenTrial]:
        """The trials by number, all or those in some states. Costs what runs, and a copy of the list."""
        if isinstance(states, tuple) and all(not state.is_finished() for state in states):
            return [draft.frozen() for _, draft in sorted(self._drafts.items()) if draft.state in states]
        if isinstance(states, tuple) and all(state.is_finished() for state in states):
            if states not in self._ended:
                self._ended[states] = [trial for trial in self._trials if trial.state in states]
            return list(self._ended[states])
        for number, draft in self._drafts.items():
            self._trials[number] = draft.frozen()
        return list(self._trials) if states is None else [trial for trial in self._trials if trial.state in states]

    def best(self) -> FrozenTrial | None:
        """The complete trial with the best value, of equals the first; for a study with one direction."""
        return self._best

    def _write(self, kind: str, key: str, value: Any) -> None:
        if kind == "user":
            self.user = {**self.user, key: value}
        else:
            self.system = {**self.system, key: value}

    def _begin(self, number: int, body: dict[str, Any]) -> None:
        draft = Draft(self.study * TRIALS_OF_ONE_STUDY + number, number, body)
        for name, distribution in draft.distributions.items():
            self.distributions[name] = distribution
        self._drafts[number] = draft
        self._trials.append(draft.frozen())
        self._settle(draft)

    def _settle(self, draft: Draft) -> None:
        """A trial that has ended leaves the drafts."""
        if not draft.state.is_finished():
            return
        trial = draft.final()
        del self._drafts[draft.number]
        self._trials[draft.number] = trial
        for states, ended in self._ended.items():
            if trial.state in states:
                _insert(ended, trial)
        if trial.state is TrialState.COMPLETE and len(self.directions) == 1 and trial.values:
            self._best = trial if self._best is None else self._better(self._best, trial)

    def _better(self, one: FrozenTrial, other: FrozenTrial) -> FrozenTrial:
        sign = -1.0 if self.directions[0] is StudyDirection.MAXIMIZE else 1.0
        return min(one, other, key=lambda trial: (sign * trial.values[0], trial.number))


def _insert(ended: list[FrozenTrial], trial: FrozenTrial) -> None:
    """Puts a trial where its number belongs, which is near the end."""
    place = len(ended)
    while place and ended[place - 1].number > trial.number:
        place -= 1
    ended.insert(place, trial)


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
