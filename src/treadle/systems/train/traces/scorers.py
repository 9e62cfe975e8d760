"""The verbs of scorers: named judges of an experiment's traces, kept in versions. The server never runs one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from treadle.ground.clock import Clock
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Statements, Store, Transaction
from treadle.systems.train.traces.errors import ScorerNotFound, TraceInvalid
from treadle.systems.train.tracking.errors import ExperimentNotFound
from treadle.systems.train.tracking.rules import experiment_number

sql = Statements(__package__)

_CODE = "call_source"
_DEEPEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerVersion:
    """One version of a scorer. serialized: what the client wrote; it is kept and handed back, never executed."""

    experiment: str
    name: str
    scorer: str
    version: int
    serialized: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterScorer:
    experiment: str
    name: str
    serialized: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorersOf:
    """experiments: whose scorers; None: those of every active experiment."""

    experiments: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScorerNamed:
    """version: None for the newest, or for all of them where that is what is asked."""

    experiment: str
    name: str
    version: int | None = None


class Scorers:
    """Judges of traces. begin: sees to it that a project has its first experiment."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        clock: Clock,
        begin: Callable[[str], None],
        new_id: Callable[[], str] = lambda: str(uuid4()),
    ) -> None:
        self._store, self._events, self._clock, self._begin, self._new_id = store, events, clock, begin, new_id

    @verb("scorers.register", permission="scorer.write", event="scorer.registered")
    def register(self, caller: Caller, request: RegisterScorer) -> ScorerVersion:
        """The next version of a scorer. Raises ExperimentNotFound, TraceInvalid for one that carries code."""
        _check(request)
        self._begin(caller.project)

        def write(tx: Transaction) -> ScorerVersion:
            number = _active(tx, caller.project, request.experiment)
            key = {"project": caller.project, "experiment": number, "name": request.name}
            tx.execute(sql.insert_scorer, key | {"scorer": self._new_id()})
            scorer = str(_first(tx.find(sql.find_scorer, key)))
            made = self._add_version(tx, caller.project, scorer, number, request)
            self._tell(tx, caller, "scorer.registered", number, request.name, {"version": made.version})
            return made

        return self._store.write(write)

    @verb("scorers.list", permission="scorer.read")
    def list(self, caller: Caller, request: ScorersOf) -> _Versions:
        """The newest version of each scorer, by experiment and name. Of one experiment alone, raises ExperimentNotFound."""
        with self._store.read() as reader:
            if request.experiments is not None and len(request.experiments) == 1:
                _active(reader, caller.project, request.experiments[0])
            rows = reader.all(sql.newest_scorers, {"project": caller.project})
        wanted = None if request.experiments is None else {experiment_number(one) for one in request.experiments}
        return [
            ScorerVersion(
                experiment=str(experiment), name=name, scorer=scorer, version=version, serialized=text, created_ms=at_ms
            )
            for experiment, name, scorer, version, text, at_ms in rows
            if wanted is None or experiment in wanted
        ]

    @verb("scorers.versions", permission="scorer.read")
    def versions(self, caller: Caller, request: ScorerNamed) -> _Versions:
        """Every version of a scorer, oldest first. Raises ScorerNotFound."""
        with self._store.read() as reader:
            number = _active(reader, caller.project, request.experiment)
            return _versions(reader, caller.project, number, request.name)

    @verb("scorers.get", permission="scorer.read")
    def get(self, caller: Caller, request: ScorerNamed) -> ScorerVersion:
        """One version of a scorer. Raises ScorerNotFound."""
        found = self.versions(caller, request)
        if request.version is None:
            return found[-1]
        for version in found:
            if version.version == request.version:
                return version
        raise _absent(request)

    @verb("scorers.delete", permission="scorer.delete", event="scorer.deleted")
    def delete(self, caller: Caller, request: ScorerNamed) -> None:
        """Takes away a version, or with none named the whole scorer. Raises ScorerNotFound."""

        def write(tx: Transaction) -> None:
            number = _active(tx, caller.project, request.experiment)
            scorer = _versions(tx, caller.project, number, request.name)[0].scorer
            values = {"project": caller.project, "scorer": scorer}
            if request.version is not None:
                if not tx.execute(sql.delete_scorer_version, values | {"version": request.version}):
                    raise _absent(request)
            else:
                tx.execute(sql.delete_scorer_versions, values)
                key = {"project": caller.project, "experiment": number, "name": request.name}
                tx.execute(sql.delete_scorer, key)
            self._tell(tx, caller, "scorer.deleted", number, request.name, {"version": request.version})

        self._store.write(write)

    def _add_version(
        self, tx: Transaction, project: str, scorer: str, experiment: int, request: RegisterScorer
    ) -> ScorerVersion:
        values = {"project": project, "scorer": scorer}
        made_ms = int(self._clock().timestamp() * 1000)
        while True:
            version = int(_first(tx.find(sql.newest_scorer_version, values))) + 1
            row = values | {"version": version, "serialized": request.serialized, "created_ms": made_ms}
            if tx.execute(sql.insert_scorer_version, row) == 1:
                break
        return ScorerVersion(
            experiment=str(experiment),
            name=request.name,
            scorer=scorer,
            version=version,
            serialized=request.serialized,
            created_ms=made_ms,
        )

    def _tell(self, tx: Transaction, caller: Caller, kind: str, number: int, name: str, body: dict[str, Any]) -> None:
        subject = f"experiment/{number}/scorer/{name}"
        self._events.append(tx, project=caller.project, kind=kind, subject=subject, actor=caller.actor, body=body)


_Versions = list[ScorerVersion]


def _versions(reader: Reader, project: str, number: int, name: str) -> list[ScorerVersion]:
    found = reader.find(sql.find_scorer, {"project": project, "experiment": number, "name": name})
    rows = [] if found is None else reader.all(sql.scorer_versions, {"project": project, "scorer": found[0]})
    if found is None or not rows:
        raise ScorerNotFound(f"Scorer with name '{name}' not found for experiment {number}.")
    return [
        ScorerVersion(
            experiment=str(number), name=name, scorer=found[0], version=version, serialized=text, created_ms=at_ms
        )
        for version, text, at_ms in rows
    ]


def _active(reader: Reader, project: str, experiment: str) -> int:
    number = experiment_number(experiment)
    row = reader.find(sql.find_experiment, {"project": project, "experiment": number})
    if row is None:
        raise ExperimentNotFound(f"No Experiment with id={number} exists")
    if row[1] != "active":
        raise TraceInvalid(f"The experiment {number} must be in the 'active' state.\nCurrent state is {row[1]}.")
    return number


def _check(request: RegisterScorer) -> None:
    if not request.name.strip():
        raise TraceInvalid("Scorer name cannot be empty or contain only whitespace.")
    try:
        content = json.loads(request.serialized)
    except (ValueError, RecursionError) as error:
        raise TraceInvalid("serialized_scorer must be valid JSON") from error
    if not isinstance(content, dict):
        raise TraceInvalid("serialized_scorer must be a JSON object")
    if _has_code(content):
        raise TraceInvalid(
            "Custom scorer registration (using @scorer decorator) is disabled.",
            why="Such a scorer carries source code, and whoever loads it runs that code.",
            fix="Keep the scorer in your own repository and import it where you evaluate.",
        )


def _has_code(value: Any, depth: int = 0) -> bool:
    """Whether a scorer, or one within it, carries source code; one that nests without end counts as if it did."""
    if depth > _DEEPEST:
        return True
    if isinstance(value, dict):
        return bool(value.get(_CODE)) or any(_has_code(one, depth + 1) for one in value.values())
    return isinstance(value, list) and any(_has_code(one, depth + 1) for one in value)


def _first(row: tuple[Any, ...] | None) -> Any:
    assert row is not None
    return row[0]


def _absent(request: ScorerNamed) -> ScorerNotFound:
    return ScorerNotFound(
        f"Scorer with name '{request.name}' and version {request.version} not found for experiment {request.experiment}."
    )
