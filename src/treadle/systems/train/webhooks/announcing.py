"""From what happened to messages in the outbox, in the transaction of the change; satisfies the registry's `Announcer`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from treadle.ground.clock import Clock
from treadle.kernel.events.outbox import Outbox
from treadle.kernel.store import Transaction
from treadle.systems.train.webhooks.repository import WebhookRows

KIND = "webhook"
"""The kind of parcel in the outbox."""


class Announcements:
    """Puts a parcel into the outbox for each webhook that asked for the event."""

    def __init__(self, outbox: Outbox, clock: Clock) -> None:
        self._outbox, self._clock, self._rows = outbox, clock, WebhookRows()

    def announce(self, tx: Transaction, project: str, *, kind: str, data: Mapping[str, Any], event: str) -> None:
        """Leaves one parcel a webhook, so that each is tried by itself."""
        listening = self._rows.listening(tx, project, kind)
        if not listening:
            return
        message = message_of(project, kind, data, self._clock().isoformat())
        for webhook in listening:
            payload = {"webhook": webhook, "message": message}
            self._outbox.put(tx, project, kind=KIND, payload=payload, event=event)


def message_of(project: str, kind: str, data: Mapping[str, Any], at: str) -> dict[str, Any]:
    """What receivers read: the entity, what happened to it, when, and the particulars."""
    entity, _, action = kind.partition(".")
    return {"entity": entity, "action": action, "timestamp": at, "data": dict(data), "workspace": project}
