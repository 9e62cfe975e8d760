"""A look at a source before it is run: its first rows, and what is wrong with them, in plain words."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import polars as pl

from treadle.ground.errors import TreadleError
from treadle.systems.collect.columns import check_names, stored_type, type_name, type_of
from treadle.systems.collect.connectors.records import SourceColumn
from treadle.systems.collect.ports import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen: some of the first rows; problems keep the source from being run, notes do not."""

    frame: pl.DataFrame
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@runtime_checkable
class Looking(Protocol):
    """A source, or the reader of one, that knows a cheaper look than its first step, or one without a side effect."""

    def look(self, rows: int) -> Look:
        """At most so many of its first rows. Raises what reading raises."""


def look_at(source: Source, rows: int) -> Look:
    """The first rows of a source. Nothing lands and nothing is acknowledged. Raises what reading raises."""
    for one in (source, getattr(source, "reader", None)):
        if isinstance(one, Looking):
            return one.look(rows)
    batches = source.batches(None, lambda key: False, dict)
    with contextlib.closing(batches):  # type: ignore[type-var]
        for batch in batches:
            notes = [f"line {line.row}: {line.reason}" for line in batch.malformed][:rows]
            for frame in batch.frames:
                return Look(frame=frame.head(rows), notes=notes)
    return Look(frame=pl.DataFrame(), notes=["The source has no rows now."])


def columns_seen(frame: pl.DataFrame, known: Mapping[str, str]) -> tuple[list[SourceColumn], list[str]]:
    """The columns of a look, and what keeps them from landing in a dataset whose columns are known."""
    columns, problems = [], []
    try:
        check_names(frame.columns)
    except TreadleError as error:
        problems.append(sentence(error))
    for name, dtype in frame.schema.items():
        kind, problem = _named(name, dtype)
        columns.append(SourceColumn(name=name, type=kind, lands_as=known.get(name)))
        if problem:
            problems.append(problem)
        elif name in known and _differs(kind, known[name]):
            problems.append(
                f"The column {name!r} is {kind} in the source and {known[name]} in the dataset: values that do not fit are "
                f"refused, or put aside with mismatch = 'quarantine'."
            )
    return columns, problems


def sentence(error: TreadleError) -> str:
    """An error as one line."""
    return " ".join(error.sentences())


def _named(name: str, dtype: pl.DataType) -> tuple[str, str | None]:
    try:
        return type_name(stored_type(name, dtype)), None
    except TreadleError as error:
        return str(dtype), sentence(error)


def _differs(kind: str, known: str) -> bool:
    if "void" in (kind, known) or kind == known:
        return False
    whole: Any = ("byte", "short", "integer", "long")
    return not (kind in whole and known in whole) and type(type_of(kind)) is not type(type_of(known))
