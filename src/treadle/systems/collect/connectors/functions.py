"""Python functions as sources, and whatever yields records: also the resources of dlt, whose connectors are many.

A function yields frames (Polars, Arrow, pandas), lists of dicts, or dicts. How far it has come is said in one of three ways: by
a cursor column; by pairs of a frame and a place, where the function is given the place again; or not at all, and then what
it yields is everything, and takes the place of what was there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import polars as pl

from treadle.systems.collect.connectors.boundaries import Boundary, Place, no_column
from treadle.systems.collect.connectors.errors import CursorUnusable, SourceDeclarationInvalid, SourceRefused
from treadle.systems.collect.connectors.looking import Look
from treadle.systems.collect.connectors.steps import Known, Step
from treadle.systems.collect.sources import polars_frame

_BATCH_ROWS = 50_000

Given = Callable[..., Iterable[Any]]


class FunctionReader:
    """Reads what a function yields.

    cursor: a column that only grows over what is yielded; the function is given its newest value. key, overlap: see
    `sources.sql`. mode: whether frames without any place are added, or take the place of what was there.
    """

    def __init__(
        self,
        function: Given,
        *,
        name: str,
        cursor: str | None = None,
        key: Sequence[str] = (),
        overlap: float = 0.0,
        mode: str = "replace",
        batch_rows: int = _BATCH_ROWS,
    ) -> None:
        if cursor is None and (key or overlap):
            raise SourceDeclarationInvalid("`key` and `overlap` say nothing without a `cursor` column.")
        self._function, self._name = function, name
        self._cursor, self._key, self._overlap = cursor, list(key), overlap
        self._mode, self._batch_rows = mode, batch_rows
        self._takes_place = bool(inspect.signature(function).parameters) if callable(function) else False

    def steps(self, at: Any, known: Known) -> Iterator[Step]:
        if self._cursor is not None:
            yield from self._since(self._cursor, at)
        elif self._takes_place:
            yield from self._from_place(at)
        elif self._mode == "append":
            for frame in self._frames(self._function()):
                yield Step(frames=[frame], at=None, origin=self._origin())
        else:
            yield Step(frames=self._frames(self._function()), at=None, origin=self._origin(), replaces=True)

    def look(self, rows: int) -> Look:
        """The first rows that the function yields from the beginning."""
        given = self._function(None) if self._takes_place else self._function()
        for item in given:
            frame = _frame(item[0] if isinstance(item, tuple) else item)
            if frame.height:
                return Look(frame=frame.head(rows))
        return Look(frame=pl.DataFrame())

    def _since(self, cursor: str, at: Any) -> Iterator[Step]:
        before = None if at is None else msgspec.convert(at, Place)
        newest = None if before is None else before.mark.less(self._overlap).value
        boundary = Boundary(cursor, self._key, self._overlap, before)
        last = None
        for frame in self._frames(self._function(newest) if self._takes_place else self._function()):
            if cursor not in frame.columns:
                raise no_column(cursor, frame.columns)
            frame = self._ordered(frame, cursor, newest)
            if not frame.height:
                continue
            if last is not None and frame[cursor][0] < last:
                raise CursorUnusable(
                    f"{self._name} yields {frame[cursor][0]!r} after {last!r} in the column {cursor!r}.",
                    why="Frames have to come in the order of the cursor column, or a kill between two would lose the later one.",
                    fix="Yield them in that order.",
                )
            last = frame[cursor][-1]
            fresh = boundary.pass_over(frame)
            if fresh.height:
                yield Step(frames=[fresh], at=boundary.place(), origin=self._origin())

    def _ordered(self, frame: pl.DataFrame, cursor: str, newest: Any) -> pl.DataFrame:
        if frame[cursor].null_count():
            raise CursorUnusable(
                f"The cursor column {cursor!r} is null in some rows.", fix="Leave such rows out, or fill the column."
            )
        if newest is not None:
            frame = frame.filter(frame[cursor] >= newest)  # a function that does not look at its argument yields all
        return frame.sort(cursor, maintain_order=True)

    def _from_place(self, at: Any) -> Iterator[Step]:
        for item in self._function(at):
            if not (isinstance(item, tuple) and len(item) == 2):
                raise SourceRefused(
                    f"{self._name} takes the place where it stopped, and yields {type(item).__name__}.",
                    fix="Yield pairs: (frame, place). Or give a `cursor` column, or let the function take nothing.",
                )
            rows, place = item
            place = msgspec.to_builtins(place)
            if place == at:
                continue  # the function yields the same page twice
            at = place
            yield Step(frames=[_frame(rows)], at=place, origin=self._origin())

    def _frames(self, items: Iterable[Any]) -> Iterator[pl.DataFrame]:
        """What is yielded as frames; single records are gathered into frames of `batch_rows`."""
        gathered: list[Mapping[str, Any]] = []
        for item in items:
            item = getattr(item, "data", item) if type(item).__module__.startswith("dlt.") else item
            if isinstance(item, Mapping):
                gathered.append(item)
            elif isinstance(item, list) and all(isinstance(record, Mapping) for record in item):
                gathered.extend(item)
            else:
                if gathered:
                    yield _frame(gathered)
                    gathered = []
                yield _frame(item)
            if len(gathered) >= self._batch_rows:
                yield _frame(gathered)
                gathered = []
        if gathered:
            yield _frame(gathered)

    def _origin(self) -> dict[str, Any]:
        return {"function": self._name}


def resource_reader(resource: Any, *, name: str, **options: Any) -> FunctionReader:
    """A dlt resource (or any iterable of records, frames or pages of records) as a reader.

    What dlt's own incremental leaves out is left to dlt; with `cursor`, rows that have landed are recognised here as well.
    Raises SourceDeclarationInvalid for a whole dlt source, of which one resource has to be chosen.
    """
    if hasattr(resource, "resources") and hasattr(resource, "selected_resources"):
        names = ", ".join(map(repr, resource.resources))
        raise SourceDeclarationInvalid(
            f"{name} is a dlt source with several resources.",
            why=f"It has: {names}.",
            fix="Give one: source.resources[NAME]",
        )
    if isinstance(resource, Iterator):
        raise SourceDeclarationInvalid(
            f"{name} can be read once only.",
            why="An iterator is spent after its first run, and a landing that has to begin again would find nothing.",
            fix="Give the dlt resource itself, a list, or a function that makes the iterator.",
        )
    function = resource if callable(resource) and not isinstance(resource, Iterable) else lambda: resource
    return FunctionReader(function, name=name, **options)


def _frame(item: Any) -> pl.DataFrame:
    if isinstance(item, Mapping):
        item = [item]
    if isinstance(item, list):
        return pl.DataFrame(item, infer_schema_length=None, strict=False) if item else pl.DataFrame()
    return polars_frame(item)
