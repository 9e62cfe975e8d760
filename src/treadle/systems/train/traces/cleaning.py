"""Text and values that every database takes, whatever an application put into its spans.

PostgreSQL has no text with NUL, and neither database reads JSON with NaN or an infinity in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

_NUL = "\\u0000"


def clean(text: str) -> str:
    """Text without NUL, and without halves of characters that JSON can smuggle in."""
    return text.replace("\0", "").encode(errors="replace").decode()


def cleaned(row: Mapping[str, object]) -> dict[str, object]:
    """A row whose texts are clean."""
    return {name: clean(value) if isinstance(value, str) else value for name, value in row.items()}


def tidy(value: Any) -> Any:
    """A value as JSON keeps it: clean texts, bytes as text, NaN and the infinities by their names."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [tidy(one) for one in value]
    if isinstance(value, dict):
        return {clean(str(key)): tidy(one) for key, one in value.items()}
    return str(value) if isinstance(value, bytes) else value


def json_text(value: Any) -> str:
    """A value as JSON text without NUL; NaN and the infinities stay, as Python writes them."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return json.dumps(_without_nul(value), ensure_ascii=False, default=str) if _NUL in text else text


def _without_nul(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nul(one) for one in value]
    if isinstance(value, dict):
        return {clean(str(key)): _without_nul(one) for key, one in value.items()}
    return clean(value) if isinstance(value, str) else value
