"""Entity keys as whole numbers, the same on both sides, so that joins compare integers.

The rows decide the numbers, once; entities are then looked up, all at a time or in pieces. Numbers of small integers,
categories and texts are found without a hash join; what is wider or rarer is numbered by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from treadle.systems.features.columns import require
from treadle.systems.features.errors import KeyMismatch
from treadle.systems.features.exact import Ints

WIDEST = 1 << 32
"""Key numbers stay below this, so that there is room beside them for the rank of a time in 62 bits."""

NO_KEY = -1
"""The number of a null key, and of an entity whose key no row has."""


class _Numbers(Protocol):
    """How the values of some columns become numbers from 0 to `bound`."""

    @property
    def bound(self) -> int:
        """All numbers lie below it."""

    def of(self, columns: Sequence[pl.Series]) -> Ints:
        """The numbers, NO_KEY where there is none."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a view's rows as numbers, and how entities find theirs.

    Made by `Keys.of`. held: of each row its number, NO_KEY for a null key. bound: all numbers lie below it.
    """

    held: Ints
    bound: int
    _asked: tuple[str, ...]
    _types: tuple[pl.DataType, ...]
    _numbers: _Numbers

    @classmethod
    def of(cls, entities: pl.DataFrame, rows: pl.DataFrame, keys: Mapping[str, str], of: str) -> Keys:
        """The numbers of the rows' keys, for entities with columns like these.

        keys: entity column -> row column. Integers meet as Int64, texts and categories as String, the rest must be
        alike. Raises MissingColumn, KeyMismatch.
        """
        require(entities, list(keys), "the entities")
        require(rows, list(keys.values()), of)
        types = tuple(_common_type(entities[asked], rows[held], of) for asked, held in keys.items())
        columns = [_cast(rows[held], dtype) for held, dtype in zip(keys.values(), types, strict=True)]
        numbers = _numbers_of(columns)
        return cls(numbers.of(columns), numbers.bound, tuple(keys), types, numbers)

    def asked(self, entities: pl.DataFrame) -> Ints:
        """Of each entity the number of its key, NO_KEY where no row has it."""
        return self._numbers.of(
            [_cast(entities[name], dtype) for name, dtype in zip(self._asked, self._types, strict=True)]
        )


def _common_type(asked: pl.Series, held: pl.Series, of: str) -> pl.DataType:
    """The type in which both columns can be compared."""
    one, other = asked.dtype, held.dtype
    if one.is_integer() and other.is_integer():
        return pl.Int64()
    texts = (pl.String, pl.Categorical, pl.Enum)
    if isinstance(one, texts) and isinstance(other, texts):
        return pl.String()
    if isinstance(one, pl.Null) or isinstance(other, pl.Null):
        return other if isinstance(one, pl.Null) else one
    if one == other and not one.is_float():
        return one
    raise KeyMismatch(
        f"Key {asked.name!r} of the entities holds {one}, {held.name!r} of {of} holds {other}.",
        why="Floats are no keys." if one.is_float() or other.is_float() else "They can never be equal.",
        fix="Cast one side, so that both are integers or both are text.",
        entity=asked.name,
        view=of,
    )


def _cast(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    if series.dtype == dtype:
        return series
    try:
        return series.cast(dtype)
    except pl.exceptions.InvalidOperationError as error:
        raise KeyMismatch(
            f"Key {series.name!r} holds values that do not fit into {dtype}.",
            why=str(error).splitlines()[0],
            fix="Use text for keys beyond 64 signed bits.",
        ) from error


def _numbers_of(held: Sequence[pl.Series]) -> _Numbers:
    """The quickest numbering of these columns."""
    parts: list[_Numbers] = []
    bound = 1
    for series in held:
        part = _numbers_of_one(series)
        bound *= 1 if part is None else part.bound
        if part is None or bound > WIDEST:
            return _Joined.numbering(held)
        parts.append(part)
    return parts[0] if len(parts) == 1 else _Composite(tuple(parts), bound)


def _numbers_of_one(held: pl.Series) -> _Numbers | None:
    if held.dtype == pl.String:
        return _Texts.numbering(held)
    if not (held.dtype.is_integer() or held.dtype.is_temporal() or held.dtype == pl.Boolean):
        return None
    numbers = held.to_physical().cast(pl.Int64)
    least, greatest = numbers.min(), numbers.max()
    if not isinstance(least, int) or not isinstance(greatest, int):
        return _Shifted(0, 1)
    return _Shifted(least, greatest - least + 1) if greatest - least < WIDEST else None


@dataclass(frozen=True, slots=True)
class _Shifted:
    """Integers from 0 on, by taking off the least."""

    least: int
    bound: int

    def of(self, columns: Sequence[pl.Series]) -> Ints:
        series = columns[0].to_physical().cast(pl.Int64)
        nulls = series.null_count()
        values = (series.fill_null(self.least) if nulls else series).to_numpy()
        out = (values < self.least) | (values > self.least + self.bound - 1)
        numbers: Ints = values - self.least  # wraps only where `out` is true
        if nulls:
            out |= series.is_null().to_numpy()
        if out.any():
            numbers[out] = NO_KEY
        return numbers


@dataclass(frozen=True, slots=True)
class _Texts:
    """Texts by the dictionary that Polars keeps for a categorical of our own."""

    dtype: pl.Categorical
    bound: int
    _alive: pl.Series
    """Keeps the dictionary: Polars lets it go, and numbers anew, when no series is left that uses it."""

    @classmethod
    def numbering(cls, held: pl.Series) -> _Texts:
        dtype = pl.Categorical(pl.Categories.random())
        series = held.cast(dtype)
        highest = series.to_physical().max()
        return cls(dtype, highest + 1 if isinstance(highest, int) else 1, series.slice(0, 1))

    def of(self, columns: Sequence[pl.Series]) -> Ints:
        numbers: Ints = (
            columns[0].cast(self.dtype).to_physical().cast(pl.Int64).fill_null(NO_KEY).to_numpy(writable=True)
        )
        numbers[numbers >= self.bound] = NO_KEY  # texts that only entities have
        return numbers


@dataclass(frozen=True, slots=True)
class _Composite:
    """Several columns, as digits of one number."""

    parts: tuple[_Numbers, ...]
    bound: int

    def of(self, columns: Sequence[pl.Series]) -> Ints:
        number = np.zeros(len(columns[0]), np.int64)
        none = np.zeros(len(columns[0]), np.bool_)
        for part, series in zip(self.parts, columns, strict=True):
            digit = part.of([series])
            none |= digit < 0
            number = number * part.bound + digit
        number[none] = NO_KEY
        return number


@dataclass(frozen=True, slots=True)
class _Joined:
    """Whatever else, by a hash join with the distinct keys."""

    table: pl.DataFrame
    bound: int

    @classmethod
    def numbering(cls, held: Sequence[pl.Series]) -> _Joined:
        distinct = cls._frame(held).drop_nulls().unique().with_row_index("number").cast({"number": pl.Int64})
        return cls(distinct, max(1, len(distinct)))

    def of(self, columns: Sequence[pl.Series]) -> Ints:
        frame = self._frame(columns)
        found = frame.join(self.table, on=frame.columns, how="left", maintain_order="left")["number"]
        return found.fill_null(NO_KEY).to_numpy(writable=True)

    @staticmethod
    def _frame(columns: Sequence[pl.Series]) -> pl.DataFrame:
        return pl.DataFrame({f"key{place}": series for place, series in enumerate(columns)})
