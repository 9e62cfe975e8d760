"""A view's rows, brought into order once, and their answers to any number of pieces of entities.

Each value depends on its own entity row, the view's definition and the rows of the snapshot, never on the other
entities: computed alone or among a million, it has the same bits (`tests/systems/features` holds it to that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from treadle.ground.errors import InvalidInput
from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.features.columns import require
from treadle.systems.features.errors import InvalidFeatureView, MissingColumn
from treadle.systems.features.exact import Ints
from treadle.systems.features.forecasts import ForecastRows
from treadle.systems.features.looking_back import WindowGroup, groups_of
from treadle.systems.features.point_in_time import KnownAt, Match, NewestRows, RowTimes
from treadle.systems.features.records import ViewReport
from treadle.systems.features.timelines import Bools, Questions
from treadle.systems.features.views import LIVE, FeatureView

LANDED_AT = "_landed_at"
"""The column that holds the landing time of each row of a live source."""

MOST_ROWS = 20_000_000
"""Raw rows that one request for row identities may list."""

MOMENT = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Asked:
    """A piece of the entities, as every view sees it."""

    entities: pl.DataFrame
    as_of: Ints
    targets: Mapping[str, Ints]
    """Entity column -> the moments that it asks a forecast about."""
    orders: list[Ints]
    """Orders of the piece in which a line can be searched; views with the same keys share them."""


class ViewRows:
    """The rows of one view for a set of entities; `answer` is asked once for each piece of these."""

    def __init__(self, view: FeatureView, rows: pl.DataFrame, entities: pl.DataFrame, as_of: Ints) -> None:
        """entities, as_of: the whole set; it bounds which rows can matter. Raises what `join_features` raises."""
        of = f"dataset {view.dataset!r} (view {view.name!r})"
        require(rows, view.row_columns, of)
        known_at: KnownAt = view.known_at if view.known_at is not None else LIVE
        if known_at == LIVE:
            require(rows, [LANDED_AT], f"{of[:-1]}, live)")
            known_at = LANDED_AT
        self.view, self.rows = view, rows
        self.times = RowTimes.of(
            entities, rows, keys=view.key_map, event_at=view.event_time, known_at=known_at, of=f"view {view.name!r}"
        )
        self._span = (int(as_of.min()), int(as_of.max())) if len(as_of) else (0, -1)
        few = len(entities) * 8 < len(rows)
        self._only = np.unique(self.times.keys.asked(entities)) if few else None

    @cached_property
    def newest(self) -> NewestRows | ForecastRows:
        """What answers features of the newest row."""
        if self.view.target_time is not None:
            return ForecastRows.of(self.times, self._only)
        return NewestRows.of(self.times, self._only)

    @cached_property
    def windows(self) -> list[WindowGroup]:
        """What answers windows, one for each kind of life."""
        return groups_of(self.view, self.rows, self.times, self._only, self._span, self.computed)

    def answer(self, asked: Asked) -> Answer:
        """The view's answer to a piece of the entities."""
        questions = self.times.questions(asked.entities, asked.as_of, asked.orders)
        if isinstance(self.newest, ForecastRows):
            assert self.view.target_time is not None
            targets = asked.targets[self.view.target_time]
            match = self.newest.match(questions, targets, self.view.ttl)
            return Answer(self, questions, targets, match)
        return Answer(self, questions, asked.as_of, self.newest.match(questions, self.view.ttl))

    def computed(self, rows: pl.DataFrame, expressions: Mapping[str, pl.Expr]) -> pl.DataFrame:
        """Expressions of the view on some of its rows. Raises InvalidFeatureView where they fail."""
        try:
            return rows.with_columns(**expressions).select(list(expressions))
        except pl.exceptions.PolarsError as error:
            raise InvalidFeatureView(
                f"A feature of view {self.view.name!r} cannot be computed on dataset {self.view.dataset!r}.",
                why=str(error).splitlines()[0],
                fix="Mend the expression; strict=False in a cast gives null for what does not fit.",
                view=self.view.name,
            ) from error


@dataclass(frozen=True, slots=True)
class Answer:
    """One view's answer to a piece of the entities."""

    of: ViewRows
    questions: Questions
    happened_by: Ints
    """The moments by which rows must have happened: those that ask, or those that a forecast is asked about."""
    match: Match

    def values(self, wanted: Sequence[str]) -> dict[str, pl.Series]:
        """Those of the wanted features that the view has, in the order of the entities."""
        view = self.of.view
        found = self._row_values({name: view.row_features[name] for name in wanted if name in view.row_features})
        windows = [name for name in wanted if name in view.window_features]
        if windows:
            for group in self.of.windows:
                found |= group.values(self.questions, windows)
        return found

    def as_of_times(self) -> list[pl.Series]:
        """When the newest known row happened, and when it became known."""
        name = self.of.view.name
        return [
            self._gathered(pl.Series(times, dtype=pl.Int64)).cast(MOMENT).alias(f"{name}__{what}")
            for what, times in (("event_at", self.of.times.event_at), ("known_at", self.of.times.known_at))
        ]

    def report(self) -> ViewReport:
        """How many entities found a row, and why the others did not."""
        times, missed = self.of.times, self.match.row < 0
        n_missed = int(missed.sum())
        n_not_yet, n_undated = self._reasons(missed) if n_missed > self.match.n_expired else (0, 0)
        return ViewReport(
            view=self.of.view.name,
            n_rows=len(self.of.rows),
            n_entities=len(missed),
            n_found=len(missed) - n_missed,
            n_missed=n_missed,
            n_expired=self.match.n_expired,
            n_not_yet_known=n_not_yet,
            n_only_undated=n_undated,
            n_no_row=n_missed - self.match.n_expired - n_not_yet - n_undated,
            n_undated=times.n_undated,
        )

    def _reasons(self, missed: Bools) -> tuple[int, int]:
        """How many of the missed have rows that happened and were not known yet, or only rows without times."""
        times, key, moment = self.of.times, self.questions.key[missed], self.happened_by[missed]
        first = _first_events(times, np.unique(key[key >= 0]))
        known = pl.DataFrame({"key": key, "moment": moment}).join(first, on="key", how="left", maintain_order="left")
        ttl = self.of.view.ttl
        not_yet = known.filter(pl.col("first") <= pl.col("moment"))
        n_not_yet = len(not_yet) - (self.match.n_expired if ttl is not None else 0)
        n_undated = len(known.filter(pl.col("has_rows").fill_null(False) & pl.col("first").is_null()))
        return max(0, n_not_yet), n_undated

    def _row_values(self, expressions: Mapping[str, pl.Expr]) -> dict[str, pl.Series]:
        """Expressions over the newest rows. They work row by row, so whether they run before the rows are gathered or
        after makes no difference but in cost; a miss stays null either way."""
        if not expressions:
            return {}
        plain = {name: each.meta.root_names()[0] for name, each in expressions.items() if each.meta.undo_aliases().meta.is_column()}  # fmt: skip
        rest = {name: each for name, each in expressions.items() if name not in plain}
        position, missed = self._position()
        found: dict[str, pl.Series] = {}
        if rest and len(position) >= len(self.of.rows):
            computed = self.of.computed(self.of.rows, rest)
            found |= {name: computed[name].gather(position) for name in rest}
        elif rest:
            needed = sorted({name for each in rest.values() for name in each.meta.root_names()})
            some = self.of.rows.select(pl.col(needed).gather(position)) if needed else pl.DataFrame({"": position})
            computed = self.of.computed(some, rest)
            found |= {name: computed[name] for name in rest}
        if plain:
            some = self.of.rows.select(pl.col(column).gather(position).alias(name) for name, column in plain.items())
            found |= {name: some[name] for name in plain}
        return found if missed is None else {name: series.set(missed, None) for name, series in found.items()}

    def _position(self) -> tuple[pl.Series, pl.Series | None]:
        """The rows as an index to gather by, with row 0 for misses, and the misses where there are any."""
        row = self.match.row
        missed = row < 0
        if not len(self.of.rows):
            return pl.Series([None] * len(row), dtype=pl.UInt32), None
        if not missed.any():
            return pl.Series(row.astype(np.uint32)), None
        return pl.Series(np.where(missed, 0, row).astype(np.uint32)), pl.Series(missed)

    def _gathered(self, values: pl.Series) -> pl.Series:
        position, missed = self._position()
        found = values.gather(position)
        return found if missed is None else found.set(missed, None)

    def raw_rows(self) -> pl.Series:
        """For each entity the raw rows that its features came from, as a list of `{landing, row}` in landing order."""
        rows, view = self.of.rows, self.of.view
        for column in (LANDING, ROW):
            if column not in rows.columns:
                raise MissingColumn(
                    f"Dataset {view.dataset!r} was read without {column!r}.",
                    why="Raw rows are known by their landing and their place in it.",
                    fix="Read the rows of a landed snapshot.",
                )
        found = np.flatnonzero(self.match.row >= 0)
        used = [(found, self.match.row[found])] if view.row_features else []
        for group in self.of.windows if view.window_features else []:
            ranges = group.ranges(self.questions)
            if int(ranges.counts().sum()) > MOST_ROWS:
                raise InvalidInput(
                    f"The windows of view {view.name!r} reach more than {MOST_ROWS:,} raw rows for these entities.",
                    fix="Ask for the raw rows of fewer entities at a time.",
                    view=view.name,
                )
            used += [(place, group.outcomes.row[outcome]) for place, outcome in ranges.pairs()]
        pairs = pl.concat(
            [pl.DataFrame(schema={"place": pl.Int64, "row": pl.Int64})]
            + [pl.DataFrame({"place": place, "row": row}) for place, row in used]
        ).unique()
        identity = rows.select(landing=pl.col(LANDING), row=pl.col(ROW)).to_struct("used")
        order = pl.Series(self.of.times.landed)
        listed = (
            pairs.with_columns(order=order.gather(pairs["row"]), used=identity.gather(pairs["row"]))
            .sort("place", "order")
            .group_by("place", maintain_order=True)
            .agg("used")
        )
        places = pl.DataFrame({"place": pl.int_range(len(self.questions), dtype=pl.Int64, eager=True)})
        answers: pl.DataFrame = places.join(listed, on="place", how="left", maintain_order="left")
        return answers["used"].alias(f"{view.name}__rows")


def _first_events(times: RowTimes, keys: Ints) -> pl.DataFrame:
    """Of some keys that have rows: `key`, `first` (the earliest event of a dated row, null without one), `has_rows`."""
    some = np.flatnonzero(np.isin(times.keys.held, keys))
    frame = pl.DataFrame({"key": times.keys.held[some], "event": times.event_at[some], "dated": times.dated[some]})
    return frame.group_by("key").agg(
        first=pl.col("event").filter(pl.col("dated")).min(), has_rows=pl.lit(True)
    )  # fmt: skip
