"""Feature definitions as they were registered: brought back from their descriptions, without the project's code."""

from __future__ import annotations

from typing import Any

from treadle.ground.errors import TreadleError
from treadle.kernel.catalog import ArtifactRows
from treadle.loops.provenance.frames import Unfound
from treadle.loops.provenance.upward import Upward
from treadle.systems.features.service import VIEW
from treadle.systems.features.views import (
    FeatureService,
    FeatureView,
    digest_of_description,
    service_from_description,
    view_from_description,
)


def registered_service(up: Upward, digest: str) -> FeatureService | Unfound:
    """The feature service whose description has this digest, with the very views that it was registered with."""
    described = _described(up, digest)
    if described is None:
        return Unfound(f"The feature service {digest[:19]}… is no longer recorded.")
    try:
        views = [_registered_view(up, name, wanted) for name, wanted in described["views"]]
        lost = [name for (name, _), view in zip(described["views"], views, strict=True) if view is None]
        if lost:
            return Unfound(f"The feature view {lost[0]!r} is no longer recorded as the model knew it.")
        return service_from_description(described, [view for view in views if view is not None])
    except TreadleError as error:
        return Unfound(" ".join(error.sentences()))


def _registered_view(up: Upward, name: str, wanted: str) -> FeatureView | None:
    """The view of that name and version: a view's name is a ref, and every version was its target once."""
    for move in reversed(up.sources.refs.history(up.reader, up.project, VIEW + name)):
        described = None if move.target is None else _described(up, move.target)
        if described is not None and digest_of_description(described) == wanted:
            return view_from_description(described)
    return None


def _described(up: Upward, digest: str) -> dict[str, Any] | None:
    artifact = ArtifactRows().find(up.reader, up.project, digest)
    if artifact is None or not up.sources.artifacts.stands(artifact):
        return None
    found = up.sources.artifacts.load(artifact)
    return found if isinstance(found, dict) else None
