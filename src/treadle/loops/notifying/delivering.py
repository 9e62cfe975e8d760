"""From the outbox to those who are to be told: what is due for one route goes as one message, at least once."""

from __future__ import annotations

import http.client
import os
import smtplib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from treadle.ground.clock import Clock
from treadle.ground.errors import TreadleError
from treadle.kernel.events.outbox import ALERT, Outbox, Parcel
from treadle.kernel.store import Store
from treadle.loops.notifying.mailing import Mailer
from treadle.systems.monitor.route_rows import RouteRows
from treadle.systems.monitor.routes import Route, subject_of, text_of
from treadle.systems.train.webhooks.addresses import Policy, Resolve, checked, resolved
from treadle.systems.train.webhooks.delivering import MOST_ATTEMPTS, delivery_id
from treadle.systems.train.webhooks.posting import Post, headers_of, post
from treadle.systems.train.webhooks.sealed import Seal

_AT_ONCE = 64
_LONGEST_WAIT_S = 1800.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one round did, in messages."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0


class AlertDeliverer:
    """Empties the outbox of alerts. `deliver` is called again and again by a loop."""

    def __init__(
        self,
        store: Store,
        outbox: Outbox,
        policy: Policy,
        seal: Seal,
        mailer: Mailer,
        clock: Clock,
        *,
        resolve: Resolve = resolved,
        post: Post = post,
    ) -> None:
        self._store, self._outbox, self._policy, self._seal, self._mailer = store, outbox, policy, seal, mailer
        self._clock = clock
        self._resolve, self._post, self._rows = resolve, post, RouteRows()
        self._owner = f"alerts-{os.getpid()}"

    def deliver(self) -> Told:
        """One round over what is due, a message a route."""
        groups: dict[tuple[str, str], list[Parcel]] = defaultdict(list)
        for parcel in self._outbox.take(ALERT, self._owner, limit=_AT_ONCE):
            groups[parcel.project, parcel.payload["route"]].append(parcel)
        ends = [self._try(project, route, parcels) for (project, route), parcels in groups.items()]
        return Told(ends.count("delivered"), ends.count("failed"), ends.count("given up"))

    def _try(self, project: str, route_id: str, parcels: Sequence[Parcel]) -> str:
        with self._store.read() as reader:
            found = self._rows.find(reader, project, route_id)
        if found is None:
            for parcel in parcels:
                self._outbox.done(parcel, self._owner, problem="the route was taken away")
            return "given up"
        try:
            problem = self._send(*found, [parcel.payload["message"] for parcel in parcels], delivery_id(parcels[0].id))
        except TreadleError as error:
            problem = error.what
        except (OSError, http.client.HTTPException, smtplib.SMTPException) as error:
            problem = f"{type(error).__name__}: {error}"
        return self._settle(parcels, problem)

    def _send(self, route: Route, secret: bytes | None, messages: Sequence[dict[str, Any]], delivery: str) -> str:
        """What went wrong, nothing where nothing did."""
        if route.kind == "email":
            self._mailer.send(route.target, subject_of(messages), text_of(messages))
            return ""
        if route.kind == "slack":
            body = msgspec.json.encode({"text": f"*{subject_of(messages)}*\n{text_of(messages)}"})
        else:
            body = msgspec.json.encode({"subject": subject_of(messages), "alerts": messages})
        opened = None if secret is None else self._seal.open(route.id, secret)
        timestamp = int(self._clock().timestamp())
        headers = headers_of(body, delivery=delivery, timestamp=timestamp, secret=opened)
        reply = self._post(checked(route.target, self._policy, self._resolve), body, headers)
        return "" if 200 <= reply.status < 300 else f"the receiver answered {reply.status}"

    def _settle(self, parcels: Sequence[Parcel], problem: str) -> str:
        if not problem:
            for parcel in parcels:
                self._outbox.done(parcel, self._owner)
            return "delivered"
        is_over = all(parcel.attempts + 1 >= MOST_ATTEMPTS for parcel in parcels)
        for parcel in parcels:
            if parcel.attempts + 1 >= MOST_ATTEMPTS:
                self._outbox.done(parcel, self._owner, problem=problem)
            else:
                wait = timedelta(seconds=min(_LONGEST_WAIT_S, 2.0 ** (parcel.attempts + 1)))
                self._outbox.again(parcel, self._owner, problem=problem, wait=wait)
        return "given up" if is_over else "failed"
