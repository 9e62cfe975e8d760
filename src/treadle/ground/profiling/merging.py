"""Profiles put together: what all the rows hold, from what each part holds.

The order and the grouping of parts do not matter to what is exact (counts, ranges, the sketch of distinct values,
complete sets of values), and matter less than the stated error to what is not (moments, quantile points, frequent values).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from treadle.ground.profiling import correlations, distincts, frequent, hashing, numbers, personal, texts, times
from treadle.ground.profiling.columns import not_finite_once
from treadle.ground.profiling.distincts import Registers
from treadle.ground.profiling.frequent import Frequent
from treadle.ground.profiling.records import EMPTY, ColumnProfile, Kind, Profile


def merge(parts: Sequence[Profile]) -> Profile:
    """The profile of all rows of all parts. A column that a part lacks is null in its rows."""
    parts = [part for part in parts if part.rows or part.columns]
    if len(parts) <= 1:
        return parts[0] if parts else EMPTY
    rows = sum(part.rows for part in parts)
    by_name: dict[str, list[_Part]] = {}
    for part in parts:
        for column in part.columns:
            by_name.setdefault(column.name, []).append(_Part(rows=part.rows, column=column))
    columns = tuple(_merged(name, found, rows) for name, found in by_name.items())
    related = [part.correlations for part in parts if part.correlations is not None]
    return Profile(rows=rows, columns=columns, correlations=_related(related, columns))


def _related(
    related: Sequence[correlations.Correlations], columns: Sequence[ColumnProfile]
) -> correlations.Correlations | None:
    if not related:
        return None
    hidden = frozenset(column.name for column in columns if column.is_withheld or column.kind == "mixed")
    return correlations.merged(related, hidden)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A column and how many rows its part has."""

    rows: int
    column: ColumnProfile

    @property
    def present(self) -> int:
        return self.rows - self.column.nulls


def _merged(name: str, parts: Sequence[_Part], rows: int) -> ColumnProfile:
    columns = [part.column for part in parts]
    nulls = rows - sum(part.present for part in parts)
    there = [part.column for part in parts if part.present]
    newest = (there or columns)[-1]
    if len(there) <= 1:
        return replace(newest, nulls=nulls)
    kind = _kind(there)
    findings = personal.merged([column.findings for column in there])
    base = ColumnProfile(name=name, type=_type(there), kind=kind, nulls=nulls, findings=findings)
    if kind == "mixed":
        return replace(base, is_exact=False)
    base = replace(
        base,
        repeats=sum(column.repeats for column in there),
        nans=sum(column.nans for column in there),
        infinite=sum(column.infinite for column in there),
        trues=sum(column.trues for column in there),
        numbers=_numbers(there) if not findings else None,
        texts=texts.merged([c.texts for c in there if c.texts is not None]) if kind in ("text", "binary") else None,
        rhythm=_rhythm(there) if not findings else None,
    )
    return _with_distinct(base, there, rows - nulls)


def _kind(there: Sequence[ColumnProfile]) -> Kind:
    kinds = {column.kind for column in there}
    if len(kinds) == 1:
        return there[0].kind
    if kinds == {"integer", "number"}:
        return "number"
    return "time" if kinds == {"date", "time"} else "mixed"


def _type(there: Sequence[ColumnProfile]) -> str:
    return " | ".join(sorted({name for column in there for name in column.type.split(" | ")}))


def _numbers(there: Sequence[ColumnProfile]) -> numbers.Numbers | None:
    found = [column.numbers for column in there if column.numbers is not None]
    return numbers.merged(found) if found else None


def _rhythm(there: Sequence[ColumnProfile]) -> times.Rhythm | None:
    found = [column.rhythm for column in there if column.rhythm is not None]
    return times.merged(found) if len(found) == len(there) else None


def _with_distinct(base: ColumnProfile, there: Sequence[ColumnProfile], present: int) -> ColumnProfile:
    if base.kind == "list":
        return replace(base, is_exact=False)
    values = _values(base, there)
    if values is not None and values.is_complete:
        distinct = len(values.values)
        counted = present - base.nans - base.infinite
        unique = distinct == counted and not_finite_once(base.nans, base.infinite)
        return replace(base, values=values, distinct=distinct, is_unique=unique, repeats=counted - distinct)
    registers = np.maximum.reduce([_registers(column) for column in there])
    is_unique = _unique(base, there)
    least = max(column.distinct for column in there if column.is_exact) if any(c.is_exact for c in there) else 1
    estimate = min(max(round(distincts.estimate(registers)), least), present - base.repeats)
    return replace(
        base,
        values=values,
        registers=distincts.packed(registers),
        distinct=present if is_unique else estimate,
        is_exact=bool(is_unique),
        is_unique=is_unique,
    )


def _values(base: ColumnProfile, there: Sequence[ColumnProfile]) -> Frequent | None:
    if base.findings or any(column.values is None for column in there):
        return None
    found = [column.values for column in there if column.values is not None]
    if base.kind == "number" and any(column.kind == "integer" for column in there):
        found = [frequent.as_floats(one) for one in found]
    return frequent.merged(found)


def _unique(base: ColumnProfile, there: Sequence[ColumnProfile]) -> bool | None:
    """Whether no value comes twice: certain when one part repeats, or when all are unique and their ranges lie apart."""
    if base.repeats or any(column.is_unique is False for column in there):
        return False
    if not not_finite_once(base.nans, base.infinite):
        return False
    spans = sorted((c.numbers.low, c.numbers.high) for c in there if c.numbers is not None)
    apart = len(spans) == len(there) and all(a[1] < b[0] for a, b in pairwise(spans))
    return True if apart and not base.nans and all(column.is_unique for column in there) else None


def _registers(column: ColumnProfile) -> Registers:
    if column.registers is not None:
        return distincts.unpacked(column.registers)
    if column.values is None or not column.values.values:
        return np.zeros(distincts.REGISTERS, dtype=np.uint8)
    return distincts.registers_of(_hashes(column.values))


def _hashes(values: Frequent) -> hashing.Hashes:
    if isinstance(values.values[0], str):
        encoded = [str(value).encode() for value in values.values]
        offsets = np.cumsum([0, *(len(text) for text in encoded)], dtype=np.int64)
        return hashing.of_texts(offsets, np.frombuffer(b"".join(encoded), dtype=np.uint8))
    whole = all(isinstance(value, int) for value in values.values)
    return hashing.of_numbers(np.array(values.values, dtype=np.int64 if whole else np.float64))
