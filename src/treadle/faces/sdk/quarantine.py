"""Refused rows as a user's script sees them: which are held, let them back, give them up, end what they stood for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from treadle.assembly import Workspace, current_workspace
from treadle.kernel.engine.context import current_driver

EVERY_ROW = 1_000_000
"""Rows that one question about a quarantine answers at most."""


class QuarantineHandle:
    """The rows that were refused for a dataset.

    Inside a pipeline whatever is done here happens once in its run, and the run's id is on record as what mended them.
    """

    def __init__(self, dataset: str, workspace: Workspace) -> None:
        self.dataset, self._workspace = dataset, workspace

    def __repr__(self) -> str:
        return f"<quarantine of {self.dataset}>"

    def held(self) -> dict[str, list[str]]:
        """The rows that wait for a decision, by id, each with the rules that refused it."""
        if current_driver.get() is None:
            return self._held()
        found: dict[str, list[str]] = self._workspace.engine.act(
            "held", lambda _: self._held(), params={"dataset": self.dataset}, preview=self._held
        )
        return found

    def release(
        self,
        rows: Sequence[str],
        *,
        reason: str,
        waived: Mapping[str, Sequence[str]] | None = None,
        mended: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> dict[str, list[str]]:
        """Lets rows back into the dataset if they now pass; answers those that do not, with their rules.

        waived: by row id, the rules that do not hold this one row back. mended: by row id, new values by column. Rows
        that have been decided already stay as they are. Raises MendRefused, WaiverRefused.
        """
        from treadle.systems.prepare.records import ReleaseRows

        asked: dict[str, Any] = {
            "waived": {row: list(rules) for row, rules in (waived or {}).items()},
            "mended": {row: dict(values) for row, values in (mended or {}).items()},
        }

        def release() -> dict[str, list[str]]:
            wanted = self._undecided(rows)
            if not wanted:
                return {}
            request = ReleaseRows(dataset=self.dataset, rows=wanted, reason=reason, run=_run(), **asked)
            return dict(self._workspace.quarantine.release(self._workspace.caller, request).still_held)

        return dict(self._once("release", release, {"rows": list(rows), "reason": reason, **asked}))

    def discard(self, rows: Sequence[str], *, reason: str) -> None:
        """Gives rows up; they stay in the quarantine's own dataset, and the reason with them."""
        from treadle.systems.prepare.records import DiscardRows

        def discard() -> None:
            wanted = self._undecided(rows)
            if wanted:
                request = DiscardRows(dataset=self.dataset, rows=wanted, reason=reason)
                self._workspace.quarantine.discard(self._workspace.caller, request)

        self._once("discard", discard, {"rows": list(rows), "reason": reason})

    def resolve_incidents(self, note: str) -> list[str]:
        """Ends the incidents about refused rows of which none is held any more; answers their ids."""
        from treadle.systems.prepare.records import ListIncidents, ResolveIncident

        def resolve() -> list[str]:
            workspace = self._workspace
            waiting = {rule for rules in self._held().values() for rule in rules}
            known = workspace.incidents.list(workspace.caller, ListIncidents(dataset=self.dataset, state="all"))
            over = [
                one
                for one in known
                if one.state != "resolved"
                and one.severity == "error"
                and one.cause == "rows"
                and one.rule not in waiting
            ]
            for one in over:
                workspace.incidents.resolve(workspace.caller, ResolveIncident(id=one.id, note=note, fixing_run=_run()))
            return [one.id for one in over]

        return list(self._once("resolve", resolve, {"note": note}))

    def _held(self) -> dict[str, list[str]]:
        from treadle.systems.prepare.records import ListQuarantine

        asked = ListQuarantine(dataset=self.dataset, limit=EVERY_ROW)
        return {row.id: row.rules for row in self._workspace.quarantine.list(self._workspace.caller, asked).rows}

    def _undecided(self, rows: Sequence[str]) -> list[str]:
        """Those of the rows that are held: a run that goes on after a crash finds some of its work done."""
        held = self._held()
        return [row for row in rows if row in held]

    def _once(self, name: str, act: Callable[[], Any], params: Mapping[str, Any]) -> Any:
        if current_driver.get() is None:
            return act()
        answer: list[Any] = []
        return self._workspace.engine.act(
            name,
            lambda _: answer[-1],
            params={"dataset": self.dataset, **params},
            before=lambda: answer.append(act()),
        )


def quarantine(dataset: str) -> QuarantineHandle:
    """The refused rows of a dataset of the current workspace."""
    return QuarantineHandle(dataset, current_workspace())


def _run() -> str | None:
    driver: Any = current_driver.get()
    return None if driver is None else driver.run
