"""The rows of prepare: reading them into records, and writing them."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.kernel.vocabulary.datasets import RowId
from treadle.systems.prepare.records import Incident, IncidentComment, Occurrence, QualityReport, RuleResult

sql = Statements(__package__)


def insert_report(tx: Transaction, project: str, report: QualityReport) -> None:
    """Keeps a report."""
    values = {
        "project": project,
        "id": report.id,
        "dataset": report.dataset,
        "contract": report.contract,
        "contract_version": report.contract_version,
        "snapshot": report.snapshot,
        "landing": report.landing,
        "run": report.run,
        "passed": int(report.passed),
        "rows": report.rows,
        "refused": report.refused,
        "results": canonical_json(report.results).decode(),
        "recorded_at": to_micros(report.recorded_at),
    }
    tx.execute(sql.insert_report, values)


def list_reports(reader: Reader, project: str, dataset: str, limit: int) -> list[QualityReport]:
    """The newest reports of a dataset, newest first."""
    rows = reader.all(sql.list_reports, {"project": project, "dataset": dataset, "limit": limit})
    return [_report(row) for row in rows]


class QuarantineRow(NamedTuple):
    """What one landing put into quarantine."""

    landing: str
    snapshot: str
    contract: str | None
    contract_version: str | None
    rows: int
    by_rule: str
    run: str | None
    recorded_at: int


class DecisionRow(NamedTuple):
    """What was decided about one refused row."""

    state: str
    release: str | None
    actor: str
    reason: str
    recorded_at: int


def find_quarantine(reader: Reader, project: str, dataset: str, landing: str) -> QuarantineRow | None:
    """What refused the rows of a landing: the landing itself, or the last cleaning that met them."""
    values = {"project": project, "dataset": dataset, "landing": landing}
    row = reader.find(sql.find_quarantine, values) or reader.find(sql.last_quarantine, values)
    return None if row is None else QuarantineRow(*row)


def find_decision(reader: Reader, project: str, dataset: str, row: RowId) -> DecisionRow | None:
    """What was decided about a row, or None while it is held."""
    values = {"project": project, "dataset": dataset, "landing": row.landing, "row": row.row}
    found = reader.find(sql.find_decision, values)
    return None if found is None else DecisionRow(*found)


def find_incident(reader: Reader, project: str, incident: str) -> Incident | None:
    """The incident, or None."""
    row = reader.find(sql.find_incident, {"project": project, "id": incident})
    return None if row is None else _incident(row)


def list_incidents(reader: Reader, project: str) -> list[Incident]:
    """Every incident, oldest first."""
    return [_incident(row) for row in reader.all(sql.list_incidents, {"project": project})]


def occurrences_of(reader: Reader, project: str, incident: str) -> list[Occurrence]:
    """The landings that showed an incident's cause, oldest first."""
    rows = reader.all(sql.occurrences_of, {"project": project, "incident": incident})
    return [
        Occurrence(landing=landing, snapshot=snapshot, contract=contract, rows=count, recorded_at=from_micros(at))
        for landing, snapshot, contract, count, at in rows
    ]


def comments_of(reader: Reader, project: str, incident: str) -> list[IncidentComment]:
    """What was said about an incident, oldest first."""
    rows = reader.all(sql.comments_of, {"project": project, "incident": incident})
    return [IncidentComment(id=id, actor=actor, text=said, recorded_at=from_micros(at)) for id, actor, said, at in rows]


def _report(row: Row) -> QualityReport:
    (id, dataset, contract, version, snapshot, landing, run, passed, rows, refused, results, recorded_at) = row
    return QualityReport(
        id=id,
        dataset=dataset,
        contract=contract,
        contract_version=version,
        snapshot=snapshot,
        landing=landing,
        run=run,
        passed=bool(passed),
        rows=rows,
        refused=refused,
        results=msgspec.json.decode(results, type=list[RuleResult]),
        recorded_at=from_micros(recorded_at),
    )


_INCIDENT = (
    "id", "dataset", "rule", "cause", "contract", "severity", "state", "title", "rows", "occurrences", "clean_landings", "first_landing",
    "last_landing", "assignee", "note", "fixing_run", "muted_until", "opened_at", "updated_at", "resolved_at",
)  # fmt: skip


def _incident(row: Row) -> Incident:
    values: dict[str, Any] = dict(zip(_INCIDENT, row, strict=True))
    for name in ("muted_until", "opened_at", "updated_at", "resolved_at"):
        if values[name] is not None:
            values[name] = from_micros(values[name])
    return Incident(**values)
