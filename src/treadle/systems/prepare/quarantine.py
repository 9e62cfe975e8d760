"""The verbs of quarantine: refused rows are looked at, mended and released through the same rules, or given up.

A decision and the landing that carries it out are certain in one transaction, so no row comes back twice.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from treadle.ground.clock import Clock, to_micros
from treadle.ground.errors import did_you_mean
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction, UniqueViolation
from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, RowId
from treadle.systems.prepare.checking import RULES, Session
from treadle.systems.prepare.compiling import compile_rules
from treadle.systems.prepare.contracts import Contracts
from treadle.systems.prepare.errors import AlreadyDecided, MendRefused, QuarantinedRowNotFound, WaiverRefused
from treadle.systems.prepare.ports import QuarantineExit, Tables
from treadle.systems.prepare.records import (
    DiscardRows,
    ListQuarantine,
    Quarantine,
    QuarantinedRow,
    Released,
    ReleaseRows,
)
from treadle.systems.prepare.repository import count_decisions, decisions_of, quarantined_by_rule, sql
from treadle.systems.prepare.rules import ReferenceRule, RowRule, Rule, UniqueRule

RAW = "_raw"
SUFFIX = ".quarantine"

_RowIds = list[RowId]
_Rows = list[QuarantinedRow]
_RulesByRow = dict[str, list[str]]


class QuarantineKeeper:
    """The refused rows of a store's datasets, and what becomes of them."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        contracts: Contracts,
        tables: Tables,
        way_out: QuarantineExit,
        clock: Clock,
    ) -> None:
        self._store, self._events, self._contracts = store, events, contracts
        self._tables, self._way_out, self._clock = tables, way_out, clock

    @verb("quarantine.list", permission="quarantine.read")
    def list(self, caller: Caller, request: ListQuarantine) -> Quarantine:
        """Refused rows of a dataset with their rules, oldest first, and how many there are in each state."""
        with self._store.read() as reader:
            total, by_rule = quarantined_by_rule(reader, caller.project, request.dataset)
            counts = count_decisions(reader, caller.project, request.dataset)
            decided = decisions_of(reader, caller.project, request.dataset)
        return Quarantine(
            dataset=request.dataset,
            held=total - sum(counts.values()),
            released=counts.get("released", 0),
            mended=counts.get("mended", 0),
            discarded=counts.get("discarded", 0),
            by_rule=by_rule,
            rows=self._rows(caller.project, request, decided),
        )

    @verb("quarantine.release", permission="quarantine.write", event="quarantine.released")
    def release(self, caller: Caller, request: ReleaseRows) -> Released:
        """Lets rows back into their dataset, as they are or mended, if they now pass the same rules.

        A rule that is waived for a row does not hold that row back; what was waived is in the event. Rows that still fail
        stay held and are answered with their rules. Raises AlreadyDecided, MendRefused, WaiverRefused.
        """
        wanted = _parsed(request.rows)
        frame = self._mended(caller.project, request, wanted)
        good, still = self._judged(caller.project, request.dataset, frame, _by_rule(request.waived))
        if good.height == 0:
            return Released(landing=None, rows=[], still_held=still)
        released = [RowId(landing, row) for landing, row in good.select(ROW_COLUMNS).iter_rows()]

        def claim(tx: Transaction, landing: str) -> None:
            states = {row: "mended" if str(row) in request.mended else "released" for row in released}
            waived = {row: rules for row, rules in sorted(request.waived.items()) if RowId.parse(row) in states}
            facts = {"landing": landing, "waived": waived}
            self._decide(tx, caller, request.dataset, states, request.reason, "quarantine.released", facts)

        landed = self._way_out.admit(caller, request.dataset, good, claim=claim, run=request.run)
        return Released(landing=landed.id, rows=[str(row) for row in released], still_held=still)

    @verb("quarantine.discard", permission="quarantine.write", event="quarantine.discarded")
    def discard(self, caller: Caller, request: DiscardRows) -> Quarantine:
        """Gives rows up. They stay in the quarantine's own dataset, and the reason with them."""
        wanted = _parsed(request.rows)
        self._found(caller.project, request.dataset, wanted)
        states = dict.fromkeys(wanted, "discarded")
        self._store.write(
            lambda tx: self._decide(tx, caller, request.dataset, states, request.reason, "quarantine.discarded", {})
        )
        return self.list(caller, ListQuarantine(dataset=request.dataset, limit=0))

    def _decide(
        self,
        tx: Transaction,
        caller: Caller,
        dataset: str,
        states: Mapping[RowId, str],
        reason: str,
        kind: str,
        facts: Mapping[str, Any],
    ) -> None:
        release = facts.get("landing")
        body = {"dataset": dataset, "rows": len(states), "landing": release, "first": str(next(iter(states)))}
        if facts.get("waived"):
            body["waived"] = facts["waived"]
        event = self._events.append(
            tx, project=caller.project, kind=kind, subject=f"dataset/{dataset}", actor=caller.actor, body=body
        )
        at = to_micros(self._clock())
        rows = [
            {
                "project": caller.project,
                "dataset": dataset,
                "landing": row.landing,
                "row": row.row,
                "state": state,
                "release": release,
                "actor": caller.actor,
                "reason": reason,
                "event": event,
                "recorded_at": at,
            }
            for row, state in states.items()
        ]
        try:
            tx.execute_many(sql.insert_decision, rows)
        except UniqueViolation as error:
            raise AlreadyDecided(
                f"One of these {len(rows)} rows of {dataset!r} was released or discarded before.",
                fix=f"See what was decided: treadle quarantine list {dataset} --state all",
                dataset=dataset,
            ) from error

    def _rows(self, project: str, request: ListQuarantine, decided: Mapping[RowId, tuple[str, str, str]]) -> _Rows:
        head = self._tables.find_snapshot(project, request.dataset + SUFFIX)
        if head is None or request.limit == 0:
            return []
        rows = self._tables.scan(project, head)
        if request.rule is not None:
            rows = rows.filter(pl.col(RULES).list.contains(request.rule))
        answer = []
        for values in rows.collect().iter_rows(named=True):
            row = RowId(values.pop(LANDING), values.pop(ROW))
            state, actor, reason = decided.get(row, ("held", None, None))
            if request.state not in (None, "all", state):
                continue
            answer.append(
                QuarantinedRow(
                    id=str(row),
                    rules=values.pop(RULES),
                    raw=values.pop(RAW),
                    values=values,
                    state=state,  # type: ignore[arg-type]
                    actor=actor,
                    reason=reason,
                )
            )
            if len(answer) == request.limit:
                break
        return answer

    def _found(self, project: str, dataset: str, wanted: Sequence[RowId]) -> pl.DataFrame:
        if self._tables.find_snapshot(project, dataset + SUFFIX) is None:
            raise QuarantinedRowNotFound(f"Nothing was ever refused for {dataset!r}.", dataset=dataset)
        return self._tables.find_rows(project, dataset + SUFFIX, wanted)

    def _mended(self, project: str, request: ReleaseRows, wanted: Sequence[RowId]) -> pl.DataFrame:
        """The rows as they are to come back: raw ones read again, mended values put in, in the dataset's types."""
        found = self._found(project, request.dataset, wanted)
        head = self._tables.find_snapshot(project, request.dataset)
        types = self._tables.scan(project, head).collect_schema() if head is not None else found.schema
        columns = {name: dtype for name, dtype in types.items() if name not in (RULES, RAW)}
        rows = []
        for values in found.iter_rows(named=True):
            mends = request.mended.get(f"{values[LANDING]}:{values[ROW]}", {})
            unknown = sorted(set(mends) - set(columns) | set(mends) & set(ROW_COLUMNS))
            if unknown:
                raise MendRefused(
                    f"The dataset {request.dataset!r} has no column {unknown[0]!r} to mend.", columns=sorted(columns)
                )
            rows.append({**values, **_reread(values[RAW]), **mends})
        try:
            return pl.DataFrame(
                {name: pl.Series(name, [row.get(name) for row in rows]).cast(dtype) for name, dtype in columns.items()}
            )
        except (PolarsError, TypeError) as error:
            raise MendRefused(
                f"A value does not fit its column in {request.dataset!r}.",
                why=str(error).splitlines()[0],
                fix="Give the value in the column's type, in `mended`.",
            ) from error

    def _judged(
        self, project: str, dataset: str, frame: pl.DataFrame, waived: Mapping[str, _RowIds]
    ) -> tuple[pl.DataFrame, _RulesByRow]:
        contract = self._contracts.find(project, dataset)
        if contract is None:
            return frame, {}
        rules = compile_rules(contract[1], dataset, frame.schema)
        _check_waivers(waived, rules)
        session = Session(
            [_waived(rule, waived) for rule in rules if isinstance(rule, (RowRule, UniqueRule, ReferenceRule))],
            lookup=lambda name: self._contracts.rows_of(project, name),
            existing=self._contracts.rows_of(project, dataset),
            refusing=True,
        )
        good, bad = session.judge(frame)
        still = {f"{landing}:{row}": rules for landing, row, rules in bad.select(LANDING, ROW, RULES).iter_rows()}
        return good, still


def _by_rule(waived: Mapping[str, Sequence[str]]) -> dict[str, _RowIds]:
    found: dict[str, _RowIds] = {}
    for row, rules in waived.items():
        for rule in rules:
            found.setdefault(rule, []).extend(_parsed([row]))
    return found


def _check_waivers(waived: Mapping[str, _RowIds], rules: Sequence[Rule]) -> None:
    """Raises WaiverRefused for what is no rule about single rows: of two rows with one key, no waiver makes two keys."""
    able = [rule.id for rule in rules if isinstance(rule, RowRule)]
    for name in waived:
        if name not in able:
            raise WaiverRefused(
                f"{name!r} is no rule about single rows, and cannot be waived for one.",
                why=did_you_mean(name, able),
                fix="Name the rules that the quarantine shows beside the row.",
                rule=name,
            )


def _waived(rule: Rule, waived: Mapping[str, _RowIds]) -> Rule:
    """The rule, blind to the rows for which it is waived."""
    if not isinstance(rule, RowRule) or rule.id not in waived:
        return rule
    spared = [(pl.col(LANDING) == row.landing) & (pl.col(ROW) == row.row) for row in waived[rule.id]]
    return replace(rule, failing=rule.failing & ~pl.any_horizontal(spared))


def _parsed(rows: Sequence[str]) -> list[RowId]:
    try:
        found = [RowId.parse(row) for row in rows]
    except ValueError as error:
        raise QuarantinedRowNotFound(str(error)) from error
    if not found:
        raise QuarantinedRowNotFound("No rows were named.", fix="Name them by id, such as land_01k9…:17")
    return list(dict.fromkeys(found))


def _reread(raw: str | None) -> dict[str, Any]:
    """The values of a row that did not fit its columns; a line that never was a row has none."""
    if raw is None or not raw.startswith("{"):
        return {}
    value = json.loads(raw)
    return value if isinstance(value, dict) else {}
