"""The parts of `treadle up` beside the API, and the order in which they begin and end.

Each part opens what it works with once there is work for it: a home that only tracks experiments pays for no data frames
and for no model server.

What each loop does is a call of a service that is written for being called again: schedules are claimed, landings have
ids, documents are compared before they are written. So nothing is lost or done twice, wherever a kill falls.
"""

from __future__ import annotations

from typing import Any

from treadle.assembly import Workspace
from treadle.faces.up.code_watch import CodeWatch
from treadle.faces.up.data_watch import DataWatch
from treadle.faces.up.loops import Loop
from treadle.faces.up.model_server import ModelServer
from treadle.faces.up.source_runs import SourceRuns
from treadle.kernel.events import Event
from treadle.kernel.events.outbox import ALERT, is_due
from treadle.systems.collect.intents import intents
from treadle.systems.serve import ServerProcess
from treadle.systems.serve.repository import RouteRows
from treadle.systems.train.webhooks.announcing import KIND as WEBHOOK

_LOUD = ("alert.opened", "incident.opened", "run.failed")
"""Kinds of events that are warnings in the log."""
_SILENT = ("project.published", "step.finished", "step.cached", "act.finished")
"""Kinds of events that another line says already, or that are too many for a person: `treadle runs show` has them."""


class Household:
    """Everything that works while `treadle up` is up."""

    def __init__(self, workspace: Workspace, log: Any, *, serve_port: int, serves_at_once: bool = False) -> None:
        """serves_at_once: starts the model server also where nothing is deployed yet."""
        self._workspace, self._log = workspace, log
        self._serves = serves_at_once
        self.models = ModelServer(lambda: self._start_server(serve_port), log)
        self._position = 0
        self._sources = SourceRuns(workspace, log)
        self._data = DataWatch(workspace, log)
        self._code = CodeWatch(workspace.settings.project_root, workspace.environment(), log)
        self._loops = [
            Loop("model server", self._look_after_models, every_s=0.5, log=log),
            Loop("serving documents", self._reconcile, every_s=2.0, log=log),
            Loop("predictions", self._ship, every_s=1.0, log=log),
            Loop("canaries", self._look_at_canaries, every_s=2.0, log=log),
            Loop("events", self._tell_events, every_s=0.5, log=log),
            Loop("scheduler", self._schedule, every_s=1.0, log=log),
            Loop("publishing", self._code.look, every_s=1.0, log=log),
            Loop("webhooks", self._deliver, every_s=0.5, log=log),
            Loop("alerts", self._tell_alerts, every_s=2.0, log=log),
            Loop("sources", self._sources.look, every_s=1.0, log=log),
            Loop("monitors", self._watch, every_s=60.0, log=log),
            Loop("anomalies", self._data.look, every_s=15.0, log=log),
        ]

    def start(self) -> None:
        """Brings to an end what a killed process began, starts the model server, then the loops."""
        workspace = self._workspace
        self._position = workspace.events.head(workspace.project)[0]
        with workspace.store.read() as reader:
            is_interrupted = bool(intents(reader, workspace.project))
        if is_interrupted:
            for landing in workspace.datasets.recover(workspace.project):
                self._log.info("an interrupted landing was settled", landing=landing)
        self._reconcile()
        self._look_after_models()
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Ends the loops, then the model server, then ships what it still logged. Runs that work are ended last and go
        on when `treadle up` is started again."""
        for loop in self._loops:
            loop.stop()
        self._sources.stop()
        self.models.stop()
        Loop("predictions", self._ship, every_s=1.0, log=self._log).once()
        for name in self._workspace.scheduler.stop():
            self._log.info("a run was interrupted; the next `treadle up` goes on with it", runner=name)
        Loop("events", self._tell_events, every_s=1.0, log=self._log).once()

    def _start_server(self, port: int) -> ServerProcess:
        workspace = self._workspace
        grpc_port = workspace.settings.serve_grpc_port
        area, environment = workspace.serving_area(workspace.project), workspace.environment()
        return ServerProcess.start(area, port=port, grpc_port=grpc_port, environment=environment)

    def _look_after_models(self) -> None:
        if self._serves or self._has_endpoints():
            self._serves = True
            self.models.look()

    def _has_endpoints(self) -> bool:
        with self._workspace.store.read() as reader:
            return bool(RouteRows().endpoints(reader, self._workspace.project))

    def _has_predictions(self) -> bool:
        return (self._workspace.serving_area(self._workspace.project) / "predictions").is_dir()

    def _reconcile(self) -> None:
        if not self._has_endpoints():
            return
        for endpoint in self._workspace.endpoints.reconcile(self._workspace.project):
            self._log.warning("a lost serving document was written anew", endpoint=endpoint)

    def _ship(self) -> None:
        if not self._has_predictions():
            return
        shipped = self._workspace.shipper.ship()
        if shipped.rows:
            self._log.info("predictions landed", predictions=shipped.rows, calls=shipped.calls)
        for place in shipped.damaged:
            self._log.error("a record of the prediction log is damaged", at=place)

    def _look_at_canaries(self) -> None:
        """Takes rollouts and releases a step on or back; what it did is told by its event."""
        if self._has_endpoints():
            self._workspace.canaries.tick(self._workspace.caller)
            self._workspace.releases.tick(self._workspace.caller)

    def _watch(self) -> None:
        if not self._has_endpoints():
            return
        looked = self._workspace.watching.look()
        for name in looked.begun:
            self._log.info("a monitor was begun", monitor=name)
        for name in looked.rebased:
            self._log.info("a monitor follows another version", monitor=name)

    def _schedule(self) -> None:
        for firing in self._workspace.scheduler.tick():
            self._log.info("a run was started", pipeline=firing.pipeline, by=firing.source, firing=firing.id)

    def _deliver(self) -> None:
        """Brings to webhooks what they asked for; the outbox is looked at with one statement where it is empty."""
        with self._workspace.store.read() as reader:
            if not is_due(reader, WEBHOOK, self._workspace.clock()):
                return
        done = self._workspace.registry.deliverer.deliver()
        if done.failed or done.given_up:
            self._log.warning("webhooks did not take all", failed=done.failed, given_up=done.given_up)

    def _tell_alerts(self) -> None:
        """Brings alerts to those who are to be told, as `_deliver` does for webhooks."""
        with self._workspace.store.read() as reader:
            if not is_due(reader, ALERT, self._workspace.clock()):
                return
        told = self._workspace.registry.alert_deliverer.deliver()
        if told.failed or told.given_up:
            self._log.warning("alerts were not taken everywhere", failed=told.failed, given_up=told.given_up)

    def _tell_events(self) -> None:
        """Says what happened; reading the log seals it, too, which on PostgreSQL somebody has to do."""
        for event in self._workspace.events.since(self._workspace.project, self._position):
            self._position = event.position or self._position
            self._data.notice(event)
            if event.kind not in _SILENT:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        say = self._log.warning if event.kind in _LOUD or event.body.get("status") == "failed" else self._log.info
        say(event.kind, about=event.subject, by=event.actor)
