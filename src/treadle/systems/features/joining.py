"""Entities and views become one table: the same function for training, for a day's batch, and for a replay.

The rows of each view are brought into order once, and answer the entities in pieces (`answering.py`): memory beyond the
answer itself does not grow with the number of entities. Features that are computed on demand, from what a request
brings and from other features, come last.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import polars as pl

from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.features.answering import LANDED_AT, Asked, ViewRows
from treadle.systems.features.columns import require
from treadle.systems.features.errors import DuplicateFeature
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.point_in_time import as_of_moments
from treadle.systems.features.records import Joined, ViewReport
from treadle.systems.features.views import FeatureView, check_distinct, check_needs, names_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LANDED_AT", "Join", "join_features"]

PIECE = 500_000
"""Entities that are answered at a time."""

SIDE_BY_SIDE = 20_000
"""Entities from which on the views answer in threads: NumPy and Polars let go of the interpreter while they work."""


def join_features(
    entities: pa.Table | pl.DataFrame,
    views: Sequence[FeatureView | OnDemandView],
    frames: Mapping[str, pa.Table | pl.DataFrame],
    *,
    as_of: str,
    features: Sequence[str] | None = None,
    with_rows: bool = False,
) -> Joined:
    """The entities with the views' features as of each row's moment; see `Joined` for the columns.

    frames: dataset -> rows, with `_landing` and `_row` (needed for `with_rows`, and for ties that do not depend on
    storage) and, for live sources, `_landed_at`. as_of: the entities' column of aware datetimes. features: which, and in
    which order; all of the views' by default.
    Raises MissingColumn, TimeWithoutZone, KeyMismatch, EntityWithoutTime, DuplicateFeature, InvalidFeatureView.
    """
    join = Join(entities, views, frames, as_of=as_of, features=features, with_rows=with_rows)
    pieces = list(join.pieces())
    table = pl.concat(pieces, rechunk=False) if len(pieces) > 1 else pieces[0]
    return Joined(
        table=table.to_arrow(compat_level=pl.CompatLevel.oldest()), features=join.features, reports=join.reports
    )


_Answered = tuple[dict[str, pl.Series], list[pl.Series], ViewReport]
"""A view's features, the times (and rows) that they rest on, and its report."""


class Join:
    """A join whose answer comes in pieces, in the order of the entities; `reports` are whole once all have come."""

    def __init__(
        self,
        entities: pa.Table | pl.DataFrame,
        views: Sequence[FeatureView | OnDemandView],
        frames: Mapping[str, pa.Table | pl.DataFrame],
        *,
        as_of: str,
        features: Sequence[str] | None = None,
        with_rows: bool = False,
    ) -> None:
        """See `join_features`."""
        self._entities, self._with_rows = as_frame(entities), with_rows
        check_distinct(views)
        check_needs(views)
        stored = [view for view in views if isinstance(view, FeatureView)]
        self._on_demand = [view for view in views if isinstance(view, OnDemandView)]
        self.features = tuple(features if features is not None else [name for view in views for name in names_of(view)])
        check_free(self._entities, stored, self.features)
        for each in self._on_demand:
            require(self._entities, each.inputs, "the entities")
        self._wanted = [*self.features, *(name for view in self._on_demand for name in view.needs)]
        self._as_of = as_of_moments(self._entities, as_of)
        self._targets = {
            view.target_time: as_of_moments(self._entities, view.target_time) for view in stored if view.target_time
        }
        rows = {dataset: _rows_of(dataset, stored, frames[dataset]) for dataset in {view.dataset for view in stored}}
        self._views = [ViewRows(view, view.rows(rows[view.dataset]), self._entities, self._as_of) for view in stored]
        self.reports: tuple[ViewReport, ...] = ()

    def pieces(self, size: int = PIECE) -> Iterator[pl.DataFrame]:
        """The answer, at least one piece, each with as many rows as entities were asked at a time."""
        self.reports = ()
        for start in range(0, max(1, len(self._entities)), size):
            yield self._piece(self._entities.slice(start, size), start)

    def _piece(self, entities: pl.DataFrame, start: int) -> pl.DataFrame:
        past = start + len(entities)
        targets = {column: moments[start:past] for column, moments in self._targets.items()}
        asked = Asked(entities, self._as_of[start:past], targets, [])
        values: dict[str, pl.Series] = {}
        witnesses: list[pl.Series] = []
        reports: list[ViewReport] = []
        for found, more, report in self._answers(asked):
            values |= found
            witnesses += more
            reports.append(report)
        self.reports = _added(self.reports, reports)
        for view in self._on_demand:
            values |= demanded(view, entities, values)
        return entities.with_columns(*(values[name].alias(name) for name in self.features), *witnesses)

    def _answers(self, asked: Asked) -> list[_Answered]:
        if len(self._views) < 2 or len(self._entities) < SIDE_BY_SIDE:
            return [self._answer(rows, asked) for rows in self._views]
        with ThreadPoolExecutor(min(len(self._views), os.cpu_count() or 1)) as threads:
            return list(threads.map(lambda rows: self._answer(rows, asked), self._views))

    def _answer(self, rows: ViewRows, asked: Asked) -> _Answered:
        answer = rows.answer(asked)
        raw = [answer.raw_rows()] if self._with_rows else []
        return answer.values(self._wanted), [*answer.as_of_times(), *raw], answer.report()


def demanded(view: OnDemandView, entities: pl.DataFrame, values: Mapping[str, pl.Series]) -> dict[str, pl.Series]:
    """The features of a view on demand, from the entities' columns and from features that are computed already."""
    computed = view.compute(
        pl.DataFrame([values[name].alias(name) if name in view.needs else entities[name] for name in view.reads])
    )
    return {name: computed[name] for name in view.names}


def _added(so_far: tuple[ViewReport, ...], more: Sequence[ViewReport]) -> tuple[ViewReport, ...]:
    """The reports of two pieces of entities as one; what they say of the rows is the same in both."""
    if not so_far:
        return tuple(more)
    counts = [each.name for each in fields(ViewReport) if each.name not in ("view", "n_rows", "n_undated")]
    return tuple(
        replace(one, **{name: getattr(one, name) + getattr(other, name) for name in counts})
        for one, other in zip(so_far, more, strict=True)
    )


def as_frame(table: pa.Table | pl.DataFrame) -> pl.DataFrame:
    """The table as Polars has it, without copying."""
    if isinstance(table, pl.DataFrame):
        return table
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _rows_of(dataset: str, views: Sequence[FeatureView], table: pa.Table | pl.DataFrame) -> pl.DataFrame:
    """The columns that the views need of a dataset, each in one piece: files come in many, and are gathered from often."""
    frame = as_frame(table)
    wanted = {LANDING, ROW, LANDED_AT}.union(*(view.columns for view in views if view.dataset == dataset))
    return frame.select([column for column in frame.columns if column in wanted]).rechunk()


def check_free(entities: pl.DataFrame, views: Sequence[FeatureView], chosen: Sequence[str]) -> None:
    """Nothing, or DuplicateFeature when the entities have a column that the answer will have."""
    reserved = {f"{view.name}__{part}" for view in views for part in ("event_at", "known_at", "rows")}
    for column in entities.columns:
        if column in chosen or column in reserved:
            raise DuplicateFeature(
                f"The entities already have a column {column!r}.",
                fix="Rename or drop it; a feature's name is the name of its column.",
                column=column,
            )
