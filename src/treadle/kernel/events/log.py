"""The event log: append within a transaction, read by position, verify, export.

On SQLite the one writer seals an event in the commit that appends it. On PostgreSQL many transactions commit side by
side, so events are appended unsealed and `seal` gives them their positions in batches, one sealer at a time (an advisory
lock that ends with its transaction). Whoever reads seals first, so no reader ever misses an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.ids import NewId
from treadle.kernel.events.chain import Verification, genesis, link, verify_lines
from treadle.kernel.events.records import Event
from treadle.kernel.store import Reader, Row, Statements, Store, Transaction

sql = Statements(__package__)

_encode_body = msgspec.json.Encoder(order="sorted").encode
_SEAL_BATCH = 1000


class EventLog:
    """The log of a store. Its clock and ids are given, so that a test can hold them still."""

    def __init__(self, store: Store, clock: Clock, new_id: NewId) -> None:
        self._store, self._clock, self._new_id = store, clock, new_id
        self._seals_itself = store.dialect == "sqlite"

    def append(
        self,
        tx: Transaction,
        *,
        project: str,
        kind: str,
        subject: str,
        actor: str,
        body: Mapping[str, Any] | None = None,
        event_at: datetime | None = None,
    ) -> str:
        """Adds an event to the transaction; answers its id. It stands when the transaction does."""
        event_id = self._new_id("evt")
        values: dict[str, object] = {
            "project": project,
            "id": event_id,
            "kind": kind,
            "subject": subject,
            "actor": actor,
            "body": _encode_body(body or {}).decode(),
            "recorded_at": to_micros(self._clock()),
            "event_at": None if event_at is None else to_micros(event_at),
            "position": None,
            "hash": None,
        }
        if self._seals_itself:
            self._seal_one(tx, values)
        tx.put(sql.insert_event, values)
        return event_id

    def head(self, project: str) -> tuple[int, str]:
        """Position and hash of the newest sealed event; 0 and the genesis hash for an empty log."""
        self.seal(project)
        with self._store.read() as reader:
            return _head(reader, project)

    def since(self, project: str, position: int, *, kinds: tuple[str, ...] = (), limit: int = 1000) -> list[Event]:
        """The sealed events after a position, oldest first; with `kinds`, only events of these kinds."""
        self.seal(project)
        with self._store.read() as reader:
            found: list[Event] = []
            for row in reader.each(sql.events_since, {"project": project, "position": position}):
                event = _event(project, row)
                if not kinds or event.kind in kinds:
                    found.append(event)
                    if len(found) == limit:
                        break
            return found

    def newest(self, project: str, *, before: int | None = None, limit: int = 50) -> list[Event]:
        """The newest events, newest first; with `before`, those below that position."""
        self.seal(project)
        values = {"project": project, "before": before if before is not None else 2**62, "limit": limit}
        with self._store.read() as reader:
            return [_event(project, row) for row in reader.all(sql.newest_events, values)]

    def about(self, project: str, subject: str) -> list[Event]:
        """The sealed events of one subject, oldest first."""
        self.seal(project)
        with self._store.read() as reader:
            return [
                _event(project, row) for row in reader.all(sql.events_about, {"project": project, "subject": subject})
            ]

    def below(self, project: str, prefix: str) -> list[Event]:
        """The sealed events whose subjects begin with a prefix, oldest first."""
        self.seal(project)
        values = {"project": project, "low": prefix, "high": prefix + "\U0010ffff"}
        with self._store.read() as reader:
            return [_event(project, row) for row in reader.all(sql.events_below, values)]

    def find(self, project: str, event_id: str) -> Event | None:
        """One event by its id."""
        with self._store.read() as reader:
            row = reader.find(sql.find_event, {"project": project, "id": event_id})
        return None if row is None else _event(project, row)

    def verify(self, project: str) -> Verification:
        """Recomputes the whole chain of a project. Cost: about 5 µs an event, constant memory."""
        self.seal(project)
        with self._store.read() as reader:
            rows = reader.each(sql.events_since, {"project": project, "position": 0})
            lines = ((r[6], r[0], r[1], r[2], r[3], r[4], r[5], r[7], r[8]) for r in rows)
            return verify_lines(project, lines, head=_head(reader, project))

    def export(self, project: str) -> Iterator[bytes]:
        """The log as JSON lines: a header, then every event; what `docs/reference/audit.md` checks offline."""
        self.seal(project)
        with self._store.read() as reader:
            position, head = _head(reader, project)
            yield _line({"format": "treadle.audit.v1", "project": project, "count": position, "head": head})
            for row in reader.each(sql.events_since, {"project": project, "position": 0}):
                id, kind, subject, actor, body, recorded_at, place, event_at, found = row
                yield _line(
                    {
                        "position": place,
                        "id": id,
                        "kind": kind,
                        "subject": subject,
                        "actor": actor,
                        "recorded_at": recorded_at,
                        "event_at": event_at,
                        "body": body,
                        "hash": found,
                    }
                )

    def seal(self, project: str) -> int:
        """Gives positions and hashes to the events that have none; answers how many. Nothing to do on SQLite."""
        if self._seals_itself:
            return 0
        total = 0
        while True:
            with self._store.read() as reader:
                if reader.find(sql.any_unsealed, {"project": project}) is None:
                    return total
            sealed = self._store.write(lambda tx: self._seal_batch(tx, project))
            total += sealed
            if sealed < _SEAL_BATCH:
                return total

    def _seal_batch(self, tx: Transaction, project: str) -> int:
        tx.all(sql.lock_chain, {"project": project})
        rows = tx.all(sql.unsealed_events, {"project": project, "limit": _SEAL_BATCH})
        if not rows:
            return 0
        position, previous = _head(tx, project)
        updates = []
        for id, kind, subject, actor, body, recorded_at, event_at in rows:
            position += 1
            previous = link(previous, project, position, id, kind, subject, actor, recorded_at, event_at, body)
            updates.append({"project": project, "id": id, "position": position, "hash": previous})
        tx.put_many(sql.seal_event, updates)
        tx.put(sql.move_head, {"project": project, "position": position, "hash": previous})
        return len(rows)

    def _seal_one(self, tx: Transaction, values: dict[str, Any]) -> None:
        project = values["project"]
        position, previous = _head(tx, project)
        values["position"] = position + 1
        values["hash"] = link(
            previous,
            project,
            position + 1,
            values["id"],
            values["kind"],
            values["subject"],
            values["actor"],
            values["recorded_at"],
            values["event_at"],
            values["body"],
        )
        tx.put(sql.move_head, {"project": project, "position": position + 1, "hash": values["hash"]})


def _head(reader: Reader, project: str) -> tuple[int, str]:
    row = reader.find(sql.find_head, {"project": project})
    return (0, genesis(project)) if row is None else (row[0], row[1])


def _event(project: str, row: Row) -> Event:
    id, kind, subject, actor, body, recorded_at, position, event_at, found = row
    return Event(
        project=project,
        id=id,
        kind=kind,
        subject=subject,
        actor=actor,
        body=msgspec.json.decode(body),
        recorded_at=from_micros(recorded_at),
        event_at=None if event_at is None else from_micros(event_at),
        position=position,
        hash=found,
    )


def _line(value: dict[str, Any]) -> bytes:
    return msgspec.json.encode(value) + b"\n"
