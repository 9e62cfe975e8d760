"""The log of a cleaning as pages that people read."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.kernel.vocabulary.datasets import RowId
from treadle.systems.prepare.cleaning.changes import AT, DROPPED, RULES, Cells, Changes, Removed
from treadle.systems.prepare.cleaning.duplicates import SURVIVOR
from treadle.systems.prepare.cleaning.records import Change, ChangePage, ChangesOf
from treadle.systems.prepare.errors import CleaningRefused


def page_of(log: Changes, asked: ChangesOf, *, landing: str) -> ChangePage:
    """One page of the log, narrowed to a rule, a column or a row. Raises CleaningRefused for a rule that is no step."""
    if asked.rule is not None and asked.rule not in log.steps and not _refused_by(log, asked.rule):
        raise CleaningRefused(
            f"The cleaning has no step {asked.rule!r}.", why=did_you_mean(asked.rule, log.steps), rule=asked.rule
        )
    found = [(part, rows) for part, rows in _narrowed(log, asked) if rows.height]
    total = sum(rows.height for _, rows in found)
    changes: list[Change] = []
    skip = max(0, asked.after)
    for part, rows in found:
        wanted = rows.slice(skip, max(0, asked.limit - len(changes)))
        skip = max(0, skip - rows.height)
        changes += _cells(log, part, wanted) if isinstance(part, Cells) else _rows(log, part, wanted)
    end = max(0, asked.after) + len(changes)
    return ChangePage(
        dataset=asked.name, landing=landing, total=total, changes=changes, next=end if end < total else None
    )


def _narrowed(log: Changes, asked: ChangesOf) -> Iterator[tuple[Cells | Removed, pl.DataFrame]]:
    at = None
    if asked.row is not None:
        at = int(asked.row) if asked.row.isdecimal() else _position(log, asked.row)
        at = -1 if at is None else at
    parts: list[Cells | Removed] = [*log.cells, *log.removed]
    for part in parts:
        rule = log.steps[part.step] if part.step < len(log.steps) else None
        if isinstance(part, Cells) and (asked.column not in (None, part.column) or asked.rule not in (None, rule)):
            continue
        if isinstance(part, Removed) and asked.column is not None:
            continue
        rows = part.rows
        if isinstance(part, Removed) and asked.rule is not None and rule != asked.rule:
            if rule is not None:
                continue
            rows = rows.filter(pl.col(RULES).list.contains(asked.rule))
        yield part, rows if at is None else rows.filter(pl.col(AT) == at)


def _cells(log: Changes, part: Cells, rows: pl.DataFrame) -> Iterator[Change]:
    for row, before, after in log.named(rows).select("row", "before", "after").iter_rows():
        rule = log.steps[part.step]
        yield Change(row=row, rule=rule, outcome="changed", column=part.column, before=before, after=after)


def _rows(log: Changes, part: Removed, rows: pl.DataFrame) -> Iterator[Change]:
    named = log.named(rows, into=" id")
    if SURVIVOR in rows.columns:
        named = log.named(named, at=SURVIVOR, into=" survivor id")
    for row in named.iter_rows(named=True):
        rule = log.steps[part.step] if part.to == DROPPED else ", ".join(row[RULES])
        yield Change(row=row[" id"], rule=rule, outcome=part.to, survivor=row.get(" survivor id"))


def _refused_by(log: Changes, rule: str) -> bool:
    return any(
        part.rows[RULES].list.contains(rule).any()
        for part in log.removed
        if part.step >= len(log.steps) and part.rows.height
    )


def _position(log: Changes, row: str) -> int | None:
    try:
        return log.at(RowId.parse(row))
    except ValueError as error:
        raise CleaningRefused(str(error)) from error
