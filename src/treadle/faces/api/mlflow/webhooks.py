"""Webhooks over the protocol: written, listed, changed and tested."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.webhooks.records import ACTIVE, DISABLED, Webhook
from treadle.systems.train.webhooks.service import CreateWebhook, TestWebhook, UpdateWebhook, WebhookNamed
from treadle.wire.mlflow import webhooks as wire
from treadle.wire.mlflow.errors import invalid


def create(exchange: Exchange) -> Answer:
    """POST webhooks"""
    asked = exchange.read(wire.WebhookAsked)
    name, url, events = wire.required(asked)
    request = CreateWebhook(
        name=name,
        url=url,
        events=events,
        description=asked.description or None,
        secret=asked.secret or None,
        status=_status(asked.status) or ACTIVE,
    )
    return _one(exchange.workspace.registry.webhooks.create(exchange.caller, request))


def listed(exchange: Exchange) -> Answer:
    """GET webhooks, the newest first."""
    asked = exchange.read(wire.ListAsked)
    size = wire.page_size(asked.max_results)
    found = exchange.workspace.registry.webhooks.list(exchange.caller)
    if asked.page_token:
        end = _place(asked.page_token)
        found = [one for one in found if (one.created_ms, one.id) < end]
    written: dict[str, Any] = {"webhooks": [wire.webhook(one) for one in found[:size]]} if found else {}
    if len(found) > size:
        written["next_page_token"] = _token(found[size - 1])
    return answered(written)


def get(exchange: Exchange) -> Answer:
    """GET webhooks/{webhook_id}"""
    return _one(exchange.workspace.registry.webhooks.get(exchange.caller, _named(exchange)))


def update(exchange: Exchange) -> Answer:
    """PATCH webhooks/{webhook_id}; what is not sent stays."""
    asked = exchange.read(wire.WebhookAsked)
    request = UpdateWebhook(
        webhook=exchange.parameters["webhook_id"],
        name=asked.name or None,
        url=asked.url or None,
        events=[event.name for event in asked.events] if asked.events else None,
        description=asked.description,
        secret=asked.secret,
        status=_status(asked.status),
    )
    return _one(exchange.workspace.registry.webhooks.update(exchange.caller, request))


def delete(exchange: Exchange) -> Answer:
    """DELETE webhooks/{webhook_id}"""
    exchange.workspace.registry.webhooks.delete(exchange.caller, _named(exchange))
    return Answer()


def test(exchange: Exchange) -> Answer:
    """POST webhooks/{webhook_id}/test"""
    asked = exchange.read(wire.TestAsked)
    event = None if asked.event is None else asked.event.name
    request = TestWebhook(webhook=exchange.parameters["webhook_id"], event=event)
    trial = exchange.workspace.registry.webhooks.test(exchange.caller, request)
    result: dict[str, Any] = {"success": trial.success}
    if trial.status is not None:
        result |= {"response_status": trial.status, "response_body": trial.body or ""}
    if trial.problem is not None:
        result["error_message"] = trial.problem
    return answered({"result": result})


def _named(exchange: Exchange) -> WebhookNamed:
    return WebhookNamed(webhook=exchange.parameters["webhook_id"])


def _one(found: Webhook) -> Answer:
    return answered({"webhook": wire.webhook(found)})


def _status(asked: str | None) -> str | None:
    """A status that nobody knows is one that was not sent, as with any enumeration of the protocol."""
    return asked if asked in (ACTIVE, DISABLED) else None


def _token(last: Webhook) -> str:
    return base64.urlsafe_b64encode(f"{last.created_ms}/{last.id}".encode()).decode()


def _place(token: str) -> tuple[int, str]:
    try:
        at, _, webhook = base64.urlsafe_b64decode(token).decode().partition("/")
        return int(at), webhook
    except (binascii.Error, ValueError):
        raise invalid("Invalid page token, could not base64-decode") from None


ROUTES = [
    Route("POST", "2.0/mlflow/webhooks", create, "slow"),
    Route("GET", "2.0/mlflow/webhooks", listed),
    Route("GET", "2.0/mlflow/webhooks/{webhook_id}", get),
    Route("PATCH", "2.0/mlflow/webhooks/{webhook_id}", update, "slow"),
    Route("DELETE", "2.0/mlflow/webhooks/{webhook_id}", delete),
    Route("POST", "2.0/mlflow/webhooks/{webhook_id}/test", test, "slow"),
]
