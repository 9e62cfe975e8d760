"""The verbs of experiments: named groups of runs, which can be deleted and brought back."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from treadle.ground.clock import Clock, to_micros
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.kernel.vocabulary.pages import Page
from treadle.systems.train.tracking import rules
from treadle.systems.train.tracking.errors import (
    ExperimentExists,
    ExperimentNotActive,
    ExperimentNotFound,
    TagNotFound,
    TrackingInvalid,
)
from treadle.systems.train.tracking.records import Experiment, Pair
from treadle.systems.train.tracking.repository import ExperimentRows, below, sql

ACTIVE, DELETED = "active", "deleted"
DEFAULT = "Default"
PROXIED = "mlflow-artifacts:/"
"""Where artifacts go unless the server was told otherwise: through the server itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateExperiment:
    """A new experiment. Without a location its artifacts go below the server's own root."""

    name: str
    artifact_location: str = ""
    tags: list[Pair] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentNumbered:
    """An experiment by its id as clients write it."""

    experiment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExperimentNamed:
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ListExperiments:
    """Experiments, newest first; with the deleted ones where it says so. `after` is a page's `next`."""

    with_deleted: bool = False
    limit: int = 100
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenameExperiment:
    experiment: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TagExperiment:
    experiment: str
    key: str
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UntagExperiment:
    experiment: str
    key: str


class Experiments:
    """See the module. artifact_root: below which the artifacts of experiments go that name no location of their own."""

    def __init__(self, store: Store, events: EventLog, clock: Clock, *, artifact_root: str = PROXIED) -> None:
        self._store, self._events, self._clock = store, events, clock
        self._root = artifact_root
        self._rows = ExperimentRows()
        self._begun: set[str] = set()
        self._lock = threading.Lock()

    def begin(self, project: str) -> None:
        """Sees to it that the project has its first experiment, Default, number 0. Not to be called in a transaction."""
        if project in self._begun:
            return
        with self._lock:
            with self._store.read() as reader:
                is_there = self._rows.find(reader, project, 0) is not None
            if not is_there:
                location, now = below(self._root, "0"), self._now_ms()
                self._store.write(lambda tx: self._rows.insert(tx, project, 0, DEFAULT, location, now))
            self._begun.add(project)

    @verb("experiments.create", permission="experiment.write", event="experiment.created")
    def create(self, caller: Caller, request: CreateExperiment) -> Experiment:
        """The new experiment. Raises TrackingInvalid, ExperimentExists."""
        rules.check_experiment_name(request.name)
        if request.artifact_location:
            rules.check_location(request.artifact_location)
        for tag in request.tags:
            rules.check_experiment_tag(tag.key, tag.value)
        rules.check_views(tag.key for tag in request.tags)
        if len({tag.key for tag in request.tags}) < len(request.tags):
            raise TrackingInvalid("A tag of the experiment is given more than once.")
        self.begin(caller.project)
        return self._store.write(lambda tx: self._create(tx, caller, request))

    def _create(self, tx: Transaction, caller: Caller, request: CreateExperiment) -> Experiment:
        number = self._rows.add(tx, caller.project, request.name, request.artifact_location, self._root, self._now_ms())
        if number is None:
            raise ExperimentExists(f"Experiment(name={request.name}) already exists.")
        self._rows.put_tags(tx, caller.project, number, request.tags)
        self._tell(tx, caller, "experiment.created", number, name=request.name)
        return self._get(tx, caller.project, number)

    @verb("experiments.get", permission="experiment.read")
    def get(self, caller: Caller, request: ExperimentNumbered) -> Experiment:
        """An experiment by its id, deleted or not. Raises ExperimentNotFound, TrackingInvalid."""
        number = self._number(caller, request.experiment)
        with self._store.read() as reader:
            return self._get(reader, caller.project, number)

    @verb("experiments.named", permission="experiment.read")
    def named(self, caller: Caller, request: ExperimentNamed) -> Experiment:
        """An experiment by its name, deleted or not. Raises ExperimentNotFound."""
        self.begin(caller.project)
        with self._store.read() as reader:
            found = self._rows.find_named(reader, caller.project, request.name)
        if found is None:
            raise ExperimentNotFound(f"Could not find experiment with name '{request.name}'")
        return found

    @verb("experiments.list", permission="experiment.read")
    def newest(self, caller: Caller, request: ListExperiments) -> Page[Experiment]:
        """Experiments, newest first, a page at a time."""
        self.begin(caller.project)
        limit = min(max(request.limit, 1), 1000)
        before = rules.experiment_number(request.after) if request.after else 2**62
        with self._store.read() as reader:
            found = self._rows.newest(
                reader, caller.project, before=before, limit=limit + 1, with_deleted=request.with_deleted
            )
        items = found[:limit]
        return Page(items=items, next=str(items[-1].number) if len(found) > limit else None)

    @verb("experiments.rename", permission="experiment.write", event="experiment.renamed")
    def rename(self, caller: Caller, request: RenameExperiment) -> Experiment:
        """The experiment under its new name. Raises ExperimentNotFound, ExperimentNotActive, ExperimentExists."""
        rules.check_experiment_name(request.name)
        number = self._number(caller, request.experiment)
        return self._store.write(lambda tx: self._rename(tx, caller, number, request.name))

    def _rename(self, tx: Transaction, caller: Caller, number: int, name: str) -> Experiment:
        found = self._get(tx, caller.project, number)
        if found.lifecycle != ACTIVE:
            raise ExperimentNotActive("Cannot rename a non-active experiment.")
        values = {"project": caller.project, "number": number, "name": name, "at_ms": self._now_ms()}
        if tx.execute(sql.rename_experiment, values) == 0:
            raise ExperimentExists(f"Experiment(name={name}) already exists.")
        self._tell(tx, caller, "experiment.renamed", number, name=name, previous=found.name)
        return self._get(tx, caller.project, number)

    @verb("experiments.delete", permission="experiment.delete", event="experiment.deleted")
    def delete(self, caller: Caller, request: ExperimentNumbered) -> None:
        """Deletes an experiment and its runs, until they are restored; the name stays taken. Raises ExperimentNotFound."""
        number = self._number(caller, request.experiment)
        self._store.write(lambda tx: self._move(tx, caller, number, DELETED))

    @verb("experiments.restore", permission="experiment.delete", event="experiment.restored")
    def restore(self, caller: Caller, request: ExperimentNumbered) -> None:
        """Brings back a deleted experiment with all of its runs. Raises ExperimentNotFound."""
        number = self._number(caller, request.experiment)
        self._store.write(lambda tx: self._move(tx, caller, number, ACTIVE))

    def _move(self, tx: Transaction, caller: Caller, number: int, lifecycle: str) -> None:
        found = self._get(tx, caller.project, number)
        if found.lifecycle == lifecycle:
            raise _unknown(number)
        now = self._now_ms()
        values = {"project": caller.project, "number": number, "lifecycle": lifecycle}
        tx.put(sql.move_experiment, {**values, "at_ms": now})
        tx.put(sql.move_runs_of_experiment, {**values, "deleted_ms": now if lifecycle == DELETED else None})
        kind = "experiment.deleted" if lifecycle == DELETED else "experiment.restored"
        self._tell(tx, caller, kind, number, name=found.name)

    @verb("experiments.tag", permission="experiment.write")
    def tag(self, caller: Caller, request: TagExperiment) -> None:
        """Sets a tag. Raises ExperimentNotFound, TrackingInvalid."""
        rules.check_experiment_tag(request.key, request.value)
        number = self._number(caller, request.experiment)

        def work(tx: Transaction) -> None:
            found = self._get(tx, caller.project, number)
            check_active(found)
            known = {tag.key for tag in found.tags}
            if request.key not in known and rules.is_view(request.key):
                rules.check_views({request.key, *known}, number)
            self._rows.put_tags(tx, caller.project, number, [Pair(request.key, request.value)])

        self._store.write(work)

    @verb("experiments.untag", permission="experiment.write")
    def untag(self, caller: Caller, request: UntagExperiment) -> None:
        """Removes a tag. Raises ExperimentNotFound, TagNotFound."""
        number = self._number(caller, request.experiment)

        def work(tx: Transaction) -> None:
            check_active(self._get(tx, caller.project, number))
            values = {"project": caller.project, "number": number, "key": request.key}
            if tx.execute(sql.delete_experiment_tag, values) == 0:
                raise TagNotFound(f"No tag with name: {request.key} in experiment with id {number}")

        self._store.write(work)

    def ensure_in(self, tx: Transaction, caller: Caller, name: str) -> Experiment:
        """The experiment of a name, deleted or not; made where there is none."""
        found = self._rows.find_named(tx, caller.project, name)
        return self._create(tx, caller, CreateExperiment(name=name)) if found is None else found

    def active_in(self, tx: Reader, project: str, number: int) -> Experiment:
        """The experiment without its tags, for a write into it.

        Raises ExperimentNotFound, TrackingInvalid when it is deleted.
        """
        found = self._rows.find_alone(tx, project, number)
        if found is None:
            raise _unknown(number)
        check_active(found)
        return found

    def _number(self, caller: Caller, experiment: str) -> int:
        self.begin(caller.project)
        return rules.experiment_number(experiment)

    def _get(self, reader: Reader, project: str, number: int) -> Experiment:
        found = self._rows.find(reader, project, number)
        if found is None:
            raise _unknown(number)
        return found

    def _tell(self, tx: Transaction, caller: Caller, kind: str, number: int, **body: object) -> None:
        subject = f"experiment/{number}"
        self._events.append(tx, project=caller.project, kind=kind, subject=subject, actor=caller.actor, body=body)

    def _now_ms(self) -> int:
        return to_micros(self._clock()) // 1000


def check_active(experiment: Experiment) -> None:
    """Raises TrackingInvalid when the experiment is deleted."""
    if experiment.lifecycle != ACTIVE:
        raise TrackingInvalid(
            f"The experiment {experiment.number} must be in the 'active' state. "
            f"Current state is {experiment.lifecycle}."
        )


def _unknown(number: int) -> ExperimentNotFound:
    return ExperimentNotFound(f"No Experiment with id={number} exists")
