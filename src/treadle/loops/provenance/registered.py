"""Feature definitions as they were registered: brought back from their descriptions, without the project's code."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from treadle.ground.errors import TreadleError
from treadle.kernel.catalog import ArtifactRows
from treadle.loops.provenance.frames import Unfound
from treadle.loops.provenance.upward import Upward
from treadle.systems.features.expressions import digest_of_description
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.service import SERVICE, VIEW
from treadle.systems.features.views import (
    FeatureService,
    FeatureView,
    service_from_description,
    view_from_description,
)


def registered_service(up: Upward, digest: str) -> FeatureService | Unfound:
    """The feature service whose description has this digest, with the very views that it was registered with."""
    described = _described(up, digest)
    if described is None:
        return Unfound(f"The feature service {digest[:19]}… is no longer recorded.")
    try:
        named = [*described["views"], *described["on_demand"]]
        views = [_registered_view(up, name, wanted) for name, wanted in named]
        lost = [name for (name, _), view in zip(named, views, strict=True) if view is None]
        if lost:
            return Unfound(f"The feature view {lost[0]!r} is no longer recorded as the model knew it.")
        return service_from_description(described, [view for view in views if view is not None])
    except TreadleError as error:
        return Unfound(" ".join(error.sentences()))


def only_service_over(up: Upward, datasets: set[str], at: datetime) -> str | None:
    """The digest of the one feature service that was registered at a time and whose views read these datasets alone.

    None where there is none, or where there are several and nobody can tell which one it was.
    """
    found = []
    for ref in up.sources.refs.list(up.reader, up.project, SERVICE):
        moves = [move for move in up.sources.refs.history(up.reader, up.project, ref.name) if move.recorded_at <= at]
        target = moves[-1].target if moves else None
        service = None if target is None else registered_service(up, target)
        if isinstance(service, FeatureService) and {view.dataset for view in service.views} <= datasets:
            found.append(target)
    return found[0] if len(found) == 1 else None


def _registered_view(up: Upward, name: str, wanted: str) -> FeatureView | OnDemandView | None:
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
