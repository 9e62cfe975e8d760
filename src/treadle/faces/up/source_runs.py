"""The sources that treadle.toml gives a schedule, run while `treadle up` is up: each in a loop of its own.

A slow source keeps no other waiting, and an edit of the file counts within a second. Two of these on one store do no harm: of a
step of a source one lands it, and the other goes on after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from treadle.assembly import Workspace
from treadle.faces.up.loops import Loop
from treadle.ground.clock import Clock
from treadle.ground.settings import sources_of
from treadle.kernel.engine.cron import Cron, parse

_CRON_LOOK_S = 1.0


class SourceRuns:
    """Keeps a loop for every scheduled source. Call `look` again and again."""

    def __init__(self, workspace: Workspace, log: Any, *, loop: Callable[..., Loop] = Loop) -> None:
        """loop: what makes a loop; a test holds it still."""
        self._workspace, self._log, self._loop = workspace, log, loop
        self._running: dict[str, tuple[object, Loop, ScheduledSource]] = {}

    def look(self) -> None:
        """Begins what is scheduled now and was not, ends what is no longer. Reads one small file where there is nothing."""
        tables = {
            name: table
            for name, table in sources_of(self._workspace.settings.project_root).items()
            if isinstance(table, dict) and (table.get("schedule") or table.get("every_s"))
        }
        for name in [name for name, (table, _, _) in self._running.items() if tables.get(name) != table]:
            self._end(name)
        for name, table in tables.items():
            if name not in self._running:
                self._begin(name, table)

    def stop(self) -> None:
        """Ends all loops; a source stops after the landing that is under way."""
        for _, _, source in self._running.values():
            source.ended.set()
        for name in list(self._running):
            self._end(name)

    def _begin(self, name: str, table: dict[str, Any]) -> None:
        cron = parse(str(table["schedule"])) if table.get("schedule") else None
        source = ScheduledSource(self._workspace, name, cron, self._log)
        every_s = _CRON_LOOK_S if cron else float(table["every_s"])
        loop = self._loop(f"source {name}", source.round, every_s=every_s, log=self._log)
        self._running[name] = (table, loop, source)
        loop.start()

    def _end(self, name: str) -> None:
        _, loop, source = self._running.pop(name)
        source.ended.set()
        loop.stop()


class ScheduledSource:
    """One source and when it is due: at every round, or when a cron expression says so."""

    def __init__(self, workspace: Workspace, name: str, cron: Cron | None, log: Any) -> None:
        self._workspace, self._name, self._cron, self._log = workspace, name, cron, log
        self._clock: Clock = workspace.clock
        self._due: datetime | None = None if cron is None else cron.after(self._clock())
        self.ended = threading.Event()

    def round(self) -> None:
        """Lands what is new, where it is time for it. Raises what landing raises; a round that failed is due again."""
        now = self._clock()
        if self._due is not None and now < self._due:
            return
        workspace, landed = self._workspace, 0
        from treadle.systems.collect.connectors.records import RunSource

        landings = workspace.sources.run(workspace.caller, RunSource(name=self._name))
        for landing in landings:
            landed += landing.rows_in
            self._log.info("rows landed", source=self._name, rows=landing.rows_in, refused=landing.rows_refused)
            if self.ended.is_set():
                break
        if self._cron is not None:
            self._due = self._cron.after(self._clock())
