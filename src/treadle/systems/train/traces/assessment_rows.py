"""The rows of assessments: found, written, struck out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.train.traces.analytics import number_of
from treadle.systems.train.traces.cleaning import cleaned
from treadle.systems.train.traces.records import Assessment

sql = Statements(__package__)

_COLUMNS = (
    "trace",
    "id",
    "name",
    "kind",
    "value",
    "source_type",
    "source_id",
    "error",
    "run",
    "span",
    "rationale",
    "overrides",
    "is_valid",
    "metadata",
    "created_ms",
    "updated_ms",
)


class AssessmentRows:
    """Finds and records assessments."""

    def find(self, reader: Reader, project: str, trace: str, id: str) -> Assessment | None:
        """The assessment, or None."""
        row = reader.find(sql.find_assessment, {"project": project, "trace": trace, "assessment": id})
        return None if row is None else _assessment(row)

    def of_traces(self, reader: Reader, project: str, traces: Iterable[str]) -> list[Assessment]:
        """The assessments of some traces, oldest first within each."""
        ids = msgspec.json.encode(list(traces)).decode()
        return [_assessment(row) for row in reader.all(sql.assessments_of, {"project": project, "ids": ids})]

    def insert(self, tx: Transaction, project: str, assessment: Assessment) -> bool:
        """Records an assessment; False when its id is taken."""
        return tx.execute(sql.insert_assessment, _values(project, assessment)) == 1

    def update(self, tx: Transaction, project: str, assessment: Assessment) -> None:
        """Writes what may change about an assessment."""
        tx.execute(sql.update_assessment, _values(project, assessment))

    def set_validity(self, tx: Transaction, project: str, trace: str, id: str, is_valid: bool) -> bool:
        """Says whether an assessment still counts; False when there is none of that id."""
        values = {"project": project, "trace": trace, "assessment": id, "is_valid": int(is_valid)}
        return tx.execute(sql.set_validity, values) == 1

    def delete(self, tx: Transaction, project: str, trace: str, id: str) -> None:
        """Takes an assessment away."""
        tx.execute(sql.delete_assessment, {"project": project, "trace": trace, "assessment": id})


def _values(project: str, assessment: Assessment) -> dict[str, object]:
    values: dict[str, object] = {name: getattr(assessment, name) for name in _COLUMNS}
    number, is_number = number_of(assessment.value)
    return cleaned(values) | {
        "project": project,
        "value": json.dumps(assessment.value),
        "error": None if assessment.error is None else json.dumps(assessment.error),
        "metadata": json.dumps(assessment.metadata) if assessment.metadata else None,
        "is_valid": int(assessment.is_valid),
        "number": number,
        "is_number": int(is_number),
    }


def _assessment(row: Row) -> Assessment:
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    for name in ("value", "error", "metadata"):
        values[name] = None if values[name] is None else json.loads(values[name])
    values["is_valid"] = bool(values["is_valid"])
    return Assessment(**values)
