"""The parts of `treadle up` beside the API, and the order in which they begin and end.

What each loop does is a call of a service that is written for being called again: schedules are claimed, landings have
ids, documents are compared before they are written. So nothing is lost or done twice, wherever a kill falls.
"""

from __future__ import annotations

from typing import Any

from treadle.assembly import Workspace
from treadle.faces.up.code_watch import CodeWatch
from treadle.faces.up.loops import Loop
from treadle.faces.up.model_server import ModelServer
from treadle.kernel.events import Event
from treadle.systems.serve import ServerProcess

_LOUD = ("alert.opened", "incident.opened", "run.failed")
"""Kinds of events that are warnings in the log."""
_SILENT = ("project.published", "step.finished", "step.cached", "act.finished")
"""Kinds of events that another line says already, or that are too many for a person: `treadle runs show` has them."""


class Household:
    """Everything that works while `treadle up` is up."""

    def __init__(self, workspace: Workspace, log: Any, *, serve_port: int) -> None:
        self._workspace, self._log = workspace, log
        self.models = ModelServer(lambda: self._start_server(serve_port), log)
        self._position = 0
        self._code = CodeWatch(workspace.settings.project_root, workspace.environment(), log)
        self._loops = [
            Loop("model server", self.models.look, every_s=0.5, log=log),
            Loop("serving documents", self._reconcile, every_s=2.0, log=log),
            Loop("predictions", self._ship, every_s=1.0, log=log),
            Loop("events", self._tell_events, every_s=0.5, log=log),
            Loop("scheduler", self._schedule, every_s=1.0, log=log),
            Loop("publishing", self._code.look, every_s=1.0, log=log),
        ]

    def start(self) -> None:
        """Brings to an end what a killed process began, starts the model server, then the loops."""
        workspace = self._workspace
        self._position = workspace.events.head(workspace.project)[0]
        for landing in workspace.datasets.recover(workspace.project):
            self._log.info("an interrupted landing was settled", landing=landing)
        workspace.endpoints.reconcile(workspace.project)
        self.models.look()
        for loop in self._loops:
            loop.start()

    def stop(self) -> None:
        """Ends the loops, then the model server, then ships what it still logged. Runs that work are ended last and go
        on when `treadle up` is started again."""
        for loop in self._loops:
            loop.stop()
        self.models.stop()
        Loop("predictions", self._ship, every_s=1.0, log=self._log).once()
        for name in self._workspace.scheduler.stop():
            self._log.info("a run was interrupted; the next `treadle up` goes on with it", runner=name)
        Loop("events", self._tell_events, every_s=1.0, log=self._log).once()

    def _start_server(self, port: int) -> ServerProcess:
        workspace = self._workspace
        return ServerProcess.start(workspace.serving_area(workspace.project), port=port)

    def _reconcile(self) -> None:
        for endpoint in self._workspace.endpoints.reconcile(self._workspace.project):
            self._log.warning("a lost serving document was written anew", endpoint=endpoint)

    def _ship(self) -> None:
        shipped = self._workspace.shipper.ship()
        if shipped.rows:
            self._log.info("predictions landed", predictions=shipped.rows, calls=shipped.calls)
        for place in shipped.damaged:
            self._log.error("a record of the prediction log is damaged", at=place)

    def _schedule(self) -> None:
        for firing in self._workspace.scheduler.tick():
            self._log.info("a run was started", pipeline=firing.pipeline, by=firing.source, firing=firing.id)

    def _tell_events(self) -> None:
        """Says what happened; reading the log seals it, too, which on PostgreSQL somebody has to do."""
        for event in self._workspace.events.since(self._workspace.project, self._position):
            self._position = event.position or self._position
            if event.kind not in _SILENT:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        say = self._log.warning if event.kind in _LOUD or event.body.get("status") == "failed" else self._log.info
        say(event.kind, about=event.subject, by=event.actor)
