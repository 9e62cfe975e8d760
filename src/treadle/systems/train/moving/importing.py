"""Bringing a store of MLflow in: experiments, runs with all that was logged in them, their files, the registry.

Every step can be done again. What is there already (a run under its id, a version under its number, a file of the same size
under its path) is left alone, and each batch of runs stands as a whole or not at all; so an import that was stopped at any
point goes on when it is started again, and doubles nothing. Ids, times and states are those of the store.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from treadle.ground.clock import Clock
from treadle.ground.ids import run_id_of
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Statements, Store, Transaction
from treadle.systems.train.files import Files
from treadle.systems.train.files.errors import BadFileName, FileInTheWay, FileSealed
from treadle.systems.train.moving.errors import LocationClosed
from treadle.systems.train.moving.ports import MlflowStore, StoredFile
from treadle.systems.train.moving.records import (
    Brought,
    Left,
    StoredExperiment,
    StoredLoggedModel,
    StoredRun,
)
from treadle.systems.train.moving.registering import RegistryImport
from treadle.systems.train.tracking.experiments import ACTIVE, Experiments
from treadle.systems.train.tracking.graph import STATUSES
from treadle.systems.train.tracking.inputs import RunInputs
from treadle.systems.train.tracking.logged_models import LoggedModelRows, LoggedModels
from treadle.systems.train.tracking.metric_rows import MetricRows
from treadle.systems.train.tracking.numbers import RunNumbers
from treadle.systems.train.tracking.records import ModelPoint, Pair, TrackedRun
from treadle.systems.train.tracking.repository import ExperimentRows, RunToWrite, TrackedRunRows
from treadle.systems.train.tracking.runs import TrackedRuns
from treadle.systems.train.tracking.summaries import PointBatch, summaries

sql = Statements(__package__)

Progress = Callable[[str, int, int], None]
"""Told of what has been brought: (kind, so many, of so many)."""
PERMISSIONS = ("experiment.write", "run.write", "logged_model.write", "model.write")
OURS = "mlflow-artifacts:/"
_RUNS_AT_ONCE = 100
_POINTS_AT_ONCE = 32_768


class Import:
    """One import into one project; see the module."""

    def __init__(
        self,
        store: Store,
        experiments: Experiments,
        runs: TrackedRuns,
        inputs: RunInputs,
        logged_models: LoggedModels,
        registry: RegistryImport,
        files: Files,
        events: EventLog,
        clock: Clock,
    ) -> None:
        self._store, self._experiments, self._runs, self._inputs = store, experiments, runs, inputs
        self._logged_models, self._registry, self._files = logged_models, registry, files
        self._events, self._clock = events, clock
        self._experiment_rows, self._run_rows, self._metrics = ExperimentRows(), TrackedRunRows(), MetricRows()
        self._numbers = RunNumbers(store)
        self._counts: Counter[str] = Counter()
        self._left: list[Left] = []
        self._closed: dict[str, list[str]] = {}
        """Why files were not brought -> where they are."""

    def bring(
        self, caller: Caller, source: MlflowStore, *, is_dry_run: bool = False, progress: Progress = lambda *_: None
    ) -> Brought:
        """Brings all of a store in; with `is_dry_run` says what would come, and writes nothing."""
        for permission in PERMISSIONS:
            caller.require(permission)
        self._counts, self._left, self._closed = Counter(), [], {}
        for kind, count in source.not_read().items():
            self._left.append(Left(what=f"{count} {kind}", why="no import brings them"))
        numbers = self._numbered(caller, source.experiments(), is_dry_run)
        ids = list(source.run_ids())
        for start in range(0, len(ids), _RUNS_AT_ONCE):
            self._bring_runs(caller, source, ids[start : start + _RUNS_AT_ONCE], numbers, is_dry_run)
            progress("runs", min(start + _RUNS_AT_ONCE, len(ids)), len(ids))
        for place, model in enumerate(source.logged_models()):
            self._bring_logged_model(caller, source, model, numbers, is_dry_run)
            progress("logged models", place + 1, place + 1)
        for place, registered in enumerate(source.models()):
            self._registry.bring(caller, registered, self._counts, self._left, is_dry_run)
            progress("models", place + 1, place + 1)
        done = self._told(source, numbers, is_dry_run)
        if not is_dry_run:
            self._leave_event(caller, done)
        return done

    # Experiments

    def _numbered(self, caller: Caller, stored: Sequence[StoredExperiment], is_dry_run: bool) -> dict[int, int]:
        """The number here of each experiment there: that of its name where the name is known, its own where it is free."""
        if not is_dry_run:
            self._experiments.begin(caller.project)
            return self._store.write(lambda tx: {one.number: self._place(tx, caller, one) for one in stored})
        with self._store.read() as reader:
            known = {one.number: self._experiment_rows.find_named(reader, caller.project, one.name) for one in stored}
        self._counts["experiments"] += sum(found is None for found in known.values())
        return {number: number if found is None else found.number for number, found in known.items()}

    def _place(self, tx: Transaction, caller: Caller, one: StoredExperiment) -> int:
        known = self._experiment_rows.find_named(tx, caller.project, one.name)
        if known is None:
            number = one.number
            while tx.execute(sql.insert_experiment, _experiment_row(caller.project, one, number)) == 0:
                row = tx.find(sql.next_experiment, {"project": caller.project})
                number = 1 if row is None else int(row[0])
            self._counts["experiments"] += 1
        else:
            number = known.number
        present = {tag.key for tag in known.tags} if known is not None else set()
        tags = [Pair(key, value) for key, value in one.tags.items() if key not in present]
        self._experiment_rows.put_tags(tx, caller.project, number, tags)
        return number

    # Runs

    def _bring_runs(
        self, caller: Caller, source: MlflowStore, ids: Sequence[str], numbers: dict[int, int], is_dry_run: bool
    ) -> None:
        proper = [run for run in ids if self._is_proper(run)]
        with self._store.read() as reader:
            known = self._run_rows.numbers(reader, caller.project, proper)
        stored = source.runs(proper)
        self._counts["known_runs"] += len(known)
        fresh = [run for run in stored if run.run not in known and self._has_status(run)]
        self._counts["runs"] += len(fresh)
        self._counts["points"] += sum(len(run.points) for run in fresh)
        if is_dry_run:
            self._count_files(source, [run.artifact_uri for run in stored])
            return
        taken = [self._numbers.take(caller.project) for _ in fresh]

        def work(tx: Transaction) -> dict[str, int]:
            learned: dict[str, int] = {}
            for run, number in zip(fresh, taken, strict=True):
                learned.update(self._insert(tx, caller, run, number, numbers[run.experiment]))
            return learned

        self._metrics.keys.remember(caller.project, self._store.write(work))
        for run in stored:
            self._bring_files_of_run(caller, source, run, numbers[run.experiment])

    def _is_proper(self, run: str) -> bool:
        if run_id_of(run) is None:
            self._left.append(Left(what=f"run {run}", why="its id is not 32 hexadecimal digits"))
            return False
        return True

    def _has_status(self, run: StoredRun) -> bool:
        if run.status not in STATUSES:
            self._left.append(Left(what=f"run {run.run}", why=f"its status {run.status!r} is none"))
            return False
        return True

    def _insert(self, tx: Transaction, caller: Caller, run: StoredRun, number: int, experiment: int) -> dict[str, int]:
        params = [Pair(key, value) for key, value in run.params.items()]
        made = TrackedRun(
            number=number,
            run=run.run,
            experiment=experiment,
            name=run.name,
            status=run.status,
            user_id=run.user_id,
            start_ms=run.start_ms,
            end_ms=run.end_ms,
            lifecycle=run.lifecycle,
            artifact_uri=run.artifact_uri,
            params=params,
            tags=[Pair(key, value) for key, value in run.tags.items()],
        )
        self._runs.insert(tx, caller, made, deleted_ms=run.deleted_ms)
        to_write = RunToWrite(number, experiment, ACTIVE, "client", run.status, run.name)
        self._run_rows.add_params(tx, caller.project, to_write, params)
        self._inputs.add(tx, caller.project, to_write, run.datasets, run.models)
        outputs = [
            {"project": caller.project, "number": number, "model": one.model, "step": one.step, "ordinal": place}
            for place, one in enumerate(run.outputs)
        ]
        if outputs:
            tx.execute_many(sql.insert_output, outputs)
        self._inputs.link(tx, caller.project, run.run, datasets=run.datasets, models=run.models, outputs=run.outputs)
        return self._insert_points(tx, caller.project, to_write, run)

    def _insert_points(self, tx: Transaction, project: str, to_write: RunToWrite, run: StoredRun) -> dict[str, int]:
        learned: dict[str, int] = {}
        points = run.points
        for start in range(0, len(points), _POINTS_AT_ONCE):
            part = slice(start, start + _POINTS_AT_ONCE)
            batch = PointBatch(
                keys=points.keys[part], values=points.values[part], steps=points.steps[part], times=points.times[part]
            )
            learned.update(
                self._metrics.write(tx, project, to_write.number, to_write.experiment, batch, summaries(batch))
            )
        return learned

    def _bring_files_of_run(self, caller: Caller, source: MlflowStore, run: StoredRun, experiment: int) -> None:
        folder = f"{experiment}/{run.run}/artifacts"
        if self._bring_files(caller, source, run.artifact_uri, folder):
            values = {"project": caller.project, "run": run.run, "artifact_uri": OURS + folder}
            self._store.write(lambda tx: tx.execute(sql.place_run, values))

    # Logged models

    def _bring_logged_model(
        self, caller: Caller, source: MlflowStore, model: StoredLoggedModel, numbers: dict[int, int], is_dry_run: bool
    ) -> None:
        with self._store.read() as reader:
            is_known = LoggedModelRows().find(reader, caller.project, model.model) is not None
        self._counts["logged_models"] += not is_known
        if is_dry_run:
            self._count_files(source, [model.artifact_location])
            return
        experiment = numbers[model.experiment]
        if not is_known:
            made = replace(model, experiment=experiment)
            rows = [_point_row(caller.project, point, experiment) for point in model.metrics]

            def work(tx: Transaction) -> None:
                self._logged_models.insert(tx, caller.project, made)
                if rows:
                    tx.execute_many(sql.insert_model_metric, rows)

            self._store.write(work)
        folder = f"{experiment}/models/{model.model}/artifacts"
        if self._bring_files(caller, source, model.artifact_location, folder):
            values = {"project": caller.project, "model": model.model, "artifact_location": OURS + folder}
            self._store.write(lambda tx: tx.execute(sql.place_logged_model, values))

    # Files

    def _bring_files(self, caller: Caller, source: MlflowStore, location: str, folder: str) -> bool:
        """Whether the files are here now."""
        found = self._found(source, location)
        if found is None:
            return False
        with self._store.read() as reader:
            known = {file.path: file.size_bytes for file in self._files.below(reader, caller.project, folder)}
        for file in found:
            path = f"{folder}/{file.path}"
            if known.get(path) != file.size_bytes:
                self._bring_file(caller, path, file)
        return True

    def _bring_file(self, caller: Caller, path: str, file: StoredFile) -> None:
        try:
            with file.open() as stream:
                self._files.put_stream(caller, path, stream)
        except (BadFileName, FileInTheWay, FileSealed) as error:
            self._left.append(Left(what=f"file {path}", why=f"{error.what} {error.why}".strip()))
            return
        self._counts["files"] += 1
        self._counts["file_bytes"] += file.size_bytes

    def _count_files(self, source: MlflowStore, locations: Sequence[str]) -> None:
        for location in locations:
            found = self._found(source, location) or ()
            self._counts["files"] += len(found)
            self._counts["file_bytes"] += sum(file.size_bytes for file in found)

    def _found(self, source: MlflowStore, location: str) -> Sequence[StoredFile] | None:
        """The files at a location; None for those that stay where they are, which is noted."""
        try:
            return source.files(location)
        except LocationClosed as error:
            self._closed.setdefault(error.what, []).append(location)
            return None

    def _told(self, source: MlflowStore, numbers: dict[int, int], is_dry_run: bool) -> Brought:
        closed = [
            Left(
                what=f"the files at {places[0]}" + (f" and {len(places) - 1} more places" if places[1:] else ""),
                why=why,
            )
            for why, places in self._closed.items()
        ]
        return Brought(
            source=source.name,
            is_dry_run=is_dry_run,
            renumbered={there: here for there, here in numbers.items() if there != here},
            left=[*dict.fromkeys(self._left), *closed],
            **self._counts,
        )

    def _leave_event(self, caller: Caller, done: Brought) -> None:
        body = {
            name: getattr(done, name)
            for name in ("source", "experiments", "runs", "points", "logged_models", "models", "versions", "files")
        }
        self._store.write(
            lambda tx: self._events.append(
                tx, project=caller.project, kind="store.imported", subject="tracking", actor=caller.actor, body=body
            )
        )


def _experiment_row(project: str, one: StoredExperiment, number: int) -> dict[str, object]:
    is_remote = "://" in one.location and not one.location.startswith("file:")
    return {
        "project": project,
        "number": number,
        "name": one.name,
        "artifact_location": one.location if is_remote else f"{OURS}{number}",
        "lifecycle": one.lifecycle,
        "created_ms": one.created_ms,
        "updated_ms": one.updated_ms,
    }


def _point_row(project: str, point: ModelPoint, experiment: int) -> dict[str, object]:
    is_nan = point.value is None or math.isnan(point.value)
    return {
        "project": project,
        "model": point.model,
        "name": point.key,
        "at_ms": point.at_ms,
        "step": point.step,
        "run": point.run,
        "value": 0.0 if is_nan else point.value,
        "is_nan": int(is_nan),
        "dataset_name": point.dataset_name,
        "dataset_digest": point.dataset_digest,
        "experiment": experiment,
    }
