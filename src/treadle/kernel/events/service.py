"""The verbs of the log: read it, verify it, take it along."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from treadle.ground.errors import NotFound
from treadle.kernel.events.chain import Verification
from treadle.kernel.events.log import EventLog
from treadle.kernel.events.records import Event
from treadle.kernel.governance import Caller, verb


class EventNotFound(NotFound):
    """There is no event of this id in the project."""

    code = "events.not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEvents:
    """The newest events, newest first; `before` a position for the next page, of some kinds, about one subject."""

    before: int | None = None
    limit: int = 50
    kinds: list[str] = field(default_factory=list)
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventNamed:
    """One event by its id."""

    event: str


class Activity:
    """The service."""

    def __init__(self, events: EventLog) -> None:
        self._events = events

    @verb("events.list", permission="event.read")
    def newest(self, caller: Caller, request: ListEvents) -> list[Event]:
        """The newest events, newest first."""
        if request.subject is not None:
            about = reversed(self._events.about(caller.project, request.subject))
            return [event for event in about if self._is_wanted(event, request)][: request.limit]
        found: list[Event] = []
        before = request.before
        while len(found) < request.limit:
            batch = self._events.newest(caller.project, before=before, limit=max(request.limit, 200))
            found += [event for event in batch if self._is_wanted(event, request)]
            if not batch:
                break
            before = batch[-1].position
        return found[: request.limit]

    @verb("events.get", permission="event.read")
    def get(self, caller: Caller, request: EventNamed) -> Event:
        """One event. Raises EventNotFound."""
        found = self._events.find(caller.project, request.event)
        if found is None:
            raise EventNotFound(f"There is no event {request.event!r}.", fix="List them with: treadle events list")
        return found

    @verb("audit.verify", permission="audit.read")
    def verify(self, caller: Caller) -> Verification:
        """What a walk along the whole chain found; the first event that does not hold, if there is one."""
        return self._events.verify(caller.project)

    @verb("audit.export", permission="audit.read", shape="stream")
    def export(self, caller: Caller) -> Iterator[dict[str, Any]]:
        """The log, a line each: a header, then every event, as docs/reference/audit.md checks it offline."""
        for line in self._events.export(caller.project):
            yield msgspec.json.decode(line)

    def _is_wanted(self, event: Event, request: ListEvents) -> bool:
        if request.before is not None and (event.position is None or event.position >= request.before):
            return False
        return not request.kinds or event.kind in request.kinds
