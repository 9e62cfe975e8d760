"""Paging: which page comes after one. Pure functions of the answer; where a page stands is JSON, and goes into the cursor."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

import msgspec

from treadle.systems.collect.connectors.calling import same_origin
from treadle.systems.collect.connectors.errors import SourceDeclarationInvalid, SourceRefused

Style = Literal["none", "page", "offset", "cursor", "link"]
_LINK = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)


class Paging(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an API divides what it has.

    style: `page` counts pages, `offset` counts rows, `cursor` follows a token or an address in the body (`next` is its path),
    `link` follows the header `Link: <…>; rel="next"`. size_param, size: how many rows to ask for.
    """

    style: Style = "none"
    param: str = ""
    first: int = 1
    size_param: str = ""
    size: int = 0
    next: str = ""

    def checked(self) -> Paging:
        """The paging, with the usual parameter where none is named. Raises SourceDeclarationInvalid."""
        if self.style == "cursor" and not self.next:
            raise SourceDeclarationInvalid(
                "Paging by cursor needs to know where the next one is.", fix='Name its path: next = "meta.next"'
            )
        if self.style == "offset" and self.first not in (0, 1):
            raise SourceDeclarationInvalid("An offset begins at 0 or 1.")
        usual = {"page": "page", "offset": "offset", "cursor": "cursor"}.get(self.style, "")
        first = 0 if self.style == "offset" else self.first
        return msgspec.structs.replace(self, param=self.param or usual, first=first)

    def start(self) -> Any:
        """The place of the first page."""
        return self.first if self.style in ("page", "offset") else None

    def request(self, url: str, place: Any) -> tuple[str, dict[str, Any]]:
        """The address of the page at a place, and the parameters that say which."""
        size = {self.size_param: self.size} if self.size_param and self.size else {}
        if self.style in ("page", "offset"):
            return url, {self.param: place, **size}
        if place is None:
            return url, size
        return (place, {}) if "://" in str(place) else (url, {self.param: place, **size})

    def after(self, url: str, place: Any, rows: int, body: Any, headers: Mapping[str, str]) -> Any | None:
        """The place of the next page, or None after the last. Raises SourceRefused for one on another host."""
        if self.style in ("page", "offset"):
            if not rows or (self.size and rows < self.size):
                return None
            return place + (1 if self.style == "page" else rows)
        found: Any = None
        if self.style == "cursor":
            found = at_path(body, self.next)
        elif self.style == "link" and (match := _LINK.search(headers.get("link", ""))):
            found = urljoin(url, match[1])
        if found is None or found is False or found == "":
            return None
        if isinstance(found, str) and (self.style == "link" or found.startswith(("http://", "https://", "/"))):
            found = urljoin(url, found)
            if not same_origin(found, url):
                raise SourceRefused(
                    f"The API names a next page on another host: {found.partition('?')[0]}.",
                    why="Credentials are for the host that the source declares, and a page elsewhere is not its answer.",
                    fix="If the other address is the right one, declare it as `url`.",
                )
        return found


def without_params(place: Any, names: Collection[str]) -> Any:
    """A place without some parameters, where it is an address: an API may send credentials back in its next page's."""
    if not names or not isinstance(place, str) or "://" not in place:
        return place
    parts = urlsplit(place)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in names]
    return urlunsplit(parts._replace(query=urlencode(kept)))


def at_path(body: Any, path: str) -> Any:
    """What stands at a path such as `data.items`; None where there is nothing. An empty path is the body itself."""
    for part in path.split(".") if path else ():
        if isinstance(body, list) and part.isdecimal() and int(part) < len(body):
            body = body[int(part)]
        elif isinstance(body, dict):
            body = body.get(part)
        else:
            return None
    return body
