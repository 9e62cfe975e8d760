"""The built pages: read from the package once, sent compressed, and kept by browsers for as long as their names hold.

Every path that is no file of the bundle and no address of the API is a page: the application in the browser knows which.
"""

from __future__ import annotations

import gzip
import mimetypes
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Match, Route
from starlette.types import Scope

FOLDER = Path(__file__).parent / "bundle"
HEADERS = {
    # Mantine writes the colours of its theme into a style element, and components set style attributes.
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_MISSING = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Treadle</title>
<style>body{font:16px/1.6 system-ui,sans-serif;max-width:38rem;margin:15vh auto;padding:0 1rem}code{background:#eee;padding:.1em .3em}</style>
<h1>The pages are not built here</h1><p>This is a checkout of Treadle, and its web application is built from sources:
<code>make web</code>. A wheel carries it built. The API answers as it is: <a href="/health">/health</a>.</p></html>"""


class Bundle:
    """The files of a folder by their path; those that end in `.gz` are the compressed form of the name before it."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._packed: dict[str, bytes] = {}
        self._plain: dict[str, bytes] = {}
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            name = path.relative_to(folder).as_posix()
            if path.is_file():
                into, name = (self._packed, name[:-3]) if name.endswith(".gz") else (self._plain, name)
                into[name] = path.read_bytes()

    @property
    def is_built(self) -> bool:
        return "index.html" in self._packed or "index.html" in self._plain

    def answer(self, name: str, accepts: str) -> Response | None:
        """A file as a response; None where there is none of that name."""
        packed, plain = self._packed.get(name), self._plain.get(name)
        if packed is None and plain is None:
            return None
        headers = dict(HEADERS, Vary="Accept-Encoding")
        # Their names change with what is in them.
        is_kept = name.startswith("assets/")
        headers["Cache-Control"] = "public, max-age=31536000, immutable" if is_kept else "no-cache"
        if packed is not None and "gzip" in accepts:
            body, headers["Content-Encoding"] = packed, "gzip"
        else:
            body = plain if plain is not None else gzip.decompress(packed or b"")
        media = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(body, headers=headers, media_type=media)


@cache
def bundle() -> Bundle:
    """The bundle that is installed."""
    return Bundle()


def page_files(path: str, accepts: str) -> Response:
    """What a browser gets at a path: the file there, or the page that finds its way by the path."""
    built = bundle()
    if not built.is_built:
        return HTMLResponse(_MISSING, 503, headers={"Cache-Control": "no-store"})
    name = path.lstrip("/")
    found = built.answer(name, accepts) if name else None
    if found is None and not name.startswith("assets/"):
        found = built.answer("index.html", accepts)
    return found or Response(status_code=404, headers=HEADERS)


def bundle_route() -> Route:
    """`GET` of every path that nothing else answers, but none of an API."""

    async def answer(request: Request) -> Response:
        return page_files(request.path_params["path"], request.headers.get("accept-encoding", ""))

    return _Pages("/{path:path}", answer, methods=["GET"])


class _Pages(Route):
    """Every path, but none of the API: what is not there is a problem there, and no page."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return (Match.NONE, {}) if scope["path"].startswith("/api/") else super().matches(scope)
