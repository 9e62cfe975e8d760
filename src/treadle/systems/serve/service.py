"""The verbs of endpoints: deploy, roll back, look. How traffic is divided among what is deployed is in `traffic.py`.

A deployment is three things in this order: the model's bytes into the serving area and tried there as a server would;
one commit of revision, route, ref and event; the route document into the serving area. Killed anywhere between, nothing
is half done: `reconcile` writes what the newest route says, and doing it twice is harmless. The newest route row is the
outbox: a state to be reached, not a message to be delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec

from treadle.ground.clock import Clock
from treadle.ground.ids import NewId
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.serve.area import ServingArea, bundle_of
from treadle.systems.serve.errors import BadDeployment, EndpointNotFound, NothingToRollBack
from treadle.systems.serve.featured import source_for
from treadle.systems.serve.ports import FeatureServices, ModelSource
from treadle.systems.serve.records import Endpoint, EndpointSheet, Example, Revision
from treadle.systems.serve.routing import Routing, limits_from, make_room, raced, shadows_of, weights_of
from treadle.systems.serve.runtime.documents import ENDPOINT_NAME, FeatureSource
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
    features: str | None = None
    """The feature service from whose online values the server makes the model's vectors; empty: requests bring them."""
    features_timeout_ms: float | None = None
    features_on_timeout: Literal["refuse", "null"] | None = None
    """What a request gets whose features cannot be read in time: 503, or a prediction from nulls."""
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
    features: FeatureSource | None = None


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
        features: FeatureServices | None = None,
    ) -> None:
        self._features = features
        self._store, self._models, self._clock, self._new_id = store, models, clock, new_id
        self.routing = Routing(refs, events, serving, clock)
        self._revisions, self._routes = self.routing.revisions, self.routing.routes

    # -- looking ----------------------------------------------------------------------------------------------------

    @verb("endpoints.list", permission="endpoint.read")
    def list(self, caller: Caller) -> list[Endpoint]:
        """Every endpoint of the project with the revisions that it serves, by name."""
        with self._store.read() as reader:
            names = self._routes.endpoints(reader, caller.project)
            return [self.routing.endpoint(reader, caller.project, name) for name, _ in names]

    @verb("endpoints.get", permission="endpoint.read")
    def get(self, caller: Caller, request: EndpointNamed) -> EndpointSheet:
        """An endpoint with all its revisions and routes. Raises EndpointNotFound."""
        with self._store.read() as reader:
            return EndpointSheet(
                endpoint=self.routing.endpoint(reader, caller.project, request.endpoint),
                revisions=self._revisions.of_endpoint(reader, caller.project, request.endpoint),
                routes=self._routes.of_endpoint(reader, caller.project, request.endpoint),
            )

    @verb("endpoints.example", permission="endpoint.read")
    def example(self, caller: Caller, request: EndpointNamed) -> Example:
        """What an endpoint takes, with a few rows that it can be asked about. Raises EndpointNotFound."""
        with self._store.read() as reader:
            _, document = self.routing.current(reader, caller.project, request.endpoint)
        heaviest = max(document.revisions, key=lambda revision: revision.weight)
        manifest = self.routing.area(caller.project).manifest_of(heaviest.bundle)
        source = document.features
        given = {column.name: column.datatype for column in manifest.signature.inputs}
        return Example(
            endpoint=request.endpoint,
            task=manifest.signature.task,
            inputs=given if source is None else {name: dict(source.keys).get(name, "FP64") for name in source.asked},
            rows=list(manifest.probe.rows) if source is None else [],
            engine=manifest.engine,
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
        area = self.routing.area(caller.project)
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
            features=self._source_of(caller.project, request, manifest),
        )

    def _source_of(self, project: str, request: DeployEndpoint, manifest: Manifest) -> FeatureSource | None:
        """Where the vectors are to come from. Raises BadDeployment where the service has not what the model takes."""
        with self._store.read() as reader:
            newest = self._routes.newest(reader, project, request.endpoint)
        before = None if newest is None else newest[1].features
        named = request.features if request.features is not None else None if before is None else before.service
        if not named:
            return None
        if self._features is None:
            raise BadDeployment("No feature service can be read here.", fix="Deploy it without features.")
        timeout_ms, on_timeout = request.features_timeout_ms, request.features_on_timeout
        source = source_for(project, self._features.get(project, named), manifest)
        try:
            return msgspec.convert(
                {
                    **msgspec.structs.asdict(source),
                    "timeout_ms": timeout_ms or (source if before is None else before).timeout_ms,
                    "on_timeout": on_timeout or (source if before is None else before).on_timeout,
                },
                FeatureSource,
            )
        except (msgspec.ValidationError, ValueError) as error:
            raise BadDeployment(f"Features cannot be read so: {error}.") from None

    def deploy_in(self, tx: Transaction, caller: Caller, prepared: Prepared) -> Endpoint:
        """The second part, within an open transaction, so that a promotion and its deployment are one commit. The
        document follows by `publish` or `reconcile`."""
        caller.require("endpoint.write")
        request, project = prepared.request, caller.project
        current = self._routes.newest(tx, project, request.endpoint)
        revision = self.ensure_revision(tx, caller, prepared)
        weights: dict[int, float] = {revision.number: request.share}
        if request.share < 1:
            if current is None:
                raise BadDeployment(f"Endpoint {request.endpoint!r} is new: its first revision takes all the traffic.")
            weights = make_room(weights_of(current[1]), revision.number, request.share)
        backdating = request.allow_backdating
        if backdating is None:
            backdating = current is not None and current[1].allow_backdating
        shadows = {} if current is None else shadows_of(current[1])
        document = self.routing.document(
            tx,
            project,
            request.endpoint,
            weights=weights,
            shadows={number: share for number, share in shadows.items() if number not in weights},
            allow_backdating=backdating,
            limits=limits_from(None if current is None else current[1].limits, request.limits),
            features=prepared.features,
        )
        return self.routing.move(tx, caller, document, "deploy", request.reason, "endpoint.deployed")

    @verb("endpoints.rollback", permission="endpoint.write", event="endpoint.rolled_back")
    def rollback(self, caller: Caller, request: RollBackEndpoint) -> Endpoint:
        """The endpoint as it stood before. Raises NothingToRollBack when there is no earlier route."""
        endpoint = self._store.write(lambda tx: self.rollback_in(tx, caller, request), durable=True)
        self.publish(caller.project, request.endpoint)
        return endpoint

    def rollback_in(self, tx: Transaction, caller: Caller, request: RollBackEndpoint) -> Endpoint:
        """As the verb, within an open transaction; the document follows by `publish` or `reconcile`."""
        caller.require("endpoint.write")
        route, _ = self.routing.current(tx, caller.project, request.endpoint)
        wanted = route.effective - 1 if request.to is None else request.to
        found = self._routes.find(tx, caller.project, request.endpoint, wanted)
        if found is None:
            raise NothingToRollBack(
                f"Endpoint {request.endpoint!r} has no route {wanted} to go back to.",
                fix=f"Look at its routes with: treadle endpoints show {request.endpoint}",
            )
        restored, document = found
        document = msgspec.structs.replace(document, number=route.number + 1)
        return self.routing.move(
            tx, caller, document, "rollback", request.reason, "endpoint.rolled_back", restores=restored.effective
        )

    # -- making it so -----------------------------------------------------------------------------------------------

    def publish(self, project: str, endpoint: str) -> bool:
        """Writes the newest route of an endpoint where its servers look, and its models where they are lost. Answers
        whether anything had to be written."""
        area = self.routing.area(project)
        with area.only_writer():
            with self._store.read() as reader:
                newest = self._routes.newest(reader, project, endpoint)
                revisions = self._revisions.of_endpoint(reader, project, endpoint)
            if newest is None:
                raise EndpointNotFound(f"There is no endpoint {endpoint!r}.", endpoint=endpoint)
            document = newest[1]
            named = (*document.revisions, *document.shadows)
            missing = {route.bundle for route in named if not area.has_model(route.bundle)}
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

    def _restore_model(self, project: str, area: ServingArea, revision: Revision) -> None:
        manifest = area.put_model(self._models.get(project, revision.model, revision.model_version))
        if bundle_of(manifest) != revision.bundle:
            raise BadDeployment(
                f"{revision.model} version {revision.model_version} is no longer what revision {revision.number} deployed.",
                fix="Deploy the version anew.",
            )

    def ensure_revision(self, tx: Transaction, caller: Caller, prepared: Prepared) -> Revision:
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
            raise raced(request.endpoint)
        return revision


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
