"""A workspace: the kernel, the systems on it, and the loops that join them.

Every part is made when it is first asked for, and imported then: a run of three small steps pays for the engine and nothing
else. Only here do systems meet: what one needs as a port, another offers, and the lines below join the two.
"""

# Imports inside of functions are this package's purpose: they are what makes a workspace cheap to open.

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING

from treadle.assembly.kernel import ONLOOKER, Kernel
from treadle.assembly.services import place_of, places
from treadle.ground.memo import cached_property

if TYPE_CHECKING:
    from treadle.assembly.online_stores import OnlineStores
    from treadle.assembly.registry import Registry
    from treadle.assembly.tracking import Tracking
    from treadle.kernel.governance import Bound, Caller, Verb
    from treadle.loops.catalogue import Catalogue
    from treadle.loops.feedback import Feedback, LandedPredictions, Observed, TruthRules
    from treadle.loops.feedback.hindsight import Replays
    from treadle.loops.overview import Overviews
    from treadle.loops.provenance import Provenance
    from treadle.loops.release import Release
    from treadle.loops.release.engines import Engines
    from treadle.loops.release.servable import RegisteredModels
    from treadle.loops.rollout import Canaries, Shadows
    from treadle.loops.rollout.releasing import Releases
    from treadle.loops.skew import Skew
    from treadle.loops.value import Value
    from treadle.loops.watching import Watching
    from treadle.systems.collect import Datasets
    from treadle.systems.collect.branching.service import Branches
    from treadle.systems.collect.compacting.service import Compaction
    from treadle.systems.collect.comparing.service import Comparisons
    from treadle.systems.collect.connectors.service import Sources
    from treadle.systems.collect.filesets.service import FileSets
    from treadle.systems.collect.querying.service import Queries
    from treadle.systems.collect.tags import Tags
    from treadle.systems.design import Designs
    from treadle.systems.features.in_sql.service import FeatureQueries
    from treadle.systems.features.online.service import OnlineFeatures
    from treadle.systems.features.ports import JoinEngine
    from treadle.systems.features.registered import Registered
    from treadle.systems.features.service import Features
    from treadle.systems.features.training_sets import TrainingSets
    from treadle.systems.infra import Storage
    from treadle.systems.labels import Labels
    from treadle.systems.monitor import AlertService, MonitorService
    from treadle.systems.monitor.distributions import DistributionService
    from treadle.systems.monitor.route_service import AlertRoutes
    from treadle.systems.prepare import Cleanings, Contracts, Incidents, QuarantineKeeper
    from treadle.systems.prepare.anomalies.service import Anomalies
    from treadle.systems.prepare.profiling.making import ProfileMaker
    from treadle.systems.prepare.profiling.service import Profiles
    from treadle.systems.serve import Endpoints, Predictions, PredictionShipper, ServerProcess, Traffic
    from treadle.systems.serve.trying import Trying


class Workspace(Kernel):
    """See the module. Close it when done, or use it as a context."""

    @cached_property
    def tracking(self) -> Tracking:
        """What tracking clients log, and what finds it."""
        from treadle.assembly.tracking import Tracking

        return Tracking(self)

    @cached_property
    def registry(self) -> Registry:
        """Registered models and their versions."""
        from treadle.assembly.registry import Registry

        return Registry(self, lambda: self.tracking.contents)

    def service(self, verb: Verb) -> object:
        """What does a verb."""
        return attrgetter(place_of(verb.noun, verb.function.__module__))(self)

    def bound(self) -> dict[str, Bound]:
        """Every verb with the service that does it; makes every service."""
        from treadle.kernel.governance import bind

        return bind(attrgetter(place)(self) for place in places())

    @cached_property
    def datasets(self) -> Datasets:
        """Datasets, with the contracts of prepare as the gate of every landing."""
        from treadle.systems.prepare.gate import ContractGate

        datasets = self._tables
        datasets.guard(ContractGate(self.contracts, self.incidents, self.clock, self.new_id))
        return datasets

    @cached_property
    def _tables(self) -> Datasets:
        """Datasets without a gate: what contracts themselves read."""
        from treadle.systems.collect import Datasets

        root = self.home.absolute() / "tables"
        inbox = self.home.absolute() / "inbox"
        return Datasets(self.store, self.events, self.refs, root, self.clock, self.new_id, inbox=inbox)

    @cached_property
    def dataset_branches(self) -> Branches:
        from treadle.systems.collect.branching.service import Branches

        return Branches(self._tables.workings, self.new_id)

    @cached_property
    def dataset_compaction(self) -> Compaction:
        from treadle.systems.collect.compacting.service import Compaction

        return Compaction(self._tables.workings)

    @cached_property
    def dataset_comparisons(self) -> Comparisons:
        from treadle.systems.collect.comparing.service import Comparisons

        return Comparisons(self._tables.lookup, self.profile_maker)

    @cached_property
    def dataset_files(self) -> FileSets:
        from treadle.systems.collect.filesets.service import FileSets

        inbox = self.home.absolute() / "inbox"
        return FileSets(self._tables.workings, self.artifacts.blobs, inbox=inbox)

    @cached_property
    def dataset_queries(self) -> Queries:
        from treadle.systems.collect.querying.sandbox import Limits
        from treadle.systems.collect.querying.service import Queries

        limits = Limits(timeout_s=self.settings.query_timeout_s, memory_bytes=self.settings.query_memory_bytes)
        return Queries(self._tables.lookup, limits)

    @cached_property
    def dataset_tags(self) -> Tags:
        from treadle.systems.collect.tags import Tags

        return Tags(self.store, self.refs, self._tables.lookup)

    @cached_property
    def sources(self) -> Sources:
        """The sources that treadle.toml declares; it is read anew at every call, so that an edit counts at once."""
        from treadle.ground.settings import sources_of
        from treadle.systems.collect.connectors.service import Sources

        root = self.settings.project_root
        return Sources(self.store, self.datasets, self.project, root, lambda: sources_of(root))

    @cached_property
    def contracts(self) -> Contracts:
        from treadle.systems.prepare import Contracts

        return Contracts(self.store, self.artifacts, self.events, self.refs, self._tables, self.clock, self.new_id)

    @cached_property
    def cleanings(self) -> Cleanings:
        from treadle.systems.prepare import Cleanings

        return Cleanings(
            self.store, self.artifacts, self.events, self.contracts, self._tables, self.datasets, self.clock
        )

    @cached_property
    def incidents(self) -> Incidents:
        from treadle.systems.prepare import Incidents

        after = self.settings.recover_after
        return Incidents(self.store, self.events, self.clock, self.new_id, recover_after=after)

    @cached_property
    def profile_maker(self) -> ProfileMaker:
        """Makes the profiles of files and snapshots that nobody has made yet."""
        from treadle.systems.prepare.profiling.making import ProfileMaker
        from treadle.systems.prepare.profiling.shelf import ProfileShelf

        return ProfileMaker(self._tables, ProfileShelf(self.store, self.artifacts, self.clock))

    @cached_property
    def profiles(self) -> Profiles:
        from treadle.systems.prepare.profiling.service import Profiles

        return Profiles(self._tables, self.profile_maker)

    @cached_property
    def anomalies(self) -> Anomalies:
        from treadle.systems.prepare.anomalies.service import Anomalies

        tables = self._tables
        return Anomalies(self.store, tables, tables, self.profile_maker, self.contracts, self.incidents, self.clock)

    @cached_property
    def quarantine(self) -> QuarantineKeeper:
        from treadle.systems.prepare import QuarantineKeeper

        return QuarantineKeeper(self.store, self.events, self.contracts, self._tables, self.datasets, self.clock)

    @cached_property
    def features(self) -> Features:
        from treadle.systems.collect.landing_times import LandingTimes
        from treadle.systems.features.service import Features

        def on_ray() -> JoinEngine:
            from treadle.backends.ray_features import RayJoins

            return RayJoins()

        landings, engines = LandingTimes(self.store), {"ray": on_ray}
        return Features(self.store, self.refs, self.artifacts, self.clock, self._tables, landings, engines)

    @cached_property
    def registered_features(self) -> Registered:
        """Views and services as they were registered."""
        from treadle.systems.features.registered import Registered

        return Registered(self.store, self.refs, self.artifacts)

    @cached_property
    def feature_queries(self) -> FeatureQueries:
        from treadle.systems.features.in_sql.service import FeatureQueries

        return FeatureQueries(self.registered_features)

    @cached_property
    def online_features(self) -> OnlineFeatures:
        from treadle.systems.collect.landing_times import LandingTimes
        from treadle.systems.features.online.service import OnlineFeatures

        return OnlineFeatures(
            self.registered_features,
            self.store,
            self.events,
            self.online_stores.of,
            self._tables,
            LandingTimes(self.store),
            self.datasets,
            self.clock,
            self.online_stores.served,
        )

    @cached_property
    def skew(self) -> Skew:
        """What was served online, held against training."""
        from treadle.loops.skew import Skew
        from treadle.systems.collect.landing_times import LandingTimes

        return Skew(
            self.store,
            self.events,
            self.registered_features,
            self._tables,
            LandingTimes(self.store),
            self.online_stores.served,
            self.incidents,
        )

    @cached_property
    def catalogue(self) -> Catalogue:
        """Features, with who uses them."""
        from treadle.loops.catalogue import Catalogue
        from treadle.loops.catalogue.uses import Uses, uses_of

        def uses(caller: Caller) -> Uses:
            return uses_of(caller, self.store, self.refs, self.training_sets, self.registry.models, self.endpoints)

        return Catalogue(self.registered_features, self._tables, self.online_stores.of, uses, self.clock)

    @cached_property
    def online_stores(self) -> OnlineStores:
        """The stores from which features are read online, one a project."""
        from treadle.assembly.online_stores import OnlineStores

        return self._closing(
            OnlineStores(self.settings.online_store, self.home.absolute() / "online", self.settings.served_share)
        )

    @cached_property
    def training_sets(self) -> TrainingSets:
        from treadle.systems.features.training_sets import TrainingSets

        return TrainingSets(self.store, self.refs, self.artifacts, self.features, self.clock)

    @cached_property
    def labels(self) -> Labels:
        from treadle.loops.feedback.labels import LabelLandings
        from treadle.systems.labels import Labels

        sink = LabelLandings(self.datasets)
        return Labels(self.store, self.events, self.clock, self.new_id, rows=self._tables, sink=sink)

    @cached_property
    def designs(self) -> Designs:
        from treadle.systems.design import Designs

        return Designs(self.store, self.refs, self.artifacts, self.clock)

    @cached_property
    def servable(self) -> RegisteredModels:
        """The registry as serving sees it."""
        from treadle.loops.release.servable import RegisteredModels

        return RegisteredModels(self.store, self.registry.models, self.artifacts)

    @cached_property
    def engines(self) -> Engines:
        from treadle.loops.release.engines import Engines

        return Engines(self.servable)

    @cached_property
    def release(self) -> Release:
        from treadle.loops.release import Release

        return Release(self.store, self.registry.models, self.evidence, self.events, self.artifacts)

    @cached_property
    def endpoints(self) -> Endpoints:
        from treadle.systems.features.online.offered import OfferedServices
        from treadle.systems.serve.service import Endpoints

        features = OfferedServices(self.online_stores.of)
        parts = (self.store, self.refs, self.events, self.servable, self.serving_area, self.clock, self.new_id)
        return Endpoints(*parts, features)

    @cached_property
    def traffic(self) -> Traffic:
        """How the traffic of endpoints is divided."""
        from treadle.systems.serve import Traffic

        return Traffic(self.store, self.endpoints)

    @cached_property
    def canaries(self) -> Canaries:
        """Rollouts by steps."""
        from treadle.loops.rollout import Canaries
        from treadle.loops.rollout.observing import Landed

        sight = Landed(self._tables, self.observed)
        models, evidence = self.registry.models, self.evidence
        return Canaries(self.store, self.endpoints, models, evidence, self.events, sight, self.clock, self.new_id)

    @cached_property
    def releases(self) -> Releases:
        """Versions on their way through the stages of a release."""
        from treadle.loops.rollout.releasing import Releases

        return Releases(
            self.store,
            self.endpoints,
            self.traffic,
            self.canaries,
            self.shadows,
            self.registry.models,
            self.evidence,
            self.events,
            self.clock,
            self.new_id,
        )

    @cached_property
    def shadows(self) -> Shadows:
        """Shadows beside what was answered."""
        from treadle.loops.rollout import Shadows
        from treadle.loops.rollout.observing import Landed

        return Shadows(self.store, self.endpoints, Landed(self._tables, self.observed))

    @cached_property
    def archive(self) -> LandedPredictions:
        """Predictions as datasets."""
        from treadle.loops.feedback import LandedPredictions

        return LandedPredictions(self.datasets, self.caller)

    @cached_property
    def predictions(self) -> Predictions:
        from treadle.systems.serve.predictions import Predictions

        return Predictions(self.serving_area, self.archive)

    @cached_property
    def trying(self) -> Trying:
        """Asks the model server of this machine on trial."""
        from treadle.systems.serve.trying import Trying

        return Trying(self.serving_area)

    @cached_property
    def shipper(self) -> PredictionShipper:
        """Brings the prediction log of this project's servers into datasets."""
        from treadle.systems.serve.shipping import PredictionShipper

        return PredictionShipper(self.serving_area(self.project), self.archive)

    @cached_property
    def truth_rules(self) -> TruthRules:
        from treadle.loops.feedback import TruthRules

        return TruthRules(self.store, self.artifacts, self.refs, self.clock)

    @cached_property
    def observed(self) -> Observed:
        """Predictions and their truth, as monitoring watches them."""
        from treadle.loops.feedback import Observed

        return Observed(self.store, self.artifacts, self._tables, self.truth_rules)

    @cached_property
    def replays(self) -> Replays:
        from treadle.loops.feedback.hindsight import Replays

        return Replays(self.endpoints, self.feedback, self.serving_area)

    @cached_property
    def value(self) -> Value:
        """What predictions turned out to be worth."""
        from treadle.loops.value import Value, ValueRules

        return Value(ValueRules(self.store, self.artifacts, self.refs, self.clock), self.observed)

    @cached_property
    def feedback(self) -> Feedback:
        from treadle.loops.feedback import Feedback

        return Feedback(self.truth_rules, self.observed, self._tables, self.clock, self.new_id)

    @cached_property
    def overviews(self) -> Overviews:
        """The loop at a glance."""
        from treadle.loops.overview import Overviews

        return Overviews(self.store, self.events, self.alerts, self.incidents, self.clock)

    @cached_property
    def watching(self) -> Watching:
        """Monitors that begin by themselves, and judge what is due."""
        from treadle.loops.watching import Watching

        return Watching(self.monitors, self.endpoints, self.registry.models, self.caller, self.clock)

    @cached_property
    def monitors(self) -> MonitorService:
        from treadle.systems.monitor import MonitorService

        seen = self.observed
        return MonitorService(
            self.store,
            self.events,
            seen,
            seen,
            seen,
            clock=self.clock,
            new_id=self.new_id,
            outbox=self.outbox,
        )

    @cached_property
    def distributions(self) -> DistributionService:
        """Windows beside their references, column by column."""
        from treadle.systems.monitor.distributions import DistributionService

        return DistributionService(self.store)

    @cached_property
    def alerts(self) -> AlertService:
        from treadle.systems.monitor import AlertService

        return AlertService(self.store, self.events, clock=self.clock, new_id=self.new_id, outbox=self.outbox)

    @cached_property
    def alert_routes(self) -> AlertRoutes:
        """Who is told of alerts."""
        from treadle.systems.monitor.route_service import AlertRoutes

        return AlertRoutes(self.store, self.events, self.registry.alert_guard, clock=self.clock, new_id=self.new_id)

    @cached_property
    def storage(self) -> Storage:
        from treadle.systems.collect.filesets.blobs import ManifestBlobs
        from treadle.systems.collect.retaining.examining import TableFiles
        from treadle.systems.collect.retaining.service import TableHoldings
        from treadle.systems.features.training_sets import TrainingSetRoots
        from treadle.systems.infra import Storage
        from treadle.systems.prepare.cleaning.rows import CleaningRoots
        from treadle.systems.prepare.profiling.shelf import ProfileRoots
        from treadle.systems.train.files.repository import FileBlobs
        from treadle.systems.train.registry.roots import VersionRoots

        return Storage(
            self.store,
            self.artifacts,
            self.events,
            self.clock,
            home=self.home,
            roots=[VersionRoots(self.evidence), ProfileRoots(), CleaningRoots(), TrainingSetRoots(self.refs)],
            users=[FileBlobs(), ManifestBlobs()],
            leftovers=[self.tracking.uploads, self.tracking.contents],
            holdings=[TableHoldings(self._tables.workings)],
            tables=[TableFiles(self._tables.workings)],
        )

    @cached_property
    def provenance(self) -> Provenance:
        """Why things are as they are, and whether they come out the same again."""
        from treadle.kernel.engine.rerun_process import RerunProcess
        from treadle.loops.provenance import Provenance, Sources

        again = RerunProcess(
            self.engine,
            ONLOOKER,
            folder=self.home.absolute() / "code",
            project_root=self.settings.project_root,
            environment=self.environment(),
        )
        sources = Sources(
            store=self.store,
            artifacts=self.artifacts,
            events=self.events,
            refs=self.refs,
            evidence=self.evidence,
            datasets=self.datasets,
            features=self.features,
            models=self.registry.models,
            endpoints=self.endpoints,
            predictions=self.predictions,
            alerts=self.alerts,
            cleanings=self.cleanings,
            incidents=self.incidents,
            truth=self.observed,
        )
        return Provenance(sources, again)

    @contextlib.contextmanager
    def serve(self, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[ServerProcess]:
        """A model server of this project, for the length of a `with`; it answers when the body begins."""
        from treadle.systems.serve.supervisor import ServerProcess

        self.endpoints.reconcile(self.project)
        server = ServerProcess.start(
            self.serving_area(self.project), host=host, port=port, environment=self.environment()
        )
        try:
            yield server
        finally:
            server.stop()
