"""The verbs of features online: bring values up to date, read them, push live rows, take old versions away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store
from treadle.systems.features.errors import FeatureViewNotFound
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.online import documents
from treadle.systems.features.online.documents import ServiceDocument, ViewDocument
from treadle.systems.features.online.errors import NotServable
from treadle.systems.features.online.materializing import Materialized, Materializer, Progress
from treadle.systems.features.online.ports import OnlineStore
from treadle.systems.features.online.pushing import rows_of_json
from treadle.systems.features.online.reader import FeatureReader, Vectors, Watermark
from treadle.systems.features.online.served import ServedLog, for_json
from treadle.systems.features.ports import LandingTimes, RowSink, SnapshotSource
from treadle.systems.features.registered import Registered
from treadle.systems.features.views import FeatureService, FeatureView


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialize:
    """Asks for values to be brought up to date: of a view, of all views of a service, or of all without a name.

    until: as of this moment, which may not lie in the future (default: now). anew: computes every entity again.
    """

    name: str | None = None
    until: datetime | None = None
    anew: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadOnline:
    """Asks for the vectors of some entities, each a mapping with the keys of all views of the service, and with what its
    features on demand take. version: the digest of one version of the service (default: the newest)."""

    service: str
    entities: list[dict[str, Any]]
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineView:
    """How far one view of an answer is online."""

    view: str
    digest: str
    dataset: str
    snapshot: str
    version: int
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineAnswer:
    """Vectors, in the order of the entities, each in the order of `features`.

    status, as_of: for each vector an entry a view, in the order of `views`: `found`, `missing`, `expired`, `behind` or
    `unavailable`, and the moment of which the values are exactly those. As JSON has no other numbers, NaN and infinities
    come as the texts "NaN", "Infinity", "-Infinity", whole numbers beyond 2**53 and decimals as text.
    """

    service: str
    version: str
    features: list[str]
    vectors: list[list[Any]]
    status: list[list[str]]
    as_of: list[list[datetime | None]]
    views: list[OnlineView]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRows:
    """Brings live rows. dataset: where they land. key: names the push for good, so that sending it again lands it once."""

    dataset: str
    rows: list[dict[str, Any]]
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """Where live rows landed, and the views that serve them from now on."""

    dataset: str
    landing: str
    rows: int
    views: list[Materialized]


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw:
    """Asks for a view's records to be taken away: those of versions that no registered definition names any more, or of
    all with `everything`."""

    view: str
    everything: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """One version of a view that is online no more."""

    view: str
    digest: str
    space: str


class OnlineFeatures:
    """Features online, of all projects. online: the store of a project; sink: where pushed rows land;
    served: the log of a project, in which reads are noted."""

    def __init__(
        self,
        registered: Registered,
        store: Store,
        events: EventLog,
        online: Callable[[str], OnlineStore],
        source: SnapshotSource,
        landings: LandingTimes,
        sink: RowSink,
        clock: Clock,
        served: Callable[[str], ServedLog],
    ) -> None:
        self._served = served
        self._registered, self._store, self._events = registered, store, events
        self._online, self._source, self._landings = online, source, landings
        self._sink, self._clock = sink, clock
        self._readers: dict[str, FeatureReader] = {}

    @verb("features.materialize", permission="feature.materialize", event="features.materialized")
    def materialize(self, caller: Caller, request: Materialize) -> list[Materialized]:
        """Brings values online up to the newest snapshots: what landings touched, and what time has changed."""
        return self.bring_up(caller, request)

    def bring_up(
        self, caller: Caller, request: Materialize, progress: Progress = lambda view, done, count: None
    ) -> list[Materialized]:
        """As the verb; `progress` is told the view, how many entities are done, and of how many."""
        caller.require("feature.materialize")
        views = self._views_of(caller.project, request.name)
        answers = [self._bring_up(caller, view, request, progress) for view in views]
        self._publish_services(caller.project)
        return answers

    @verb("features.online", permission="feature.read")
    def online(self, caller: Caller, request: ReadOnline) -> OnlineAnswer:
        """The feature vectors of some entities as they are now, and of which moment they are exactly those."""
        found = self.read(caller, request.service, request.entities, version=request.version)
        return OnlineAnswer(
            service=found.service,
            version=found.digest,
            features=list(found.features),
            vectors=[[for_json(value) for value in values] for values in found.values],
            status=[list(statuses) for statuses in found.statuses],
            as_of=[[from_micros(moment) if moment else None for moment in moments] for moments in found.as_of],
            views=[_online_view(mark) for mark in found.watermarks],
        )

    def read(
        self, caller: Caller, service: str, entities: Sequence[Mapping[str, Any]], *, version: str | None = None
    ) -> Vectors:
        """As `online`, with Python's own values."""
        caller.require("feature.read")
        name = service if version is None else documents.versioned(service, version)
        served_at = to_micros(self._clock())
        found = self.reader(caller.project).read(name, entities)
        self._served(caller.project).note(found, entities, served_at)
        return found

    def reader(self, project: str) -> FeatureReader:
        """The reader of a project."""
        found = self._readers.get(project)
        if found is None:
            found = self._readers[project] = FeatureReader(
                self._online(project), clock=lambda: to_micros(self._clock())
            )
        return found

    @verb("features.push", permission="feature.materialize", event="features.materialized")
    def push(self, caller: Caller, request: PushRows) -> Pushed:
        """Lands live rows in their dataset, and brings the views over it up to date before it answers."""
        schema = self._schema(caller.project, request.dataset)
        return self.push_frame(caller, request.dataset, rows_of_json(request.rows, schema), key=request.key)

    def push_frame(self, caller: Caller, dataset: str, rows: Any, *, key: str | None = None) -> Pushed:
        """As `push`, for a frame. Raises what landing raises; rows that a contract refuses go to quarantine."""
        caller.require("feature.materialize")
        (landing, *_) = self._sink.land(caller, dataset, rows, key=key)
        views = [
            view
            for view in self._views_of(caller.project, None)
            if view.dataset == dataset and self._is_online(caller.project, view)
        ]
        brought = [self._bring_up(caller, view, Materialize(), lambda view, done, count: None) for view in views]
        return Pushed(dataset=dataset, landing=landing.id, rows=landing.rows_kept, views=brought)

    @verb("features.withdraw", permission="feature.materialize", event="features.withdrawn")
    def withdraw(self, caller: Caller, request: Withdraw) -> list[Withdrawn]:
        """Takes records of a view away from the online store; materialising brings them back."""
        project = caller.project
        store = self._online(project)
        known = [one for one in documents.list_views(store) if one.view == request.view]
        if not known:
            raise FeatureViewNotFound(f"No version of {request.view!r} is online.", name=request.view)
        kept = set() if request.everything else self._digests_in_use(project)
        gone = [one for one in known if one.digest not in kept]
        for one in gone:
            documents.drop_view(store, one.space)
            self._record(caller, "features.withdrawn", one.view, {"digest": one.digest, "space": one.space})
        return [Withdrawn(view=one.view, digest=one.digest, space=one.space) for one in gone]

    # -- parts -------------------------------------------------------------------------------------------------------

    def _views_of(self, project: str, name: str | None) -> list[FeatureView]:
        if name is None:
            names, _ = self._registered.names(project)
            found = [self._registered.find(project, one) for one in names]
            return [view for view in found if isinstance(view, FeatureView) and view.target_time is None]
        wanted = self._registered.find(project, name)
        if isinstance(wanted, FeatureService):
            return list(wanted.views)
        if isinstance(wanted, OnDemandView):
            raise NotServable(
                f"{name!r} is computed on demand, when it is read.", fix="Materialise the views that it reads."
            )
        return [wanted]

    def _bring_up(self, caller: Caller, view: FeatureView, request: Materialize, progress: Progress) -> Materialized:
        began = time.perf_counter()
        materializer = Materializer(
            self._online(caller.project), self._source, self._landings, self._clock, caller.project
        )
        found = materializer.materialize(view, until=request.until, anew=request.anew, progress=progress)
        found = replace(found, seconds=round(time.perf_counter() - began, 6))
        body = {
            "digest": found.digest,
            "dataset": found.dataset,
            "snapshot": found.snapshot,
            "version": found.version,
            "until": to_micros(found.until),
            "entities": found.entities,
        }
        self._record(caller, "features.materialized", view.name, body)
        return found

    def _record(self, caller: Caller, kind: str, view: str, body: Mapping[str, Any]) -> None:
        self._store.write(
            lambda tx: self._events.append(
                tx,
                project=caller.project,
                kind=kind,
                subject=f"feature_view/{view}",
                actor=caller.actor,
                body=body,
            )
        )

    def _publish_services(self, project: str) -> None:
        """Makes every service known to readers whose views are all online."""
        store = self._online(project)
        spaces = {(one.view, one.digest): one.space for one in documents.list_views(store)}
        for service in self._services(project):
            found = [(view.name, spaces.get((view.name, view.digest))) for view in service.views]
            if all(space is not None for _, space in found):
                documents.put_service(store, _service_document(service, found), to_micros(self._clock()))

    def _services(self, project: str) -> Iterator[FeatureService]:
        for name in self._registered.names(project)[1]:
            yield self._registered.service(project, name)

    def _is_online(self, project: str, view: FeatureView) -> bool:
        return any(one.digest == view.digest for one in self._online_views(project))

    def _online_views(self, project: str) -> list[ViewDocument]:
        return documents.list_views(self._online(project))

    def _digests_in_use(self, project: str) -> set[str]:
        names, _ = self._registered.names(project)
        current = [self._registered.find(project, name) for name in names]
        return {view.digest for view in current} | {
            view.digest for service in self._services(project) for view in service.views
        }

    def _schema(self, project: str, dataset: str) -> pl.Schema:
        return self._source.scan(project, self._source.snapshot(project, dataset)).collect_schema()


def _service_document(service: FeatureService, views: Sequence[tuple[str, str | None]]) -> ServiceDocument:
    return ServiceDocument(
        service=service.name,
        digest=service.digest,
        features=list(service.features),
        views=[(name, str(space)) for name, space in views],
        on_demand=[dict(view.describe()) for view in service.on_demand],
    )


def _online_view(mark: Watermark) -> OnlineView:
    return OnlineView(
        view=mark.view,
        digest=mark.digest,
        dataset=mark.dataset,
        snapshot=mark.snapshot,
        version=mark.version,
        until=from_micros(mark.until),
    )
