"""The verbs that divide an endpoint's traffic among its revisions: split, shadow, drain."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.systems.serve.errors import BadDeployment, RevisionNotFound
from treadle.systems.serve.records import Endpoint, RouteKind
from treadle.systems.serve.routing import shadows_of, weights_of
from treadle.systems.serve.runtime.documents import RouteDocument
from treadle.systems.serve.service import DeployEndpoint, Endpoints


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitTraffic:
    """Splits the traffic among revisions that are there: shares by the revision's number, adding up to 1."""

    endpoint: str
    weights: Mapping[str, float]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowTraffic:
    """Gives a model version copies of a share of the requests; it answers none. share: 1 is all of them, 0 ends it.

    version: a number, an alias or `newest`.
    """

    endpoint: str
    model: str
    version: str = "newest"
    share: float = 1.0
    threads: int = 1
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainTraffic:
    """Lets a revision finish what it has begun and gives its share to the others; the whole endpoint when it is None."""

    endpoint: str
    revision: int | None = None
    reason: str = ""


class Traffic:
    """Moves the traffic of endpoints."""

    def __init__(self, store: Store, endpoints: Endpoints) -> None:
        self._store, self._endpoints, self._routing = store, endpoints, endpoints.routing

    @verb("endpoints.split", permission="endpoint.write", event="endpoint.split")
    def split(self, caller: Caller, request: SplitTraffic) -> Endpoint:
        """The endpoint with its traffic split anew. Raises RevisionNotFound, or BadDeployment for shares that are none."""
        weights = {_number(name): share for name, share in request.weights.items()}

        def change(tx: Transaction, current: RouteDocument) -> RouteDocument:
            return self._routing.follow(tx, caller.project, current, weights=weights)

        return self._move(caller, request.endpoint, change, "split", request.reason, "endpoint.split")

    @verb("endpoints.shadow", permission="endpoint.write", event="endpoint.shadowed")
    def shadow(self, caller: Caller, request: ShadowTraffic) -> Endpoint:
        """The endpoint with this version as a shadow, or without it where the share is 0. What answers stays as it is.

        Raises BadDeployment when the version answers already or takes other inputs, BadModel when it cannot be served.
        """
        if not 0 <= request.share <= 1:
            raise BadDeployment(f"A share of {request.share} is none.", fix="Give a number from 0 to 1.")
        wanted = DeployEndpoint(
            endpoint=request.endpoint, model=request.model, version=request.version, threads=request.threads
        )
        prepared = self._endpoints.prepare(caller, wanted)

        def change(tx: Transaction, current: RouteDocument) -> RouteDocument:
            number = self._endpoints.ensure_revision(tx, caller, prepared).number
            if number in weights_of(current):
                raise BadDeployment(
                    f"{request.model} {prepared.model_version} is revision {number}, which answers already.",
                    fix="Shadow another version.",
                )
            shadows = {**shadows_of(current), number: request.share}
            if request.share == 0:
                del shadows[number]
            return self._routing.follow(tx, caller.project, current, shadows=shadows, is_drained=current.is_drained)

        return self._move(caller, request.endpoint, change, "shadow", request.reason, "endpoint.shadowed")

    @verb("endpoints.drain", permission="endpoint.write", event="endpoint.drained")
    def drain(self, caller: Caller, request: DrainTraffic) -> Endpoint:
        """The endpoint without a revision, or refusing what is new. Whatever is in flight is answered.

        A drained endpoint takes requests again once it is deployed to, split or rolled back.
        """

        def change(tx: Transaction, current: RouteDocument) -> RouteDocument:
            if request.revision is None:
                return self._routing.follow(tx, caller.project, current, is_drained=True)
            weights, shadows = weights_of(current), shadows_of(current)
            if request.revision not in {*weights, *shadows}:
                raise RevisionNotFound(
                    f"Endpoint {request.endpoint!r} sends revision {request.revision} nothing.",
                    why=f"Its traffic goes to {', '.join(map(str, sorted({*weights, *shadows})))}.",
                )
            weights.pop(request.revision, None)
            shadows.pop(request.revision, None)
            if not weights:
                raise BadDeployment(
                    f"Revision {request.revision} serves alone; nobody could take its share.",
                    fix=f"Drain the endpoint: treadle endpoints drain {request.endpoint}",
                )
            total = sum(weights.values())
            rest = {number: share / total for number, share in weights.items()}
            return self._routing.follow(tx, caller.project, current, weights=rest, shadows=shadows)

        return self._move(caller, request.endpoint, change, "drain", request.reason, "endpoint.drained")

    def _move(
        self,
        caller: Caller,
        endpoint: str,
        change: Callable[[Transaction, RouteDocument], RouteDocument],
        kind: RouteKind,
        reason: str,
        event: str,
    ) -> Endpoint:
        def work(tx: Transaction) -> Endpoint:
            _, current = self._routing.current(tx, caller.project, endpoint)
            return self._routing.move(tx, caller, change(tx, current), kind, reason, event)

        moved = self._store.write(work, durable=True)
        self._endpoints.publish(caller.project, endpoint)
        return moved


def _number(name: str) -> int:
    if not name.isdecimal():
        raise BadDeployment(f"{name!r} is no number of a revision.")
    return int(name)
