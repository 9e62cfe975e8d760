"""The first thousand characters of what went in and came out; of a conversation, its last message."""

from __future__ import annotations

import json
from typing import Any

from treadle.systems.train.traces.cleaning import clean

_LONGEST = 1000


def preview_of(text: str, role: str) -> str:
    """What a list shows of a request (role `user`) or a response (role `assistant`). text: JSON, or any text."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    shown = _last_message(_messages(value), role) or text
    shown = clean(shown)
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 3] + "..."


def _messages(value: Any) -> list[dict[str, Any]]:
    """The messages of a chat request or answer, in the shapes that applications use."""
    while isinstance(value, dict):
        for name in ("messages", "input", "output"):
            if isinstance(value.get(name), list) and value[name]:
                return [item for item in value[name] if _is_message(item)]
            if name == "messages" and (message := _first_choice(value)) is not None:
                return [message]
        value = value.get("request")
    return []


def _first_choice(value: dict[str, Any]) -> dict[str, Any] | None:
    choices = value.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        if _is_message(message):
            return message
    return None


def _is_message(item: Any) -> bool:
    return isinstance(item, dict) and "role" in item and "content" in item


def _last_message(messages: list[dict[str, Any]], role: str) -> str:
    if not messages:
        return ""
    message = next((one for one in reversed(messages) if one["role"] == role), messages[-1])
    content = message["content"]
    if isinstance(content, str):
        return content
    for part in content if isinstance(content, list) else ():
        if isinstance(part, str):
            return part
        if isinstance(part, dict) and part.get("type") in ("text", "output_text"):
            return str(part.get("text") or "")
    return ""
