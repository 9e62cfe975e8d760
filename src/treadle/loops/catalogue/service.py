"""The verbs of the catalogue: search features, and a page for each view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from treadle.ground.clock import Clock, from_micros
from treadle.ground.errors import InvalidInput, NotFound, did_you_mean
from treadle.kernel.governance import Caller, verb
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.loops.catalogue.pages import html_of, markdown_of
from treadle.loops.catalogue.profiling import profiles_of, types_of
from treadle.loops.catalogue.records import FeatureEntry, FeaturePage, SearchFeatures, ViewNamed
from treadle.loops.catalogue.uses import Uses
from treadle.systems.features.errors import FeatureViewNotFound
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.online import documents
from treadle.systems.features.online.documents import ViewDocument
from treadle.systems.features.online.ports import OnlineStore
from treadle.systems.features.ports import SnapshotSource
from treadle.systems.features.registered import AnyView, Registered
from treadle.systems.features.views import FeatureView, names_of
from treadle.systems.features.wording import made_of

ONLY = ("stale", "unused")


class Catalogue:
    """The features of a project, with what is known of them. uses: what rests on features, asked for each search."""

    def __init__(
        self,
        registered: Registered,
        source: SnapshotSource,
        online: Callable[[str], OnlineStore],
        uses: Callable[[Caller], Uses],
        clock: Clock,
    ) -> None:
        self._registered, self._source, self._online = registered, source, online
        self._uses, self._clock = uses, clock

    @verb("catalogue.search", permission="feature.read")
    def search(self, caller: Caller, request: SearchFeatures) -> list[FeatureEntry]:
        """The features that fit, by view and in its order."""
        if request.only is not None and request.only not in ONLY:
            raise InvalidInput(f"only={request.only!r} is unknown.", fix=did_you_mean(request.only, ONLY))
        found = [entry for entry in self._entries(caller, request.view) if _fits(entry, request)]
        if request.only == "unused":
            return [entry for entry in found if not entry.is_used]
        if request.only == "stale":
            return [entry for entry in found if self._is_stale(entry, request.older_than_s)]
        return found

    @verb("catalogue.page", permission="feature.read")
    def page(self, caller: Caller, request: ViewNamed) -> FeaturePage:
        """A view's page: its features with their use and what their newest values look like."""
        entries = self._entries(caller, request.view)
        if not entries:
            names, _ = self._registered.names(caller.project)
            raise FeatureViewNotFound(
                f"There is no feature view {request.view!r}.", fix=did_you_mean(request.view, names), name=request.view
            )
        store = self._online(caller.project)
        document = _newest(store).get(request.view)
        profiles = {} if document is None else profiles_of(store, document)
        return FeaturePage(
            view=request.view,
            features=entries,
            profiles=profiles,
            markdown=markdown_of(request.view, entries, profiles),
            html=html_of(request.view, entries, profiles),
        )

    def _entries(self, caller: Caller, only: str | None) -> list[FeatureEntry]:
        project = caller.project
        names, service_names = self._registered.names(project)
        services = [self._registered.service(project, name) for name in service_names]
        store, uses = self._online(project), self._uses(caller)
        online = _newest(store)
        found: list[FeatureEntry] = []
        for name in names if only is None else [one for one in names if one == only]:
            view = self._registered.find(project, name)
            if not isinstance(view, FeatureView | OnDemandView):
                continue
            document = online.get(name)
            snapshot = self._snapshot(project, view)
            types = {} if document is None else types_of(store, document)
            for feature in names_of(view):
                takers = [one.name for one in services if feature in one.features]
                found.append(_entry(view, feature, takers, uses, document, snapshot, types.get(feature)))
        return found

    def _snapshot(self, project: str, view: AnyView) -> Snapshot | None:
        if isinstance(view, OnDemandView):
            return None
        try:
            return self._source.snapshot(project, view.dataset)
        except NotFound:
            return None

    def _is_stale(self, entry: FeatureEntry, older_than_s: float | None) -> bool:
        if entry.online_until is None:
            return False
        too_old = older_than_s is not None and self._clock() - entry.online_until > timedelta(seconds=older_than_s)
        return entry.is_behind or too_old


def _entry(
    view: AnyView,
    feature: str,
    services: Sequence[str],
    uses: Uses,
    document: ViewDocument | None,
    snapshot: Snapshot | None,
    type_: str | None,
) -> FeatureEntry:
    return FeatureEntry(
        feature=feature,
        view=view.name,
        dataset=view.dataset if isinstance(view, FeatureView) else None,
        description=view.description,
        owner=view.owner,
        unit=view.units.get(feature, ""),
        made=made_of(view, feature),
        type=type_,
        services=list(services),
        training_sets=uses.training_sets.get(feature, []),
        models=uses.models.get(feature, []),
        endpoints=uses.endpoints.get(feature, []),
        importance=uses.importance.get(feature, {}),
        online_until=None if document is None else from_micros(document.until),
        online_version=None if document is None else document.version,
        landed_version=None if snapshot is None else snapshot.version,
        landed_at=None if snapshot is None else snapshot.recorded_at,
    )


def _newest(store: OnlineStore) -> dict[str, ViewDocument]:
    """The version of each view that was materialised last."""
    return {document.view: document for document in documents.list_views(store)}


def _fits(entry: FeatureEntry, request: SearchFeatures) -> bool:
    text = " ".join(
        [entry.feature, entry.view, entry.description, entry.owner, entry.dataset or "", entry.made]
    ).lower()
    if request.owner is not None and entry.owner != request.owner:
        return False
    return all(word in text for word in request.text.lower().split())
