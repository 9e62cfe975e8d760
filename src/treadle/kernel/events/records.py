"""The record of one event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One act: a move of a ref, a landing, a decision, a grant, the end of a step.

    `subject` is what it is about (`dataset/flights`, `run_01k9…`); `body` holds ids, digests and figures, never personal
    data, so that forgetting a person breaks no link. `position` and `hash` are None until the event is sealed.
    """

    project: str
    id: str
    kind: str
    subject: str
    actor: str
    body: dict[str, Any]
    recorded_at: datetime
    event_at: datetime | None
    position: int | None
    hash: str | None
