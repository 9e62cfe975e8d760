"""The verbs of webhooks: who is told of which changes in the registry."""

from __future__ import annotations

import http.client
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from treadle.ground.clock import Clock, to_micros
from treadle.ground.ids import NewId, decode
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.train.webhooks.addresses import Policy, Resolve, checked, resolved
from treadle.systems.train.webhooks.announcing import message_of
from treadle.systems.train.webhooks.delivering import Sender, delivery_id
from treadle.systems.train.webhooks.errors import AddressRefused, SealBroken, WebhookInvalid, WebhookNotFound
from treadle.systems.train.webhooks.records import ACTIONS, ACTIVE, DISABLED, EXAMPLE, FIELDS, Trial, Webhook
from treadle.systems.train.webhooks.repository import WebhookRows
from treadle.systems.train.webhooks.sealed import Seal

_NAME = re.compile(r"(?=.{1,63}$)[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateWebhook:
    """Who is to be told, at which URL, of which events (`model_version.created`, …).

    secret: signs every message; it is kept sealed and never answered.
    """

    name: str
    url: str
    events: Sequence[str]
    description: str | None = None
    secret: str | None = field(default=None, repr=False)
    status: str = ACTIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookNamed:
    webhook: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateWebhook:
    """What is None stays as it is; an empty secret takes the secret away."""

    webhook: str
    name: str | None = None
    url: str | None = None
    events: Sequence[str] | None = None
    description: str | None = None
    secret: str | None = field(default=None, repr=False)
    status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TestWebhook:
    """Sends an example of an event; by default of the first that the webhook asked for."""

    __test__ = False

    webhook: str
    event: str | None = None


class Webhooks:
    """See the module. policy: which addresses may be called."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        sender: Sender,
        seal: Seal,
        policy: Policy,
        clock: Clock,
        new_id: NewId,
        resolve: Resolve = resolved,
    ) -> None:
        self._store, self._events, self._sender, self._seal = store, events, sender, seal
        self._policy, self._clock, self._new_id, self._resolve = policy, clock, new_id, resolve
        self._rows = WebhookRows()

    @verb("webhooks.create", permission="webhook.write", event="webhook.created")
    def create(self, caller: Caller, request: CreateWebhook) -> Webhook:
        """A new webhook. Raises WebhookInvalid, AddressRefused."""
        _check_name(request.name)
        checked(request.url, self._policy, self._resolve)
        now_ms = to_micros(self._clock()) // 1000
        made = Webhook(
            project=caller.project,
            id=str(UUID(int=decode(self._new_id("hook").rpartition("_")[2]))),
            name=request.name,
            url=request.url,
            description=request.description,
            status=_status(request.status),
            events=_events(request.events),
            has_secret=bool(request.secret),
            created_ms=now_ms,
            updated_ms=now_ms,
        )
        secret = self._seal.close(made.id, request.secret) if request.secret else None

        def work(tx: Transaction) -> Webhook:
            self._rows.add(tx, made, secret)
            self._tell(tx, caller, "webhook.created", made)
            return made

        return self._store.write(work)

    @verb("webhooks.list", permission="webhook.read")
    def list(self, caller: Caller) -> list[Webhook]:
        """Every webhook of the project, the newest first."""
        with self._store.read() as reader:
            return self._rows.all(reader, caller.project)

    @verb("webhooks.get", permission="webhook.read")
    def get(self, caller: Caller, request: WebhookNamed) -> Webhook:
        """A webhook by its id. Raises WebhookNotFound."""
        with self._store.read() as reader:
            return self._find(reader, caller, request.webhook)[0]

    @verb("webhooks.update", permission="webhook.write", event="webhook.updated")
    def update(self, caller: Caller, request: UpdateWebhook) -> Webhook:
        """The webhook as it is now. Raises WebhookNotFound, WebhookInvalid, AddressRefused."""
        if request.name is not None:
            _check_name(request.name)
        if request.url is not None:
            checked(request.url, self._policy, self._resolve)
        new_secret = self._seal.close(request.webhook, request.secret) if request.secret else None

        def work(tx: Transaction) -> Webhook:
            found, secret = self._find(tx, caller, request.webhook)
            secret = secret if request.secret is None else new_secret
            made = replace(
                found,
                name=found.name if request.name is None else request.name,
                url=found.url if request.url is None else request.url,
                description=found.description if request.description is None else request.description,
                events=found.events if request.events is None else _events(request.events),
                status=found.status if request.status is None else _status(request.status),
                has_secret=secret is not None,
                updated_ms=to_micros(self._clock()) // 1000,
            )
            self._rows.update(tx, made, secret)
            self._tell(tx, caller, "webhook.updated", made)
            return made

        return self._store.write(work)

    @verb("webhooks.delete", permission="webhook.write", event="webhook.deleted")
    def delete(self, caller: Caller, request: WebhookNamed) -> None:
        """Takes a webhook away; what is still on its way to it is not delivered. Raises WebhookNotFound."""

        def work(tx: Transaction) -> None:
            found, _ = self._find(tx, caller, request.webhook)
            self._rows.delete(tx, caller.project, found.id)
            self._tell(tx, caller, "webhook.deleted", found)

        self._store.write(work)

    @verb("webhooks.test", permission="webhook.write")
    def test(self, caller: Caller, request: TestWebhook) -> Trial:
        """Sends an example now, and answers what the receiver said. Raises WebhookNotFound, WebhookInvalid."""
        with self._store.read() as reader:
            found, secret = self._find(reader, caller, request.webhook)
        event = _events([request.event])[0] if request.event else found.events[0]
        data = {name: EXAMPLE[name] for name in FIELDS[event.partition(".")[0]]}
        if event.endswith(".deleted"):
            data = {
                name: value
                for name, value in data.items()
                if name not in ("value", "version" if "alias" in event else "")
            }
        message = message_of(caller.project, event, data, self._clock().isoformat())
        try:
            reply = self._sender.send(found, secret, message, delivery_id(self._new_id("parcel")))
        except (AddressRefused, SealBroken) as error:
            return Trial(success=False, problem=f"Failed to test webhook: {error.what}")
        except (OSError, http.client.HTTPException) as error:
            return Trial(success=False, problem=f"Failed to test webhook: {error!r}")
        return Trial(success=reply.status < 400, status=reply.status, body=reply.body)

    def _find(self, reader: Reader, caller: Caller, webhook: str) -> tuple[Webhook, bytes | None]:
        found = self._rows.find(reader, caller.project, webhook)
        if found is None:
            raise WebhookNotFound(f"Webhook with ID {webhook} not found.")
        return found

    def _tell(self, tx: Transaction, caller: Caller, kind: str, webhook: Webhook) -> None:
        body = {"name": webhook.name, "events": list(webhook.events), "status": webhook.status}
        subject = f"webhook/{webhook.id}"
        self._events.append(tx, project=caller.project, kind=kind, subject=subject, actor=caller.actor, body=body)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise WebhookInvalid(
            f"Webhook name {name!r} is invalid. It must start and end with a letter or digit, be less than 63 characters "
            "long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
        )


def _status(status: str) -> str:
    if status not in (ACTIVE, DISABLED):
        raise WebhookInvalid(f"A webhook is {ACTIVE} or {DISABLED}, not {status!r}.")
    return status


def _events(events: Sequence[str]) -> Sequence[str]:
    if not events:
        raise WebhookInvalid("Webhook events must be a non-empty list of WebhookEvent objects: [].")
    for event in events:
        entity, _, action = event.partition(".")
        if entity not in ACTIONS:
            raise WebhookInvalid(f"Invalid entity {entity!r}. Valid entities are: {sorted(ACTIONS)}")
        if action not in ACTIONS[entity]:
            raise WebhookInvalid(
                f"Invalid action '{action}' for entity '{entity}'. Valid actions are: {list(ACTIONS[entity])}"
            )
    return list(dict.fromkeys(events))
