"""Entity keys as whole numbers, the same on both sides, so that joins compare integers.

Numbers of small integers, categories and texts are found without a hash join; what is wider or rarer is numbered by one.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from treadle.systems.features.columns import require
from treadle.systems.features.errors import KeyMismatch

WIDEST = 1 << 40
"""Key numbers stay below this, so that there is room for a time beside them in 63 bits."""

_Pair = tuple[pl.Series, pl.Series]


def key_numbers(
    entities: pl.DataFrame, rows: pl.DataFrame, keys: Mapping[str, str], of: str
) -> tuple[pl.Series, pl.Series, int]:
    """The keys of entities and of rows as Int64 from 0 on, and their bound; null where a key is null, or where no row
    has an entity's key.

    keys: entity column -> row column. Integers meet as Int64, texts and categories as String, the rest must be alike.
    Raises MissingColumn, KeyMismatch.
    """
    require(entities, list(keys), "the entities")
    require(rows, list(keys.values()), of)
    pairs = [_alike(entities[asked], rows[held], of) for asked, held in keys.items()]
    asked, held, bound = _numbers(*pairs[0])
    for pair in pairs[1:]:
        more_asked, more_held, more = _numbers(*pair)
        if bound * more > WIDEST:
            return _numbered_by_join([first for first, _ in pairs], [second for _, second in pairs])
        asked, held, bound = asked * more + more_asked, held * more + more_held, bound * more
    return asked.rename("key"), held.rename("key"), bound


def _alike(asked: pl.Series, held: pl.Series, of: str) -> _Pair:
    """Both columns in one type that can be compared."""
    common = _common_type(asked, held, of)
    return _cast(asked, common), _cast(held, common)


def _common_type(asked: pl.Series, held: pl.Series, of: str) -> pl.DataType:
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


def _numbers(asked: pl.Series, held: pl.Series) -> tuple[pl.Series, pl.Series, int]:
    if asked.dtype == pl.String:
        both = pl.concat([held.rename("key"), asked.rename("key")]).cast(pl.Categorical).to_physical()
        held, asked = both.slice(0, len(held)), both.slice(len(held))
    if asked.dtype.is_integer() or asked.dtype.is_temporal() or asked.dtype == pl.Boolean:
        near = _shifted(asked.to_physical().cast(pl.Int64), held.to_physical().cast(pl.Int64))
        if near is not None:
            return near
    return _numbered_by_join([asked], [held])


def _shifted(asked: pl.Series, held: pl.Series) -> tuple[pl.Series, pl.Series, int] | None:
    """Integers from 0 on, by taking off the least; None when they lie too far apart."""
    least = [bound for bound in (asked.min(), held.min()) if isinstance(bound, int)]
    greatest = [bound for bound in (asked.max(), held.max()) if isinstance(bound, int)]
    if not least or not greatest:
        return asked, held, 1
    if max(greatest) - min(least) >= WIDEST:
        return None
    return asked - min(least), held - min(least), max(greatest) - min(least) + 1


def _numbered_by_join(asked: list[pl.Series], held: list[pl.Series]) -> tuple[pl.Series, pl.Series, int]:
    names = [f"key{place}" for place in range(len(asked))]
    left = pl.DataFrame(dict(zip(names, asked, strict=True)))
    right = pl.DataFrame(dict(zip(names, held, strict=True)))
    numbers = right.drop_nulls().unique().with_row_index("key").cast({"key": pl.Int64})

    def numbered(side: pl.DataFrame) -> pl.Series:
        return side.join(numbers, on=names, how="left", maintain_order="left")["key"]

    return numbered(left), numbered(right), max(1, len(numbers))
