"""Steps of one column, as expressions: what each value becomes, and which values cannot be made clean.

Every row is treated by itself, so it does not matter in which batches the rows come. A value of null stays null, and is
never unfit: what is missing is a rule's affair, or a filling's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from treadle.ground.errors import MissingExtra
from treadle.systems.prepare.cleaning.moments import moments
from treadle.systems.prepare.cleaning.steps import (
    Cast,
    Category,
    Clip,
    Empty,
    Otherwise,
    Step,
    Text,
    Time,
    Unit,
    kind_of,
)
from treadle.systems.prepare.cleaning.units import conversion, is_unit, spellings
from treadle.systems.prepare.errors import CleaningRefused
from treadle.systems.prepare.row_sql import condition

_MOST_SPELLINGS = 200_000
"""Different values of a column that are held against a list of categories at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of a column: `value`, and where `unfit` is true the value that could not be made clean."""

    value: pl.Expr
    unfit: pl.Expr | None = None
    otherwise: Otherwise = "quarantine"


def change(step: Step, name: str, frame: pl.DataFrame) -> Change:
    """What a step makes of a column of the frame. Raises CleaningRefused where the column's type does not allow it."""
    return _HOW[type(step)](step, name, frame)


def _text(step: Text, name: str, frame: pl.DataFrame) -> Change:
    _need(step, name, frame, pl.String)
    value = pl.col(name)
    if step.unicode is not None:
        value = value.str.normalize(step.unicode)
    if step.collapse:
        value = value.str.replace_all(r"\s+", " ")
    if step.strip:
        value = value.str.strip_chars()
    if step.case is not None:
        cases: dict[str, Callable[[pl.Expr], pl.Expr]] = {
            "lower": lambda text: text.str.to_lowercase(),
            "upper": lambda text: text.str.to_uppercase(),
            "title": lambda text: text.str.to_titlecase(),
        }
        value = cases[step.case](value)
    if step.nulls:
        value = pl.when(value.is_in(step.nulls)).then(None).otherwise(value)
    return Change(value=value)


def _cast(step: Cast, name: str, frame: pl.DataFrame) -> Change:
    dtype, column = frame.schema[name], pl.col(name)
    if step.to == "string":
        return Change(value=column.cast(pl.String))
    if dtype == pl.String:
        value = _boolean(step, column) if step.to == "boolean" else _number(step, column)
    elif dtype.is_numeric() or dtype == pl.Boolean or isinstance(dtype, pl.Null):
        value = _from_number(step, column, dtype)
    else:
        raise _refused(step, name, dtype)
    return Change(value=value, unfit=column.is_not_null() & value.is_null(), otherwise=step.otherwise)


def _number(step: Cast, column: pl.Expr) -> pl.Expr:
    """Numbers out of text. Thousands must stand in threes: `1,23` is no number where a comma parts thousands."""
    text = column.str.strip_chars()
    text = text.str.strip_chars(step.ignore).str.strip_chars() if step.ignore else text
    if step.to == "number" and not step.thousands and step.decimal == ".":  # four times as fast as by the shape
        number = text.cast(pl.Float64, strict=False)
        return pl.when(number.is_finite()).then(number)
    mark, group = _escaped(step.decimal), _escaped(step.thousands)
    whole = rf"(?:\d{{1,3}}(?:{group}\d{{3}})+|\d+)" if group else r"\d+"
    shape = rf"^[+-]?(?:{whole}(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d+)?$"
    bare = text.str.replace_all(step.thousands, "", literal=True) if step.thousands else text
    bare = bare.str.replace(step.decimal, ".", literal=True) if step.decimal != "." else bare
    bare = pl.when(text.str.contains(shape)).then(bare)
    if step.to == "integer":
        return bare.str.replace(r"\.0*$", "").str.strip_prefix("+").cast(pl.Int64, strict=False)
    number = bare.cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _boolean(step: Cast, column: pl.Expr) -> pl.Expr:
    text = column.str.strip_chars().str.to_lowercase()
    yes, no = ([word.lower() for word in words] for words in (step.true, step.false))
    return pl.when(text.is_in(yes)).then(True).when(text.is_in(no)).then(False)


def _from_number(step: Cast, column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if step.to == "number":
        return column.cast(pl.Float64, strict=False)
    if step.to == "boolean":
        return pl.when(column == 1).then(True).when(column == 0).then(False) if dtype != pl.Boolean else column
    number = column.cast(pl.Int64, strict=False)
    return pl.when(number == column).then(number) if dtype.is_numeric() else number


def _unit(step: Unit, name: str, frame: pl.DataFrame) -> Change:
    dtype = frame.schema[name]
    if not dtype.is_numeric():
        raise _refused(step, name, dtype)
    column = pl.col(name).cast(pl.Float64)
    if step.source is not None:
        return Change(value=_converted(column, conversion(step.source, step.to), step.digits))
    source = str(step.source_column)
    if source not in frame.schema or frame.schema[source] != pl.String:
        raise CleaningRefused(
            f"{name}: its unit is to stand in the column {source!r}, which holds no text.", columns=frame.columns
        )
    value: Any = None
    for unit in (unit for unit in spellings() if _measures_alike(unit, step.to)):
        converted = _converted(column, conversion(unit, step.to), step.digits)
        here = pl.col(source).str.strip_chars() == unit
        value = pl.when(here).then(converted) if value is None else value.when(here).then(converted)
    conversion(step.to, step.to)  # names an unknown target
    value = value.otherwise(None)
    return Change(value=value, unfit=column.is_not_null() & value.is_null(), otherwise=step.otherwise)


def _measures_alike(unit: str, target: str) -> bool:
    if not is_unit(target):
        return unit == "m"  # any: the error about the target is raised by the conversion
    try:
        conversion(unit, target)
    except CleaningRefused:
        return False
    return True


def _converted(column: pl.Expr, by: tuple[float, float, float], digits: int | None) -> pl.Expr:
    """By NumPy: Polars 2.1 multiplies by the inverse where it divides a column by a number, but for one of a single row."""
    slope, offset, shared = by

    def convert(values: pl.Series) -> pl.Series:
        given = values.to_numpy()
        with np.errstate(over="ignore"):  # numbers near the end of what floats hold: those are divided first
            found = (given * slope + offset) / shared
            found = np.where(
                np.isfinite(found) | ~np.isfinite(given), found, given * (slope / shared) + offset / shared
            )
        return pl.Series(values.name, found)

    known = column.fill_null(0.0).map_batches(convert, return_dtype=pl.Float64, is_elementwise=True)
    value = pl.when(column.is_not_null()).then(known)
    return value if digits is None else value.round(digits)


def _category(step: Category, name: str, frame: pl.DataFrame) -> Change:
    _need(step, name, frame, pl.String)
    if not step.allowed and not step.synonyms:
        raise CleaningRefused(f"{name}: a category needs 'allowed' values, 'synonyms', or both.")
    seen = frame[name].unique().drop_nulls()
    if seen.len() > _MOST_SPELLINGS and step.fuzzy is not None:
        raise CleaningRefused(
            f"{name}: {seen.len():,} different values are too many to be held against a list by likeness.",
            fix="Leave 'fuzzy' out, or clean the text first.",
        )
    known = _spellings(step)
    wanted = {value: known[_folded(step, value)] for value in seen if _folded(step, value) in known}
    allowed = set(step.allowed)
    left = [value for value in seen if value not in wanted and (not step.allowed or value not in allowed)]
    wanted |= _nearest(step, left) if step.fuzzy is not None else {}
    value = pl.col(name).replace_strict(
        list(wanted), pl.Series(list(wanted.values()), dtype=pl.String), default=pl.col(name), return_dtype=pl.String
    ) if wanted else pl.col(name)  # fmt: skip
    if not step.allowed:
        return Change(value=value)
    unfit = value.is_not_null() & ~value.is_in(step.allowed)
    if step.otherwise == "keep":
        return Change(value=value)
    return Change(value=pl.when(unfit).then(None).otherwise(value), unfit=unfit, otherwise=step.otherwise)


def _spellings(step: Category) -> dict[str, str | None]:
    """What becomes of each spelling that is known: synonyms before the allowed values themselves."""
    known: dict[str, str | None] = {_folded(step, value): value for value in step.allowed}
    return known | {_folded(step, value): meant for value, meant in step.synonyms.items()}


def _folded(step: Category, value: str) -> str:
    return value.strip().casefold() if step.ignore_case else value


def _nearest(step: Category, values: list[str]) -> dict[str, str | None]:
    """The nearest allowed value of each, where it is near enough and no other is as near."""
    try:
        from rapidfuzz import fuzz, process
    except ImportError as error:
        raise MissingExtra.of("rapidfuzz", "fuzzy", "Likeness of texts") from error
    assert step.fuzzy is not None
    found: dict[str, str | None] = {}
    folded = [value.strip().casefold() for value in step.allowed]
    for value in values:
        near = process.extract(
            value.strip().casefold(), folded, scorer=fuzz.ratio, score_cutoff=step.fuzzy * 100, limit=2
        )
        if near and (len(near) == 1 or near[0][1] > near[1][1]):
            found[value] = step.allowed[near[0][2]]
    return found


def _time(step: Time, name: str, frame: pl.DataFrame) -> Change:
    value, unfit = moments(step, name, frame.schema[name])
    return Change(value=value, unfit=unfit, otherwise=step.otherwise)


def _clip(step: Clip, name: str, frame: pl.DataFrame) -> Change:
    dtype = frame.schema[name]
    if not dtype.is_numeric():
        raise _refused(step, name, dtype)
    low, high = (_bound(bound, dtype) for bound in (step.minimum, step.maximum))
    if low is None and high is None:
        raise CleaningRefused(f"{name}: clipping needs a 'minimum' or a 'maximum'.")
    value = pl.col(name)
    if low is not None:
        value = pl.when(pl.col(name) < low).then(pl.lit(low, dtype)).otherwise(value)
    if high is not None:
        value = pl.when(_above(name, dtype, high)).then(pl.lit(high, dtype)).otherwise(value)
    return Change(value=value)


def _above(name: str, dtype: pl.DataType, high: float) -> pl.Expr:
    """NaN is greater than every number in Polars' order, and is no number here: it is left to rules."""
    above = pl.col(name) > high
    return above & pl.col(name).is_not_nan() if dtype.is_float() else above


def _bound(bound: float | None, dtype: pl.DataType) -> float | int | None:
    if bound is None or dtype.is_float():
        return bound
    if bound % 1:
        raise CleaningRefused(f"The bound {bound:g} is no value of a column of {dtype}.", fix="Give a whole number.")
    return int(bound)


def _empty(step: Empty, name: str, frame: pl.DataFrame) -> Change:
    if not step.values and step.where is None:
        raise CleaningRefused(f"{name}: emptying needs 'values' or a condition 'where'.")
    here = pl.lit(False)
    if step.values:
        try:
            here = pl.col(name).is_in(pl.Series(step.values).cast(frame.schema[name]).implode())
        except (pl.exceptions.PolarsError, TypeError) as error:
            raise CleaningRefused(
                f"{name}: the values {step.values[:5]!r} are not of the column's type {frame.schema[name]}."
            ) from error
    if step.where is not None:
        here = here.fill_null(False) | condition(step.where, frame.schema)
    return Change(value=pl.when(here.fill_null(False)).then(None).otherwise(pl.col(name)))


_HOW: dict[type[Step], Callable[[Any, str, pl.DataFrame], Change]] = {
    Text: _text,
    Cast: _cast,
    Unit: _unit,
    Category: _category,
    Time: _time,
    Clip: _clip,
    Empty: _empty,
}


def _need(step: Step, name: str, frame: pl.DataFrame, wanted: Any) -> None:
    if frame.schema[name] != wanted and not isinstance(frame.schema[name], pl.Null):
        raise _refused(step, name, frame.schema[name])


def _refused(step: Step, name: str, dtype: pl.DataType) -> CleaningRefused:
    return CleaningRefused(
        f"The cleaning {kind_of(step)!r} cannot be carried out on {name}, a column of {dtype}.",
        fix="Cast it first, in a step before this one.",
        column=name,
    )


def _escaped(letters: str) -> str:
    return "".join(f"\\{letter}" if letter in r"\.+*?()|[]{}^$#&-~/" else letter for letter in letters)
