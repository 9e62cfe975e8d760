"""Feature views: how a dataset's rows become features, and from when on each row was known.

A definition is a Python object. What is registered of it is its description: plain data, the same for the same
definition, whose digest names the version that a training set and a prediction were made with. An expression must
work row by row (Polars itself answers that), since one that looks across rows could see the future; looking back is
what windows are for.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import polars as pl

from treadle.ground import digests
from treadle.ground.errors import did_you_mean
from treadle.systems.features.columns import FARTHEST, micros
from treadle.systems.features.errors import DuplicateFeature, InvalidFeatureView, LooksAcrossRows, NeverKnown
from treadle.systems.features.windows import Window

LIVE = "live"
"""Known-at of a source whose rows are known when they land."""

_WORDS = ("description", "owner", "units")
"""What a description says for people; no part of what a view computes."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureView:
    """Features of an entity, made from the rows of one dataset.

    keys: the entity's key columns, or a mapping from them to the dataset's columns.
    event_time: the column that says when the row's event took place.
    known_at: a column, a delay after the event, or `"live"` when landing is the moment of knowing. Required: without
    it nobody can tell what was known at prediction time.
    ttl: how old the newest row may be; windows have a span of their own and do not need it.
    features: name -> column name, row-wise Polars expression, or window.
    event_key: columns that identify an event, so that a later row of it corrects the earlier one within windows. (For
    other features, the same key and event time are the same event.)
    units: feature -> unit.
    Raises InvalidFeatureView, NeverKnown, LooksAcrossRows, DuplicateFeature.
    """

    name: str
    keys: Sequence[str] | Mapping[str, str]
    dataset: str
    event_time: str
    features: Mapping[str, str | pl.Expr | Window]
    known_at: str | timedelta | None = None
    ttl: timedelta | None = None
    event_key: Sequence[str] = ()
    description: str = ""
    owner: str = ""
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_names(self)
        _check_known_at(self)
        _check_ttl(self)
        for feature, source in self.features.items():
            for expression in _expressions(source):
                _check_row_wise(self.name, feature, expression)

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
    def columns(self) -> list[str]:
        """The dataset's columns that the view reads, sorted; `_landing` and `_row` come on top."""
        wanted = {*self.key_map.values(), self.event_time, *self.event_key}
        if isinstance(self.known_at, str) and self.known_at != LIVE:
            wanted.add(self.known_at)
        for source in self.features.values():
            for expression in _expressions(source):
                wanted.update(expression.meta.root_names())
        return sorted(wanted)

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
    description: str = ""

    def __post_init__(self) -> None:
        check_distinct(self.views)
        known = [feature for view in self.views for feature in view.features]
        for feature in self.features:
            if feature not in known:
                raise InvalidFeatureView(
                    f"Feature service {self.name!r} names {feature!r}, which none of its views has.",
                    fix=did_you_mean(feature, known),
                )
        if len(set(self.features)) != len(self.features):
            raise DuplicateFeature(f"Feature service {self.name!r} names a feature twice.", fix="Name each once.")

    def describe(self) -> dict[str, object]:
        """The definition as JSON-able data; views by name and digest."""
        return {
            "name": self.name,
            "views": [[view.name, view.digest] for view in self.views],
            "features": list(self.features),
            "description": self.description,
        }

    @property
    def digest(self) -> str:
        """The digest of the features, their order and their views' versions."""
        return digests.of_json([self.name, [[view.name, view.digest] for view in self.views], list(self.features)])


def view_from_description(described: Mapping[str, Any]) -> FeatureView:
    """The view that `describe` described; it has the same digest. Raises what FeatureView raises, and
    InvalidFeatureView for an expression that this version of Polars cannot read.
    """
    known_at = described["known_at"]
    return FeatureView(
        name=described["name"],
        keys=dict(described["keys"]),
        dataset=described["dataset"],
        event_time=described["event_time"],
        known_at=_known_at_from(known_at),
        ttl=_seconds(described["ttl_s"]),
        event_key=tuple(described["event_key"]),
        features={name: _source_from(source) for name, source in described["features"].items()},
        description=described["description"],
        owner=described["owner"],
        units=described["units"],
    )


def service_from_description(described: Mapping[str, Any], views: Sequence[FeatureView]) -> FeatureService:
    """The feature service that `describe` described, over its views, which have to be the very ones it names.

    Raises InvalidFeatureView when one of them is another version.
    """
    for (name, digest), view in zip(described["views"], views, strict=True):
        if view.digest != digest:
            raise InvalidFeatureView(
                f"The feature view {name!r} of the service {described['name']!r} is another version.",
                why=f"The service names {digest[:19]}…, and this is {view.digest[:19]}….",
            )
    return FeatureService(
        name=described["name"],
        views=views,
        features=tuple(described["features"]),
        description=described["description"],
    )


def digest_of_description(described: Mapping[str, Any]) -> str:
    """The digest of the view that was described so."""
    return digests.of_json({k: v for k, v in described.items() if k not in _WORDS})


def check_distinct(views: Sequence[FeatureView]) -> None:
    """Nothing, or DuplicateFeature when two views, or two features of them, share a name."""
    owners: dict[str, str] = {}
    names = [view.name for view in views]
    if len(set(names)) != len(names):
        raise DuplicateFeature("Two of the views have the same name.", fix="Name each view once.", views=names)
    for view in views:
        for feature in view.features:
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


def _check_names(view: FeatureView) -> None:
    if not _NAME.fullmatch(view.name):
        raise InvalidFeatureView(
            f"{view.name!r} is no name for a feature view.",
            why="It becomes a reference and a part of column names.",
            fix="Use letters, digits, '_' and '-', beginning with a letter.",
        )
    if not view.key_map:
        raise InvalidFeatureView(f"Feature view {view.name!r} has no keys.", fix="Name the entity's key columns.")
    if not view.features:
        raise InvalidFeatureView(f"Feature view {view.name!r} has no features.", fix="Name at least one.")
    for feature in view.features:
        if not feature or feature.startswith("_") or "__" in feature:
            raise InvalidFeatureView(
                f"{feature!r} is no name for a feature of {view.name!r}.",
                why="A leading '_' and '__' are kept for row identity and as-of times.",
                fix="Rename the feature.",
            )
    for feature in view.units:
        if feature not in view.features:
            raise InvalidFeatureView(
                f"Feature view {view.name!r} gives a unit for {feature!r}, which it does not have.",
                fix=did_you_mean(feature, view.features),
            )


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


def _check_ttl(view: FeatureView) -> None:
    if view.ttl is not None and not (timedelta(0) < view.ttl and micros(view.ttl) < FARTHEST):
        raise InvalidFeatureView(
            f"Feature view {view.name!r} has a time to live of {view.ttl}.", fix="Give one above zero, or none."
        )
    if view.ttl is not None and not view.row_features:
        raise InvalidFeatureView(
            f"Feature view {view.name!r} has a time to live and only windows.",
            why="A window forgets by its own span.",
            fix="Leave ttl out.",
        )


def _check_row_wise(view: str, feature: str, expression: pl.Expr) -> None:
    if not _is_row_wise(expression):
        raise LooksAcrossRows(
            f"Feature {feature!r} of view {view!r} looks across rows, or inside a Python function: {expression}",
            why="A value made from several rows can hold what was not yet known, and changes with the batch.",
            fix="Use a window (count, total, mean, rate) for history, or compute the column in a step before landing.",
            view=view,
            feature=feature,
        )


def _is_row_wise(expression: pl.Expr) -> bool:
    """Whether each value depends on its own row alone, in every part of the expression.

    Polars calls `a - a.min()` row separable, since it looks at the outermost part only; so each part is asked.
    """
    try:
        return expression.meta.is_row_separable() and all(_is_row_wise(part) for part in expression.meta.pop())
    except pl.exceptions.PolarsError:  # a Python function inside: nobody can tell what it looks at
        return False


def _described_known_at(known_at: str | timedelta | None) -> dict[str, object]:
    if isinstance(known_at, timedelta):
        return {"delay_s": known_at.total_seconds()}
    return {"live": True} if known_at == LIVE else {"column": known_at}


def _described(source: str | pl.Expr | Window) -> dict[str, object]:
    if not isinstance(source, Window):
        expression = pl.col(source) if isinstance(source, str) else source
        return {"expression": _plain(expression), "text": str(expression)}
    return {
        "window": source.aggregate,
        "value": None if source.value is None else _plain(source.value),
        "where": None if source.where is None else _plain(source.where),
        "span_s": None if source.span is None else source.span.total_seconds(),
        "last": source.last,
    }


def _plain(expression: pl.Expr) -> object:
    """The expression's tree as Polars writes it: with the literals, types and options that its text leaves out.

    Polars may write it otherwise in another version; then the digest changes and says so, rather than not.
    """
    return json.loads(expression.meta.serialize(format="json"))


def _known_at_from(described: Mapping[str, Any]) -> str | timedelta:
    if "delay_s" in described:
        return timedelta(seconds=described["delay_s"])
    return LIVE if described.get("live") else str(described["column"])


def _seconds(described: float | None) -> timedelta | None:
    return None if described is None else timedelta(seconds=described)


def _source_from(described: Mapping[str, Any]) -> pl.Expr | Window:
    if "expression" in described:
        return _expression_from(described["expression"])
    return Window(
        described["window"],
        None if described["value"] is None else _expression_from(described["value"]),
        _seconds(described["span_s"]),
        described["last"],
        None if described["where"] is None else _expression_from(described["where"]),
    )


def _expression_from(plain: object) -> pl.Expr:
    try:
        return pl.Expr.deserialize(io.BytesIO(json.dumps(plain).encode()), format="json")
    except pl.exceptions.PolarsError as error:
        raise InvalidFeatureView(
            "A recorded feature cannot be read.",
            why=f"Polars {pl.__version__} says: {str(error).splitlines()[0]}",
            fix="Use the version of Polars with which it was registered.",
        ) from error
