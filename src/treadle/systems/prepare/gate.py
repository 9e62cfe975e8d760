"""The gate at landing: rows that a contract refuses go to quarantine, and what failed becomes an incident.

A landing is judged by the rules about rows, and by those about the table as far as its own rows show them (counts, shares).
Freshness and SQL are asked of whole snapshots, by `contracts.check`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.ground.ids import NewId
from treadle.kernel.store import Transaction
from treadle.systems.prepare.checking import Session
from treadle.systems.prepare.compiling import compile_rules, declared_types
from treadle.systems.prepare.contracts import Contracts, owner_of
from treadle.systems.prepare.incidents import Failure, Incidents
from treadle.systems.prepare.ports import SettledLanding
from treadle.systems.prepare.records import QualityReport, RuleResult
from treadle.systems.prepare.repository import insert_report, sql
from treadle.systems.prepare.rules import FreshnessRule, QueryRule, Rule, TableRule
from treadle.wire.odcs import Contract

ROWS, TABLE = "rows", "table"
"""The causes of incidents: rows that fail, a table that does not hold."""

COLLECT = "collect."
"""What the names of rules begin with that are the landing's own: lines that are no rows, values of another type."""

_FRESH = ("append", "replace", "clean")
"""The kinds of landings that bring something new, and so say how the source is."""

_WHOLE = ("replace", "clean")
"""The kinds of landings that bring all rows of their dataset anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """Rows that may stay and rows that may not."""

    kept: pl.DataFrame
    refused: pl.DataFrame


class ContractSession:
    """The judgement of one landing by a contract. The first frame decides how the rules are compiled.

    existing: the rows whose keys new ones must not repeat; without it, those that the dataset has now.
    """

    def __init__(
        self,
        contracts: Contracts,
        project: str,
        dataset: str,
        digest: str,
        contract: Contract,
        *,
        existing: pl.LazyFrame | None = None,
    ) -> None:
        self._contracts, self._project, self._dataset = contracts, project, dataset
        self._existing = existing
        self._digest, self._contract = digest, contract
        self._session: Session | None = None
        self._table_rules: Sequence[Rule] = ()
        self._frames: list[pl.DataFrame] = []
        self._table = dataset.partition("@")[0]
        table = contract.table(self._table)
        self.types: Mapping[str, str] = {} if table is None else declared_types(table)

    def judge(self, frame: pl.DataFrame) -> Divided:
        """Divides rows; none is lost and none comes twice."""
        if self._session is None:
            self._session = self._compiled(frame.schema)
        names = {name for rule in self._table_rules for name in rule.columns if name in frame.columns}
        if self._table_rules:
            self._frames.append(frame.select(sorted(names)) if names else frame.select(pl.first()))
        kept, refused = self._session.judge(frame)
        return Divided(kept=kept, refused=refused)

    def verdict(self, refused_before: Mapping[str, int]) -> dict[str, Any]:
        """What was found, as JSON; of a landing without a row to judge, whose contract it was."""
        if self._session is None:
            return {"contract": self._digest, "owner": owner_of(self._contract)}
        if self._frames:
            rows = pl.concat(self._frames, how="diagonal_relaxed")
            self._session.measure(rows, now=from_micros(0), query=None)
        found: dict[str, Any] = {
            "contract": self._digest,
            "version": self._contract.version,
            "owner": owner_of(self._contract),
            "rows": self._session.rows,
            "refused": self._session.refused,
            "results": msgspec.to_builtins(self._session.results()),
        }
        return found

    def _compiled(self, schema: pl.Schema) -> Session:
        rules = [
            rule
            for rule in compile_rules(self._contract, self._table, schema)
            if not isinstance(rule, (FreshnessRule, QueryRule))
        ]
        self._table_rules = [rule for rule in rules if isinstance(rule, TableRule)]
        return Session(
            rules,
            lookup=lambda name: self._contracts.rows_of(self._project, name),
            existing=self._existing
            if self._existing is not None
            else self._contracts.rows_of(self._project, self._dataset),
            refusing=True,
        )


class ContractGate:
    """Judges landings by the contract that is published for their dataset."""

    def __init__(self, contracts: Contracts, incidents: Incidents, clock: Clock, new_id: NewId) -> None:
        self._contracts, self._incidents, self._clock, self._new_id = contracts, incidents, clock, new_id

    def open(self, project: str, dataset: str, landing: str) -> ContractSession | None:
        """A session, or None for a dataset without a contract. A branch (`flights@fix`) is judged by its dataset's."""
        found = self._contracts.find(project, dataset.partition("@")[0])
        return None if found is None else ContractSession(self._contracts, project, dataset, *found)

    def record(self, tx: Transaction, settled: SettledLanding, verdict: Mapping[str, Any]) -> None:
        """Keeps report, quarantine and incidents in the landing's own transaction."""
        results = msgspec.convert(verdict.get("results", []), list[RuleResult])
        if "results" in verdict:
            insert_report(tx, settled.project, self._report(settled, verdict, results))
        if settled.quarantine is not None and settled.rows_refused:
            self._hold(tx, settled, verdict)
        for result in results:
            if not result.passed and result.severity != "info":
                self._incidents.failed(tx, settled.project, _failure(settled, verdict, result))
        for rule, count in settled.refused_by.items():
            if rule.startswith(COLLECT):
                self._incidents.failed(tx, settled.project, _misfit(settled, verdict, rule, count))
        if settled.kind in _FRESH and settled.rows_kept + settled.rows_refused:
            clean = [(one.rule, _cause_of(one)) for one in results if one.passed and one.evaluated]
            seen = {rule for rule in settled.refused_by if rule.startswith(COLLECT)}
            misfits = [(rule, ROWS) for rule in self._misfits(tx, settled) if rule not in seen]
            self._incidents.passed(tx, settled.project, settled.dataset, [*clean, *misfits], settled.landing)

    def _misfits(self, tx: Transaction, settled: SettledLanding) -> list[str]:
        """The rules of the landing itself about which the dataset has an incident."""
        rows = tx.all(sql.active_incidents, {"project": settled.project, "dataset": settled.dataset})
        return [row[1] for row in rows if row[1].startswith(COLLECT)]

    def _report(
        self, settled: SettledLanding, verdict: Mapping[str, Any], results: Sequence[RuleResult]
    ) -> QualityReport:
        return QualityReport(
            id=self._new_id("report"),
            dataset=settled.dataset,
            contract=verdict["contract"],
            contract_version=verdict["version"],
            snapshot=settled.snapshot.id if settled.snapshot else None,
            landing=settled.landing,
            run=settled.run,
            passed=all(result.passed for result in results if result.severity == "error"),
            rows=verdict["rows"],
            refused=verdict["refused"],
            results=results,
            recorded_at=self._clock(),
        )

    def _hold(self, tx: Transaction, settled: SettledLanding, verdict: Mapping[str, Any]) -> None:
        assert settled.quarantine is not None
        values = {
            "project": settled.project,
            "landing": settled.landing,
            "dataset": settled.dataset,
            "snapshot": settled.quarantine.id,
            "contract": verdict.get("contract"),
            "contract_version": verdict.get("version"),
            "rows": settled.rows_refused,
            "by_rule": canonical_json(dict(settled.refused_by)).decode(),
            "run": settled.run,
            "recorded_at": to_micros(self._clock()),
        }
        tx.execute(sql.insert_quarantine, values)


def _failure(settled: SettledLanding, verdict: Mapping[str, Any], result: RuleResult) -> Failure:
    cause = _cause_of(result)
    return Failure(
        dataset=settled.dataset,
        rule=result.rule,
        cause=cause,
        severity=result.severity,
        title=_title(settled.dataset, result),
        rows=result.failed if cause == ROWS else 0,
        landing=settled.landing,
        snapshot=settled.snapshot.id if settled.snapshot else None,
        contract=verdict.get("contract"),
        assignee=verdict.get("owner"),
        is_whole=settled.kind in _WHOLE,
    )


def _misfit(settled: SettledLanding, verdict: Mapping[str, Any], rule: str, count: int) -> Failure:
    return Failure(
        dataset=settled.dataset,
        rule=rule,
        cause=ROWS,
        severity="error",
        title=f"{settled.dataset}: the source hands over rows that do not fit ({rule})",
        rows=count,
        landing=settled.landing,
        snapshot=settled.snapshot.id if settled.snapshot else None,
        contract=verdict.get("contract"),
        assignee=verdict.get("owner"),
        is_whole=settled.kind in _WHOLE,
    )


def _cause_of(result: RuleResult) -> str:
    return ROWS if result.observed is None else TABLE


def _title(dataset: str, result: RuleResult) -> str:
    said = result.description or result.rule
    if result.observed is None:
        return f"{dataset}: rows break the rule {result.rule!r} ({said})"
    return f"{dataset}: {said} does not hold; found {result.observed}"
