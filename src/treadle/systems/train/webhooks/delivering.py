"""From the outbox to the receivers: at least once, later each time when it fails, and given up in the end.

A delivery keeps its id over all attempts, so a receiver can tell a second attempt from a second message.
"""

from __future__ import annotations

import http.client
import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import msgspec

from treadle.ground.clock import Clock
from treadle.ground.errors import TreadleError
from treadle.ground.ids import decode
from treadle.kernel.events.outbox import Outbox, Parcel
from treadle.kernel.store import Store
from treadle.systems.train.webhooks.addresses import Policy, Resolve, checked, resolved
from treadle.systems.train.webhooks.announcing import KIND
from treadle.systems.train.webhooks.errors import AddressRefused, SealBroken
from treadle.systems.train.webhooks.posting import Post, Reply, headers_of, post
from treadle.systems.train.webhooks.records import ACTIVE, Webhook
from treadle.systems.train.webhooks.repository import WebhookRows
from treadle.systems.train.webhooks.sealed import Seal

MOST_ATTEMPTS = 12
"""The last one comes about an hour and a half after the first."""
_LONGEST_WAIT_S = 1800.0
_AT_ONCE = 8
_BATCH = 64
_KEPT = timedelta(days=30)
"""How long what was delivered, or given up, is remembered."""
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which another attempt may succeed."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round did."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0


class Sender:
    """Signs a message and sends it to a checked address."""

    def __init__(
        self, policy: Policy, seal: Seal, clock: Clock, *, resolve: Resolve = resolved, post: Post = post
    ) -> None:
        self.policy, self._seal, self.clock = policy, seal, clock
        self._resolve, self._post = resolve, post

    def send(self, webhook: Webhook, secret: bytes | None, message: object, delivery: str) -> Reply:
        """The receiver's answer. Raises AddressRefused, SealBroken, OSError, http.client.HTTPException."""
        target = checked(webhook.url, self.policy, self._resolve)
        body = msgspec.json.encode(message)
        opened = None if secret is None else self._seal.open(webhook.id, secret)
        timestamp = int(self.clock().timestamp())
        return self._post(target, body, headers_of(body, delivery=delivery, timestamp=timestamp, secret=opened))


class Deliverer:
    """Empties the outbox. `deliver` is called again and again by a loop."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        sender: Sender,
        *,
        wait: Callable[[int], timedelta] | None = None,
    ) -> None:
        self._store, self._outbox, self._sender, self._rows = store, outbox, sender, WebhookRows()
        self._clock = sender.clock
        self._wait = wait or _longer_each_time
        self._owner = f"deliverer-{os.getpid()}"

    def deliver(self) -> Delivered:
        """One round over what is due."""
        parcels = self._outbox.take(KIND, self._owner, limit=_BATCH)
        if not parcels:
            return Delivered()
        with ThreadPoolExecutor(min(_AT_ONCE, len(parcels)), thread_name_prefix="treadle-webhook") as pool:
            results = list(pool.map(self._try, parcels))
        self._outbox.sweep(self._clock() - _KEPT)
        return Delivered(results.count("delivered"), results.count("failed"), results.count("given up"))

    def _try(self, parcel: Parcel) -> str:
        with self._store.read() as reader:
            found = self._rows.find(reader, parcel.project, parcel.payload["webhook"])
        if found is None or found[0].status != ACTIVE:
            self._outbox.done(parcel, self._owner, problem="the webhook was deleted or disabled")
            return "given up"
        try:
            reply = self._sender.send(*found, parcel.payload["message"], delivery_id(parcel.id))
        except (AddressRefused, SealBroken) as error:
            return self._failed(parcel, error.what, is_final=False)
        except (OSError, http.client.HTTPException, TreadleError) as error:
            return self._failed(parcel, f"{type(error).__name__}: {error}", is_final=False)
        if 200 <= reply.status < 300:
            self._outbox.done(parcel, self._owner)
            return "delivered"
        return self._failed(parcel, f"the receiver answered {reply.status}", is_final=reply.status not in _PASSING)

    def _failed(self, parcel: Parcel, problem: str, *, is_final: bool) -> str:
        if is_final or parcel.attempts + 1 >= MOST_ATTEMPTS:
            self._outbox.done(parcel, self._owner, problem=problem)
            return "given up"
        self._outbox.again(parcel, self._owner, problem=problem, wait=self._wait(parcel.attempts))
        return "failed"


def delivery_id(parcel: str) -> str:
    """The id of a delivery, the same for all its attempts."""
    return str(UUID(int=decode(parcel.rpartition("_")[2])))


def _longer_each_time(attempts: int) -> timedelta:
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 -- spreads attempts, guards nothing
    return timedelta(seconds=min(_LONGEST_WAIT_S, 2.0 ** (attempts + 1)) * jitter)
