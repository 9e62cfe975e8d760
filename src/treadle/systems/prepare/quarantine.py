"""The verbs of quarantine: refused rows are looked at, mended and released through the same rules, or given up.

A decision and the landing that carries it out are certain in one transaction, so no row comes back twice. Rows are dealt
with as frames, so a hundred thousand of them cost little more than one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction, UniqueViolation
from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, RowId
from treadle.systems.prepare.checking import RULES, Session
from treadle.systems.prepare.cleaning.declared import declared_steps
from treadle.systems.prepare.cleaning.rows import cleanings_of
from treadle.systems.prepare.compiling import compile_rules
from treadle.systems.prepare.contracts import Contracts
from treadle.systems.prepare.errors import AlreadyDecided, MendRefused
from treadle.systems.prepare.mending import Mending
from treadle.systems.prepare.ports import QuarantineExit, Tables
from treadle.systems.prepare.records import (
    DiscardRows,
    ListQuarantine,
    MendedRow,
    MendPreview,
    MendRows,
    Quarantine,
    QuarantinedRow,
    QuarantineSheet,
    Released,
    ReleaseRows,
    ReopenRows,
    RowSelection,
    RuleText,
    ShowQuarantined,
)
from treadle.systems.prepare.repository import find_decision, find_quarantine, sql
from treadle.systems.prepare.rules import ROW_KINDS
from treadle.systems.prepare.selecting import (
    HELD,
    RAW,
    STATE,
    Held,
    as_ids,
    narrowed,
    parsed,
)
from treadle.systems.prepare.waivers import EVERY, with_waivers, without_marks

_MOST_NAMED = 10_000
"""Rows that an answer names; it counts all of them."""
_MOST_WAIVED = 1_000
_SHOWN = 10

_Judged = tuple[pl.DataFrame, pl.DataFrame]


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
        self._held = Held(store, tables)

    @verb("quarantine.list", permission="quarantine.read")
    def list(self, caller: Caller, request: ListQuarantine) -> Quarantine:
        """Refused rows of a dataset with their rules, oldest first, a page at a time; and how many are in each state."""
        rows = self._held.rows(caller.project, request.dataset)
        if rows is None:
            return Quarantine(dataset=request.dataset)
        counts = dict(rows[STATE].value_counts().iter_rows())
        first = rows.filter(pl.col(STATE) == HELD).select(pl.col(RULES).list.first()).to_series().value_counts()
        found = narrowed(rows, RowSelection(rule=request.rule, landing=request.landing, where=request.where))
        if request.state not in (None, "all"):
            found = found.filter(pl.col(STATE) == request.state)
        start = _start(found, request.after)
        page = found.slice(start, request.limit)
        last = start + page.height
        return Quarantine(
            dataset=request.dataset,
            **{name: counts.get(name, 0) for name in ("held", "released", "mended", "discarded", "cleaned")},
            by_rule=dict(sorted(first.iter_rows())),
            matching=found.height,
            rows=self._records(caller.project, request.dataset, page),
            next=as_ids(page[-1:])[0] if page.height and last < found.height else None,
        )

    @verb("quarantine.show", permission="quarantine.read")
    def show(self, caller: Caller, request: ShowQuarantined) -> QuarantineSheet:
        """One refused row: the rules in words, the landing and contract that refused it, and what was decided."""
        wanted = RowSelection(rows=[request.row])
        found = self._held.selected(caller.project, request.dataset, wanted)
        [record] = self._records(caller.project, request.dataset, found)
        [row] = parsed([request.row])
        with self._store.read() as reader:
            refused = find_quarantine(reader, caller.project, request.dataset, row.landing)
            decided = find_decision(reader, caller.project, request.dataset, row)
        return QuarantineSheet(
            dataset=request.dataset,
            row=record,
            rules=self._texts(caller.project, request.dataset, record.rules),
            landing=row.landing,
            snapshot=None if refused is None else refused.snapshot,
            contract=None if refused is None else refused.contract,
            contract_version=None if refused is None else refused.contract_version,
            run=None if refused is None else refused.run,
            refused_at=None if refused is None else from_micros(refused.recorded_at),
            release=None if decided is None else decided.release,
            decided_at=None if decided is None else from_micros(decided.recorded_at),
        )

    @verb("quarantine.release", permission="quarantine.write", event="quarantine.released")
    def release(self, caller: Caller, request: ReleaseRows) -> Released:
        """Lets rows back into their dataset, as they are or mended, if they now pass the same rules.

        A rule that is waived for a row does not hold that row back; what was waived is in the event. Rows that still fail
        stay held and are answered with their rules. Raises AlreadyDecided, MendRefused, WaiverRefused.
        """
        refused, mending = self._mending(caller.project, request.dataset, request)
        mending.by_row(request.mended)
        good, bad = self._judged(caller.project, request.dataset, refused, mending, request.waived)
        states = _states(good, request.mended)
        facts = {"waived": _waived_by(request.waived, good)}
        return self._let_back(caller, request.dataset, good, bad, states, request.reason, request.run, facts)

    @verb("quarantine.mend", permission="quarantine.write", event="quarantine.released")
    def mend(self, caller: Caller, request: MendRows) -> Released:
        """Mends rows, all in the same way, and lets those back that now pass the same rules.

        By new values, by SQL over each row's own values, or by the cleaning that the contract declares, in this order. Rows
        that still fail stay held, as they were. Raises AlreadyDecided, MendRefused, CleaningRefused, WaiverRefused.
        """
        refused, mending = self._mended(caller.project, request)
        waived = {EVERY: request.waived} if request.waived else {}
        good, bad = self._judged(caller.project, request.dataset, refused, mending, waived)
        states = good.select(ROW_COLUMNS).with_columns(pl.lit("mended").alias("state"))
        facts: dict[str, Any] = {"set": dict(request.set), "clean": request.clean, "columns": sorted(request.values)}
        facts |= {"waived": {"rules": list(request.waived), "rows": good.height}} if request.waived else {}
        return self._let_back(caller, request.dataset, good, bad, states, request.reason, request.run, facts)

    @verb("quarantine.try_mend", permission="quarantine.read")
    def try_mend(self, caller: Caller, request: MendRows) -> MendPreview:
        """What a mending would come to: how many rows would pass, and some of them before and after. Nothing changes."""
        refused, mending = self._mended(caller.project, request)
        waived = {EVERY: request.waived} if request.waived else {}
        good, bad = self._judged(caller.project, request.dataset, refused, mending, waived)
        still = bad[RULES].list.first().value_counts() if bad.height else None
        shown = good.head(_SHOWN)
        before = shown.select(ROW_COLUMNS).join(refused, on=ROW_COLUMNS, how="left", maintain_order="left")
        return MendPreview(
            dataset=request.dataset,
            passing=good.height,
            still_held=bad.height,
            by_rule={} if still is None else dict(sorted(still.iter_rows())),
            rows=[
                MendedRow(id=id, raw=old[RAW], before=_values(old), after=_values(new))
                for id, old, new in zip(as_ids(shown), before.to_dicts(), shown.to_dicts(), strict=True)
            ],
        )

    @verb("quarantine.discard", permission="quarantine.write", event="quarantine.discarded")
    def discard(self, caller: Caller, request: DiscardRows) -> Quarantine:
        """Gives rows up. They stay in the quarantine's own dataset, and the reason with them."""
        rows = self._held.selected(caller.project, request.dataset, _selection(request))
        states = rows.select(ROW_COLUMNS).with_columns(pl.lit("discarded").alias("state"))
        self._store.write(
            lambda tx: self._decide(tx, caller, request.dataset, states, request.reason, "quarantine.discarded", {})
        )
        return self.list(caller, ListQuarantine(dataset=request.dataset, limit=0))

    @verb("quarantine.reopen", permission="quarantine.write", event="quarantine.reopened")
    def reopen(self, caller: Caller, request: ReopenRows) -> Quarantine:
        """Holds rows again that were given up. What was released is in the dataset, and stays there: AlreadyDecided."""
        rows = self._held.selected(caller.project, request.dataset, _selection(request), state="discarded")
        if (rows[STATE] != "discarded").any():
            other = rows.filter(pl.col(STATE) != "discarded")
            raise AlreadyDecided(
                f"The row {as_ids(other)[0]} is {other[STATE][0]}, and not discarded.",
                fix="Only what was given up can be held again.",
                dataset=request.dataset,
            )
        values = [
            {"project": caller.project, "dataset": request.dataset, "landing": landing, "row": row}
            for landing, row in rows.select(ROW_COLUMNS).iter_rows()
        ]

        def work(tx: Transaction) -> None:
            tx.execute_many(sql.reopen_decision, values)
            self._tell(tx, caller, request.dataset, "quarantine.reopened", rows, request.reason, {})

        self._store.write(work)
        return self.list(caller, ListQuarantine(dataset=request.dataset, limit=0))

    # Inside

    def _mending(self, project: str, dataset: str, request: ReleaseRows | MendRows) -> tuple[pl.DataFrame, Mending]:
        """The rows that are meant, and their mending, begun."""
        refused = self._held.selected(project, dataset, _selection(request))
        head = self._tables.find_snapshot(project, dataset)
        types = self._tables.scan(project, head).collect_schema() if head is not None else refused.schema
        wanted = {name: dtype for name, dtype in types.items() if name not in (RULES, RAW) and not name.startswith(" ")}
        return refused, Mending(dataset, refused, wanted)

    def _mended(self, project: str, request: MendRows) -> tuple[pl.DataFrame, Mending]:
        if not (request.values or request.set or request.clean):
            raise MendRefused(
                "Nothing was said of how the rows are mended.",
                fix="Give new values, SQL over the row's own values, or say that the contract's cleaning does it.",
            )
        refused, mending = self._mending(project, request.dataset, request)
        mending.everywhere(request.values)
        mending.by_expression(request.set)
        if request.clean:
            self._clean(project, request.dataset, mending)
        return refused, mending

    def _clean(self, project: str, dataset: str, mending: Mending) -> None:
        with self._store.read() as reader:
            if cleanings_of(reader, project, dataset):
                raise MendRefused(
                    f"The rows of {dataset!r} are clean but for what holds them.",
                    why="They came out of a cleaning, and a conversion that is done twice is wrong.",
                    fix="Mend what holds them by a value or by SQL, or clean the original again: treadle datasets clean",
                )
        found = self._contracts.find(project, dataset)
        steps = [] if found is None else declared_steps(found[1], dataset)
        if not steps:
            raise MendRefused(f"No contract of {dataset!r} declares a cleaning.")
        mending.by_cleaning(steps)

    def _judged(
        self,
        project: str,
        dataset: str,
        refused: pl.DataFrame,
        mending: Mending,
        waived: Mapping[str, Sequence[str]],
    ) -> _Judged:
        """The rows that pass, and those that do not: their ids and, in `_rules`, why."""
        mended = mending.done()
        unread = refused.filter(mended.unfit).select(*ROW_COLUMNS, RULES)
        frame = mended.rows.filter(~mended.unfit)
        contract = self._contracts.find(project, dataset)
        if contract is None:
            return frame, unread
        rules = compile_rules(contract[1], dataset, frame.schema)
        frame, rules = with_waivers(frame, rules, waived)
        session = Session(
            [rule for rule in rules if isinstance(rule, ROW_KINDS)],
            lookup=lambda name: self._contracts.rows_of(project, name),
            existing=self._contracts.rows_of(project, dataset),
            refusing=True,
        )
        good, bad = session.judge(frame)
        return without_marks(good), pl.concat([unread, bad.select(*ROW_COLUMNS, RULES)])

    def _let_back(
        self,
        caller: Caller,
        dataset: str,
        good: pl.DataFrame,
        bad: pl.DataFrame,
        states: pl.DataFrame,
        reason: str,
        run: str | None,
        facts: Mapping[str, Any],
    ) -> Released:
        still = dict(zip(as_ids(bad.head(_MOST_NAMED)), bad[RULES].head(_MOST_NAMED).to_list(), strict=True))
        if good.height == 0:
            return Released(landing=None, rows=[], still_held=still, n_released=0, n_still_held=bad.height)

        def claim(tx: Transaction, landing: str) -> None:
            told = {**facts, "landing": landing}
            self._decide(tx, caller, dataset, states, reason, "quarantine.released", told)

        landed = self._way_out.admit(caller, dataset, good, claim=claim, run=run)
        return Released(
            landing=landed.id,
            rows=as_ids(good.head(_MOST_NAMED)).to_list(),
            still_held=still,
            n_released=good.height,
            n_still_held=bad.height,
        )

    def _decide(
        self,
        tx: Transaction,
        caller: Caller,
        dataset: str,
        states: pl.DataFrame,
        reason: str,
        kind: str,
        facts: Mapping[str, Any],
    ) -> None:
        event = self._tell(tx, caller, dataset, kind, states, reason, facts)
        shared = {
            "project": caller.project,
            "dataset": dataset,
            "release": facts.get("landing"),
            "actor": caller.actor,
            "reason": reason,
            "event": event,
            "recorded_at": to_micros(self._clock()),
        }
        rows = [
            {**shared, "landing": landing, "row": row, "state": state}
            for landing, row, state in states.select(LANDING, ROW, "state").iter_rows()
        ]
        try:
            tx.execute_many(sql.insert_decision, rows)
        except UniqueViolation as error:
            raise AlreadyDecided(
                f"One of these {len(rows):,} rows of {dataset!r} was released or discarded before.",
                fix=f"See what was decided: treadle quarantine list {dataset} --state all",
                dataset=dataset,
            ) from error

    def _tell(
        self,
        tx: Transaction,
        caller: Caller,
        dataset: str,
        kind: str,
        rows: pl.DataFrame,
        reason: str,
        facts: Mapping[str, Any],
    ) -> str:
        told = {name: value for name, value in facts.items() if value}
        body = {"dataset": dataset, "rows": rows.height, "landing": None, "first": as_ids(rows.head(1))[0], **told}
        return self._events.append(
            tx, project=caller.project, kind=kind, subject=f"dataset/{dataset}", actor=caller.actor, body=body
        )

    def _records(self, project: str, dataset: str, rows: pl.DataFrame) -> Sequence[QuarantinedRow]:
        """The rows as records, each with who decided about it, and why."""
        answer = []
        with self._store.read() as reader:
            for values in rows.iter_rows(named=True):
                row = RowId(values[LANDING], values[ROW])
                decided = None if values[STATE] == HELD else find_decision(reader, project, dataset, row)
                answer.append(
                    QuarantinedRow(
                        id=str(row),
                        rules=values[RULES],
                        raw=values[RAW],
                        values=_values(values),
                        state=values[STATE],
                        actor=None if decided is None else decided.actor,
                        reason=None if decided is None else decided.reason,
                    )
                )
        return answer

    def _texts(self, project: str, dataset: str, names: Sequence[str]) -> Sequence[RuleText]:
        """The rules and steps of those names, as the contract has them now."""
        found = self._contracts.find(project, dataset)
        head = self._tables.find_snapshot(project, dataset)
        known: dict[str, RuleText] = {}
        if found is not None:
            schema = pl.Schema() if head is None else self._tables.scan(project, head).collect_schema()
            for rule in compile_rules(found[1], dataset, schema) if head is not None else []:
                known[rule.id] = RuleText(id=rule.id, kind=rule.kind, severity=rule.severity, text=rule.description)
            for step in declared_steps(found[1], dataset):
                known[step.id] = RuleText(id=step.id, kind=step.kind, severity="error", text=step.description)
        return [
            known.get(name, RuleText(id=name, kind=name.partition(":")[0], severity="error", text="")) for name in names
        ]


def _selection(request: ReleaseRows | MendRows | DiscardRows | ReopenRows) -> RowSelection:
    return RowSelection(
        rows=request.rows, rule=request.rule, landing=request.landing, where=request.where, every=request.every
    )


def _states(good: pl.DataFrame, mended: Mapping[str, Any]) -> pl.DataFrame:
    ids = as_ids(good)
    state = pl.select(pl.when(ids.is_in(list(mended))).then(pl.lit("mended")).otherwise(pl.lit("released"))).to_series()
    return good.select(ROW_COLUMNS).with_columns(state.alias("state"))


def _waived_by(waived: Mapping[str, Sequence[str]], good: pl.DataFrame) -> dict[str, Any]:
    """What was waived of the rows that came back: by row, or of many rows how many and which rules."""
    if not waived:
        return {}
    if EVERY in waived:
        return {"rules": list(waived[EVERY]), "rows": good.height}
    back = set(as_ids(good))
    of_them = {row: list(rules) for row, rules in sorted(waived.items()) if row in back}
    if len(of_them) <= _MOST_WAIVED:
        return of_them
    return {"rules": sorted({rule for rules in of_them.values() for rule in rules}), "rows": len(of_them)}


def _start(found: pl.DataFrame, after: str | None) -> int:
    """The place after the row that the page before ended with."""
    if after is None:
        return 0
    [row] = parsed([after])
    place = found.with_row_index(" place").filter((pl.col(LANDING) == row.landing) & (pl.col(ROW) == row.row))
    return int(place[" place"][0]) + 1 if place.height else 0


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a row alone."""
    return {
        name: value
        for name, value in row.items()
        if name not in (*ROW_COLUMNS, RULES, RAW) and not name.startswith(" ")
    }
