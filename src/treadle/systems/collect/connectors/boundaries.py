"""The boundary of an incremental read: which rows at the newest value of the cursor column have landed already.

A cursor column has ties, and rows can appear behind it: a transaction that began earlier commits later. So a read begins again
at the last value (less an overlap), and the rows that have landed are known by digest and number. Two equal rows are two
rows: what is remembered is a multiset.
"""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.systems.collect.connectors.errors import CursorUnusable, PositionLost
from treadle.systems.collect.connectors.marks import Mark, mark_of

MAX_REMEMBERED = 100_000
"""Rows near the boundary of which a cursor remembers the digests."""
_DIGEST_BYTES = 9
"""72 bits: among a million remembered rows, two alike by chance in one case of 10 billion."""


def row_digest(row: Sequence[Any]) -> str:
    """A short digest of a row that does not depend on how its values were typed: 1, 1.0, True and "1" are one value.

    The same row can be read as text in one batch and as a number in another, where a column has values of both kinds.
    """
    text = msgspec.json.encode([_plain(value) for value in row])
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, bool | int):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1 << 53 else repr(value)
    if isinstance(value, Decimal):
        return str(int(value)) if value.is_finite() and value == value.to_integral_value() else str(value.normalize())
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return repr(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    return value


class Landed:
    """The rows near the boundary that have landed, by digest."""

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        self._counts = Counter(counts or {})

    def fresh(self, rows: Iterable[tuple[str, int]]) -> list[int]:
        """The places of the rows that have not landed. Each row that has is counted off once."""
        places = []
        for digest, place in rows:
            if self._counts[digest] > 0:
                self._counts[digest] -= 1
            else:
                places.append(place)
        return places

    def left(self) -> Counter[str]:
        """The remembered rows that were not met."""
        return +self._counts


class Place(msgspec.Struct, frozen=True):
    """The newest value, the rows near it that have landed, and the columns by which those are known."""

    mark: Mark
    seen: dict[str, int]
    columns: list[str]


class Boundary:
    """What has landed near the newest value, kept while rows pass by in the order of the cursor column."""

    def __init__(self, cursor: str, key: Sequence[str], overlap: float, before: Place | None) -> None:
        """cursor: the column that only grows. key: columns by which a row is known (none: all). before: where it stood."""
        self._cursor, self._key, self._overlap = cursor, list(key), overlap
        self._before = before
        self._unmet = Landed(before.seen if before else {})
        self._columns = before.columns if before else []
        self._near: deque[tuple[Any, str]] = deque()
        self._mark = before.mark if before else None

    def pass_over(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of the frame that have not landed; all of it is near or behind the boundary from now on."""
        self._check(frame)
        if not self._columns:
            self._columns = list(dict.fromkeys([self._cursor, *self._key])) if self._key else frame.columns
        values = frame[self._cursor]
        fresh = frame
        if self._before is not None:
            old = (values <= self._before.mark.value).arg_true().to_list()
            new = self._unmet.fresh(zip(self._digests(frame[old]), old, strict=True))
            if len(new) < len(old):
                keep = set(new)
                gone = [place for place in old if place not in keep]
                fresh = frame.filter(~pl.int_range(pl.len()).is_in(gone))
        self._remember(frame, values)
        return fresh

    def place(self) -> Any:
        """The boundary as JSON."""
        assert self._mark is not None
        seen = Counter(digest for _, digest in self._near) + self._unmet.left()
        if len(seen) > MAX_REMEMBERED:
            raise CursorUnusable(
                f"{len(seen):,} rows lie within the overlap of the newest value of {self._cursor!r}.",
                why=f"They have to be remembered, and a cursor remembers {MAX_REMEMBERED:,}.",
                fix="Take a cursor column with finer values, or a smaller overlap.",
            )
        return msgspec.to_builtins(Place(self._mark, dict(seen), list(self._columns)))

    def _remember(self, frame: pl.DataFrame, values: pl.Series) -> None:
        newest = values[-1]
        if self._mark is None or newest > self._mark.value:
            self._mark = mark_of(newest)
            if self._before is not None and newest > self._before.mark.value:
                self._unmet = Landed()  # rows come in order: what was not met by now is there no more
        bound = self._mark.less(self._overlap).value
        while self._near and self._near[0][0] < bound:
            self._near.popleft()
        near = (values >= bound).arg_true().to_list()
        self._near.extend(zip(values[near].to_list(), self._digests(frame[near]), strict=True))

    def _digests(self, frame: pl.DataFrame) -> list[str]:
        return [row_digest(row) for row in frame.select(self._columns).iter_rows()]

    def _check(self, frame: pl.DataFrame) -> None:
        missing = [name for name in [self._cursor, *self._key] if name not in frame.columns]
        if missing:
            raise no_column(missing[0], frame.columns)
        gone = [name for name in self._columns if name not in frame.columns]
        if gone:
            raise PositionLost(
                f"The column {gone[0]!r} is gone from the source.",
                why="Rows at the boundary are known by all columns that they had when they landed.",
                fix="Name `key` columns by which a row is known, under a new name of the source.",
            )
        kind = mark_of(frame[self._cursor][0]).kind
        if self._mark is not None and kind != self._mark.kind:
            raise CursorUnusable(
                f"The cursor column {self._cursor!r} holds {kind} where it held {self._mark.kind} before.",
                fix="Cast it to one type in the query, under a new name of the source.",
            )


def no_column(name: str, columns: Sequence[str]) -> CursorUnusable:
    """The error for a column that a source does not have."""
    return CursorUnusable(
        f"The source has no column {name!r}.",
        why=did_you_mean(name, columns),
        fix="Name a column of the table, or select it in the query.",
    )
