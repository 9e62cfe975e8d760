"""What views and features may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from treadle.ground.errors import did_you_mean
from treadle.systems.features.errors import InvalidFeatureView

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")


def check_view_name(name: str) -> None:
    """Nothing, or InvalidFeatureView for what cannot name a view, a service or a training set."""
    if not _NAME.fullmatch(name):
        raise InvalidFeatureView(
            f"{name!r} is no name for a feature view.",
            why="It becomes a reference and a part of column names.",
            fix="Use letters, digits, '_' and '-', beginning with a letter.",
        )


def check_feature_names(view: str, features: Iterable[str], units: Iterable[str]) -> None:
    """Nothing, or InvalidFeatureView for a feature that cannot be a column, or a unit of none."""
    known = list(features)
    if not known:
        raise InvalidFeatureView(f"Feature view {view!r} has no features.", fix="Name at least one.")
    for feature in known:
        if not feature or feature.startswith("_") or "__" in feature:
            raise InvalidFeatureView(
                f"{feature!r} is no name for a feature of {view!r}.",
                why="A leading '_' and '__' are kept for row identity and as-of times.",
                fix="Rename the feature.",
            )
    for feature in units:
        if feature not in known:
            raise InvalidFeatureView(
                f"Feature view {view!r} gives a unit for {feature!r}, which it does not have.",
                fix=did_you_mean(feature, known),
            )
