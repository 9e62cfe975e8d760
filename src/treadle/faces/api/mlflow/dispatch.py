"""Every route of the protocol over one workspace, and one call of one of them; no HTTP here.

The areas are the modules of this package that have `ROUTES`. The server hands requests in, and so does the `treadle://`
plug-in, in process.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

import msgspec

from treadle.faces.api import mlflow
from treadle.faces.api.mlflow.exchange import Answer, Exchange, Handler, Route, Sink, UploadHandler
from treadle.faces.api.mlflow.routing import Match, Table
from treadle.ground.errors import TreadleError
from treadle.ground.ids import new_id
from treadle.wire.mlflow.errors import ProtocolError, body_of, invalid, protocol_error

if TYPE_CHECKING:
    from treadle.assembly import Workspace
    from treadle.kernel.governance import Caller

log = logging.getLogger("treadle.api.mlflow")

PIECE_BYTES = 1 << 20
"""How much of an upload or download is in memory at once."""


def all_routes() -> Iterator[Route]:
    """The routes of every area."""
    for found in sorted(pkgutil.iter_modules(mlflow.__path__), key=lambda module: module.name):
        yield from getattr(import_module(f"{mlflow.__name__}.{found.name}"), "ROUTES", ())


class Dispatcher:
    """Answers exchanges with the handlers of the areas."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.table = Table(all_routes())

    def find(self, method: str, path: str) -> Match:
        """The route of a path. Raises ProtocolError when nothing is there, or not for this method."""
        found = self.table.find(method, path)
        if found is not None:
            return found
        methods = self.table.methods(path)
        if methods:
            message = f"{method} is not possible at {path}. Use: {', '.join(methods)}"
            raise ProtocolError("BAD_REQUEST", message, status=405)
        raise ProtocolError("ENDPOINT_NOT_FOUND", f"There is nothing at {path}.")

    def call(
        self,
        caller: Caller,
        method: str,
        path: str,
        *,
        query: Mapping[str, list[str]] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        pieces: Iterable[bytes] = (),
        base_url: str = "",
    ) -> Answer:
        """One request in process, answered as a server would, errors included.

        pieces: the body of an upload.
        """
        try:
            route, parameters = self.find(method, path)
            exchange = Exchange(
                method=method,
                path=path,
                caller=caller,
                workspace=self.workspace,
                parameters=parameters,
                query=query or {},
                headers=headers or {},
                body=body,
                base_url=base_url,
            )
            if route.pace == "upload":
                return taken(cast("UploadHandler", route.handler)(exchange), pieces)
            return cast("Handler", route.handler)(exchange)
        except Exception as error:  # the border of the protocol: whatever happened has its form
            return refused(error)


def taken(sink: Sink, pieces: Iterable[bytes]) -> Answer:
    """What a sink answers to an upload that is here already."""
    try:
        for piece in pieces:
            sink.write(piece)
    except BaseException:
        sink.abort()
        raise
    return sink.commit()


def refused(error: BaseException) -> Answer:
    """An error as the protocol's answer; one that is not ours says nothing of the inside, its details go to the log."""
    told = _told(error)
    try:
        body = msgspec.json.encode(body_of(told))
    except UnicodeEncodeError as unfit:  # the message repeats what came
        told = _told(unfit)
        body = msgspec.json.encode(body_of(told))
    headers = {"www-authenticate": 'Basic realm="treadle"'} if told.status == 401 else {}
    return Answer(status=told.status, body=body, headers=headers)


def _told(error: BaseException) -> ProtocolError:
    """The error in the protocol's words. What no JSON reader follows and no store takes is the request's own fault."""
    if isinstance(error, TreadleError):
        return protocol_error(error)
    if isinstance(error, RecursionError):
        return invalid("The request is nested too deep.")
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return invalid("The request holds half of a surrogate pair, which is no text.")
    reference = new_id("err")
    log.error("an error that no route foresees, %s", reference, exc_info=error)
    return ProtocolError("INTERNAL_ERROR", f"An error that is not foreseen; the log has it under {reference}.")
