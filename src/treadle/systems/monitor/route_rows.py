"""The rows of routes and silences."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from treadle.ground.clock import from_micros, to_micros
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.monitor.routes import Route, Silence

sql = Statements(__package__)


class RouteRows:
    """Routes with their sealed secrets, and silences."""

    def insert(self, tx: Transaction, project: str, route: Route, secret: bytes | None) -> None:
        """Adds a route."""
        values: dict[str, Any] = {
            "project": project,
            "id": route.id,
            "name": route.name,
            "kind": route.kind,
            "target": route.target,
            "endpoint": route.endpoint,
            "runbook": route.runbook,
            "secret": secret,
            "recorded_at": to_micros(route.recorded_at),
        }
        tx.execute(sql.insert_route, values)

    def find(self, reader: Reader, project: str, route: str) -> tuple[Route, bytes | None] | None:
        """A route and its sealed secret, or None."""
        row = reader.find(sql.find_route, {"project": project, "id": route})
        return None if row is None else (_route(row), row[6])

    def all(self, reader: Reader, project: str) -> list[Route]:
        """Every route, by name."""
        return [_route(row) for row in reader.all(sql.list_routes, {"project": project})]

    def delete(self, tx: Transaction, project: str, route: str) -> None:
        """Takes a route away."""
        tx.execute(sql.delete_route, {"project": project, "id": route})

    def add_silence(self, tx: Transaction, project: str, silence: Silence) -> None:
        """Adds a silence."""
        values = {
            "project": project,
            "id": silence.id,
            "endpoint": silence.endpoint,
            "column_name": silence.column,
            "until_at": to_micros(silence.until),
            "reason": silence.reason,
            "actor": silence.actor,
            "recorded_at": to_micros(silence.recorded_at),
        }
        tx.execute(sql.insert_silence, values)

    def silences(self, reader: Reader, project: str, now: datetime) -> list[Silence]:
        """Those that hold now, the longest first."""
        rows = reader.all(sql.list_silences, {"project": project, "now": to_micros(now)})
        return [
            Silence(
                id=id,
                endpoint=endpoint,
                column=column,
                until=from_micros(until),
                reason=reason,
                actor=actor,
                recorded_at=from_micros(at),
            )
            for id, endpoint, column, until, reason, actor, at in rows
        ]


def _route(row: Row) -> Route:
    id, name, kind, target, endpoint, runbook, secret, at = row
    return Route(
        id=id,
        name=name,
        kind=kind,
        target=target,
        endpoint=endpoint,
        runbook=runbook,
        has_secret=secret is not None,
        recorded_at=from_micros(at),
    )
