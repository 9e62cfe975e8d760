"""Feature views: how a dataset's rows become features, and from when on each row was known.

A definition is a Python object. What is registered of it is its description: plain data, the same for the same
definition, whose digest names the version that a training set and a prediction were made with. An expression must
work row by row (Polars itself answers that), and so must a query (`sql_rows.py`), since one that looks across rows could
see the future; looking back is what windows are for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import polars as pl

from treadle.ground import digests
from treadle.ground.errors import did_you_mean
from treadle.systems.features.columns import FARTHEST, micros
from treadle.systems.features.errors import DuplicateFeature, InvalidFeatureView, MissingColumn, NeverKnown
from treadle.systems.features.expressions import check_row_wise, digest_of_description, expression_from, plain
from treadle.systems.features.names import check_feature_names, check_view_name
from treadle.systems.features.on_demand import OnDemandView, on_demand_from_description
from treadle.systems.features.sql_rows import RowQuery, row_query
from treadle.systems.features.windows import Window

LIVE = "live"
"""Known-at of a source whose rows are known when they land."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """Features of an entity, made from the rows of one dataset.

    keys: the entity's key columns, or a mapping from them to the dataset's columns.
    event_time: the column that says when the row's event took place.
    known_at: a column, a delay after the event, or `"live"` when landing is the moment of knowing. Required: without
    it nobody can tell what was known at prediction time.
    ttl: how old the newest row may be; windows have a span of their own and do not need it.
    features: name -> column name, row-wise Polars expression, or window. With `sql`, all columns of the query by default.
    sql: a select over the dataset that works row by row and gives what keys, times and features name:
    `select carrier, sched_dep, known_at, arr_delay > 15 as was_late from flights where not cancelled`.
    target_time: makes this a view of forecasts, whose rows were known before the moment they speak of. It names the
    entities' column of the moments asked about: the answer is the newest forecast for that moment known by as-of. Then
    ttl counts back from that moment; `timedelta(0)` takes only forecasts about exactly it.
    event_key: columns that identify an event, so that a later row of it corrects the earlier one within windows. (For
    other features, the same key and event time are the same event.)
    units: feature -> unit.
    Raises InvalidFeatureView, NeverKnown, LooksAcrossRows, DuplicateFeature.
    """

    name: str
    keys: Sequence[str] | Mapping[str, str]
    dataset: str
    event_time: str
    features: Mapping[str, str | pl.Expr | Window] = field(default_factory=dict)
    known_at: str | timedelta | None = None
    ttl: timedelta | None = None
    event_key: Sequence[str] = ()
    sql: str | None = None
    target_time: str | None = None
    description: str = ""
    owner: str = ""
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_view_name(self.name)
        if not self.key_map:
            raise InvalidFeatureView(f"Feature view {self.name!r} has no keys.", fix="Name the entity's key columns.")
        if self.sql is not None and not self.features:
            object.__setattr__(self, "features", _outputs_as_features(self))
        check_feature_names(self.name, self.features, self.units)
        _check_known_at(self)
        _check_target(self)
        _check_ttl(self)
        _check_sessions(self)
        for feature, source in self.features.items():
            for expression in _expressions(source):
                check_row_wise(self.name, feature, expression)
        if self.query is not None:
            _check_query(self, self.query)

    @property
    def query(self) -> RowQuery | None:
        """The query that makes the view's rows, if there is one."""
        return None if self.sql is None else row_query(self.sql, self.dataset, f"view {self.name!r}")

    @property
    def key_map(self) -> dict[str, str]:
        """Entity column -> dataset column."""
        return dict(self.keys) if isinstance(self.keys, Mapping) else {key: key for key in self.keys}

    @property
    def row_features(self) -> dict[str, pl.Expr]:
        """The features that come from the newest row, as expressions under their names."""
        return {
            name: (pl.col(source) if isinstance(source, str) else source).alias(name)
            for name, source in self.features.items()
            if not isinstance(source, Window)
        }

    @property
    def window_features(self) -> dict[str, Window]:
        """The features that are aggregates over outcomes."""
        return {name: source for name, source in self.features.items() if isinstance(source, Window)}

    @property
    def row_columns(self) -> list[str]:
        """The columns that the view's rows must have, sorted; `_landing` and `_row` come on top."""
        wanted = {*self.key_map.values(), self.event_time, *self.event_key}
        if isinstance(self.known_at, str) and self.known_at != LIVE:
            wanted.add(self.known_at)
        for source in self.features.values():
            for expression in _expressions(source):
                wanted.update(expression.meta.root_names())
        return sorted(wanted)

    @property
    def columns(self) -> list[str]:
        """The dataset's columns that the view reads, sorted."""
        return self.row_columns if self.query is None else list(self.query.reads)

    def rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The view's rows, of rows of its dataset. Raises InvalidFeatureView when its query cannot be carried out."""
        if self.query is None:
            return frame
        for column in self.columns:
            if column not in frame.columns:
                raise MissingColumn(
                    f"Dataset {self.dataset!r} has no column {column!r} (view {self.name!r}).",
                    fix=did_you_mean(column, frame.columns),
                )
        return self.query.apply(frame).rechunk()

    def describe(self) -> dict[str, object]:
        """The definition as JSON-able data: the same for the same definition, and what is registered of it."""
        return {
            "name": self.name,
            "dataset": self.dataset,
            "keys": [[asked, held] for asked, held in self.key_map.items()],
            "event_time": self.event_time,
            "known_at": _described_known_at(self.known_at),
            "ttl_s": None if self.ttl is None else self.ttl.total_seconds(),
            "event_key": list(self.event_key),
            "sql": self.sql,
            "target_time": self.target_time,
            "features": {name: _described(source) for name, source in self.features.items()},
            "description": self.description,
            "owner": self.owner,
            "units": dict(self.units),
        }

    @property
    def digest(self) -> str:
        """The digest of what the view computes: description, owner and units may change without a new version."""
        return digest_of_description(self.describe())


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureService:
    """The features of a model, in the order of its inputs, from one or several views."""

    name: str
    views: Sequence[FeatureView]
    features: Sequence[str]
    on_demand: Sequence[OnDemandView] = ()
    description: str = ""

    def __post_init__(self) -> None:
        check_distinct(self.definitions)
        check_needs(self.definitions)
        known = [feature for view in self.definitions for feature in names_of(view)]
        for feature in self.features:
            if feature not in known:
                raise InvalidFeatureView(
                    f"Feature service {self.name!r} names {feature!r}, which none of its views has.",
                    fix=did_you_mean(feature, known),
                )
        if len(set(self.features)) != len(self.features):
            raise DuplicateFeature(f"Feature service {self.name!r} names a feature twice.", fix="Name each once.")

    @property
    def definitions(self) -> list[FeatureView | OnDemandView]:
        """The views, and after them those that are computed on demand."""
        return [*self.views, *self.on_demand]

    @property
    def entity_columns(self) -> list[str]:
        """The columns that entities need beside the moment that asks: keys, request inputs, moments of forecasts."""
        return entity_columns_of(self.definitions)

    def describe(self) -> dict[str, object]:
        """The definition as JSON-able data; views by name and digest."""
        return {
            "name": self.name,
            "views": [[view.name, view.digest] for view in self.views],
            "on_demand": [[view.name, view.digest] for view in self.on_demand],
            "features": list(self.features),
            "description": self.description,
        }

    @property
    def digest(self) -> str:
        """The digest of the features, their order and their views' versions."""
        views = [[view.name, view.digest] for view in self.definitions]
        return digests.of_json([self.name, views, list(self.features)])


def view_from_description(described: Mapping[str, Any]) -> FeatureView | OnDemandView:
    """The view that `describe` described; it has the same digest. Raises what the views raise, and
    InvalidFeatureView for an expression that this version of Polars cannot read.
    """
    if "on_demand" in described:
        return on_demand_from_description(described)
    known_at = described["known_at"]
    return FeatureView(
        name=described["name"],
        keys=dict(described["keys"]),
        dataset=described["dataset"],
        event_time=described["event_time"],
        known_at=_known_at_from(known_at),
        ttl=_seconds(described["ttl_s"]),
        event_key=tuple(described["event_key"]),
        sql=described["sql"],
        target_time=described["target_time"],
        features={name: _source_from(source) for name, source in described["features"].items()},
        description=described["description"],
        owner=described["owner"],
        units=described["units"],
    )


def service_from_description(
    described: Mapping[str, Any], views: Sequence[FeatureView | OnDemandView]
) -> FeatureService:
    """The feature service that `describe` described, over its views, those on demand last, which have to be the very ones it names.

    Raises InvalidFeatureView when one of them is another version.
    """
    named = [*described["views"], *described["on_demand"]]
    for (name, digest), view in zip(named, views, strict=True):
        if view.digest != digest:
            raise InvalidFeatureView(
                f"The feature view {name!r} of the service {described['name']!r} is another version.",
                why=f"The service names {digest[:19]}…, and this is {view.digest[:19]}….",
            )
    return FeatureService(
        name=described["name"],
        views=[view for view in views if isinstance(view, FeatureView)],
        features=tuple(described["features"]),
        on_demand=[view for view in views if isinstance(view, OnDemandView)],
        description=described["description"],
    )


def names_of(view: FeatureView | OnDemandView) -> list[str]:
    """The features of a view, in order."""
    return view.names if isinstance(view, OnDemandView) else list(view.features)


def flattened(
    views: Sequence[FeatureView | OnDemandView | FeatureService] | FeatureService,
) -> tuple[list[FeatureView | OnDemandView], list[str]]:
    """The views of services and views, each once and those on demand last, and the features in the order asked for.

    Raises DuplicateFeature when two of them share a name and are not the same.
    """
    found: dict[str, FeatureView | OnDemandView] = {}
    features: list[str] = []
    for each in [views] if isinstance(views, FeatureService) else views:
        for view in each.definitions if isinstance(each, FeatureService) else [each]:
            if found.setdefault(view.name, view).digest != view.digest:
                raise DuplicateFeature(f"Two of the views are called {view.name!r}.", fix="Name each view once.")
        features += each.features if isinstance(each, FeatureService) else names_of(each)
    ordered = sorted(found.values(), key=lambda view: isinstance(view, OnDemandView))
    return ordered, list(dict.fromkeys(features))


def entity_columns_of(views: Sequence[FeatureView | OnDemandView]) -> list[str]:
    """The columns that entities need beside the moment that asks: keys, request inputs, moments of forecasts."""
    wanted: set[str] = set()
    for view in views:
        if isinstance(view, OnDemandView):
            wanted.update(view.inputs)
        else:
            wanted.update(view.key_map, [view.target_time] if view.target_time is not None else [])
    return sorted(wanted)


def check_needs(views: Sequence[FeatureView | OnDemandView]) -> None:
    """Nothing, or InvalidFeatureView when a view on demand reads what is neither its input nor a feature before it."""
    known: list[str] = []
    for view in views:
        if isinstance(view, OnDemandView):
            for needed in view.needs:
                if needed not in known:
                    raise InvalidFeatureView(
                        f"On-demand view {view.name!r} reads {needed!r}, which is neither an input nor a feature.",
                        why="It sees what its inputs name, and the features of views that stand before it.",
                        fix=did_you_mean(needed, [*known, *view.inputs]) or "Add it to inputs, or add its view.",
                    )
        known += names_of(view)


def check_distinct(views: Sequence[FeatureView | OnDemandView]) -> None:
    """Nothing, or DuplicateFeature when two views, or two features of them, share a name."""
    owners: dict[str, str] = {}
    names = [view.name for view in views]
    if len(set(names)) != len(names):
        raise DuplicateFeature("Two of the views have the same name.", fix="Name each view once.", views=names)
    for view in views:
        for feature in names_of(view):
            if feature in owners:
                raise DuplicateFeature(
                    f"Views {owners[feature]!r} and {view.name!r} both have a feature {feature!r}.",
                    fix="Rename one of them; a feature's name is the name of its column.",
                )
            owners[feature] = view.name


def _expressions(source: str | pl.Expr | Window) -> list[pl.Expr]:
    if isinstance(source, Window):
        return [part for part in (source.value, source.where) if part is not None]
    return [pl.col(source) if isinstance(source, str) else source]


def _check_known_at(view: FeatureView) -> None:
    if view.known_at is None:
        raise NeverKnown(
            f"Feature view {view.name!r} does not say when its rows were known.",
            why="A value that came later than the decision would leak into training unseen.",
            fix=f'Give known_at: a column of {view.dataset!r}, a delay such as timedelta(hours=1), or "live" when rows '
            "land as they happen.",
            view=view.name,
        )
    if isinstance(view.known_at, timedelta) and not timedelta(0) <= view.known_at < timedelta(days=36_500):
        raise NeverKnown(
            f"Feature view {view.name!r} has a known-at delay of {view.known_at}.",
            why="A delay lies between 0 and 100 years.",
            fix="A forecast, known before its event, needs a column that says when it was made.",
        )


def _check_target(view: FeatureView) -> None:
    if view.target_time is None:
        return
    if view.window_features:
        raise InvalidFeatureView(
            f"Feature view {view.name!r} holds forecasts and has windows.",
            why="A window looks back on what has happened.",
            fix="Put the windows into a view of the outcomes.",
        )
    if isinstance(view.known_at, timedelta):
        raise NeverKnown(
            f"Feature view {view.name!r} holds forecasts that are known after their moment.",
            fix="Give known_at the column that says when each forecast was made.",
        )


def _check_ttl(view: FeatureView) -> None:
    if view.ttl is None:
        return
    least = timedelta(0) if view.target_time is not None else timedelta(microseconds=1)
    if not (least <= view.ttl and micros(view.ttl) < FARTHEST):
        raise InvalidFeatureView(
            f"Feature view {view.name!r} has a time to live of {view.ttl}.", fix="Give one above zero, or none."
        )
    if not view.row_features:
        raise InvalidFeatureView(
            f"Feature view {view.name!r} has a time to live and only windows.",
            why="A window forgets by its own span.",
            fix="Leave ttl out.",
        )


def _check_sessions(view: FeatureView) -> None:
    for name, window in view.window_features.items():
        if window.session is not None and window.lateness is None and not isinstance(view.known_at, timedelta):
            raise InvalidFeatureView(
                f"Feature {name!r} of view {view.name!r} cannot tell when a session is over.",
                why="An outcome of it may still come in, and nothing says by when at the latest.",
                fix="Give lateness=, the longest time from an event until it is known.",
            )


def _check_query(view: FeatureView, query: RowQuery) -> None:
    for column in view.row_columns:
        if column not in query.outputs:
            raise InvalidFeatureView(
                f"The query of view {view.name!r} gives no column {column!r}.",
                why="Keys, event time, known-at and features are read from what it selects.",
                fix=did_you_mean(column, query.outputs) or f"Add {column} to the select.",
            )


def _outputs_as_features(view: FeatureView) -> dict[str, str | pl.Expr | Window]:
    """All columns of the query that are not there to find the row."""
    taken = {*view.key_map.values(), view.event_time, view.known_at, *view.event_key}
    return {} if view.query is None else {name: name for name in view.query.outputs if name not in taken}


def _described_known_at(known_at: str | timedelta | None) -> dict[str, object]:
    if isinstance(known_at, timedelta):
        return {"delay_s": known_at.total_seconds()}
    return {"live": True} if known_at == LIVE else {"column": known_at}


def _described(source: str | pl.Expr | Window) -> dict[str, object]:
    if not isinstance(source, Window):
        expression = pl.col(source) if isinstance(source, str) else source
        return {"expression": plain(expression), "text": str(expression)}
    return {
        "window": source.aggregate,
        "value": None if source.value is None else plain(source.value),
        "where": None if source.where is None else plain(source.where),
        "span_s": _in_seconds(source.span),
        "last": source.last,
        "tile_s": _in_seconds(source.tile),
        "edge": source.edge if source.tile is not None else None,
        "session_s": _in_seconds(source.session),
        "lateness_s": _in_seconds(source.lateness),
        "q": source.q,
    }


def _in_seconds(span: timedelta | None) -> float | None:
    return None if span is None else span.total_seconds()


def _known_at_from(described: Mapping[str, Any]) -> str | timedelta:
    if "delay_s" in described:
        return timedelta(seconds=described["delay_s"])
    return LIVE if described.get("live") else str(described["column"])


def _seconds(described: float | None) -> timedelta | None:
    return None if described is None else timedelta(seconds=described)


def _source_from(described: Mapping[str, Any]) -> pl.Expr | Window:
    if "expression" in described:
        return expression_from(described["expression"])
    return Window(
        described["window"],
        None if described["value"] is None else expression_from(described["value"]),
        _seconds(described["span_s"]),
        described["last"],
        None if described["where"] is None else expression_from(described["where"]),
        _seconds(described["tile_s"]),
        described["edge"] or "closed",
        _seconds(described["session_s"]),
        _seconds(described["lateness_s"]),
        described["q"],
    )
