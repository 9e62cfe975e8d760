"""The records of webhooks, and the events that one can ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ACTIVE, DISABLED = "ACTIVE", "DISABLED"

ACTIONS: Mapping[str, Sequence[str]] = {
    "registered_model": ("created",),
    "model_version": ("created",),
    "model_version_tag": ("deleted", "set"),
    "model_version_alias": ("created", "deleted"),
    "prompt": ("created",),
    "prompt_version": ("created",),
    "prompt_tag": ("deleted", "set"),
    "prompt_version_tag": ("deleted", "set"),
    "prompt_alias": ("created", "deleted"),
    "budget_policy": ("exceeded",),
}
"""By entity, what can happen to it. Nothing here spends a budget; one may ask to be told all the same."""

EXAMPLE: Mapping[str, str | Mapping[str, str]] = {
    "name": "example",
    "version": "1",
    "alias": "example_alias",
    "key": "example_key",
    "value": "example_value",
    "source": "models:/example/1",
    "run_id": "0123456789abcdef0123456789abcdef",
    "template": "Hello {{name}}!",
    "tags": {"example_key": "example_value"},
    "description": "An example",
}
"""What a test sends, by field."""

FIELDS: Mapping[str, Sequence[str]] = {
    "registered_model": ("name", "tags", "description"),
    "model_version": ("name", "version", "source", "run_id", "tags", "description"),
    "model_version_tag": ("name", "version", "key", "value"),
    "model_version_alias": ("name", "alias", "version"),
    "prompt": ("name", "tags", "description"),
    "prompt_version": ("name", "version", "template", "tags", "description"),
    "prompt_tag": ("name", "key", "value"),
    "prompt_version_tag": ("name", "version", "key", "value"),
    "prompt_alias": ("name", "alias", "version"),
    "budget_policy": ("name",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Someone who is told. events: such as `model_version.created`. Its secret is kept sealed and never answered."""

    project: str
    id: str
    name: str
    url: str
    description: str | None
    status: str
    events: Sequence[str]
    has_secret: bool
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of a test. status: the receiver's HTTP status, if it answered; body: the beginning of its answer."""

    success: bool
    status: int | None = None
    body: str | None = None
    problem: str | None = None
