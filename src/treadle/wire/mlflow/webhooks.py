"""Webhooks of the protocol: what requests ask, and how a webhook is written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from treadle.wire.mlflow.errors import invalid, missing

PER_PAGE, MOST = 100, 1_000


class EventSent(msgspec.Struct):
    """An event, as `{"entity": "MODEL_VERSION", "action": "CREATED"}`."""

    entity: str = ""
    action: str = ""

    @property
    def name(self) -> str:
        """The event as `model_version.created`."""
        return f"{self.entity.lower()}.{self.action.lower()}"


class WebhookAsked(msgspec.Struct):
    """Creating and updating a webhook."""

    name: str | None = None
    url: str | None = None
    events: list[EventSent] | None = None
    description: str | None = None
    secret: str | None = None
    status: str | None = None


class ListAsked(msgspec.Struct):
    """Listing webhooks."""

    max_results: int | None = None
    page_token: str = ""


class TestAsked(msgspec.Struct):
    """Testing a webhook."""

    __test__ = False

    event: EventSent | None = None


class _Webhook(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def description(self) -> str | None: ...
    @property
    def status(self) -> str: ...
    @property
    def events(self) -> Sequence[str]: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def updated_ms(self) -> int: ...


def required(asked: WebhookAsked) -> tuple[str, str, list[str]]:
    """Name, URL and events of a new webhook. Raises ProtocolError where one is missing."""
    if not asked.name:
        raise missing("name")
    if not asked.url:
        raise missing("url")
    if asked.events is None:
        raise missing("events")
    return asked.name, asked.url, [event.name for event in asked.events]


def page_size(asked: int | None) -> int:
    """How many webhooks a page has. Raises ProtocolError."""
    size = asked or PER_PAGE
    if not 1 <= size <= MOST:
        raise invalid(f"max_results must be between 1 and {MOST}.")
    return size


def webhook(found: _Webhook) -> dict[str, Any]:
    """A webhook; its secret is never written."""
    written: dict[str, Any] = {
        "webhook_id": found.id,
        "name": found.name,
        "url": found.url,
        "events": [event(name) for name in found.events],
        "status": found.status,
        "creation_timestamp": found.created_ms,
        "last_updated_timestamp": found.updated_ms,
    }
    if found.description:
        written["description"] = found.description
    return written


def event(name: str) -> dict[str, str]:
    """`model_version.created` as the protocol's two words."""
    entity, _, action = name.partition(".")
    return {"entity": entity.upper(), "action": action.upper()}
