"""A contract asked of rows, and what came of it as a report; which rows failed, with their values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import polars as pl

from treadle.ground.errors import NotFound, did_you_mean
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.prepare.compiling import compile_rules
from treadle.systems.prepare.errors import RuleRefused
from treadle.systems.prepare.failing_rows import ID, NUMBER, RULE, FailingRows
from treadle.systems.prepare.inspecting import PREVIOUS, Inspection, Surroundings
from treadle.systems.prepare.ports import Tables
from treadle.systems.prepare.records import FailingRow, QualityReport
from treadle.wire.odcs import Contract

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def report_of(
    contract: Contract,
    dataset: str,
    rows: pl.LazyFrame,
    around: Surroundings,
    failing: FailingRows | None = None,
    *,
    progress: Callable[[int], None] = lambda rows: None,
) -> QualityReport:
    """The report of rows that belong to nothing yet: without id, snapshot and time. Raises RuleRefused.

    progress: told how many rows were judged, after every batch.
    """
    inspection = Inspection(compile_rules(contract, dataset, rows.collect_schema()), around, progress=progress)
    results = inspection.run(rows, failing)
    return QualityReport(
        id="",
        dataset=dataset,
        contract="",
        contract_version=contract.version,
        snapshot=None,
        landing=None,
        run=None,
        passed=all(result.passed for result in results if result.severity == "error"),
        rows=inspection.rows,
        refused=0,
        results=results,
        recorded_at=_EPOCH,
    )


def failing_rows(
    contract: Contract, dataset: str, rows: pl.LazyFrame, around: Surroundings, *, rule: str | None, limit: int
) -> list[FailingRow]:
    """The first rows that fail, by their place. Raises RuleRefused, also for a rule that the contract has not."""
    rules = {one.id: one for one in compile_rules(contract, dataset, rows.collect_schema())}
    if rule is not None and rule not in rules:
        raise RuleRefused(f"The contract has no rule {rule!r}.", why=did_you_mean(rule, list(rules)))
    asked = [one for one in rules.values() if rule in (None, one.id)]
    with FailingRows() as failing:
        Inspection(asked, around).run(rows, failing)
        lines = failing.lazy().sort(NUMBER, RULE).head(limit).collect()
    values = _values(rows, lines[NUMBER].unique().to_list())
    return [
        FailingRow(
            rule=line[RULE],
            row=line[NUMBER],
            id=line[ID],
            values={name: values[line[NUMBER]][name] for name in rules[line[RULE]].columns},
        )
        for line in lines.iter_rows(named=True)
    ]


def surroundings(tables: Tables, project: str, snapshot: Snapshot, now: datetime) -> Surroundings:
    """What rules may ask beside the rows of a snapshot."""

    def find(at: str) -> Snapshot | None:
        try:
            return tables.snapshot(project, snapshot.dataset, at)
        except NotFound:
            return None

    def earlier(at: str) -> pl.LazyFrame | None:
        found = find(str(snapshot.version - 1) if at == PREVIOUS else at)
        return None if found is None else tables.scan(project, found)

    def lookup(dataset: str) -> pl.LazyFrame | None:
        head = tables.find_snapshot(project, dataset)
        return None if head is None else tables.scan(project, head)

    def volumes(count: int) -> list[int]:
        versions = range(max(1, snapshot.version - count), snapshot.version)
        return [found.rows for version in versions if (found := find(str(version))) is not None]

    return Surroundings(now=now, lookup=lookup, earlier=earlier, volumes=volumes)


def _values(rows: pl.LazyFrame, numbers: list[int]) -> dict[int, dict[str, Any]]:
    if not numbers:
        return {}
    wanted = pl.Series(numbers, dtype=pl.UInt32).implode()
    found = rows.with_row_index(" at").filter(pl.col(" at").is_in(wanted)).collect(engine="streaming")
    return {row.pop(" at"): row for row in found.iter_rows(named=True)}
