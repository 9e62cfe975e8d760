"""The protocol over HTTP: raw ASGI in front of the application of the verbs, on the same port.

A training loop waits for each of these requests, so the way is short: one decoding, one lookup, the handler on the event
loop where it is a matter of a few small statements on a store that is near, one answer. What may take longer, or would have
to wait for another process's transaction, runs in a worker thread. Bodies of uploads go to their sink, and files to the client, piece by piece.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import Any, BinaryIO, TypeVar, cast
from urllib.parse import parse_qs

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from treadle.faces.api.direct import direct
from treadle.faces.api.guarding import Doorkeeper, too_large
from treadle.faces.api.metering import Meter
from treadle.faces.api.mlflow.dispatch import PIECE_BYTES, Dispatcher, refused, taken
from treadle.faces.api.mlflow.downloading import Span, file_head, pieces_of
from treadle.faces.api.mlflow.exchange import Answer, Exchange, Handler, Route, UploadHandler
from treadle.faces.api.mlflow.identity import ANYBODY, Identifier
from treadle.faces.api.mlflow.routing import below_prefix, decoded
from treadle.faces.api.mlflow.uploading import Upload
from treadle.faces.api.receiving import Body
from treadle.kernel.store import StoreBusy
from treadle.systems.train.files.contents import SMALL_BYTES
from treadle.wire.mlflow.errors import ProtocolError

T = TypeVar("T")

THREADS = 16
DOOR_THREADS = 2
_AT_ONCE_BYTES = 16 << 10
"""What a server beside us takes without keeping the event loop waiting; larger bodies go to a thread, which waits while others work."""
_MAX_QUERY_FIELDS = 2000


class Disconnected(Exception):
    """The client went away before its request was whole."""


class MlflowFront:
    """Answers what belongs to the protocol and hands everything else on.

    dispatcher: makes the dispatcher when the first request comes, or when `warm` is called.
    static_prefix: a further beginning of paths under which everything is served too.
    session: the Authorization that a cookie of the request stands for, for pages that show logged files; empty for none.
    """

    def __init__(
        self,
        app: ASGIApp,
        dispatcher: Callable[[], Dispatcher],
        identifier: Identifier,
        *,
        doorkeeper: Doorkeeper,
        meter: Meter | None = None,
        version: str = "",
        body_max_bytes: int = 64 << 20,
        static_prefix: str = "",
        session: Callable[[Scope], str] = lambda _: "",
    ) -> None:
        self._app = app
        self._session = session
        self._make = dispatcher
        self._dispatcher: Dispatcher | None = None
        self._most_inline, self._is_embedded = -1, False
        self._making = asyncio.Lock()
        self._health = Answer(body=msgspec.json.encode({"status": "ok", "version": version}))
        self._identifier = identifier
        self._doorkeeper = doorkeeper
        self._meter = meter or Meter()
        self._body_max_bytes = body_max_bytes
        self._static_prefix = static_prefix.rstrip("/").encode()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="treadle-mlflow")
        # Apart, so that whoever tries passwords holds up nobody who is known.
        self._door = ThreadPoolExecutor(DOOR_THREADS, thread_name_prefix="treadle-door")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw: bytes = scope["raw_path"]
        if self._static_prefix and raw.startswith(self._static_prefix + b"/"):
            raw = raw[len(self._static_prefix) :]
            scope = {**scope, "raw_path": raw, "path": scope["path"][len(self._static_prefix) :]}
        if raw == b"/health":
            await _send(scope, send, self._health)
            return
        if raw.startswith(b"/api/v1/"):
            await self._app(scope, receive, send)
            return
        try:
            dispatcher = self._dispatcher or await self.prepare()
            path = decoded(raw)
            below = below_prefix(path)
            if below is None and not dispatcher.table.methods(path):
                await self._app(scope, receive, send)
                return
            answer = await self._answer(dispatcher, scope, receive, below or path)
        except Disconnected:
            return
        except Exception as error:  # the outermost loop of this face
            answer = refused(error)
        if answer.file is None:
            await _send(scope, send, answer)
        else:
            await self._send_file(scope, send, answer)

    def warm(self) -> None:
        """Makes the dispatcher now, in this thread, so that the first request need not wait for it."""
        if self._dispatcher is None:
            self._take(self._make())

    async def prepare(self) -> Dispatcher:
        """Makes the dispatcher, in a thread: it imports every area."""
        async with self._making:
            return self._dispatcher or self._take(await self._in_thread(self._make))

    def _take(self, made: Dispatcher) -> Dispatcher:
        store = made.workspace.store
        self._is_embedded = store.dialect == "sqlite"
        if store.is_near:
            self._most_inline = self._body_max_bytes if self._is_embedded else _AT_ONCE_BYTES
        self._dispatcher = made
        return made

    async def _answer(self, dispatcher: Dispatcher, scope: Scope, receive: Receive, path: str) -> Answer:
        headers, hosts = _headers(scope)
        self._doorkeeper.check(scope["scheme"], headers, hosts=hosts)
        if "cookie" in headers and "authorization" not in headers and (shown := self._session(scope)):
            headers["authorization"] = shown
        method: str = scope["method"]
        if method == "OPTIONS":
            return Answer(status=204, body=b"", headers={"allow": ", ".join(dispatcher.table.methods(path))})
        route, parameters = dispatcher.find("GET" if method == "HEAD" else method, path)
        with self._meter.measured(f"mlflow {route.method} {route.path}") as outcome:
            try:
                answer = await self._call(dispatcher, route, parameters, path, headers, scope, receive)
            except Disconnected:
                outcome.status = 499
                raise
            except Exception as error:  # counted with the status that it answers
                answer = refused(error)
            outcome.status = answer.status
            return answer

    async def _call(
        self,
        dispatcher: Dispatcher,
        route: Route,
        parameters: dict[str, str],
        path: str,
        headers: dict[str, str],
        scope: Scope,
        receive: Receive,
    ) -> Answer:
        identify = ANYBODY if route.is_public else self._identifier
        caller = identify.recall(headers)
        if caller is None:
            caller = await asyncio.get_running_loop().run_in_executor(self._door, identify.identify, headers)
        query: bytes = scope["query_string"]
        exchange = Exchange(
            method=route.method,
            path=path,
            caller=caller,
            workspace=dispatcher.workspace,
            parameters=parameters,
            query=parse_qs(query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
            if query
            else {},
            headers=headers,
            base_url=f"{scope['scheme']}://{headers['host']}{self._static_prefix.decode()}",
        )
        if route.pace == "upload":
            return await self._upload(route, exchange, scope, receive)
        exchange.body = await self._body(receive, headers)
        handler = cast("Handler", route.handler)
        store = dispatcher.workspace.store
        if route.pace == "quick" and len(exchange.body) <= self._most_inline and not store.is_writing:
            with suppress(StoreBusy), store.at_once():
                return handler(exchange)
        return await self._in_thread(handler, exchange)

    async def _body(self, receive: Receive, headers: dict[str, str]) -> bytes:
        body = await self._received(receive)
        encoding = headers.get("content-encoding")
        return body if encoding is None else await self._in_thread(_expanded, body, encoding, self._body_max_bytes)

    async def _received(self, receive: Receive) -> bytes:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body: bytes = message.get("body", b"")
        limit = self._body_max_bytes
        if message.get("more_body", False):
            parts, size = [body], len(body)
            while message.get("more_body", False):
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise Disconnected
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise too_large(limit)
            body = b"".join(parts)
        if len(body) > limit:
            raise too_large(limit)
        return body

    async def _upload(self, route: Route, exchange: Exchange, scope: Scope, receive: Receive) -> Answer:
        """Streams the body to the sink: the next piece is received while the last is being written."""
        handler = cast("UploadHandler", route.handler)
        if self._is_embedded and _is_small(exchange.headers):
            data = await self._received(receive)
            sink = handler(exchange)
            if len(data) <= sink.small_bytes and not exchange.workspace.store.is_writing:
                return taken(sink, [data])
            return await self._in_thread(taken, sink, [data])
        upload = Upload(await self._in_thread(handler, exchange), self._in_thread)
        try:
            body = _handed_over(scope, exchange.headers)
            if body is None:
                await self._take_messages(upload, receive)
            else:
                await self._take_pieces(upload, body)
            return await upload.commit()
        except BaseException:
            await upload.abort()
            raise

    async def _take_messages(self, upload: Upload, receive: Receive) -> None:
        is_more = True
        while is_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            is_more = message.get("more_body", False)
            await upload.take(message.get("body", b""))

    async def _take_pieces(self, upload: Upload, body: Body) -> None:
        try:
            while (piece := await body.next()) is not None:
                await upload.take(piece)
            await upload.settle()
        except ConnectionError:
            raise Disconnected from None
        finally:
            body.close()

    async def _send_file(self, scope: Scope, send: Send, answer: Answer) -> None:
        file = answer.file
        assert file is not None
        try:
            status, headers, span = file_head(answer, dict(_headers(scope)[0]))
            await send({"type": "http.response.start", "status": status, "headers": headers})
            if scope["method"] == "HEAD":
                pass
            elif isinstance(file, BytesIO):
                piece = _span_of(file, span)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            elif not await self._send_directly(scope, file, span):
                async for piece in pieces_of(file, span, PIECE_BYTES, self._in_thread):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            with suppress(OSError):
                file.close()

    async def _send_directly(self, scope: Scope, file: BinaryIO, span: Span) -> bool:
        """Whether the system itself sends the bytes: those of a file that is one, and are many."""
        begin, size = span
        connection = direct(scope)
        if connection is None or size is None or size < PIECE_BYTES or not _is_one(file):
            return False
        return await connection.send_file(scope, file, begin, size, self._in_thread)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)


def _headers(scope: Scope) -> tuple[dict[str, str], int]:
    """Headers by small name, the last of a name winning, and how many Hosts there were."""
    raw = scope["headers"]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}
    hosts = 1 if len(headers) == len(raw) else sum(name == b"host" for name, _ in raw)
    return headers, hosts if "host" in headers else 0


def _handed_over(scope: Scope, headers: Mapping[str, str]) -> Body | None:
    """The body, straight from the socket; None for a small one, one of unknown length, and where the server cannot do it."""
    length, connection = headers.get("content-length", ""), direct(scope)
    if connection is None or not length.isdecimal() or int(length) < PIECE_BYTES or "transfer-encoding" in headers:
        return None
    return connection.hand_over(scope, int(length))


def _is_small(headers: Mapping[str, str]) -> bool:
    length = headers.get("content-length", "")
    return length.isdecimal() and int(length) <= SMALL_BYTES and "transfer-encoding" not in headers


def _span_of(file: BytesIO, span: Span) -> bytes:
    begin, size = span
    file.seek(begin)
    return file.read(-1 if size is None else size)


def _is_one(file: BinaryIO) -> bool:
    """Whether it is a file of the system, and not one in memory."""
    try:
        return file.fileno() >= 0
    except (AttributeError, OSError):
        return False


def _expanded(body: bytes, encoding: str, limit: int) -> bytes:
    """A compressed body, plain; never more of it than the limit is made."""
    kind = encoding.strip().lower()
    if kind == "identity":
        return body
    if kind not in ("gzip", "x-gzip", "deflate"):
        raise ProtocolError("INVALID_PARAMETER_VALUE", f"The content encoding {encoding!r} is not read here: use gzip.")
    plain = b""
    try:
        while body:  # gzip may have several parts
            expander = zlib.decompressobj(zlib.MAX_WBITS | 32)
            plain += expander.decompress(body, limit + 1 - len(plain))
            if len(plain) > limit:
                raise too_large(limit)
            if not expander.eof:
                raise ProtocolError("INVALID_PARAMETER_VALUE", f"The body ends before its {kind} does.")
            body = expander.unused_data
    except zlib.error as error:
        raise ProtocolError("INVALID_PARAMETER_VALUE", f"The body is not {kind}.") from error
    return plain


async def _send(scope: Scope, send: Send, answer: Answer) -> None:
    body = answer.body
    headers = [(b"content-type", answer.media_type.encode("latin-1")), (b"content-length", b"%d" % len(body))]
    if answer.headers:
        headers += [(name.lower().encode(), value.encode("latin-1")) for name, value in answer.headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
