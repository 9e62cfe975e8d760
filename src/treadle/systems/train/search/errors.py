"""What can go wrong in a search.

InvalidInput
└── SearchInvalid               a filter, an order, a limit or a page token cannot be used (400)
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput


class SearchInvalid(InvalidInput):
    code = "search.invalid"


def check_text(value: str) -> None:
    """Raises SearchInvalid for what no database stores as text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SearchInvalid("The search holds half of a surrogate pair, which is no text.") from None
    if "\0" in value:
        raise SearchInvalid("The search holds a NUL, which no stored text has.")
