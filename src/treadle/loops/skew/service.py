"""The verb of the skew loop: what was served is computed again from the snapshots, and a difference is an incident."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.errors import NotFound
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.loops.skew.comparing import ViewComparison, parts_of
from treadle.loops.skew.demanded import compare_demands
from treadle.loops.skew.records import CheckSkew, FeatureSkew, SkewReport
from treadle.systems.features.online.recomputing import Recomputing
from treadle.systems.features.online.served import ServedLog, ServedVector
from treadle.systems.features.ports import LandingTimes, SnapshotSource
from treadle.systems.features.registered import Registered
from treadle.systems.features.views import FeatureService, FeatureView
from treadle.systems.prepare.incidents import Failure, Incidents

_SEVERE = ("materialization", "definition")


class Skew:
    """Checks what the online store of a project has served."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        registered: Registered,
        source: SnapshotSource,
        landings: LandingTimes,
        served: Callable[[str], ServedLog],
        incidents: Incidents,
    ) -> None:
        self._store, self._events, self._registered = store, events, registered
        self._source, self._landings = source, landings
        self._served, self._incidents = served, incidents

    @verb("skew.check", permission="feature.check", event="skew.checked")
    def check(self, caller: Caller, request: CheckSkew) -> SkewReport:
        """Compares served vectors with training, value by value; differences open incidents, by view and feature."""
        project = caller.project
        service = self._registered.service(project, request.service)
        since = 0 if request.since is None else to_micros(request.since)
        vectors = _newest(list(self._served(project).read(service.name, since=since)), request.sample)
        computing = Recomputing(self._source, self._landings, project)
        features: list[FeatureSkew] = []
        unchecked: Counter[str] = Counter()
        comparisons: list[ViewComparison] = []
        for view in service.views:
            chosen = [name for name in service.features if name in view.features]
            comparison = ViewComparison(
                computing, view, self._before(project, view.name), chosen, request.tolerance, unchecked
            )
            features += comparison.compare(parts_of(vectors, view.name))
            comparisons.append(comparison)
        if service.on_demand:
            features += compare_demands(service, vectors, comparisons, request.tolerance, unchecked)
        moments = [vector.served_at for vector in vectors]
        opened = self._tell(caller, service, features, len(vectors))
        return SkewReport(
            service=service.name,
            vectors=len(vectors),
            served_from=from_micros(min(moments)) if moments else None,
            served_to=from_micros(max(moments)) if moments else None,
            features=features,
            unchecked=dict(unchecked),
            incidents=opened,
        )

    def _before(self, project: str, name: str) -> Callable[[str], FeatureView]:
        def find(digest: str) -> FeatureView:
            found = self._registered.view(project, name, digest)
            if not isinstance(found, FeatureView):
                raise NotFound(f"The view {name!r} was computed on demand in the version {digest[:19]}….")
            return found

        return find

    def _tell(
        self, caller: Caller, service: FeatureService, features: Sequence[FeatureSkew], vectors: int
    ) -> list[str]:
        """Opens an incident for each feature and cause, or counts on it, and leaves the event; in one transaction."""
        owners = {view.name: view.owner for view in service.definitions}
        datasets = {view.name: view.dataset for view in service.views}
        first = next(iter(datasets.values()), service.name)
        bad = [one for one in features if one.different]

        def work(tx: Transaction) -> list[str]:
            opened = []
            for one in bad:
                for cause, rows in one.causes.items():
                    failure = Failure(
                        dataset=datasets.get(one.view, first),
                        rule=f"skew/{service.name}/{one.view}/{one.feature}",
                        cause=cause,
                        severity="error" if cause in _SEVERE else "warning",
                        title=f"{one.feature} of {service.name} is served otherwise than it is trained on ({cause})",
                        rows=rows,
                        landing=None,
                        assignee=owners[one.view] or None,
                    )
                    opened.append(self._incidents.failed(tx, caller.project, failure))
            body = {"vectors": vectors, "different": {one.feature: dict(one.causes) for one in bad}}
            self._events.append(
                tx,
                project=caller.project,
                kind="skew.checked",
                subject=f"feature_service/{service.name}",
                actor=caller.actor,
                body=body,
            )
            return opened

        return self._store.write(work)


def _newest(vectors: list[ServedVector], sample: int) -> list[ServedVector]:
    return sorted(vectors, key=lambda vector: vector.served_at)[-max(0, sample) :] if sample > 0 else []
