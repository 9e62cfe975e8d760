"""What was deleted and waits for its end: experiments, runs and logged models, with their rows and their files.

Deleting hides a thing, and it can be restored. Once the retention is over, `trash.empty` removes its rows and the rows of
its files, a batch in a transaction; the bytes follow with the next clean-up of storage, where nothing else names them.
Killed in the middle, the next one does the rest: an experiment's own row, which frees its name, goes last. What a
registered version came from is held as long as the version stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import TypeVar

from treadle.ground.clock import Clock, to_micros
from treadle.ground.ids import run_id_of
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Statement, Statements, Store, Transaction
from treadle.systems.train.files.names import folder_of_uri, split
from treadle.systems.train.files.repository import FileRows

sql = Statements(__package__)

_T = TypeVar("_T")

BATCH = 50
"""Runs and models that go in one transaction: others write in between."""

_OF_RUN = ("params", "tags", "latest", "chunks", "segments", "inputs", "input_tags", "outputs", "tracked_run")
_OF_MODEL = ("model_params", "model_tags", "model_metrics", "model")
_OF_TRACE = ("trace_tags", "trace_metadata", "trace_links", "spans", "assessments", "trace")
_OF_EXPERIMENT = ("datasets", "experiment_tags", "experiment")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyTrash:
    """`retention_days`: what was deleted later than that stays. A dry run changes nothing."""

    retention_days: int = 30
    is_dry_run: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """What went, or with `is_dry_run` would go.

    size_bytes: of all files; freed_bytes: of those among them that nothing else names, each counted once. held: what
    stays although its time is over, and why.
    """

    is_dry_run: bool
    experiments: int
    runs: int
    models: int
    files: int
    size_bytes: int
    freed_bytes: int
    held: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    number: int
    run: str
    name: str
    experiment: int
    origin: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    model: str
    name: str
    experiment: int
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Experiment:
    number: int
    name: str
    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    experiments: list[_Experiment] = field(default_factory=list)
    runs: list[_Run] = field(default_factory=list)
    models: list[_Model] = field(default_factory=list)
    held: list[str] = field(default_factory=list)

    def folders(self, reader: Reader, project: str) -> Iterator[str]:
        """The folders of files that go."""
        for run in self.runs:
            yield from _own_folder(run.uri, run.run)
        for model in self.models:
            yield from _own_folder(model.uri, model.model)
        for experiment in self.experiments:
            yield from _folder_of_experiment(reader, project, experiment)


class Trash:
    """The verbs of what was deleted."""

    def __init__(self, store: Store, events: EventLog, clock: Clock) -> None:
        self._store, self._events, self._clock = store, events, clock
        self._files = FileRows()

    @verb("trash.empty", permission="storage.write", event="trash.emptied")
    def empty(self, caller: Caller, request: EmptyTrash) -> Emptied:
        """Removes for good what was deleted longer ago than the retention, with its files; names become free."""
        before = self._clock() - timedelta(days=request.retention_days)
        before_ms = to_micros(before) // 1000
        with self._store.read() as reader:
            found = self._find(reader, caller.project, before_ms)
            files, size_bytes, freed_bytes = self._weigh(reader, caller.project, found)
        if not request.is_dry_run:
            for runs in _batches(found.runs):
                self._store.write(lambda tx, runs=runs: self._purge_runs(tx, caller, runs))  # type: ignore[misc]
            for models in _batches(found.models):
                self._store.write(lambda tx, models=models: self._purge_models(tx, caller, models))  # type: ignore[misc]
            for experiment in found.experiments:
                self._store.write(lambda tx, e=experiment: self._purge_experiment(tx, caller, e))  # type: ignore[misc]
        return Emptied(
            is_dry_run=request.is_dry_run,
            experiments=len(found.experiments),
            runs=len(found.runs),
            models=len(found.models),
            files=files,
            size_bytes=size_bytes,
            freed_bytes=freed_bytes,
            held=found.held,
        )

    def _find(self, reader: Reader, project: str, before_ms: int) -> _Found:
        """What may go: an experiment only with all that is in it."""
        values = {"project": project, "before_ms": before_ms}
        keepers = _keepers(reader, project)
        found = _Found()
        busy: dict[int, str] = {}
        for row in reader.each(sql.expired_runs, values):
            run = _Run(number=row[0], run=row[1], name=row[2], experiment=row[3], origin=row[4], uri=row[5])
            keeper = keepers.get(run.run) or keepers.get(run_id_of(run.run) or "")
            if keeper is None:
                found.runs.append(run)
            else:
                busy[run.experiment] = keeper
                found.held.append(f"run {run.run} ({run.name}): {keeper} came from it")
        for row in reader.each(sql.expired_models, values):
            model = _Model(model=row[0], name=row[1], experiment=row[2], uri=row[3])
            keeper = keepers.get(model.model)
            if keeper is None:
                found.models.append(model)
            else:
                busy[model.experiment] = keeper
                found.held.append(f"logged model {model.model} ({model.name}): {keeper} came from it")
        for row in reader.each(sql.expired_experiments, values):
            experiment = _Experiment(number=row[0], name=row[1], uri=row[2])
            if experiment.number in busy:
                keeper = busy[experiment.number]
                found.held.append(f"experiment {experiment.number} ({experiment.name}): {keeper} came from it")
            elif experiment.number != 0:
                found.experiments.append(experiment)
        return found

    def _weigh(self, reader: Reader, project: str, found: _Found) -> tuple[int, int, int]:
        """(files, their bytes, bytes that nothing else names). Cost: every file that goes, and a look-up for each blob."""
        files = {
            file.path: file
            for folder in found.folders(reader, project)
            for file in self._files.files_below(reader, project, folder)
        }
        named: dict[str, int] = {}
        sizes: dict[str, int] = {}
        for file in files.values():
            named[file.digest] = named.get(file.digest, 0) + 1
            sizes[file.digest] = file.size_bytes
        freed = sum(sizes[blob] for blob, count in named.items() if _is_only_here(reader, blob, count))
        return len(files), sum(file.size_bytes for file in files.values()), freed

    def _purge_runs(self, tx: Transaction, caller: Caller, runs: Sequence[_Run]) -> None:
        gone = [run for run in runs if self._purge_run(tx, caller.project, run)]
        self._purge_files(
            tx, caller, (folder for run in gone for folder in _own_folder(run.uri, run.run)), runs=len(gone)
        )

    def _purge_run(self, tx: Transaction, project: str, run: _Run) -> bool:
        """Whether it is gone; one that was restored meanwhile stays."""
        if tx.execute(sql.purge_tracked_run, {"project": project, "number": run.number}) == 0:
            return False
        _execute(tx, _OF_RUN[:-1], {"project": project, "number": run.number})
        own = run_id_of(run.run)
        if run.origin == "client" and own is not None:
            _execute(tx, ("edges", "run"), {"project": project, "run": own})
        return True

    def _purge_models(self, tx: Transaction, caller: Caller, models: Sequence[_Model]) -> None:
        gone = [model for model in models if self._purge_model(tx, caller.project, model)]
        folders = (folder for model in gone for folder in _own_folder(model.uri, model.model))
        self._purge_files(tx, caller, folders, models=len(gone))

    def _purge_model(self, tx: Transaction, project: str, model: _Model) -> bool:
        """Whether it is gone; one whose experiment was restored meanwhile stays."""
        values = {"project": project, "model": model.model}
        if tx.execute(sql.purge_model, values) == 0:
            return False
        _execute(tx, _OF_MODEL[:-1], values)
        return True

    def _purge_experiment(self, tx: Transaction, caller: Caller, experiment: _Experiment) -> None:
        values = {"project": caller.project, "experiment": experiment.number}
        if tx.find(sql.lives_in_experiment, values) is not None:
            return  # something in it was restored meanwhile
        if tx.execute(sql.purge_experiment, values) == 0:
            return
        tx.execute(sql.remember_number, values)
        for (trace,) in tx.all(sql.traces_of_experiment, values):
            _execute(tx, _OF_TRACE, {"project": caller.project, "trace": trace})
        _execute(tx, _OF_EXPERIMENT[:-1], values)
        folders = _folder_of_experiment(tx, caller.project, experiment)
        self._purge_files(tx, caller, folders, experiments=1)

    def _purge_files(self, tx: Transaction, caller: Caller, folders: Iterable[str], **gone: int) -> None:
        """Removes the rows of files, and leaves the event of the batch."""
        files = size_bytes = 0
        for folder in folders:
            count, removed_bytes = self._files.purge(tx, caller.project, folder)
            files, size_bytes = files + count, size_bytes + removed_bytes
        self._events.append(
            tx,
            project=caller.project,
            kind="trash.emptied",
            subject="trash",
            actor=caller.actor,
            body={**gone, "files": files, "bytes": size_bytes},
        )


def _keepers(reader: Reader, project: str) -> Mapping[str, str]:
    """By run (either of its ids) and logged model: the registered version that came from it."""
    keepers: dict[str, str] = {}
    for line, number, *origins in reader.each(sql.kept_by_versions, {"project": project}):
        for origin in origins:
            if origin is not None:
                keepers[origin] = f"version {number} of {line!r}"
    return keepers


def _own_folder(uri: str, name: str) -> Iterator[str]:
    """The folder that is certainly of this thing alone: one that ends in its name, or in its name and `artifacts`."""
    folder = folder_of_uri(uri)
    if folder is None:
        return
    above, last = split(folder)
    if last == "artifacts" and split(above)[1] == name:
        yield above
    elif last == name:
        yield folder


def _folder_of_experiment(reader: Reader, project: str, experiment: _Experiment) -> Iterator[str]:
    """The folder that the server gave the experiment, unless another one was told to lie there too."""
    folder = str(experiment.number)
    if folder_of_uri(experiment.uri) == folder:
        values = {"project": project, "number": experiment.number, "uri": experiment.uri.rstrip("/")}
        if reader.find(sql.shares_location, values) is None:
            yield folder


def _is_only_here(reader: Reader, blob: str, count: int) -> bool:
    total = reader.all(sql.count_named, {"blob": blob})[0][0]
    return bool(total == count) and reader.find(sql.is_artifact_too, {"blob": blob}) is None


def _execute(tx: Transaction, names: Iterable[str], values: Mapping[str, object]) -> None:
    for name in names:
        statement: Statement = getattr(sql, f"purge_{name}")
        tx.execute(statement, values)


def _batches(items: Sequence[_T]) -> Iterator[list[_T]]:
    rest = iter(items)
    while batch := list(islice(rest, BATCH)):
        yield batch
