"""What a definition says, in words: how each feature is made."""

from __future__ import annotations

from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.views import FeatureView


def made_of(view: FeatureView | OnDemandView, feature: str) -> str:
    """How a feature comes about: an expression, a window, or what is computed on demand."""
    if isinstance(view, OnDemandView):
        return f"on demand: {view.sql or view.features[feature]}"
    window = view.window_features.get(feature)
    if window is None:
        return str(view.row_features[feature].meta.undo_aliases())
    over = window.span or (f"the last {window.last}" if window.last is not None else f"a session of {window.session}")
    what = "" if window.value is None else f" of {window.value}"
    where = "" if window.where is None else f" where {window.where}"
    return f"{window.aggregate}{what} over {over}{where}"
