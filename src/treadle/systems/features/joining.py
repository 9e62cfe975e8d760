"""Entities and views become one table: the same function for training, for a day's batch, and for a replay.

Each value depends on its own entity row, the view's definition and the rows of the snapshot, never on the other
entities: computed alone or among a million, it has the same bits (`tests/systems/features` holds it to that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from treadle.ground.errors import InvalidInput
from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.features import windows
from treadle.systems.features.columns import require
from treadle.systems.features.errors import DuplicateFeature, InvalidFeatureView, MissingColumn
from treadle.systems.features.point_in_time import Keyed, KnownAt, Match, keyed_times, newest_of
from treadle.systems.features.records import Joined, ViewReport
from treadle.systems.features.views import LIVE, FeatureView, check_distinct
from treadle.systems.features.windows import Outcomes, Window

if TYPE_CHECKING:
    import pyarrow as pa

    from treadle.systems.features.exact import Ints
    from treadle.systems.features.windows import Bools

LANDED_AT = "_landed_at"
"""The column that holds the landing time of each row of a live source."""

MOST_ROWS = 20_000_000
"""Raw rows that one request for row identities may list."""


def join_features(
    entities: pa.Table | pl.DataFrame,
    views: Sequence[FeatureView],
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
    asked = _frame(entities)
    check_distinct(views)
    chosen = list(features) if features is not None else [name for view in views for name in view.features]
    _check_free(asked, views, chosen)
    rows = {dataset: _rows_of(dataset, views, frames[dataset]) for dataset in {view.dataset for view in views}}
    values: dict[str, pl.Series] = {}
    witnesses: list[pl.Series] = []
    reports: list[ViewReport] = []
    for view in views:
        answer = _ViewJoin.of(asked, view, rows[view.dataset], as_of)
        values.update({name: series for name, series in answer.values() if name in chosen})
        witnesses += answer.as_of_times()
        if with_rows:
            witnesses.append(answer.raw_rows())
        reports.append(answer.report())
    table = asked.with_columns(*(values[name].alias(name) for name in chosen), *witnesses)
    return Joined(
        table=table.to_arrow(compat_level=pl.CompatLevel.oldest()), features=tuple(chosen), reports=tuple(reports)
    )


def _frame(table: pa.Table | pl.DataFrame) -> pl.DataFrame:
    if isinstance(table, pl.DataFrame):
        return table
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _rows_of(dataset: str, views: Sequence[FeatureView], table: pa.Table | pl.DataFrame) -> pl.DataFrame:
    """The columns that the views need of a dataset, each in one piece: files come in many, and are gathered from often."""
    frame = _frame(table)
    wanted = {LANDING, ROW, LANDED_AT}.union(*(view.columns for view in views if view.dataset == dataset))
    return frame.select([column for column in frame.columns if column in wanted]).rechunk()


def _check_free(entities: pl.DataFrame, views: Sequence[FeatureView], chosen: Sequence[str]) -> None:
    reserved = {f"{view.name}__{part}" for view in views for part in ("event_at", "known_at", "rows")}
    for column in entities.columns:
        if column in chosen or column in reserved:
            raise DuplicateFeature(
                f"The entities already have a column {column!r}.",
                fix="Rename or drop it; a feature's name is the name of its column.",
                column=column,
            )


@dataclass(frozen=True, slots=True)
class _ViewJoin:
    """One view's answer to the entities."""

    entities: pl.DataFrame
    view: FeatureView
    rows: pl.DataFrame
    keyed: Keyed
    match: Match

    @classmethod
    def of(cls, entities: pl.DataFrame, view: FeatureView, rows: pl.DataFrame, as_of: str) -> _ViewJoin:
        require(rows, view.columns, f"dataset {view.dataset!r} (view {view.name!r})")
        known_at: KnownAt = view.known_at if view.known_at is not None else LIVE
        if known_at == LIVE:
            require(rows, [LANDED_AT], f"dataset {view.dataset!r} (view {view.name!r}, live)")
            known_at = LANDED_AT
        of = f"view {view.name!r}"
        keyed = keyed_times(
            entities, rows, keys=view.key_map, as_of=as_of, event_at=view.event_time, known_at=known_at, of=of
        )
        return cls(entities, view, rows, keyed, newest_of(keyed, ttl=view.ttl))

    def values(self) -> list[tuple[str, pl.Series]]:
        """The features, in the order of the entities."""
        found = self._row_values() if self.view.row_features else {}
        found |= self._window_values() if self.view.window_features else {}
        return [(name, found[name]) for name in self.view.features]

    def as_of_times(self) -> list[pl.Series]:
        """When the newest known row happened, and when it became known."""
        moment = pl.Datetime("us", "UTC")
        return [
            self.match.event_at.cast(moment).alias(f"{self.view.name}__event_at"),
            self.match.known_at.cast(moment).alias(f"{self.view.name}__known_at"),
        ]

    def report(self) -> ViewReport:
        n_missed = self.match.row.null_count()
        return ViewReport(
            view=self.view.name,
            n_rows=len(self.rows),
            n_entities=len(self.entities),
            n_found=len(self.entities) - n_missed,
            n_missed=n_missed,
            n_expired=self.match.n_expired,
            n_undated=self.match.n_undated,
        )

    def _row_values(self) -> dict[str, pl.Series]:
        """Expressions over the newest rows. They work row by row, so whether they run before the rows are gathered or
        after makes no difference but in cost; a miss stays null either way."""
        expressions = self.view.row_features
        position = self.match.row
        if len(position) >= len(self.rows):
            computed = self._computed(self.rows, expressions).select(pl.all().gather(position))
            return {name: computed[name] for name in expressions}
        needed = sorted({name for expression in expressions.values() for name in expression.meta.root_names()})
        gathered = self.rows.select(needed).select(pl.all().gather(position)) if needed else pl.DataFrame()
        if not needed:
            gathered = pl.DataFrame({"position": position})
        computed = self._computed(gathered, expressions)
        missed = position.is_null()
        return {name: computed[name].set(missed, None) if missed.any() else computed[name] for name in expressions}

    def _computed(self, rows: pl.DataFrame, expressions: Mapping[str, pl.Expr]) -> pl.DataFrame:
        try:
            return rows.with_columns(**expressions).select(list(expressions))
        except pl.exceptions.PolarsError as error:
            raise InvalidFeatureView(
                f"A feature of view {self.view.name!r} cannot be computed on dataset {self.view.dataset!r}.",
                why=str(error).splitlines()[0],
                fix="Mend the expression; strict=False in a cast gives null for what does not fit.",
                view=self.view.name,
            ) from error

    def _window_values(self) -> dict[str, pl.Series]:
        outcomes, questions = self._outcomes()
        values: dict[str, pl.Series] = {}
        for group in _by_lives(self.view.window_features):
            some, rows = self._relevant(outcomes, questions, group)
            lifetimes = windows.lives(some, next(iter(group.values())))
            asked = [
                (name, window, windows.values_of(self._value(rows, name, window), window, len(rows)))
                for name, window in group.items()
            ]
            answers = windows.aggregate(lifetimes, some.key, questions, asked)
            values |= {name: answers[name] for name in group}
        return values

    def _outcomes(self) -> tuple[Outcomes, pl.DataFrame]:
        """The rows of the asked keys that happened and were known by the last question, and the entities as questions."""
        questions = self.keyed.questions
        last = questions["as_of"].max()
        outcomes = (
            self._versions()
            .filter(pl.max_horizontal("event_at", "known_at") <= pl.lit(last, pl.Int64))
            .drop_nulls(["key", "event_at", "known_at"])
            .join(questions.select("key").unique(), on="key", how="semi", maintain_order="left")
        )
        columns = ("key", "event_at", "known_at", "landed", "superseded_at", "row")
        return Outcomes(*(outcomes[column].to_numpy() for column in columns)), questions

    def _relevant(
        self, outcomes: Outcomes, questions: pl.DataFrame, group: Mapping[str, Window]
    ) -> tuple[Outcomes, pl.DataFrame]:
        """The outcomes that windows of one kind of life may hold for these questions, and their rows."""
        window = next(iter(group.values()))
        counts = None if window.where is None else self._condition(window.where, outcomes.row)
        first, last = questions["as_of"].min(), questions["as_of"].max()
        if not isinstance(first, int) or not isinstance(last, int):
            first, last = 0, -1  # no questions: nothing is relevant
        some = outcomes.at(windows.relevant(outcomes, window, counts, first, last))
        return some, self._rows_at([each.value for each in group.values() if each.value is not None], some.row)

    def _condition(self, where: pl.Expr, places: Ints) -> Bools:
        found = self._computed(self._rows_at([where], places), {"where": where})["where"]
        if found.dtype != pl.Boolean:
            raise InvalidFeatureView(
                f"A window of view {self.view.name!r} has a condition that gives {found.dtype}, not true or false.",
                fix="Compare: pl.col('delay') > 15, for example.",
            )
        return found.fill_null(False).to_numpy()

    def _rows_at(self, expressions: Sequence[pl.Expr], places: Ints) -> pl.DataFrame:
        """The rows at some places, with the columns that the expressions read."""
        needed = {name for expression in expressions for name in expression.meta.root_names()}
        return self.rows.select(sorted(needed) or [self.view.event_time]).select(pl.all().gather(pl.Series(places)))

    def _versions(self) -> pl.DataFrame:
        """Of each row its times, its place in landing order, and when a later version of its event became known.

        Over all rows, not only those of the asked keys: a correction may move an event to another key.
        """
        times = self.keyed.rows.with_columns(
            row=pl.int_range(pl.len(), dtype=pl.Int64), superseded_at=pl.lit(windows.FOREVER, pl.Int64)
        )
        if not self.view.event_key:
            return times
        known = times["known_at"].is_not_null() & times["event_at"].is_not_null()
        event = self.rows.select(pl.struct(self.view.event_key).rank("dense").cast(pl.Int64)).to_series().filter(known)
        until = windows.superseded_at(
            event.to_numpy(), times["known_at"].filter(known).to_numpy(), times["landed"].filter(known).to_numpy()
        )
        return times.with_columns(times["superseded_at"].scatter(known.arg_true(), until))

    def _value(self, frame: pl.DataFrame, name: str, window: Window) -> pl.Series | None:
        return None if window.value is None else self._computed(frame, {name: window.value})[name]

    def raw_rows(self) -> pl.Series:
        """For each entity the raw rows that its features came from, as a list of `{landing, row}` in landing order."""
        for column in (LANDING, ROW):
            if column not in self.rows.columns:
                raise MissingColumn(
                    f"Dataset {self.view.dataset!r} was read without {column!r}.",
                    why="Raw rows are known by their landing and their place in it.",
                    fix="Read the rows of a landed snapshot.",
                )
        used = [pl.DataFrame(schema={"place": pl.Int64, "row": pl.Int64})]
        used += [self._rows_of_match()] if self.view.row_features else []
        used += self._rows_of_windows() if self.view.window_features else []
        pairs = pl.concat(used).unique()
        order = self.keyed.rows["landed"]
        identity = self.rows.select(landing=pl.col(LANDING), row=pl.col(ROW)).to_struct("used")
        listed = (
            pairs.with_columns(order=order.gather(pairs["row"]), used=identity.gather(pairs["row"]))
            .sort("place", "order")
            .group_by("place", maintain_order=True)
            .agg("used")
        )
        places = pl.DataFrame({"place": pl.int_range(len(self.entities), dtype=pl.Int64, eager=True)})
        answers: pl.DataFrame = places.join(listed, on="place", how="left", maintain_order="left")
        return answers["used"].alias(f"{self.view.name}__rows")

    def _rows_of_match(self) -> pl.DataFrame:
        row = self.match.row.cast(pl.Int64)
        return pl.DataFrame({"place": pl.int_range(len(row), dtype=pl.Int64, eager=True), "row": row}).drop_nulls()

    def _rows_of_windows(self) -> list[pl.DataFrame]:
        outcomes, questions = self._outcomes()
        asked = questions.with_columns(place=pl.int_range(pl.len(), dtype=pl.Int64)).drop_nulls("key")
        found = []
        for group in _by_lives(self.view.window_features):
            some, _ = self._relevant(outcomes, questions, group)
            lifetimes = windows.lives(some, next(iter(group.values())))
            alive = pl.DataFrame(
                {
                    "key": some.key[lifetimes.place],
                    "born": lifetimes.born,
                    "dies": lifetimes.dies,
                    "row": some.row[lifetimes.place],
                }
            )
            found += _alive_rows(asked, alive, self.view.name)
        return found


def _alive_rows(asked: pl.DataFrame, alive: pl.DataFrame, view: str) -> list[pl.DataFrame]:
    """Pairs of an entity's place and a row that lives at its moment; a few entities at a time, to bound the memory."""
    found: list[pl.DataFrame] = []
    listed = 0
    for part in asked.iter_slices(64):
        pairs = part.join(alive, on="key").filter(pl.col("born") <= pl.col("as_of"), pl.col("as_of") < pl.col("dies"))
        listed += len(pairs)
        if listed > MOST_ROWS:
            raise InvalidInput(
                f"The windows of view {view!r} reach more than {MOST_ROWS:,} raw rows for these entities.",
                fix="Ask for the raw rows of fewer entities at a time.",
                view=view,
            )
        found.append(pairs.select("place", "row"))
    return found


def _by_lives(asked: Mapping[str, Window]) -> list[dict[str, Window]]:
    """Windows that hold the same outcomes, together: their lives are computed once."""
    groups: dict[tuple[timedelta | None, int | None, Any], dict[str, Window]] = {}
    for name, window in asked.items():
        where = None if window.where is None else window.where.meta.serialize(format="json")
        groups.setdefault((window.span, window.last, where), {})[name] = window
    return list(groups.values())
