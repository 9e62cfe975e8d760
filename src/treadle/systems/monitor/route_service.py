"""The verbs of routes and silences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from treadle.ground.clock import Clock
from treadle.ground.ids import NewId
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.systems.monitor.errors import RouteNotFound, UnfitRoute
from treadle.systems.monitor.route_rows import RouteRows
from treadle.systems.monitor.routes import Route, RouteKind, Silence

Routes = list[Route]
Silences = list[Silence]

_MAILBOX = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,253}\.[A-Za-z]{2,63}")
LONGEST_SILENCE = timedelta(days=90)


class Guard(Protocol):
    """What the outside knows of addresses and secrets."""

    def check(self, url: str) -> None:
        """Refuses a URL that this server must not call. Raises AddressRefused."""

    def close(self, route: str, secret: str) -> bytes:
        """The secret, sealed for its route."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRoute:
    """kind: webhook (signed with the secret where there is one), slack (an incoming webhook of Slack or what takes its
    form), or email. target: the URL or the mailbox. endpoint: whose alerts, without it all. runbook: what to do."""

    name: str
    kind: RouteKind
    target: str
    endpoint: str | None = None
    runbook: str = ""
    secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteNamed:
    """A route by its id."""

    route: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceAlerts:
    """No messages about an endpoint for so long; with a column, about alerts of this column alone."""

    endpoint: str
    for_s: int
    reason: str
    column: str | None = None


class AlertRoutes:
    """Who is told of alerts, and when nobody is."""

    def __init__(self, store: Store, events: EventLog, guard: Guard, *, clock: Clock, new_id: NewId) -> None:
        self._store, self._events, self._guard, self._rows = store, events, guard, RouteRows()
        self._clock, self._new_id = clock, new_id

    @verb("alerts.route", permission="alert.route", event="alert.routed")
    def route(self, caller: Caller, request: CreateRoute) -> Route:
        """A new route. Raises UnfitRoute, AddressRefused for a URL that leads inside."""
        if request.kind == "email":
            if not _MAILBOX.fullmatch(request.target):
                raise UnfitRoute(f"{request.target!r} is no mailbox.", fix="Write it like oncall@example.org.")
            if request.secret is not None:
                raise UnfitRoute("A mail is not signed.", fix="Leave the secret out, or choose a webhook.")
        else:
            self._guard.check(request.target)
        route = Route(
            id=self._new_id("route"),
            name=request.name,
            kind=request.kind,
            target=request.target,
            endpoint=request.endpoint,
            runbook=request.runbook,
            has_secret=request.secret is not None,
            recorded_at=self._clock(),
        )
        sealed = None if request.secret is None else self._guard.close(route.id, request.secret)

        def commit(tx: Transaction) -> None:
            self._rows.insert(tx, caller.project, route, sealed)
            self._leave(tx, caller, "alert.routed", route.id, {"kind": route.kind, "endpoint": route.endpoint})

        self._store.write(commit)
        return route

    @verb("alerts.routes", permission="alert.read")
    def routes(self, caller: Caller) -> Routes:
        """Every route, by name. Secrets are never shown."""
        with self._store.read() as reader:
            return self._rows.all(reader, caller.project)

    @verb("alerts.unroute", permission="alert.route", event="alert.unrouted")
    def unroute(self, caller: Caller, request: RouteNamed) -> Route:
        """Takes a route away; what is still on its way is not delivered. Raises RouteNotFound."""

        def commit(tx: Transaction) -> Route:
            found = self._rows.find(tx, caller.project, request.route)
            if found is None:
                raise RouteNotFound(f"There is no route {request.route!r}.", fix="The verb alerts.routes names them.")
            self._rows.delete(tx, caller.project, request.route)
            self._leave(tx, caller, "alert.unrouted", request.route, {})
            return found[0]

        return self._store.write(commit)

    @verb("alerts.silence", permission="alert.write", event="alert.silenced")
    def silence(self, caller: Caller, request: SilenceAlerts) -> Silence:
        """Keeps messages back for a while, 90 days at most; alerts open all the same. Raises UnfitRoute."""
        if not 0 < request.for_s <= LONGEST_SILENCE.total_seconds():
            raise UnfitRoute(
                "A silence lasts more than nothing and at most 90 days.", fix="Say for how long in seconds."
            )
        now: datetime = self._clock()
        silence = Silence(
            id=self._new_id("silence"),
            endpoint=request.endpoint,
            column=request.column,
            until=now + timedelta(seconds=request.for_s),
            reason=request.reason,
            actor=caller.actor,
            recorded_at=now,
        )

        def commit(tx: Transaction) -> None:
            self._rows.add_silence(tx, caller.project, silence)
            facts: dict[str, object] = {"endpoint": silence.endpoint, "until": silence.until.isoformat()}
            self._leave(tx, caller, "alert.silenced", silence.id, facts)

        self._store.write(commit)
        return silence

    @verb("alerts.silences", permission="alert.read")
    def silences(self, caller: Caller) -> Silences:
        """The silences that hold now, the longest first."""
        with self._store.read() as reader:
            return self._rows.silences(reader, caller.project, self._clock())

    def _leave(self, tx: Transaction, caller: Caller, kind: str, about: str, facts: dict[str, object]) -> None:
        self._events.append(
            tx, project=caller.project, kind=kind, subject=f"alert_route/{about}", actor=caller.actor, body=facts
        )
