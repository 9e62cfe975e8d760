"""The outbox: acts on the world that follow from a commit, done at least once.

What has to be done is written in the transaction that it follows from. Whoever does it takes a lease, so that of several
processes one works at a time, and a process that dies on the way leaves its parcels to the next. The parcel's id goes along
as the key by which the world can tell a second time from a second act.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.ids import NewId
from treadle.kernel.store import Reader, Statements, Store, Transaction

sql = Statements(__package__)

ALERT = "alert"
"""The kind of parcels that tell somebody of an alert. Here, since who looks for them is not to load what fills them."""

_LONGEST_PROBLEM = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One act that is still to be done. attempts: how often it was tried before."""

    project: str
    id: str
    event: str
    kind: str
    payload: Mapping[str, Any]
    attempts: int
    recorded_at: datetime


def is_due(reader: Reader, kind: str, now: datetime) -> bool:
    """Whether a parcel of a kind waits."""
    return reader.find(sql.due_parcels, {"kind": kind, "now": to_micros(now), "limit": 1}) is not None


class Outbox:
    """The parcels of a store. lease: how long whoever took a parcel is believed to work on it."""

    def __init__(self, store: Store, clock: Clock, new_id: NewId, *, lease: timedelta = timedelta(minutes=2)) -> None:
        self._store, self._clock, self._new_id, self._lease = store, clock, new_id, lease

    def put(self, tx: Transaction, project: str, *, kind: str, payload: Mapping[str, Any], event: str) -> str:
        """Adds a parcel to the transaction; answers its id. It is due at once."""
        parcel = self._new_id("parcel")
        values = {
            "project": project,
            "id": parcel,
            "event": event,
            "kind": kind,
            "payload": msgspec.json.encode(payload).decode(),
            "at": to_micros(self._clock()),
        }
        tx.put(sql.insert_parcel, values)
        return parcel

    def take(self, kind: str, owner: str, *, limit: int) -> list[Parcel]:
        """Parcels of a kind that are due, leased to `owner`; nothing is written where none is."""
        now = self._clock()
        due = {"kind": kind, "now": to_micros(now), "limit": limit}
        with self._store.read() as reader:
            if not is_due(reader, kind, now):
                return []
        until = to_micros(now + self._lease)

        def work(tx: Transaction) -> list[Parcel]:
            taken = []
            for project, id, event, found, payload, attempts, recorded_at in tx.all(sql.due_parcels, due):
                lease = {"project": project, "id": id, "owner": owner, "until": until, "now": due["now"]}
                if tx.execute(sql.lease_parcel, lease) == 1:
                    taken.append(
                        Parcel(
                            project=project,
                            id=id,
                            event=event,
                            kind=found,
                            payload=msgspec.json.decode(payload),
                            attempts=attempts,
                            recorded_at=from_micros(recorded_at),
                        )
                    )
            return taken

        return self._store.write(work)

    def done(self, parcel: Parcel, owner: str, *, problem: str | None = None) -> None:
        """It was done; or with a problem, it is given up."""
        self._settle(parcel, owner, problem, to_micros(self._clock()), None)

    def again(self, parcel: Parcel, owner: str, *, problem: str, wait: timedelta) -> None:
        """It was not done, and is tried again after a while."""
        self._settle(parcel, owner, problem, None, to_micros(self._clock() + wait))

    def sweep(self, before: datetime) -> int:
        """Forgets what was done before then; answers how much."""
        return self._store.write(lambda tx: tx.execute(sql.sweep_parcels, {"before": to_micros(before)}))

    def _settle(
        self, parcel: Parcel, owner: str, problem: str | None, done_at: int | None, next_at: int | None
    ) -> None:
        values = {
            "project": parcel.project,
            "id": parcel.id,
            "owner": owner,
            "attempts": parcel.attempts + 1,
            "next_at": next_at if next_at is not None else to_micros(self._clock()),
            "problem": None if problem is None else problem[:_LONGEST_PROBLEM],
            "done_at": done_at,
        }
        self._store.write(lambda tx: tx.execute(sql.settle_parcel, values))
