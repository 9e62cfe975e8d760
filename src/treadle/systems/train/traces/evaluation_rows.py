"""The rows of evaluation datasets and their records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.train.traces.cleaning import clean, cleaned

sql = Statements(__package__)


@dataclass(slots=True, kw_only=True)
class EvaluationDataset:
    """Questions with expected answers. schema, profile: JSON text, None before the first record came."""

    id: str
    name: str
    digest: str
    schema: str | None = None
    profile: str | None = None
    created_by: str | None = None
    updated_by: str | None = None
    created_ms: int = 0
    updated_ms: int = 0
    tags: dict[str, str] = field(default_factory=dict)
    experiments: list[str] | None = None


@dataclass(slots=True, kw_only=True)
class EvaluationRecord:
    """One question: inputs, what came out, what was expected, and where it is from."""

    id: str
    inputs: dict[str, Any]
    outputs: Any = None
    expectations: dict[str, Any] | None = None
    tags: dict[str, str] | None = None
    source: dict[str, Any] | None = None
    source_id: str | None = None
    source_type: str | None = None
    created_by: str | None = None
    updated_by: str | None = None
    created_ms: int = 0
    updated_ms: int = 0


COLUMNS = ("id", "name", "digest", "schema", "profile", "created_by", "updated_by", "created_ms", "updated_ms")
_RECORD = tuple(EvaluationRecord.__slots__)
_JSON = ("inputs", "outputs", "expectations", "tags", "source")


class EvaluationRows:
    """Finds and records evaluation datasets."""

    def insert(self, tx: Transaction, project: str, dataset: EvaluationDataset) -> None:
        row = {name: getattr(dataset, name) for name in COLUMNS}
        tx.execute(sql.insert_dataset, cleaned(row) | {"project": project})
        self.put_tags(tx, project, dataset.id, dataset.tags)
        for experiment in dataset.experiments or ():
            self.tie(tx, project, dataset.id, experiment)

    def find(self, reader: Reader, project: str, id: str) -> EvaluationDataset | None:
        """The dataset with its tags, or None."""
        row = reader.find(sql.find_dataset, {"project": project, "dataset": id})
        return None if row is None else self.with_tags(reader, project, [row])[0]

    def with_tags(self, reader: Reader, project: str, rows: Sequence[Row]) -> list[EvaluationDataset]:
        """Datasets from their rows, in the order of the rows."""
        found = {row[0]: EvaluationDataset(**dict(zip(COLUMNS, row, strict=True))) for row in rows}
        values = {"project": project, "ids": json.dumps(list(found))}
        for id, key, value in reader.all(sql.dataset_tags, values):
            found[id].tags[key] = value
        return list(found.values())

    def update(self, tx: Transaction, project: str, dataset: EvaluationDataset) -> None:
        """Writes digest, schema, profile and who changed it when."""
        names = ("id", "digest", "schema", "profile", "updated_by", "updated_ms")
        tx.execute(sql.update_dataset, {"project": project} | {name: getattr(dataset, name) for name in names})

    def delete(self, tx: Transaction, project: str, id: str) -> bool:
        """Takes a dataset away with its records; False when there is none."""
        values = {"project": project, "dataset": id}
        for statement in (sql.delete_dataset_records, sql.delete_dataset_tags, sql.delete_dataset_experiments):
            tx.execute(statement, values)
        return tx.execute(sql.delete_dataset, values) == 1

    def put_tags(self, tx: Transaction, project: str, id: str, tags: Mapping[str, str]) -> None:
        for key, value in sorted(tags.items()):
            row = {"project": project, "dataset": id, "key": clean(key), "value": clean(value)}
            tx.execute(sql.put_dataset_tag, row)

    def drop_tag(self, tx: Transaction, project: str, id: str, key: str) -> None:
        tx.execute(sql.drop_dataset_tag, {"project": project, "dataset": id, "key": key})

    def experiments(self, reader: Reader, project: str, id: str) -> list[str]:
        """The ids of the experiments that a dataset belongs to."""
        return [found for (found,) in reader.all(sql.dataset_experiments, {"project": project, "dataset": id})]

    def tie(self, tx: Transaction, project: str, id: str, experiment: str) -> None:
        tx.execute(sql.put_dataset_experiment, {"project": project, "dataset": id, "experiment": clean(experiment)})

    def untie(self, tx: Transaction, project: str, id: str, experiment: str) -> bool:
        values = {"project": project, "dataset": id, "experiment": experiment}
        return tx.execute(sql.drop_dataset_experiment, values) == 1

    def record_of(self, reader: Reader, project: str, id: str, input_hash: str) -> EvaluationRecord | None:
        """The record of the same inputs, or None."""
        row = reader.find(sql.find_record, {"project": project, "dataset": id, "input_hash": input_hash})
        return None if row is None else _record(row)

    def insert_record(self, tx: Transaction, project: str, id: str, input_hash: str, record: EvaluationRecord) -> None:
        shared = {"project": project, "dataset": id, "input_hash": input_hash}
        tx.execute(sql.insert_record, _values(record) | shared)

    def update_record(self, tx: Transaction, project: str, id: str, record: EvaluationRecord) -> None:
        tx.execute(sql.update_record, _values(record) | {"project": project, "dataset": id})

    def records(
        self, reader: Reader, project: str, id: str, *, after: tuple[int, str], limit: int
    ) -> list[EvaluationRecord]:
        """Records by when they were made, those behind a place."""
        values = {"project": project, "dataset": id, "created_ms": after[0], "record": after[1], "limit": limit}
        return [_record(row) for row in reader.all(sql.records_after, values)]

    def count(self, reader: Reader, project: str, id: str) -> int:
        row = reader.find(sql.count_records, {"project": project, "dataset": id})
        return 0 if row is None else int(row[0])

    def delete_records(self, tx: Transaction, project: str, id: str, records: Iterable[str]) -> int:
        """How many of the records there were."""
        shared = {"project": project, "dataset": id}
        return sum(tx.execute(sql.delete_record, shared | {"record": record}) for record in dict.fromkeys(records))


def _values(record: EvaluationRecord) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(record, name) for name in _RECORD}
    return cleaned(values) | {name: None if values[name] is None else json.dumps(values[name]) for name in _JSON}


def _record(row: Row) -> EvaluationRecord:
    values: dict[str, Any] = dict(zip(_RECORD, row, strict=True))
    for name in _JSON:
        values[name] = None if values[name] is None else json.loads(values[name])
    return EvaluationRecord(**values)
