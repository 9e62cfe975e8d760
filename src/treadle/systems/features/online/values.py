"""The values of a view's entities as of one moment, and until when they stay so.

The values are those of `join_features`, the function that makes training sets: online and offline cannot differ by
having been written twice. `valid_until` answers the earliest moment at which anything known about an entity may change
one of them: a row that becomes known, one that leaves a window, a correction. It may be too early, which costs an
evaluation more, and is never too late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from treadle.ground.clock import from_micros
from treadle.systems.features.columns import landing_order, micros, moments
from treadle.systems.features.joining import LANDED_AT, join_features
from treadle.systems.features.online.entity_keys import KeyKind
from treadle.systems.features.online.errors import NotServable
from treadle.systems.features.online.layout import ABSENT, HAS_ROW, NEVER
from treadle.systems.features.online.packing import Heads
from treadle.systems.features.online.ports import FOREVER
from treadle.systems.features.views import LIVE, FeatureView
from treadle.systems.features.windows import Window

_AS_OF = "__as_of"


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Entities with their features; `heads` says the rest of their records."""

    features: pl.DataFrame
    heads: Heads


def key_kinds(view: FeatureView, schema: pl.Schema) -> list[tuple[str, KeyKind]]:
    """Entity column and kind of key. Raises NotServable for keys that cannot be looked up, and for forecasts."""
    if view.target_time is not None:
        raise NotServable(
            f"{view.name!r} is a view of forecasts, which are not kept online.",
            why="Its answer depends on the moment that is asked about, so no value of an entity can be kept ready.",
            fix="Read it from a training set, or make a view of the newest forecast for one horizon.",
            view=view.name,
        )
    return [(asked, _kind(view.name, asked, schema[held])) for asked, held in view.key_map.items()]


def evaluate(view: FeatureView, rows: pl.DataFrame, keys: pl.DataFrame, *, version: int, moment: int) -> Evaluated:
    """The features of some entities as of a moment.

    rows: of the dataset, all of these entities and, where the view has an event key, of the events that they share.
    keys: one row an entity, columns named as in the dataset. moment: microseconds since 1970.
    """
    names = {held: asked for asked, held in view.key_map.items()}
    entities = keys.rename(names).with_columns(pl.lit(from_micros(moment), pl.Datetime("us", "UTC")).alias(_AS_OF))
    joined = join_features(entities, [view], {view.dataset: rows}, as_of=_AS_OF)
    table = pl.from_arrow(joined.table)
    assert isinstance(table, pl.DataFrame)
    event_at, known_at = (table[f"{view.name}__{part}"].to_physical() for part in ("event_at", "known_at"))
    until, has_rows = valid_until(view, view.rows(rows), keys, moment)
    flags = np.where(event_at.is_not_null().to_numpy(), HAS_ROW, 0) | np.where(has_rows, 0, ABSENT)
    heads = Heads(
        version,
        moment,
        until,
        event_at.fill_null(NEVER).to_numpy(),
        known_at.fill_null(NEVER).to_numpy(),
        flags.astype(np.uint8),
    )
    return Evaluated(table.select(list(view.features)), heads)


def evaluate_nobody(view: FeatureView, rows: pl.DataFrame, *, version: int, moment: int) -> Evaluated:
    """The features of an entity that no row speaks of."""
    schema = view.rows(rows.clear()).schema
    keys = pl.DataFrame([pl.Series(held, [None], dtype=schema[held]) for held in view.key_map.values()])
    return evaluate(view, rows.clear(), keys, version=version, moment=moment)


def valid_until(view: FeatureView, rows: pl.DataFrame, keys: pl.DataFrame, moment: int) -> tuple[Any, Any]:
    """For each entity the earliest moment after this one at which a value may change (FOREVER without one), and whether
    there is a row of it at all. rows: the view's own, after its query."""
    changes = _changes(view, rows).filter(
        pl.col("change") > moment, pl.col("ends").is_null() | (pl.col("ends") > moment)
    )
    held = list(view.key_map.values())
    first = changes.group_by(held).agg(pl.col("change").min())
    known = rows.select(held).unique().with_columns(known=True)
    found = keys.select(held).join(first, on=held, how="left", maintain_order="left")
    found = found.join(known, on=held, how="left", maintain_order="left")
    return found["change"].fill_null(FOREVER).to_numpy(), found["known"].fill_null(False).to_numpy()


def _changes(view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame:
    """Each row's moments of change: key columns, `change`, and `ends`, when a correction makes the row of no matter."""
    of = f"view {view.name!r}"
    held = list(view.key_map.values())
    event = moments(rows, view.event_time, of, up=True)
    if isinstance(view.known_at, timedelta):
        known = event + micros(view.known_at)
    else:
        known = moments(rows, LANDED_AT if view.known_at == LIVE else str(view.known_at), of, up=True)
    times = rows.select(held).with_columns(
        event=event, known=known, usable=pl.max_horizontal(event, known), ends=pl.lit(None, pl.Int64)
    )
    if view.event_key and view.window_features:
        times = times.with_columns(ends=_corrected_at(view, rows, times))
    times = times.filter(pl.col("event").is_not_null() & pl.col("known").is_not_null())
    lasting = times.with_columns(ends=pl.lit(None, pl.Int64))
    pieces = [times.select(*held, "ends", change="usable"), lasting.select(*held, "ends", change=times["ends"])]
    pieces += [lasting.select(*held, "ends", change=found) for found in _tile_edges(view, times)]
    pieces += [times.select(*held, "ends", change=leaves) for leaves in _leavings(view)]
    return pl.concat(pieces).drop_nulls("change")


def _corrected_at(view: FeatureView, rows: pl.DataFrame, times: pl.DataFrame) -> pl.Series:
    """The moment at which the next version of each row's event is known, null without one."""
    order = times.select("event", "known").with_columns(
        rows.select(pl.struct(view.event_key).rank("dense").alias("which")).to_series(),
        landed=landing_order(rows),
        place=pl.int_range(pl.len(), dtype=pl.Int64),
    )
    sound = order.drop_nulls(["event", "known"]).sort("known", "landed", maintain_order=True)
    later = sound.select("place", ends=pl.col("known").shift(-1).over("which"))
    return order.join(later, on="place", how="left", maintain_order="left")["ends"]


def _leavings(view: FeatureView) -> Sequence[pl.Expr]:
    """The moments at which a row leaves windows of each span, or closes a session."""
    found: dict[str, pl.Expr] = {}
    for window in view.window_features.values():
        if window.span is not None:
            leaves = pl.col("event") + micros(window.span)
            found[str(leaves)] = leaves
        if window.session is not None:
            closes = pl.col("event") + micros(window.session) + micros(_lateness(view, window))
            found[str(closes)] = closes
    return list(found.values())


def _tile_edges(view: FeatureView, times: pl.DataFrame) -> list[pl.Series]:
    """For windows that move by tiles, the edges at which a row enters, leaves, or is replaced by its correction."""
    found = []
    for tile, span in {(one.tile, one.span) for one in view.window_features.values()}:
        if tile is not None and span is not None:
            leaves = pl.col("event") + micros(span)
            found += [
                times.select(_edge(time, tile)).to_series() for time in (pl.col("usable"), pl.col("ends"), leaves)
            ]
    return found


def _lateness(view: FeatureView, window: Window) -> timedelta:
    """How long after its pause a session is known to be over, as the windows have it."""
    if window.lateness is not None:
        return window.lateness
    return view.known_at if isinstance(view.known_at, timedelta) else timedelta(0)


def _edge(time: pl.Expr, tile: timedelta) -> pl.Expr:
    """The first edge of a tile at or after each moment."""
    return -((-time) // micros(tile)) * micros(tile)


def _kind(view: str, key: str, dtype: pl.DataType) -> KeyKind:
    if dtype.is_integer():
        return "int"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    if isinstance(dtype, pl.Boolean):
        return "bool"
    if isinstance(dtype, pl.Date):
        return "date"
    if isinstance(dtype, pl.Binary):
        return "binary"
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None and dtype.time_unit == "us":
        return "moment"
    raise NotServable(
        f"Key {key!r} of view {view!r} holds {dtype}, by which nothing can be looked up online.",
        fix="Use whole numbers, text, dates, or times with a zone in microseconds.",
    )
