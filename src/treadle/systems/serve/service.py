"""The verbs of endpoints: deploy, route, roll back, look.

A deployment is three things in this order: the model's bytes into the serving area and tried there as a server would;
one commit of revision, route, ref and event; the route document into the serving area. Killed anywhere between, nothing
is half done: `reconcile` writes what the newest route says, and doing it twice is harmless. The newest route row is the
outbox: a state to be reached, not a message to be delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from treadle.ground.clock import Clock
from treadle.ground.errors import did_you_mean
from treadle.ground.ids import NewId
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.serve.area import ServingArea, bundle_of
from treadle.systems.serve.errors import (
    BadDeployment,
    DeploymentRaced,
    EndpointNotFound,
    NothingToRollBack,
    RevisionNotFound,
)
from treadle.systems.serve.ports import ModelSource
from treadle.systems.serve.records import Endpoint, EndpointSheet, Revision, Route, RouteKind
from treadle.systems.serve.repository import RevisionRows, RouteRows
from treadle.systems.serve.runtime.documents import ENDPOINT_NAME, Limits, RouteDocument, RouteRevision
from treadle.systems.serve.runtime.models import Manifest


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployEndpoint:
    """Gives a model version a share of an endpoint's traffic; the revisions there now keep the rest in proportion.

    version: a number, an alias or `newest`. share: above 0, at most 1 (all of it). What is None stays as it is.
    """

    endpoint: str
    model: str
    version: str = "champion"
    share: float = 1.0
    threads: int = 1
    allow_backdating: bool | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteEndpoint:
    """Splits the traffic among revisions that are there: shares by the revision's number, adding up to 1."""

    endpoint: str
    weights: Mapping[str, float]
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBackEndpoint:
    """Goes back to an earlier route, `to`; to the one before the current when it is None."""

    endpoint: str
    to: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointNamed:
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A model that lies in the serving area, tried, ready to be deployed by a transaction."""

    request: DeployEndpoint
    model_version: str
    manifest: Manifest
    bundle: str
    revision_id: str


class Endpoints:
    """The endpoints of all projects. `serving` answers the serving area's folder of a project."""

    def __init__(
        self,
        store: Store,
        refs: Refs,
        events: EventLog,
        models: ModelSource,
        serving: Callable[[str], Path],
        clock: Clock,
        new_id: NewId,
    ) -> None:
        self._store, self._refs, self._events = store, refs, events
        self._models, self._serving = models, serving
        self._clock, self._new_id = clock, new_id
        self._revisions, self._routes = RevisionRows(), RouteRows()

    # -- looking ----------------------------------------------------------------------------------------------------

    @verb("endpoints.list", permission="endpoint.read")
    def list(self, caller: Caller) -> list[Endpoint]:
        """Every endpoint of the project with the revisions that it serves, by name."""
        with self._store.read() as reader:
            names = self._routes.endpoints(reader, caller.project)
            return [self._endpoint(reader, caller.project, name) for name, _ in names]

    @verb("endpoints.get", permission="endpoint.read")
    def get(self, caller: Caller, request: EndpointNamed) -> EndpointSheet:
        """An endpoint with all its revisions and routes. Raises EndpointNotFound."""
        with self._store.read() as reader:
            return EndpointSheet(
                endpoint=self._endpoint(reader, caller.project, request.endpoint),
                revisions=self._revisions.of_endpoint(reader, caller.project, request.endpoint),
                routes=self._routes.of_endpoint(reader, caller.project, request.endpoint),
            )

    # -- moving -----------------------------------------------------------------------------------------------------

    @verb("endpoints.deploy", permission="endpoint.write", event="endpoint.deployed")
    def deploy(self, caller: Caller, request: DeployEndpoint) -> Endpoint:
        """The endpoint as it now stands. Servers follow within a second, without a failed request.

        Raises BadDeployment or BadModel when the version cannot be served as it was registered; nothing has moved then.
        """
        prepared = self.prepare(caller, request)
        endpoint = self._store.write(lambda tx: self.deploy_in(tx, caller, prepared), durable=True)
        self.publish(caller.project, request.endpoint)
        return endpoint

    def prepare(self, caller: Caller, request: DeployEndpoint) -> Prepared:
        """The first part of a deployment: the model in the serving area, loaded and its probe answered. No row yet."""
        caller.require("endpoint.write")
        _check_request(request)
        area = self._area(caller.project)
        servable = self._models.get(caller.project, request.model, request.version)
        manifest = area.put_model(servable)
        bundle = bundle_of(manifest)
        area.try_model(bundle, request.threads)
        return Prepared(
            request=request,
            model_version=servable.version,
            manifest=manifest,
            bundle=bundle,
            revision_id=self._new_id("rev"),
        )

    def deploy_in(self, tx: Transaction, caller: Caller, prepared: Prepared) -> Endpoint:
        """The second part, within an open transaction, so that a promotion and its deployment are one commit. The
        document follows by `publish` or `reconcile`."""
        caller.require("endpoint.write")
        request, project = prepared.request, caller.project
        current = self._routes.newest(tx, project, request.endpoint)
        revision = self._ensure_revision(tx, caller, prepared)
        weights = {revision.number: request.share}
        if request.share < 1:
            if current is None:
                raise BadDeployment(f"Endpoint {request.endpoint!r} is new: its first revision takes all the traffic.")
            weights = _make_room(current[1], revision.number, request.share)
        limits = _limits(None if current is None else current[1].limits, request.limits)
        backdating = request.allow_backdating
        if backdating is None:
            backdating = current is not None and current[1].allow_backdating
        document = self._document(tx, project, request.endpoint, weights, backdating, limits)
        return self._move(tx, caller, document, "deploy", None, request.reason, "endpoint.deployed")

    @verb("endpoints.route", permission="endpoint.write", event="endpoint.routed")
    def route(self, caller: Caller, request: RouteEndpoint) -> Endpoint:
        """The endpoint with its traffic split anew. Raises RevisionNotFound, or BadDeployment for shares that are none."""

        def work(tx: Transaction) -> Endpoint:
            _, current = self._current(tx, caller.project, request.endpoint)
            weights = {_number(name): share for name, share in request.weights.items()}
            document = self._document(
                tx, caller.project, request.endpoint, weights, current.allow_backdating, current.limits
            )
            return self._move(tx, caller, document, "route", None, request.reason, "endpoint.routed")

        endpoint = self._store.write(work, durable=True)
        self.publish(caller.project, request.endpoint)
        return endpoint

    @verb("endpoints.rollback", permission="endpoint.write", event="endpoint.rolled_back")
    def rollback(self, caller: Caller, request: RollBackEndpoint) -> Endpoint:
        """The endpoint as it stood before. Raises NothingToRollBack when there is no earlier route."""
        endpoint = self._store.write(lambda tx: self.rollback_in(tx, caller, request), durable=True)
        self.publish(caller.project, request.endpoint)
        return endpoint

    def rollback_in(self, tx: Transaction, caller: Caller, request: RollBackEndpoint) -> Endpoint:
        """As the verb, within an open transaction; the document follows by `publish` or `reconcile`."""
        caller.require("endpoint.write")
        route, _ = self._current(tx, caller.project, request.endpoint)
        wanted = route.effective - 1 if request.to is None else request.to
        found = self._routes.find(tx, caller.project, request.endpoint, wanted)
        if found is None:
            raise NothingToRollBack(
                f"Endpoint {request.endpoint!r} has no route {wanted} to go back to.",
                fix=f"Look at its routes with: treadle endpoints show {request.endpoint}",
            )
        restored, document = found
        document = msgspec.structs.replace(document, number=route.number + 1)
        return self._move(tx, caller, document, "rollback", restored.effective, request.reason, "endpoint.rolled_back")

    # -- making it so -----------------------------------------------------------------------------------------------

    def publish(self, project: str, endpoint: str) -> bool:
        """Writes the newest route of an endpoint where its servers look, and its models where they are lost. Answers
        whether anything had to be written."""
        area = self._area(project)
        with area.only_writer():
            with self._store.read() as reader:
                newest = self._routes.newest(reader, project, endpoint)
                revisions = self._revisions.of_endpoint(reader, project, endpoint)
            if newest is None:
                raise EndpointNotFound(f"There is no endpoint {endpoint!r}.", endpoint=endpoint)
            document = newest[1]
            missing = {route.bundle for route in document.revisions if not area.has_model(route.bundle)}
            for revision in revisions:
                if revision.bundle in missing:
                    self._restore_model(project, area, revision)
                    missing.discard(revision.bundle)
            if area.serves(document):
                return False
            area.put_route(document)
            return True

    def reconcile(self, project: str) -> Sequence[str]:
        """The endpoints whose documents were lost or outdated and are now in force again."""
        with self._store.read() as reader:
            names = [name for name, _ in self._routes.endpoints(reader, project)]
        return [name for name in names if self.publish(project, name)]

    def needed(self, reader: Reader, project: str) -> Iterable[str]:
        """The digests of the models that were deployed: clean-up keeps them, for a rollback needs them."""
        return self._revisions.deployed_digests(reader, project)

    # -- parts ------------------------------------------------------------------------------------------------------

    def _area(self, project: str) -> ServingArea:
        return ServingArea(self._serving(project))

    def _restore_model(self, project: str, area: ServingArea, revision: Revision) -> None:
        manifest = area.put_model(self._models.get(project, revision.model, revision.model_version))
        if bundle_of(manifest) != revision.bundle:
            raise BadDeployment(
                f"{revision.model} version {revision.model_version} is no longer what revision {revision.number} deployed.",
                fix="Deploy the version anew.",
            )

    def _ensure_revision(self, tx: Transaction, caller: Caller, prepared: Prepared) -> Revision:
        """The revision of this very model with these threads: the one that is there, or a new one."""
        request = prepared.request
        known = self._revisions.of_endpoint(tx, caller.project, request.endpoint)
        for revision in known:
            same = (revision.bundle, revision.model, revision.model_version, revision.threads)
            if same == (prepared.bundle, request.model, prepared.model_version, request.threads):
                return revision
        revision = Revision(
            id=prepared.revision_id,
            endpoint=request.endpoint,
            number=known[-1].number + 1 if known else 1,
            model=request.model,
            model_version=prepared.model_version,
            model_digest=prepared.manifest.model_digest,
            engine=prepared.manifest.engine,
            bundle=prepared.bundle,
            threads=request.threads,
            actor=caller.actor,
            recorded_at=self._clock(),
        )
        if not self._revisions.add(tx, caller.project, revision):
            raise _raced(request.endpoint)
        return revision

    def _document(
        self,
        tx: Transaction,
        project: str,
        endpoint: str,
        weights: Mapping[int, float],
        allow_backdating: bool,
        limits: Limits,
    ) -> RouteDocument:
        known = {revision.number: revision for revision in self._revisions.of_endpoint(tx, project, endpoint)}
        unknown = sorted(set(weights) - set(known))
        if unknown:
            raise RevisionNotFound(
                f"Endpoint {endpoint!r} has no revision {unknown[0]}.", why=f"It has {', '.join(map(str, known))}."
            )
        newest = self._routes.newest(tx, project, endpoint)
        _refuse_unlike(self._area(project), [known[number] for number in weights])
        try:
            return RouteDocument(
                endpoint=endpoint,
                number=1 if newest is None else newest[0].number + 1,
                revisions=tuple(_routed(known[number], weights[number]) for number in sorted(weights)),
                allow_backdating=allow_backdating,
                limits=limits,
                split_salt=endpoint,
            )
        except ValueError as error:
            raise BadDeployment(f"Endpoint {endpoint!r} cannot be routed so: {error}.") from None

    def _move(
        self,
        tx: Transaction,
        caller: Caller,
        document: RouteDocument,
        kind: RouteKind,
        restores: int | None,
        reason: str,
        event: str,
    ) -> Endpoint:
        """Records a route, moves the ref and leaves the event, in the open transaction."""
        project, name = caller.project, document.endpoint
        route = self._routes.add(
            tx, project, document, kind=kind, restores=restores, reason=reason, actor=caller.actor, at=self._clock()
        )
        if route is None:
            raise _raced(name)
        target = f"endpoint/{name}/{route.number}"
        self._refs.move(tx, project, f"endpoint/{name}", target, actor=caller.actor, reason=reason)
        models = [f"model/{one.model}/{one.model_version}" for one in document.revisions]
        body = {"route": route.number, "digest": route.digest, "weights": dict(route.weights), "models": models}
        if restores is not None:
            body["restores"] = restores
        self._events.append(tx, project=project, kind=event, subject=f"endpoint/{name}", actor=caller.actor, body=body)
        return self._endpoint(tx, project, name)

    def _current(self, reader: Reader, project: str, name: str) -> tuple[Route, RouteDocument]:
        found = self._routes.newest(reader, project, name)
        if found is None:
            names = [known for known, _ in self._routes.endpoints(reader, project)]
            raise EndpointNotFound(
                f"There is no endpoint {name!r}.",
                why=did_you_mean(name, names) or "None is deployed yet.",
                fix="List them with: treadle endpoints list",
                endpoint=name,
            )
        return found

    def _endpoint(self, reader: Reader, project: str, name: str) -> Endpoint:
        route, document = self._current(reader, project, name)
        serving = {revision.number for revision in document.revisions}
        revisions = self._revisions.of_endpoint(reader, project, name)
        first = next(at for known, at in self._routes.endpoints(reader, project) if known == name)
        return Endpoint(
            name=name,
            route=route,
            revisions=[revision for revision in revisions if revision.number in serving],
            recorded_at=first,
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


def _make_room(document: RouteDocument, number: int, share: float) -> dict[int, float]:
    """The shares with `share` for one revision, the others keeping theirs in proportion to each other."""
    others = {one.number: one.weight for one in document.revisions if one.number != number}
    if not others:
        raise BadDeployment(f"Revision {number} serves alone already; there is nobody to share with.")
    total = sum(others.values())
    return {number: share, **{other: weight / total * (1 - share) for other, weight in others.items()}}


def _refuse_unlike(area: ServingArea, revisions: Sequence[Revision]) -> None:
    if len(revisions) > 1 and len({area.signature_of(one.bundle).shape() for one in revisions}) > 1:
        raise BadDeployment(
            "These revisions take different inputs or give different outputs, so they cannot share an endpoint.",
            fix="Deploy the new one with all the traffic, or under an endpoint of its own.",
        )


def _limits(current: Limits | None, given: Mapping[str, Any]) -> Limits:
    before = msgspec.structs.asdict(current or Limits())
    unknown = sorted(set(given) - set(before))
    if unknown:
        raise BadDeployment(f"There is no limit {unknown[0]!r}.", fix=did_you_mean(unknown[0], before))
    try:
        limits: Limits = msgspec.convert({**before, **given}, Limits)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadDeployment(f"These limits cannot be kept: {error}.") from None
    return limits


def _check_request(request: DeployEndpoint) -> None:
    if not ENDPOINT_NAME.fullmatch(request.endpoint):
        raise BadDeployment(
            f"{request.endpoint!r} cannot be the name of an endpoint.",
            why="It has 1 to 64 small letters, digits, dots, dashes or underscores, and begins and ends with a letter or digit.",
            fix="Choose a plain name such as late-arrival.",
        )
    if not 0 < request.share <= 1:
        raise BadDeployment(f"A share of {request.share} is none.", fix="Give a number above 0 and at most 1.")
    if request.threads < 1:
        raise BadDeployment(f"A model runs on at least one thread, not on {request.threads}.")


def _number(name: str) -> int:
    if not name.isdecimal():
        raise BadDeployment(f"{name!r} is no number of a revision.")
    return int(name)


def _raced(endpoint: str) -> DeploymentRaced:
    return DeploymentRaced(
        f"Another deployment of {endpoint!r} came first.", fix="Look at what it did, then try again."
    )
