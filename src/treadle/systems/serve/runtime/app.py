"""The HTTP face of the data plane: a raw ASGI application, without a framework on the request's path.

Addresses are looked up in a dictionary that is rebuilt at each swap; so an inference costs one lookup, one pass over the
headers, and the work itself. Every refusal is `{"error": "..."}`, in words that the client can act on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from treadle.ground.errors import TreadleError
from treadle.systems.serve.runtime.addresses import Address, Headers, Reply, json_reply
from treadle.systems.serve.runtime.bodies import (
    PACK_FROM_BYTES,
    ClientGone,
    RequestHead,
    packed,
    packed_now,
    read_body,
    wanted_encoding,
)
from treadle.systems.serve.runtime.errors import NoSuchModel, WrongMethod
from treadle.systems.serve.runtime.guard import Guard
from treadle.systems.serve.runtime.inference import Inference
from treadle.systems.serve.runtime.leaving import Leaving
from treadle.systems.serve.runtime.log import PredictionLog
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.observing import Observer
from treadle.systems.serve.runtime.plain_addresses import PlainAddresses
from treadle.systems.serve.runtime.protocol import Protocol
from treadle.systems.serve.runtime.protocol_addresses import ProtocolAddresses
from treadle.systems.serve.runtime.rates import Rates
from treadle.systems.serve.runtime.repository import Repository
from treadle.wire.oip import encode_error

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_log = logging.getLogger("treadle.serve")
_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")


class ServingApp:
    """The ASGI application. It takes up what the repository serves, after each of its changes."""

    def __init__(
        self,
        protocol: Protocol,
        repository: Repository,
        inference: Inference,
        log: PredictionLog,
        metrics: Metrics,
        guard: Guard,
        rates: Rates,
        observer: Observer | None = None,
    ) -> None:
        self._protocol, self._prediction_log = protocol, log
        self._metrics, self._guard, self._rates = metrics, guard, rates
        self._observer = observer
        self._plain = PlainAddresses(inference, metrics)
        self._oip = ProtocolAddresses(protocol, repository, inference, metrics)
        self._addresses: dict[str, Address] = {}
        self.leaving = Leaving(log, partial(self._refusal, ""))
        """Where the answers of `answer_now` leave by: a record may still have to be written."""
        repository.changed.append(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """Takes what the table holds now."""
        addresses = {"/metrics": Address("GET", self._exposition), **self._oip.all()}
        for endpoint in self._protocol.table.live.values():
            addresses |= self._plain.of(endpoint)
        self._addresses = addresses

    # -- the request's path -----------------------------------------------------------------------------------------

    def answer_now(self, path: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes] | None:
        """(status, headers, body) of a POST that need not wait; None, and nothing done, for any other.

        The server's protocol asks here first, so most inferences cost no task, no coroutine and no ASGI message. The answer
        goes through `leaving`. Where each request is observed, its record is written at once, so that its time is known.
        """
        if self._observer is None:
            log = self._prediction_log
            log.is_gathering = True
            try:
                return self._answered_now(path, headers, body)
            finally:
                log.is_gathering = False
        seen = self._observer.begin(headers)
        answered = self._answered_now(path, headers, body)
        if answered is not None:
            self._observer.end(seen, "POST", path, answered[0], len(body), len(answered[2]))
        return answered

    def _answered_now(self, path: str, headers: Headers, body: bytes) -> tuple[int, Headers, bytes] | None:
        address = self._addresses.get(path)
        if address is None or address.now is None or len(body) > address.max_body:
            return None
        if address.limits is not None and address.limits.requests_per_s:
            return None  # who asks how often is counted where the caller's address is known
        head = RequestHead.of(headers)
        if head.bad_length or head.encoding or (head.accepts and len(body) >= PACK_FROM_BYTES):
            return None
        try:
            self._guard.check(head)
            reply = address.now(head, body)
        except TreadleError as error:
            return self._refusal(address.endpoint, error)
        except Exception:
            return self._refusal(address.endpoint, _failed(path))
        if reply is None:
            return None
        if head.accepts and len(reply[1]) >= PACK_FROM_BYTES and (encoding := wanted_encoding(head.accepts)):
            reply = _said_packed(reply[0], packed_now(reply[1], encoding), encoding)
        return 200, *reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self._observer is not None:
            send = self._observer.watching(self._observer.begin(scope["headers"]), scope, send)
        head = RequestHead.of(scope["headers"])
        address = self._addresses.get(scope["path"])
        try:
            headers, answer = await self._answer(scope, head, address, receive)
            if head.accepts and len(answer) >= PACK_FROM_BYTES:
                headers, answer = await _packed(head, headers, answer)
        except ClientGone:
            return
        except TreadleError as error:
            await self._refuse(send, address.endpoint if address else "", error)
            return
        except Exception:
            await self._refuse(send, address.endpoint if address else "", _failed(scope["path"]))
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer if scope["method"] != "HEAD" else b""})

    async def _answer(self, scope: Scope, head: RequestHead, address: Address | None, receive: Receive) -> Reply:
        self._guard.check(head, is_open=address is not None and address.is_open)
        if address is None:
            address = self._oip.of_repository(scope["path"])
            if address is None:
                raise self._nowhere(scope["path"])
        method = scope["method"]
        if method != address.method and (method != "HEAD" or address.method != "GET"):
            raise WrongMethod(
                f"{method} is not what this address takes.", fix=f"Use {address.method}.", allow=address.method
            )
        limits = address.limits
        if limits is not None and limits.requests_per_s:
            client = scope.get("client")
            caller = head.authorization or (str(client[0]).encode() if client else b"")
            self._rates.take(address.endpoint, caller, limits)
        return await address.handler(head, await read_body(head, receive, address.max_body))

    async def _refuse(self, send: Send, endpoint: str, error: TreadleError) -> None:
        status, headers, body = self._refusal(endpoint, error)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, endpoint: str, error: TreadleError) -> tuple[int, Headers, bytes]:
        self._metrics.requests[endpoint, error.status] += 1
        headers, body = json_reply(encode_error(" ".join(error.sentences())))
        if error.retryable:
            headers.append((b"retry-after", str(error.context.get("retry_after_s", 1)).encode()))
        if isinstance(error, WrongMethod):
            headers.append((b"allow", str(error.context["allow"]).encode()))
        return error.status, headers, body

    def _nowhere(self, path: str) -> TreadleError:
        """The error for a path where nothing is; it looks for what was meant."""
        parts = path.split("/")
        try:
            if len(parts) > 3 and parts[1:3] == ["v2", "models"]:
                self._protocol.find(parts[3], parts[5] if len(parts) > 5 and parts[4] == "versions" else None)
            elif len(parts) == 3 and parts[1] == "predict":
                self._protocol.find(parts[2])
        except NoSuchModel as error:
            return error
        return NoSuchModel(f"Nothing is at {path!r}.", fix="GET /v2/openapi.json says what there is.")

    async def _exposition(self, head: RequestHead, body: bytes) -> Reply:
        log, table = self._prediction_log, self._protocol.table
        tracer = None if self._observer is None else self._observer.tracer
        traces = None if tracer is None else tracer.figures
        text = self._metrics.text(
            log.figures, log.held_bytes, log.budget_bytes, table.failures, table.swaps, traces
        ).encode()
        return [_TEXT, (b"content-length", b"%d" % len(text))], text


def _failed(path: str) -> TreadleError:
    """What a client hears of a failure of ours; to be called where it is being handled."""
    _log.exception("a request to %s failed", path)
    return TreadleError("The server failed on this request; its log says where.")


async def _packed(head: RequestHead, headers: Headers, answer: bytes) -> Reply:
    """The reply in an encoding that the client takes, or as it is."""
    encoding = wanted_encoding(head.accepts)
    if encoding is None:
        return headers, answer
    return _said_packed(headers, await packed(answer, encoding), encoding)


def _said_packed(headers: Headers, body: bytes, encoding: bytes) -> Reply:
    kept = [header for header in headers if header[0] != b"content-length"]
    said = [(b"content-length", b"%d" % len(body)), (b"content-encoding", encoding), (b"vary", b"accept-encoding")]
    return [*kept, *said], body
