"""Listening for gRPC, in the loop and the process that answer REST: one inference, one log, one set of limits for both.

grpcio is an extra, and imported only by a server that is told to listen. Its `aio` server in the loop answers 6,100 empty
calls a second over 32 connections on a core where the synchronous one with a pool of threads answers 3,650 (2026-12-01,
grpcio 1.85; docs/decisions/0020). Messages pass as bytes: `wire.oip` reads and writes them.

No browser speaks gRPC over plain HTTP/2, so a page of elsewhere cannot reach this port, and `Guard`'s rules for hosts and
origins have nothing to look at; the token is asked for as REST does.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

from treadle.ground.errors import InvalidInput, MissingExtra, TreadleError
from treadle.systems.serve.runtime.grpc_methods import BothStreams, Caller, GrpcMethods, ServerStream, Unary
from treadle.systems.serve.runtime.guard import Guard
from treadle.systems.serve.runtime.observing import Observer

MAX_MESSAGE_BYTES = 64 << 20
"""What any message may have, packed or not; an endpoint's own limit is the smaller one as a rule."""
MAX_CALLS = 1024
"""Calls at once; the next one gets RESOURCE_EXHAUSTED."""

_log = logging.getLogger("treadle.serve")
CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "FAILED_PRECONDITION",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""gRPC's code for each status of REST; any other is INTERNAL."""


class GrpcServer:
    """The methods behind a port. Raises MissingExtra where grpcio is not installed."""

    def __init__(
        self, methods: GrpcMethods, guard: Guard, observer: Observer | None = None, *, shares_port: bool = False
    ) -> None:
        self._observer = observer
        self._shares_port = shares_port
        self._grpc = _library()
        self._methods, self._guard = methods, guard
        self._server: Any = None

    async def start(self, host: str, port: int) -> int:
        """Listens; answers the port. Raises InvalidInput where it cannot."""
        self._server = self._grpc.aio.server(
            maximum_concurrent_rpcs=MAX_CALLS,
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", -1),
                # unasked, a second server on the same port would take half of its calls
                ("grpc.so_reuseport", int(self._shares_port)),
            ],
        )
        self._server.add_generic_rpc_handlers((self._handlers(),))
        try:
            bound: int = self._server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
        except RuntimeError:
            bound = 0
        if not bound:
            raise InvalidInput(
                f"Port {port} on {host} cannot be listened on for gRPC.", fix="Choose another, or 0 for a free one."
            )
        await self._server.start()
        return bound

    async def stop(self, grace_s: float) -> None:
        """Takes nothing new, and answers what is in flight for at most so long."""
        self._methods.stop()
        await self._server.stop(grace_s)

    # -- what grpcio calls ------------------------------------------------------------------------------------------

    def _handlers(self) -> Any:
        grpc, methods = self._grpc, self._methods
        base: Any = grpc.GenericRpcHandler
        found = {
            path: grpc.unary_unary_rpc_method_handler(self._unary(path, one)) for path, one in methods.unary().items()
        }
        for path, server_stream in methods.server_streams().items():
            found[path] = grpc.unary_stream_rpc_method_handler(self._server_stream(server_stream))
        for path, both_streams in methods.both_streams().items():
            found[path] = grpc.stream_stream_rpc_method_handler(self._both_streams(both_streams))

        class Handlers(base):  # type: ignore[misc]
            def service(self, details: Any) -> Any:
                return found.get(details.method)

        return Handlers()

    def _unary(self, path: str, method: Unary) -> Any:
        async def call(data: bytes, context: Any) -> bytes:
            try:
                return await method(data, self._check(context))
            except Exception as error:
                return await self._refuse(context, error)

        observer = self._observer
        if observer is None:
            return call

        async def observed(data: bytes, context: Any) -> bytes:
            """The same, told of: each call has a context of its own, so what is noted meanwhile is its own."""
            seen = observer.begin(_headers_of(context))
            status, sent = 500, 0
            try:
                answer = await method(data, self._check(context))
                status, sent = 200, len(answer)
                return answer
            except Exception as error:
                status = error.status if isinstance(error, TreadleError) else 500
                return await self._refuse(context, error)
            finally:
                observer.end(seen, "POST", path, status, len(data), sent)

        return observed

    def _server_stream(self, method: ServerStream) -> Any:
        async def call(data: bytes, context: Any) -> AsyncIterator[bytes]:
            try:
                self._check(context)
                async for answer in method(data):
                    yield answer
            except Exception as error:
                await self._refuse(context, error)

        return call

    def _both_streams(self, method: BothStreams) -> Any:
        async def call(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            try:
                async for answer in method(requests, self._check(context)):
                    yield answer
            except Exception as error:
                await self._refuse(context, error)

        return call

    def _check(self, context: Any) -> Caller:
        """Who calls: its token, or its address where there are none; asked for where an endpoint has a rate alone.

        Raises NoToken for a call that may not pass.
        """
        if self._guard.token is None:
            return lambda: _host_of(str(context.peer()))
        token = next((value for key, value in context.invocation_metadata() or () if key == "authorization"), "")
        authorization: bytes = token.encode() if isinstance(token, str) else token
        self._guard.check_token(authorization)
        return lambda: authorization

    async def _refuse(self, context: Any, error: Exception) -> bytes:
        """Ends a call with the code and the words of an error; what no client can mend goes to the log."""
        if not isinstance(error, TreadleError):
            _log.error("a gRPC call failed", exc_info=error)
            error = TreadleError("The server failed on this request; its log says where.")
        code = getattr(self._grpc.StatusCode, CODES.get(error.status, "INTERNAL"))
        pause_ms = str(int(str(error.context.get("retry_after_s", 1))) * 1000)
        trailing = (("grpc-retry-pushback-ms", pause_ms),) if error.retryable else ()
        await context.abort(code, " ".join(error.sentences()), trailing)
        raise AssertionError("abort does not come back")


def _library() -> Any:
    """grpcio, imported now and not before. Raises MissingExtra."""
    try:
        import grpc
        import grpc.aio
    except ImportError:
        raise MissingExtra.of("grpcio", "grpc", "Answering gRPC") from None
    return grpc


def _headers_of(context: Any) -> list[tuple[bytes, bytes]]:
    """A call's metadata as REST has headers."""
    metadata = context.invocation_metadata() or ()
    return [(key.encode(), value.encode() if isinstance(value, str) else value) for key, value in metadata]


def _host_of(peer: str) -> bytes:
    """The address in what grpcio says of a peer (`ipv4:127.0.0.1:5012`, `ipv6:%5B::1%5D:5012`), as REST knows it."""
    return unquote(peer.partition(":")[2].rpartition(":")[0]).strip("[]").encode()
