"""The verbs of what runs read and made: data sets as clients describe them, and logged models."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from treadle.ground.ids import NewId, mlflow_id
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Statements, Store, Transaction
from treadle.systems.train.tracking import rules
from treadle.systems.train.tracking.errors import TrackingInvalid
from treadle.systems.train.tracking.lineage import RunEdges
from treadle.systems.train.tracking.records import DatasetInput, ModelOutput
from treadle.systems.train.tracking.repository import RunToWrite
from treadle.systems.train.tracking.requests import LogInputs, LogOutputs
from treadle.systems.train.tracking.runs import TrackedRuns

sql = Statements(__package__)

MAX_SUMMARIES = 1000
_LIMITS = {"name": 500, "digest": 36, "source": 65_535, "schema": 1_048_575, "profile": 16_777_215}
_MAX_TAG_KEY, _MAX_TAG_VALUE = 255, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ListInputs:
    """The data sets of these experiments, by their ids as clients write them."""

    experiments: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSummary:
    """A data set that runs of an experiment read, and as what (`train`, `eval`, …), where the client said so."""

    experiment: int
    name: str
    digest: str
    context: str | None


class RunInputs:
    """See the module."""

    def __init__(self, store: Store, runs: TrackedRuns, edges: RunEdges, new_id: NewId) -> None:
        self._store, self._runs, self._edges, self._new_id = store, runs, edges, new_id

    @verb("inputs.log", permission="run.write")
    def log(self, caller: Caller, request: LogInputs) -> None:
        """Adds inputs to a run, each once. Raises TrackedRunNotFound, TrackingInvalid."""
        rules.check_run_id(request.run)
        datasets: dict[tuple[str, str], DatasetInput] = {}
        for one in request.datasets:
            _check(one)
            datasets.setdefault((one.name, one.digest), one)
        ends = self._edges.ends(list(datasets.values()), request.models)

        def work(tx: Transaction) -> None:
            run = self._runs.to_write(tx, caller.project, request.run)
            self.add(tx, caller.project, run, list(datasets.values()), request.models)
            self._edges.draw(tx, caller.project, request.run, "in", ends)

        self._store.write(work)

    def add(
        self, tx: Transaction, project: str, run: RunToWrite, datasets: Sequence[DatasetInput], models: Sequence[str]
    ) -> None:
        """Adds inputs to a run, each once, within a transaction that is already open; their edges are the caller's."""
        row = tx.find(sql.count_inputs, {"project": project, "number": run.number})
        ordinal = row[0] if row else 0
        for one in datasets:
            ordinal += self._add_dataset(tx, project, run, one, ordinal)
        for model in models:
            ordinal += self._add(tx, project, run, "model", model, ordinal)

    def link(
        self,
        tx: Transaction,
        project: str,
        run: str,
        *,
        datasets: Sequence[DatasetInput],
        models: Sequence[str],
        outputs: Sequence[ModelOutput],
    ) -> None:
        """The edges of a run that comes as a whole, within a transaction that is already open."""
        self._edges.draw(tx, project, run, "in", self._edges.ends(datasets, models))
        self._edges.draw(tx, project, run, "out", self._edges.ends([], [one.model for one in outputs]))

    def _add_dataset(self, tx: Transaction, project: str, run: RunToWrite, one: DatasetInput, ordinal: int) -> int:
        values = {"project": project, "experiment": run.experiment, "name": one.name, "digest": one.digest}
        described = {"source_type": one.source_type, "source": one.source, "schema": one.schema, "profile": one.profile}
        tx.put(sql.insert_dataset, {**values, **described, "id": mlflow_id(self._new_id("ds"))})
        row = tx.find(sql.find_dataset, values)
        source = str(row[0]) if row else ""
        added = self._add(tx, project, run, "dataset", source, ordinal)
        if added and one.tags:
            tags = {tag.key: tag.value for tag in one.tags}
            keyed = {"project": project, "number": run.number, "source": source}
            tx.put_many(sql.insert_input_tag, [{**keyed, "name": key, "value": tags[key]} for key in tags])
        return added

    def _add(self, tx: Transaction, project: str, run: RunToWrite, kind: str, source: str, ordinal: int) -> int:
        values = {"project": project, "number": run.number, "kind": kind, "source": source, "ordinal": ordinal}
        return tx.execute(sql.insert_input, values)

    @verb("inputs.log_outputs", permission="run.write")
    def log_outputs(self, caller: Caller, request: LogOutputs) -> None:
        """Adds the logged models that a run made, each once. Raises TrackedRunNotFound, TrackingInvalid."""
        ends = self._edges.ends([], [one.model for one in request.models])

        def work(tx: Transaction) -> None:
            run = self._runs.to_write(tx, caller.project, request.run)
            keyed = {"project": caller.project, "number": run.number}
            row = tx.find(sql.count_outputs, keyed)
            ordinal = row[0] if row else 0
            for place, one in enumerate(request.models):
                values = {**keyed, "model": one.model, "step": one.step, "ordinal": ordinal + place}
                if tx.execute(sql.insert_output, values) == 0:
                    raise TrackingInvalid(f"The run {request.run} has the output {one.model} already.")
            self._edges.draw(tx, caller.project, request.run, "out", ends)

        self._store.write(work)

    @verb("inputs.list", permission="run.read")
    def summaries(self, caller: Caller, request: ListInputs) -> list[DatasetSummary]:
        """The data sets that runs of some experiments read; at most 1,000."""
        numbers = json.dumps(rules.experiment_numbers(request.experiments))
        values = {"project": caller.project, "numbers": numbers, "limit": MAX_SUMMARIES}
        with self._store.read() as reader:
            rows = reader.all(sql.dataset_summaries, values)
        return [
            DatasetSummary(experiment=experiment, name=name, digest=digest, context=context)
            for experiment, name, digest, context in rows
        ]


def _check(one: DatasetInput) -> None:
    for name, limit in _LIMITS.items():
        rules.check_length(name, limit, getattr(one, name) or "")
    for tag in one.tags:
        rules.check_length("key", _MAX_TAG_KEY, tag.key)
        rules.check_length("value", _MAX_TAG_VALUE, tag.value)
