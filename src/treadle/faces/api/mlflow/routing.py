"""From a request line to its route: one decoding of the path, one dictionary lookup, a few patterns where that fails.

The path is taken as it came over the wire and decoded once. What a second reader could take for another path is refused
here, for every route: encoded slashes, backslashes, control characters, and segments of dots.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from urllib.parse import unquote_to_bytes

from treadle.faces.api.mlflow.exchange import Route
from treadle.wire.mlflow.errors import ProtocolError

PREFIXES = ("/api/", "/ajax-api/")
_OURS = "/api/v1/"
_SMUGGLED = re.compile(rb"%(?:2f|5c|00)", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\\]")
_PARAMETER = re.compile(r"\{(\w+)(:path)?\}")

Match = tuple[Route, dict[str, str]]


def decoded(raw: bytes) -> str:
    """The path of a request line, decoded once. Raises ProtocolError for one that could be read in two ways."""
    if b"%" in raw:
        if _SMUGGLED.search(raw):
            raise _invalid_path()
        raw = unquote_to_bytes(raw)
    try:
        path = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid_path() from error
    if _UNPRINTABLE.search(path) or ("/." in path and not {".", ".."}.isdisjoint(path.split("/"))):
        raise _invalid_path()
    return path


def _invalid_path() -> ProtocolError:
    return ProtocolError("INVALID_PARAMETER_VALUE", "Invalid path")


class Table:
    """Every route, found by method and path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[tuple[str, str], Match] = {}
        self._patterns: dict[str, list[tuple[str, re.Pattern[str], Route]]] = defaultdict(list)
        self.routes = tuple(routes)
        for route in self.routes:
            self._add(route)

    def find(self, method: str, path: str) -> Match | None:
        """The route of a path (without prefix, or absolute) and what stands for its names."""
        found = self._exact.get((method, path))
        return found if found is not None else next(self._matching(method, path), None)

    def methods(self, path: str) -> list[str]:
        """The methods that the path has, sorted."""
        exact = {method for method, known in self._exact if known == path}
        return sorted(exact | {route.method for route, _ in self._matching(None, path)})

    def _add(self, route: Route) -> None:
        begin = route.path.find("{")
        if begin < 0:
            if (route.method, route.path) in self._exact:
                raise ValueError(f"two routes answer {route.method} {route.path}")
            self._exact[route.method, route.path] = (route, {})
            return
        pattern, place = "", 0
        for name in _PARAMETER.finditer(route.path):
            pattern += re.escape(route.path[place : name.start()]) + f"(?P<{name[1]}>{'.+' if name[2] else '[^/]+'})"
            place = name.end()
        pattern += re.escape(route.path[place:])
        literal = route.path[:begin].rpartition("/")[0]
        self._patterns[literal].append((route.method, re.compile(pattern), route))

    def _matching(self, method: str | None, path: str) -> Iterator[Match]:
        """Patterns with the longest literal beginning go first."""
        literal = path
        while literal:
            literal = literal.rpartition("/")[0]
            for known, pattern, route in self._patterns.get(literal, ()):
                if method is None or known == method:
                    matched = pattern.fullmatch(path)
                    if matched is not None:
                        yield route, matched.groupdict()


def below_prefix(path: str) -> str | None:
    """The path as routes spell it; None where neither `/api/` nor `/ajax-api/` leads to it, or where it is of our own API."""
    for prefix in PREFIXES:
        if path.startswith(prefix):
            return None if path.startswith(_OURS) else path[len(prefix) :]
    return None
