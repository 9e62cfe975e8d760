"""Page tokens: where a page ended, as the values by which its last row is ordered.

A token goes on behind these values, so rows that come or go meanwhile make no other row come twice or never. It carries
a mark of the query it was made for; with another query it is refused. It is text of the client's: what it says is only
ever compared with.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from treadle.systems.train.search.compiling import bounded
from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.syntax import Sort

Scalar = int | float | str | Decimal | None


def token_of(query: object, values: Sequence[Scalar]) -> str:
    """The token of the page that follows a row with these values."""
    written = [{"d": str(value)} if isinstance(value, Decimal) else value for value in values]
    document = json.dumps([_mark(query), written], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(document.encode()).decode("ascii")


def values_of(token: str, query: object, sorts: Sequence[Sort]) -> list[Scalar]:
    """The values that a token carries, of these sorts. Raises SearchInvalid for one that is none, or belongs to another query."""
    try:
        found = json.loads(base64.b64decode(token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        raise SearchInvalid("Invalid page token, could not base64-decode") from None
    if not (isinstance(found, list) and len(found) == 2 and isinstance(found[1], list)):
        raise SearchInvalid("Invalid page token.")
    if found[0] != _mark(query) or len(found[1]) != len(sorts):
        raise SearchInvalid(
            "Invalid page token: it belongs to another search.",
            fix="Ask with the filter, order and view of the first page, or begin without a token.",
        )
    return [_scalar(value, sort) for value, sort in zip(found[1], sorts, strict=True)]


def _scalar(value: Any, sort: Sort) -> Scalar:
    if value is None or (sort == "text" and isinstance(value, str)):
        return value
    if sort == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        return bounded(value)
    if sort == "number" and isinstance(value, dict) and isinstance(value.get("d"), str):
        try:
            return Decimal(value["d"])
        except InvalidOperation:
            pass
    raise SearchInvalid("Invalid page token.")


def _mark(query: object) -> str:
    return hashlib.blake2b(json.dumps(query, sort_keys=True).encode(), digest_size=9).hexdigest()
