"""The kernel of a workspace: rows and bytes, events and refs, the engine that runs pipelines and what starts it."""

# Imports inside of functions are this package's purpose: they are what makes a workspace cheap to open.

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from treadle.ground.clock import Clock, system_clock
from treadle.ground.ids import NewId, new_id
from treadle.ground.memo import cached_property
from treadle.ground.settings import Settings

if TYPE_CHECKING:
    from treadle.kernel.artifacts import Artifact
    from treadle.kernel.artifacts.blobs import BlobStore
    from treadle.kernel.artifacts.service import Artifacts
    from treadle.kernel.catalog import EvidenceRows, Refs
    from treadle.kernel.catalog.service import Runs
    from treadle.kernel.engine.pipeline_service import Pipelines
    from treadle.kernel.engine.ports import Executor
    from treadle.kernel.engine.run_service import RunControl
    from treadle.kernel.engine.scheduler import Scheduler
    from treadle.kernel.engine.service import Engine
    from treadle.kernel.engine.session import Session
    from treadle.kernel.engine.trigger_service import Triggers
    from treadle.kernel.events import EventLog
    from treadle.kernel.events.outbox import Outbox
    from treadle.kernel.events.service import Activity
    from treadle.kernel.governance import Caller
    from treadle.kernel.governance.identity.service import Accounts
    from treadle.kernel.store import Store

T = TypeVar("T")

_OPENER = "treadle.assembly:current_engine"
"""How a runner finds its engine."""
ONLOOKER = "treadle.assembly:onlooking_engine"
"""How a process that changes nothing finds its engine: a planner, or one that makes a recorded run again."""

_EXECUTORS = {"in-process": "inprocess", "pool": "pool", "ray": "ray"}
"""The setting's words -> the engine's names."""


class Kernel:
    """One project of one store, as one caller sees it. Close it when done, or use it as a context."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends workers and connections. Idempotent; whatever was acknowledged stands."""
        while self._open:
            self._open.pop().close()

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
    def outbox(self) -> Outbox:
        from treadle.kernel.events.outbox import Outbox

        return Outbox(self.store, self.clock, self.new_id)

    @cached_property
    def refs(self) -> Refs:
        from treadle.kernel.catalog import Refs

        return Refs(self.events, self.clock)

    @cached_property
    def evidence(self) -> EvidenceRows:
        from treadle.kernel.catalog import EvidenceRows

        return EvidenceRows(self.events, self.clock, self.new_id)

    @cached_property
    def accounts(self) -> Accounts:
        """Users and tokens of the home."""
        from treadle.kernel.governance.identity.service import Accounts

        return Accounts(self.store, self.events, self.clock, self.new_id)

    @cached_property
    def activity(self) -> Activity:
        from treadle.kernel.events.service import Activity

        return Activity(self.events)

    @cached_property
    def runs(self) -> Runs:
        from treadle.kernel.catalog.service import Runs

        return Runs(self.store)

    @cached_property
    def caller(self) -> Caller:
        """The person at the keyboard, who owns the home."""
        from treadle.kernel.governance import Caller

        return Caller(project=self.project, actor=self.actor)

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
                    variables=self._tracking_variables(),
                ),
                show=self._show,
                beat_s=self.settings.heartbeat_s,
                lease_s=self.settings.lease_s,
                bundler=bundler(self.artifacts, self.settings.project_root),
            )
        )

    @cached_property
    def scheduler(self) -> Scheduler:
        """Starts what is due, each run in a process of its own, from published code."""
        from treadle.kernel.engine.processes import Processes
        from treadle.kernel.engine.scheduler import Scheduler

        code, log = self.home.absolute() / "code", self.home.absolute() / "logs" / "runners.log"
        runners = Processes(self.engine, _OPENER, folder=code, environment=self.environment(), log=log)
        return Scheduler(self.engine, runners)

    @cached_property
    def triggers(self) -> Triggers:
        """What starts pipelines by itself."""
        from treadle.kernel.engine.trigger_service import Triggers

        return Triggers(self.engine)

    @cached_property
    def pipelines(self) -> Pipelines:
        """Pipelines that are published or have run, and runs of published code."""
        from treadle.kernel.engine.pipeline_service import Pipelines
        from treadle.kernel.engine.plan_process import PlanProcess

        code = self.home.absolute() / "code"
        return Pipelines(self.engine, PlanProcess(self.engine, ONLOOKER, folder=code, environment=self.environment()))

    @cached_property
    def run_control(self) -> RunControl:
        """What is done to runs from outside of their process."""
        from treadle.kernel.engine.run_service import RunControl

        return RunControl(self.engine)

    def environment(self) -> dict[str, str]:
        """The variables by which another process of this host opens the same workspace."""
        return {
            "TREADLE_HOME": str(self.home.absolute()),
            "TREADLE_PROJECT": self.project,
            "TREADLE_STORE": self.settings.store,
            "TREADLE_ARTIFACTS": self.settings.artifacts,
            "TREADLE_ONLINE_STORE": self.settings.online_store,
            "TREADLE_SERVED_SHARE": str(self.settings.served_share),
        }

    def serving_area(self, project: str) -> Path:
        """The folder that the model servers of a project read."""
        return self.home.absolute() / "serving" / project

    def _pool(self) -> Executor:
        from treadle.kernel.engine.pool.pool import ProcessPool

        home = self.home.absolute()
        workers = self.settings.workers or None
        return ProcessPool(
            self.artifacts,
            workers=workers,
            bundles=str(home / "code"),
            ignored=(str(home),),
            variables={**self.environment(), **self._tracking_variables()},
        )

    def _tracking_variables(self) -> dict[str, str]:
        """What makes MLflow's client, where a step uses it, log in this store and in the step's own run."""
        from urllib.parse import quote

        home = quote(str(self.home.absolute()))
        return {"MLFLOW_TRACKING_URI": f"treadle://{home}?project={self.project}"}

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

    def _closing(self, resource: T) -> T:
        if hasattr(resource, "close"):
            self._open.append(resource)
        return resource


def _person() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
