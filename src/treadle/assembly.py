"""The one file that picks backends and hands out services.

A `Workspace` is one project of one store, as one caller sees it. Every part of it is made when it is first asked for, and
imported then: a run of three small steps pays for the engine and nothing else. Only this file imports `backends`, and
only here do systems meet: what one needs as a port, another offers, and the lines below join the two.
"""

# Imports inside of functions are this file's purpose: they are what makes a workspace cheap to open.

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from treadle.ground.clock import Clock, system_clock
from treadle.ground.ids import NewId, new_id
from treadle.ground.settings import Settings, load

if TYPE_CHECKING:
    from treadle.kernel.artifacts import Artifact
    from treadle.kernel.artifacts.blobs import BlobStore
    from treadle.kernel.artifacts.service import Artifacts
    from treadle.kernel.catalog import EvidenceRows, Refs
    from treadle.kernel.catalog.service import Runs
    from treadle.kernel.engine.ports import Executor
    from treadle.kernel.engine.scheduler import Scheduler
    from treadle.kernel.engine.service import Engine
    from treadle.kernel.engine.session import Session
    from treadle.kernel.events import EventLog
    from treadle.kernel.events.service import Activity
    from treadle.kernel.governance import Bound, Caller
    from treadle.kernel.store import Store
    from treadle.loops.feedback import Feedback, LandedPredictions, Observed, TruthRules
    from treadle.loops.provenance import Provenance
    from treadle.loops.release import Release
    from treadle.loops.release.servable import RegisteredModels
    from treadle.systems.collect import Datasets
    from treadle.systems.design import Designs
    from treadle.systems.features.service import Features
    from treadle.systems.infra import Storage
    from treadle.systems.labels import Labels
    from treadle.systems.monitor import AlertService, MonitorService
    from treadle.systems.prepare import Contracts, Incidents, QuarantineKeeper
    from treadle.systems.serve import Endpoints, Predictions, PredictionShipper, ServerProcess
    from treadle.systems.train import Models

T = TypeVar("T")

_OPENER = "treadle.assembly:current_engine"
"""How a runner finds its engine."""

_ONLOOKER = "treadle.assembly:onlooking_engine"
"""How a process that makes a recorded run again finds its engine."""

SERVICES = {
    "alerts": ("alerts", "treadle.systems.monitor.alert_service"),
    "audit": ("activity", "treadle.kernel.events.service"),
    "contracts": ("contracts", "treadle.systems.prepare.contracts"),
    "datasets": ("datasets", "treadle.systems.collect.service"),
    "endpoints": ("endpoints", "treadle.systems.serve.service"),
    "events": ("activity", "treadle.kernel.events.service"),
    "features": ("features", "treadle.systems.features.service"),
    "feedback": ("feedback", "treadle.loops.feedback.service"),
    "incidents": ("incidents", "treadle.systems.prepare.incidents"),
    "labels": ("labels", "treadle.systems.labels.service"),
    "leaderboards": ("designs", "treadle.systems.design.service"),
    "models": ("models", "treadle.systems.train.service"),
    "monitors": ("monitors", "treadle.systems.monitor.service"),
    "predictions": ("predictions", "treadle.systems.serve.predictions"),
    "provenance": ("provenance", "treadle.loops.provenance.service"),
    "quarantine": ("quarantine", "treadle.systems.prepare.quarantine"),
    "releases": ("release", "treadle.loops.release.service"),
    "runs": ("runs", "treadle.kernel.catalog.service"),
    "specs": ("designs", "treadle.systems.design.service"),
    "storage": ("storage", "treadle.systems.infra.service"),
}
"""By noun, the part of the workspace that does its verbs, and the module that declares them."""

_EXECUTORS = {"in-process": "inprocess", "pool": "pool", "ray": "ray"}
"""The setting's words -> the engine's names."""


class Workspace:
    """See the module. Close it when done, or use it as a context."""

    def __init__(
        self,
        settings: Settings,
        *,
        actor: str | None = None,
        clock: Clock = system_clock,
        show: Callable[[Session, str], Any] | None = None,
    ) -> None:
        """show: what shows a run while it works; see `Engine`."""
        self.settings = settings
        self.home: Path = settings.home
        self.project: str = settings.project
        self.actor = actor or _person()
        self.clock: Clock = clock
        self.new_id: NewId = new_id
        self._show = show
        self._open: list[Any] = []

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends workers and connections. Idempotent; whatever was acknowledged stands."""
        while self._open:
            self._open.pop().close()

    # The kernel

    @cached_property
    def store(self) -> Store:
        """Rows: SQLite in the home, or the PostgreSQL that `TREADLE_STORE` names."""
        from treadle.migrations import schema

        url = self.settings.store
        if url:
            from treadle.backends.postgres import open_postgres

            return self._closing(open_postgres(url, schema()))
        from treadle.kernel.store.sqlite import open_sqlite

        return self._closing(open_sqlite(self.home / "treadle.db", schema()))

    @cached_property
    def blobs(self) -> BlobStore:
        """Bytes: a folder in the home, another folder, or an object store."""
        place = self.settings.artifacts
        if "://" in place:
            from treadle.backends.obstore import ObstoreBlobs

            return self._closing(ObstoreBlobs.from_url(place, cache=self.home / "cache"))
        from treadle.kernel.artifacts.local import LocalBlobs

        return LocalBlobs(Path(place) if place else self.home / "artifacts")

    @cached_property
    def artifacts(self) -> Artifacts:
        from treadle.kernel.artifacts.service import Artifacts

        return Artifacts(self.blobs, allow_pickle=self.settings.allow_pickle)

    @cached_property
    def events(self) -> EventLog:
        from treadle.kernel.events import EventLog

        return EventLog(self.store, self.clock, self.new_id)

    @cached_property
    def refs(self) -> Refs:
        from treadle.kernel.catalog import Refs

        return Refs(self.events, self.clock)

    @cached_property
    def evidence(self) -> EvidenceRows:
        from treadle.kernel.catalog import EvidenceRows

        return EvidenceRows(self.events, self.clock, self.new_id)

    @cached_property
    def engine(self) -> Engine:
        """What runs pipelines; it records code and environment beside every run."""
        from treadle.kernel.engine.code import fingerprint
        from treadle.kernel.engine.code_store import bundler
        from treadle.kernel.engine.environment.git import start_diff
        from treadle.kernel.engine.observing import observe
        from treadle.kernel.engine.service import Engine, Surroundings

        home = str(self.home.absolute())
        return self._closing(
            Engine(
                self.store,
                self.artifacts,
                project=self.project,
                actor=self.actor,
                clock=self.clock,
                new_id=self.new_id,
                fingerprint=fingerprint,
                executors={"pool": self._pool, "ray": self._ray},
                executor=_EXECUTORS[self.settings.executor],
                observe=partial(observe, ignored=(home,)),
                surroundings=Surroundings(
                    diff=lambda: start_diff(self.settings.project_root),
                    environment=self._record_environment,
                    bundle=self._record_code,
                ),
                show=self._show,
                beat_s=self.settings.heartbeat_s,
                lease_s=self.settings.lease_s,
                bundler=bundler(self.artifacts, self.settings.project_root),
            )
        )

    def _pool(self) -> Executor:
        from treadle.kernel.engine.pool.pool import ProcessPool

        home = self.home.absolute()
        workers = self.settings.workers or None
        return ProcessPool(self.artifacts, workers=workers, bundles=str(home / "code"), ignored=(str(home),))

    def _ray(self) -> Executor:
        from treadle.backends.ray import RayExecutor

        return RayExecutor(self.artifacts)

    def _record_environment(self, diff: str | None) -> str:
        """Stores the description of interpreter, libraries and machine, with the uncommitted changes; answers its digest."""
        from dataclasses import asdict, replace

        from treadle.kernel.engine.environment import capture

        found = capture(self.settings.project_root)
        if found.git is not None:
            found = replace(found, git=replace(found.git, diff=diff))
        return self._record(self.artifacts.put(asdict(found), kind="environment"))

    def _record_code(self, pipeline: Any) -> str | None:
        """Stores the project's source as it is now; answers the bundle's digest, None for a pipeline without source."""
        from treadle.kernel.engine.code.bundling import bundle
        from treadle.kernel.engine.code.errors import NotCode

        try:
            made = bundle(pipeline.function, self.settings.project_root)
        except NotCode:
            return None
        return self._record(self.artifacts.put(made.content, kind="code"))

    def _record(self, artifact: Artifact) -> str:
        """Makes an artifact known to the project; answers its digest."""
        from treadle.kernel.catalog import ArtifactRows

        rows = ArtifactRows()
        with self.store.read() as reader:
            is_known = rows.find(reader, self.project, artifact.digest) is not None
        if not is_known:
            self.store.write(lambda tx: rows.record(tx, self.project, [artifact], at=self.clock()))
        return artifact.digest

    # The verbs

    def service(self, noun: str) -> object:
        """What does the verbs of a noun."""
        return getattr(self, SERVICES[noun][0])

    def bound(self) -> dict[str, Bound]:
        """Every verb with the service that does it; makes every service."""
        from treadle.kernel.governance import bind

        return bind(getattr(self, attribute) for attribute in dict.fromkeys(found for found, _ in SERVICES.values()))

    @cached_property
    def activity(self) -> Activity:
        from treadle.kernel.events.service import Activity

        return Activity(self.events)

    @cached_property
    def runs(self) -> Runs:
        from treadle.kernel.catalog.service import Runs

        return Runs(self.store)

    # The systems

    @cached_property
    def caller(self) -> Caller:
        """The person at the keyboard, who owns the home."""
        from treadle.kernel.governance import Caller

        return Caller(project=self.project, actor=self.actor)

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
    def contracts(self) -> Contracts:
        from treadle.systems.prepare import Contracts

        return Contracts(self.store, self.artifacts, self.events, self.refs, self._tables, self.clock, self.new_id)

    @cached_property
    def incidents(self) -> Incidents:
        from treadle.systems.prepare import Incidents

        return Incidents(self.store, self.events, self.clock, self.new_id)

    @cached_property
    def quarantine(self) -> QuarantineKeeper:
        from treadle.systems.prepare import QuarantineKeeper

        return QuarantineKeeper(self.store, self.events, self.contracts, self._tables, self.datasets, self.clock)

    @cached_property
    def features(self) -> Features:
        from treadle.systems.features.service import Features

        return Features(self.store, self.refs, self.artifacts, self.clock, self._tables)

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
    def models(self) -> Models:
        from treadle.systems.train import Models

        return Models(self.store, self.refs, self.evidence, self.events, self.clock, self.artifacts)

    @cached_property
    def servable(self) -> RegisteredModels:
        """The registry as serving sees it."""
        from treadle.loops.release.servable import RegisteredModels

        return RegisteredModels(self.store, self.models, self.artifacts)

    @cached_property
    def release(self) -> Release:
        from treadle.loops.release import Release

        return Release(self.store, self.models, self.evidence, self.events, self.artifacts)

    @cached_property
    def endpoints(self) -> Endpoints:
        from treadle.systems.serve.service import Endpoints

        return Endpoints(self.store, self.refs, self.events, self.servable, self.serving_area, self.clock, self.new_id)

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
    def feedback(self) -> Feedback:
        from treadle.loops.feedback import Feedback

        return Feedback(self.truth_rules, self.observed)

    @cached_property
    def monitors(self) -> MonitorService:
        from treadle.systems.monitor import MonitorService

        seen = self.observed
        return MonitorService(self.store, self.events, seen, seen, seen, clock=self.clock, new_id=self.new_id)

    @cached_property
    def alerts(self) -> AlertService:
        from treadle.systems.monitor import AlertService

        return AlertService(self.store, self.events, clock=self.clock, new_id=self.new_id)

    @cached_property
    def storage(self) -> Storage:
        from treadle.systems.infra import Storage
        from treadle.systems.train.roots import VersionRoots

        roots = [VersionRoots(self.evidence)]
        return Storage(self.store, self.artifacts, self.events, self.clock, home=self.home, roots=roots)

    @cached_property
    def provenance(self) -> Provenance:
        """Why things are as they are, and whether they come out the same again."""
        from treadle.kernel.engine.rerun_process import RerunProcess
        from treadle.loops.provenance import Provenance, Sources

        again = RerunProcess(
            self.engine,
            _ONLOOKER,
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
            models=self.models,
            endpoints=self.endpoints,
            predictions=self.predictions,
            alerts=self.alerts,
            truth=self.observed,
        )
        return Provenance(sources, again)

    @cached_property
    def scheduler(self) -> Scheduler:
        """Starts what is due, each run in a process of its own, from published code."""
        from treadle.kernel.engine.processes import Processes
        from treadle.kernel.engine.scheduler import Scheduler

        code, log = self.home.absolute() / "code", self.home.absolute() / "logs" / "runners.log"
        runners = Processes(self.engine, _OPENER, folder=code, environment=self.environment(), log=log)
        return Scheduler(self.engine, runners)

    @contextlib.contextmanager
    def serve(self, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[ServerProcess]:
        """A model server of this project, for the length of a `with`; it answers when the body begins."""
        from treadle.systems.serve.supervisor import ServerProcess

        self.endpoints.reconcile(self.project)
        server = ServerProcess.start(self.serving_area(self.project), host=host, port=port)
        try:
            yield server
        finally:
            server.stop()

    def environment(self) -> dict[str, str]:
        """The variables by which another process of this host opens the same workspace."""
        return {
            "TREADLE_HOME": str(self.home.absolute()),
            "TREADLE_PROJECT": self.project,
            "TREADLE_STORE": self.settings.store,
            "TREADLE_ARTIFACTS": self.settings.artifacts,
        }

    def serving_area(self, project: str) -> Path:
        """The folder that the model servers of a project read."""
        return self.home.absolute() / "serving" / project

    def _closing(self, resource: T) -> T:
        if hasattr(resource, "close"):
            self._open.append(resource)
        return resource


_current: ContextVar[Workspace | None] = ContextVar("treadle_workspace", default=None)
_default: Workspace | None = None


def open_workspace(
    home: Path | str | None = None, *, project: str | None = None, actor: str | None = None, **flags: object
) -> Workspace:
    """The workspace that the settings name; what is given here goes before file and environment.

    Raises SettingInvalid.
    """
    return Workspace(load({"home": home, "project": project, **flags}), actor=actor)


@contextlib.contextmanager
def use(workspace: Workspace) -> Iterator[Workspace]:
    """Makes a workspace the current one inside a `with`."""
    token = _current.set(workspace)
    try:
        yield workspace
    finally:
        _current.reset(token)


def current_workspace() -> Workspace:
    """The workspace of the surrounding `use`, or that of this process, opened from the settings when first asked for."""
    global _default
    found = _current.get()
    if found is not None:
        return found
    if _default is None:
        _default = open_workspace()
    return _default


def current_engine() -> Engine:
    """The engine of the current workspace; what a runner opens."""
    return current_workspace().engine


def onlooking_engine() -> Engine:
    """The engine of a workspace that may read everything and change nothing: what makes a recorded run again opens it."""
    from dataclasses import replace

    workspace = current_workspace()
    workspace.caller = replace(workspace.caller, permissions=frozenset({"*.read"}))
    return workspace.engine


def _person() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
