"""The verbs of evaluation datasets: questions with expected answers, by which an application is judged.

The same inputs are one record: a record that comes again is merged into the one that is there.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from treadle.ground.clock import Clock
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.train.search.finding import Question, find
from treadle.systems.train.traces.errors import EvaluationDatasetNotFound, TraceInvalid
from treadle.systems.train.traces.evaluation_rows import COLUMNS, EvaluationDataset, EvaluationRecord, EvaluationRows
from treadle.systems.train.traces.repository import TraceRows
from treadle.systems.train.traces.searching import DATASETS, among
from treadle.systems.train.tracking.errors import ExperimentNotFound
from treadle.systems.train.tracking.rules import experiment_number

_USER = "mlflow.user"
_SOURCES = ("UNSPECIFIED", "TRACE", "HUMAN", "DOCUMENT", "CODE")
_MOST = 50_000
_PARTS = ("inputs", "outputs", "expectations")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateEvaluationDataset:
    name: str
    tags: dict[str, str] = field(default_factory=dict)
    experiments: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationDatasetNamed:
    dataset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchEvaluationDatasets:
    """filter: conditions on name, created_time, last_update_time, created_by, last_updated_by and tags."""

    experiments: list[str] | None = None
    filter: str | None = None
    order_by: list[str] = field(default_factory=list)
    limit: int = 1000
    page_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationDatasetPage:
    datasets: list[EvaluationDataset]
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TagEvaluationDataset:
    dataset: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class UntagEvaluationDataset:
    dataset: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRecords:
    """records: each with `inputs`, and any of `outputs`, `expectations`, `tags`, `source`."""

    dataset: str
    records: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    inserted: int
    updated: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsOf:
    dataset: str
    limit: int = 1000
    page_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    records: list[EvaluationRecord]
    next_page_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteRecords:
    dataset: str
    records: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TieExperiments:
    dataset: str
    experiments: list[str]


class EvaluationDatasets:
    """Questions with expected answers."""

    def __init__(
        self, store: Store, events: EventLog, clock: Clock, new_id: Callable[[], str] = lambda: uuid4().hex
    ) -> None:
        self._store, self._events, self._clock, self._new_id = store, events, clock, new_id
        self._rows, self._traces = EvaluationRows(), TraceRows()

    @verb("evaluation_datasets.create", permission="evaluation.write", event="evaluation_dataset.created")
    def create(self, caller: Caller, request: CreateEvaluationDataset) -> EvaluationDataset:
        """The new dataset."""
        now = self._now_ms()
        made = EvaluationDataset(
            id=f"d-{self._new_id()}",
            name=request.name,
            digest=_digest(request.name, now),
            created_by=request.tags.get(_USER),
            updated_by=request.tags.get(_USER),
            created_ms=now,
            updated_ms=now,
            tags=dict(request.tags),
            experiments=list(dict.fromkeys(request.experiments)),
        )

        def write(tx: Transaction) -> EvaluationDataset:
            self._rows.insert(tx, caller.project, made)
            self._tell(tx, caller, "evaluation_dataset.created", made.id, name=made.name)
            return made

        return self._store.write(write)

    @verb("evaluation_datasets.get", permission="evaluation.read")
    def get(self, caller: Caller, request: EvaluationDatasetNamed) -> EvaluationDataset:
        """The dataset without its records. Raises EvaluationDatasetNotFound."""
        with self._store.read() as reader:
            found = self._rows.find(reader, caller.project, request.dataset)
        if found is None:
            raise EvaluationDatasetNotFound(f"Evaluation dataset with id '{request.dataset}' not found")
        return found

    @verb("evaluation_datasets.delete", permission="evaluation.delete", event="evaluation_dataset.deleted")
    def delete(self, caller: Caller, request: EvaluationDatasetNamed) -> None:
        """Takes a dataset away with its records. Nothing happens when there is none."""

        def write(tx: Transaction) -> None:
            if self._rows.delete(tx, caller.project, request.dataset):
                self._tell(tx, caller, "evaluation_dataset.deleted", request.dataset)

        self._store.write(write)

    @verb("evaluation_datasets.search", permission="evaluation.read")
    def search(self, caller: Caller, request: SearchEvaluationDatasets) -> EvaluationDatasetPage:
        """A page of the datasets that a filter finds, newest first unless an order says otherwise."""
        if not 0 < request.limit <= _MOST:
            raise _bad_limit(request.limit)
        scope, parameters = _scope(self._store.dialect, caller.project, request.experiments)
        question = Question(
            columns=[f"d.{'dataset' if name == 'id' else name}" for name in COLUMNS],
            scope=scope,
            parameters=parameters,
            filter=request.filter,
            order_by=request.order_by,
            limit=request.limit,
            token=request.page_token,
            seal=request.experiments,
        )
        with self._store.read() as reader:
            found = find(reader, DATASETS, question)
            datasets = self._rows.with_tags(reader, caller.project, found.rows)
        return EvaluationDatasetPage(datasets=datasets, next_page_token=found.token)

    @verb("evaluation_datasets.tag", permission="evaluation.write")
    def tag(self, caller: Caller, request: TagEvaluationDataset) -> None:
        """Sets tags of a dataset. Raises EvaluationDatasetNotFound."""

        def write(tx: Transaction) -> None:
            if self._rows.find(tx, caller.project, request.dataset) is None:
                raise EvaluationDatasetNotFound(f"Could not find evaluation dataset with ID {request.dataset}")
            self._rows.put_tags(tx, caller.project, request.dataset, request.tags)

        self._store.write(write)

    @verb("evaluation_datasets.untag", permission="evaluation.write")
    def untag(self, caller: Caller, request: UntagEvaluationDataset) -> None:
        """Takes a tag away. Nothing happens when there is none."""
        self._store.write(lambda tx: self._rows.drop_tag(tx, caller.project, request.dataset, request.key))

    @verb("evaluation_datasets.merge", permission="evaluation.write")
    def merge(self, caller: Caller, request: MergeRecords) -> Merged:
        """How many records were new and how many were merged into one with the same inputs."""
        for record in request.records:
            _check_record(record)
        now = self._now_ms()

        def write(tx: Transaction) -> Merged:
            dataset = self._found(tx, caller.project, request.dataset)
            dataset.updated_by, updated = None, 0
            for given in request.records:
                updated += self._merge(tx, caller.project, dataset.id, given, now)
                dataset.updated_by = (given.get("tags") or {}).get(_USER, dataset.updated_by)
            schema = _schema(dataset.schema, request.records)
            count = self._rows.count(tx, caller.project, dataset.id)
            dataset.schema = dataset.schema if schema is None else json.dumps(schema)
            dataset.profile = json.dumps({"num_records": count}) if count else dataset.profile
            dataset.digest, dataset.updated_ms = _digest(dataset.name, now), now
            self._rows.update(tx, caller.project, dataset)
            return Merged(inserted=len(request.records) - updated, updated=updated)

        return self._store.write(write)

    @verb("evaluation_datasets.records", permission="evaluation.read")
    def records(self, caller: Caller, request: RecordsOf) -> RecordPage:
        """A page of the records, oldest first."""
        if not 0 < request.limit <= _MOST:
            raise _bad_limit(request.limit)
        after = _place(request.page_token)
        with self._store.read() as reader:
            found = self._rows.records(reader, caller.project, request.dataset, after=after, limit=request.limit + 1)
        records = found[: request.limit]
        token = None
        if len(found) > request.limit:
            token = base64.b64encode(f"{records[-1].created_ms}:{records[-1].id}".encode()).decode()
        return RecordPage(records=records, next_page_token=token)

    @verb("evaluation_datasets.delete_records", permission="evaluation.write")
    def delete_records(self, caller: Caller, request: DeleteRecords) -> int:
        """How many of the records there were."""

        def write(tx: Transaction) -> int:
            count = self._rows.delete_records(tx, caller.project, request.dataset, request.records)
            dataset = self._rows.find(tx, caller.project, request.dataset)
            if count and dataset is not None:
                left = self._rows.count(tx, caller.project, request.dataset)
                dataset.profile = json.dumps({"num_records": left}) if left else "null"
                self._rows.update(tx, caller.project, dataset)
            return count

        return self._store.write(write)

    @verb("evaluation_datasets.experiments", permission="evaluation.read")
    def experiments(self, caller: Caller, request: EvaluationDatasetNamed) -> list[str]:
        """The ids of the experiments that a dataset belongs to."""
        with self._store.read() as reader:
            return self._rows.experiments(reader, caller.project, request.dataset)

    @verb("evaluation_datasets.tie", permission="evaluation.write")
    def tie(self, caller: Caller, request: TieExperiments) -> EvaluationDataset:
        """Lets a dataset belong to more experiments. Raises EvaluationDatasetNotFound, ExperimentNotFound."""

        def write(tx: Transaction) -> EvaluationDataset:
            dataset = self._named(tx, caller.project, request.dataset)
            for experiment in request.experiments:
                self._check_experiment(tx, caller.project, experiment)
                self._rows.tie(tx, caller.project, dataset.id, experiment)
            dataset.updated_ms = self._now_ms()
            self._rows.update(tx, caller.project, dataset)
            return dataset

        return self._store.write(write)

    @verb("evaluation_datasets.untie", permission="evaluation.write")
    def untie(self, caller: Caller, request: TieExperiments) -> EvaluationDataset:
        """Lets a dataset belong to fewer experiments. Raises EvaluationDatasetNotFound."""

        def write(tx: Transaction) -> EvaluationDataset:
            dataset = self._named(tx, caller.project, request.dataset)
            gone = [one for one in request.experiments if self._rows.untie(tx, caller.project, dataset.id, one)]
            if gone:
                dataset.updated_ms = self._now_ms()
                self._rows.update(tx, caller.project, dataset)
            return dataset

        return self._store.write(write)

    def _merge(self, tx: Transaction, project: str, dataset: str, given: dict[str, Any], now_ms: int) -> bool:
        """Whether a record of the same inputs was there."""
        inputs = given.get("inputs") or {}
        input_hash = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
        found = self._rows.record_of(tx, project, dataset, input_hash)
        if found is None:
            record = _new_record(f"dr-{self._new_id()}", inputs, given, now_ms)
            self._rows.insert_record(tx, project, dataset, input_hash, record)
            return False
        if "outputs" in given:
            found.outputs = given["outputs"]
        if given.get("expectations"):
            found.expectations = (found.expectations or {}) | given["expectations"]
        if given.get("tags"):
            found.tags = (found.tags or {}) | given["tags"]
            found.updated_by = given["tags"].get(_USER, found.updated_by)
        found.updated_ms = now_ms
        self._rows.update_record(tx, project, dataset, found)
        return True

    def _found(self, reader: Reader, project: str, id: str) -> EvaluationDataset:
        found = self._rows.find(reader, project, id)
        if found is None:
            raise EvaluationDatasetNotFound(f"Evaluation dataset with id '{id}' not found")
        return found

    def _named(self, reader: Reader, project: str, id: str) -> EvaluationDataset:
        found = self._rows.find(reader, project, id)
        if found is None:
            raise EvaluationDatasetNotFound(f"Dataset '{id}' not found")
        return found

    def _check_experiment(self, reader: Reader, project: str, experiment: str) -> None:
        if self._traces.experiment_of(reader, project, str(experiment_number(experiment))) is None:
            raise ExperimentNotFound(f"No Experiment with id={experiment}")

    def _tell(self, tx: Transaction, caller: Caller, kind: str, id: str, **body: Any) -> None:
        subject = f"evaluation_dataset/{id}"
        self._events.append(tx, project=caller.project, kind=kind, subject=subject, actor=caller.actor, body=body)

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _new_record(id: str, inputs: dict[str, Any], given: dict[str, Any], now_ms: int) -> EvaluationRecord:
    tags, source = given.get("tags"), given.get("source")
    user = (tags or {}).get(_USER)
    record = EvaluationRecord(
        id=id,
        inputs=inputs,
        outputs=given.get("outputs", {}),
        expectations=given.get("expectations"),
        tags=tags or {},
        created_by=user,
        updated_by=user,
        created_ms=now_ms,
        updated_ms=now_ms,
    )
    if source:
        kind, data = str(source["source_type"]).upper(), source.get("source_data") or {}
        record.source = {"source_type": kind, "source_data": data}
        record.source_type = kind
        record.source_id = data.get("trace_id") if kind == "TRACE" else data.get("source_id")
    return record


def _check_record(record: Any) -> None:
    """What a record must be; what is wrong is told before anything is written. Raises TraceInvalid."""
    if not isinstance(record, dict):
        raise TraceInvalid("A record must be a JSON object.")
    for name in ("inputs", "expectations", "tags"):
        if not isinstance(record.get(name) or {}, dict):
            raise TraceInvalid(f"The {name} of a record must be a JSON object.")
    source = record.get("source")
    if not source:
        return
    if not isinstance(source, dict) or not isinstance(source.get("source_data") or {}, dict):
        raise TraceInvalid("The source of a record must be a JSON object with source_type and source_data.")
    kind = str(source.get("source_type")).upper()
    if kind not in _SOURCES:
        raise TraceInvalid(f"Invalid dataset record source type: {kind}. Valid source types: {list(_SOURCES)}")


def _schema(known: str | None, records: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """The types of the fields seen so far; a field keeps the type that it first had. None before the first record."""
    records = list(records)
    if not records and not known:
        return None
    schema: dict[str, Any] = json.loads(known) if known else {name: {} for name in _PARTS} | {"version": "1.0"}
    for record in records:
        for name in _PARTS:
            found = record.get(name)
            if isinstance(found, dict) and isinstance(schema[name], dict):
                for key, value in found.items():
                    schema[name].setdefault(key, _type_of(value))
            elif found is not None and not isinstance(found, dict) and not schema[name]:
                schema[name] = _type_of(found)
    return schema


_TYPES: tuple[tuple[type, str], ...] = (
    (type(None), "null"),
    (bool, "boolean"),
    (int, "integer"),
    (float, "float"),
    (str, "string"),
    (list, "array"),
    (dict, "object"),
)


def _type_of(value: Any) -> str:
    return next(name for kind, name in _TYPES if isinstance(value, kind))


def _place(token: str | None) -> tuple[int, str]:
    if not token:
        return (-1, "")
    try:
        created, _, id = base64.b64decode(token, validate=True).decode().partition(":")
        return int(created), id
    except (binascii.Error, ValueError) as error:
        raise TraceInvalid("Invalid page token, could not base64-decode") from error


def _digest(name: str, at_ms: int) -> str:
    return hashlib.sha256(f"{name}:{at_ms}".encode()).hexdigest()[:8]


def _scope(dialect: str, project: str, experiments: list[str] | None) -> tuple[str, dict[str, object]]:
    scope = "d.project = :project"
    parameters: dict[str, object] = {"project": project}
    if not experiments:
        return scope, parameters
    listed, bound = among(dialect, "x.experiment", "experiments", experiments)
    tied = "select 1 from evaluation_dataset_experiment x where x.project = d.project and x.dataset = d.dataset"
    return f"{scope} and exists ({tied} and {listed})", parameters | {"experiments": bound}


def _bad_limit(limit: int) -> TraceInvalid:
    if limit < 1:
        return TraceInvalid(
            f"Invalid value {limit} for parameter 'max_results' supplied. It must be a positive integer"
        )
    return TraceInvalid(f"Invalid value {limit} for parameter 'max_results' supplied. It must be at most {_MOST}")
