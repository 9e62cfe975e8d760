"""The rows of prepare: reading them into records, and writing them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.kernel.vocabulary.datasets import RowId
from treadle.systems.prepare.records import Incident, QualityReport, RuleResult

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


def decisions_of(reader: Reader, project: str, dataset: str) -> dict[RowId, tuple[str, str, str]]:
    """What was decided about the rows of a quarantine: state, actor and reason by row."""
    rows = reader.all(sql.decisions_of, {"project": project, "dataset": dataset})
    return {RowId(landing, row): (state, actor, reason) for landing, row, state, _, actor, reason, _ in rows}


def quarantined_by_rule(reader: Reader, project: str, dataset: str) -> tuple[int, dict[str, int]]:
    """How many rows were ever refused, and by which rule first."""
    total, by_rule = 0, dict[str, int]()
    for row in reader.all(sql.quarantines_of, {"project": project, "dataset": dataset}):
        total += row[4]
        for rule, count in msgspec.json.decode(row[5]).items():
            by_rule[rule] = by_rule.get(rule, 0) + count
    return total, by_rule


def count_decisions(reader: Reader, project: str, dataset: str) -> Mapping[str, int]:
    """How many rows were released, mended and discarded."""
    return dict(reader.all(sql.count_decisions, {"project": project, "dataset": dataset}))


def find_incident(reader: Reader, project: str, incident: str) -> Incident | None:
    """The incident, or None."""
    row = reader.find(sql.find_incident, {"project": project, "id": incident})
    return None if row is None else _incident(row)


def list_incidents(reader: Reader, project: str) -> list[Incident]:
    """Every incident, oldest first."""
    return [_incident(row) for row in reader.all(sql.list_incidents, {"project": project})]


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
    "id", "dataset", "rule", "cause", "contract", "severity", "state", "title", "rows", "occurrences", "first_landing",
    "last_landing", "assignee", "note", "fixing_run", "opened_at", "updated_at", "resolved_at",
)  # fmt: skip


def _incident(row: Row) -> Incident:
    values: dict[str, Any] = dict(zip(_INCIDENT, row, strict=True))
    for name in ("opened_at", "updated_at", "resolved_at"):
        if values[name] is not None:
            values[name] = from_micros(values[name])
    return Incident(**values)
