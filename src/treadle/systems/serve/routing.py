"""What an endpoint serves, and how that moves: every move is a route with a number, a ref's move and an event, one commit.

Whatever changes the traffic (a deployment, a split, a shadow, a canary's step, a drain, a rollback) is a new route document
made from the one before. The document itself is written to the serving area after the commit, by whoever publishes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from treadle.ground.clock import Clock
from treadle.ground.errors import did_you_mean
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Reader, Transaction
from treadle.systems.serve.area import ServingArea
from treadle.systems.serve.errors import BadDeployment, DeploymentRaced, EndpointNotFound, RevisionNotFound
from treadle.systems.serve.records import Endpoint, Revision, Route, RouteKind
from treadle.systems.serve.repository import RevisionRows, RouteRows
from treadle.systems.serve.runtime.documents import FeatureSource, Limits, RouteDocument, RouteRevision


class Routing:
    """Routes of all projects, as they are and as they move within an open transaction."""

    def __init__(self, refs: Refs, events: EventLog, serving: Callable[[str], Path], clock: Clock) -> None:
        self._refs, self._events, self._serving, self._clock = refs, events, serving, clock
        self.revisions, self.routes = RevisionRows(), RouteRows()

    def area(self, project: str) -> ServingArea:
        """The serving area of a project."""
        return ServingArea(self._serving(project))

    def current(self, reader: Reader, project: str, name: str) -> tuple[Route, RouteDocument]:
        """The newest route of an endpoint. Raises EndpointNotFound."""
        found = self.routes.newest(reader, project, name)
        if found is None:
            names = [known for known, _ in self.routes.endpoints(reader, project)]
            raise EndpointNotFound(
                f"There is no endpoint {name!r}.",
                why=did_you_mean(name, names) or "None is deployed yet.",
                fix="List them with: treadle endpoints list",
                endpoint=name,
            )
        return found

    def endpoint(self, reader: Reader, project: str, name: str) -> Endpoint:
        """An endpoint as it stands. Raises EndpointNotFound."""
        route, document = self.current(reader, project, name)
        named = {revision.number for revision in (*document.revisions, *document.shadows)}
        revisions = self.revisions.of_endpoint(reader, project, name)
        first = next(at for known, at in self.routes.endpoints(reader, project) if known == name)
        return Endpoint(
            name=name,
            route=route,
            revisions=[revision for revision in revisions if revision.number in named],
            recorded_at=first,
        )

    def document(
        self,
        reader: Reader,
        project: str,
        endpoint: str,
        *,
        weights: Mapping[int, float],
        shadows: Mapping[int, float],
        allow_backdating: bool,
        limits: Limits,
        is_drained: bool = False,
        features: FeatureSource | None = None,
    ) -> RouteDocument:
        """The next document of an endpoint. Raises RevisionNotFound, or BadDeployment for what cannot be served so."""
        known = {revision.number: revision for revision in self.revisions.of_endpoint(reader, project, endpoint)}
        unknown = sorted({*weights, *shadows} - set(known))
        if unknown:
            raise RevisionNotFound(
                f"Endpoint {endpoint!r} has no revision {unknown[0]}.", why=f"It has {', '.join(map(str, known))}."
            )
        newest = self.routes.newest(reader, project, endpoint)
        _refuse_unlike(self.area(project), [known[number] for number in {**weights, **shadows}])
        try:
            return RouteDocument(
                endpoint=endpoint,
                number=1 if newest is None else newest[0].number + 1,
                revisions=tuple(_routed(known[number], weights[number]) for number in sorted(weights)),
                allow_backdating=allow_backdating,
                limits=limits,
                split_salt=endpoint,
                shadows=tuple(_routed(known[number], shadows[number]) for number in sorted(shadows)),
                is_drained=is_drained,
                features=features,
            )
        except ValueError as error:
            raise BadDeployment(f"Endpoint {endpoint!r} cannot be routed so: {error}.") from None

    def follow(
        self,
        reader: Reader,
        project: str,
        current: RouteDocument,
        *,
        weights: Mapping[int, float] | None = None,
        shadows: Mapping[int, float] | None = None,
        is_drained: bool = False,
    ) -> RouteDocument:
        """The document after `current`, with what is given in place of its own. A revision that is to answer is a shadow
        no longer, and a drained endpoint takes requests again unless told otherwise."""
        weights = weights_of(current) if weights is None else weights
        shadows = shadows_of(current) if shadows is None else shadows
        return self.document(
            reader,
            project,
            current.endpoint,
            weights=weights,
            shadows={number: share for number, share in shadows.items() if number not in weights},
            allow_backdating=current.allow_backdating,
            limits=current.limits,
            is_drained=is_drained,
            features=current.features,
        )

    def move(
        self,
        tx: Transaction,
        caller: Caller,
        document: RouteDocument,
        kind: RouteKind,
        reason: str,
        event: str,
        *,
        restores: int | None = None,
    ) -> Endpoint:
        """Records a route, moves the ref and leaves the event, in the open transaction. Raises DeploymentRaced."""
        project, name = caller.project, document.endpoint
        route = self.routes.add(
            tx, project, document, kind=kind, restores=restores, reason=reason, actor=caller.actor, at=self._clock()
        )
        if route is None:
            raise raced(name)
        target = f"endpoint/{name}/{route.number}"
        self._refs.move(tx, project, f"endpoint/{name}", target, actor=caller.actor, reason=reason)
        models = [f"model/{one.model}/{one.model_version}" for one in document.revisions]
        body: dict[str, Any] = {
            "route": route.number,
            "digest": route.digest,
            "weights": dict(route.weights),
            "models": models,
        }
        if route.shadows:
            body["shadows"] = dict(route.shadows)
        if restores is not None:
            body["restores"] = restores
        self._events.append(tx, project=project, kind=event, subject=f"endpoint/{name}", actor=caller.actor, body=body)
        return self.endpoint(tx, project, name)


def weights_of(document: RouteDocument) -> dict[int, float]:
    """The shares of the revisions that answer, by number."""
    return {one.number: one.weight for one in document.revisions}


def shadows_of(document: RouteDocument) -> dict[int, float]:
    """The shares that shadows get copies of, by number."""
    return {one.number: one.weight for one in document.shadows}


def make_room(weights: Mapping[int, float], number: int, share: float) -> dict[int, float]:
    """The shares with `share` for one revision, the others keeping theirs in proportion to each other."""
    if share >= 1:
        return {number: 1.0}
    others = {other: weight for other, weight in weights.items() if other != number}
    if not others:
        raise BadDeployment(f"Revision {number} serves alone already; there is nobody to share with.")
    total = sum(others.values())
    return {number: share, **{other: weight / total * (1 - share) for other, weight in others.items()}}


def limits_from(current: Limits | None, given: Mapping[str, Any]) -> Limits:
    """The limits with those given in their place. Raises BadDeployment for one that there is not, or that cannot be kept."""
    before = msgspec.structs.asdict(current or Limits())
    unknown = sorted(set(given) - set(before))
    if unknown:
        raise BadDeployment(f"There is no limit {unknown[0]!r}.", fix=did_you_mean(unknown[0], before))
    try:
        limits: Limits = msgspec.convert({**before, **given}, Limits)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadDeployment(f"These limits cannot be kept: {error}.") from None
    return limits


def raced(endpoint: str) -> DeploymentRaced:
    """What a move hears that came second."""
    return DeploymentRaced(
        f"Another deployment of {endpoint!r} came first.", fix="Look at what it did, then try again."
    )


def _routed(revision: Revision, weight: float) -> RouteRevision:
    return RouteRevision(
        revision=revision.id,
        number=revision.number,
        weight=weight,
        model=revision.model,
        model_version=revision.model_version,
        bundle=revision.bundle,
        threads=revision.threads,
    )


def _refuse_unlike(area: ServingArea, revisions: Sequence[Revision]) -> None:
    if len(revisions) > 1 and len({area.signature_of(one.bundle).shape() for one in revisions}) > 1:
        raise BadDeployment(
            "These revisions take different inputs or give different outputs, so they cannot share an endpoint.",
            fix="Deploy the new one with all the traffic, or under an endpoint of its own.",
        )
