"""The HTTP face of the data plane: a raw ASGI application, without a framework on the request's path.

Addresses are looked up in a dictionary that is rebuilt at each swap; so an inference costs one lookup, one pass over the
headers, and the work itself. Every refusal is `{"error": "..."}`, in words that the client can act on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from treadle import __version__
from treadle.ground.errors import TreadleError, did_you_mean
from treadle.systems.serve.runtime.batches import Batch
from treadle.systems.serve.runtime.bodies import ClientGone, RequestHead, read_body
from treadle.systems.serve.runtime.endpoints import LiveEndpoint, LiveRevision, RouteTable
from treadle.systems.serve.runtime.errors import NoSuchModel, Overloaded, UnknownInput, WrongMethod
from treadle.systems.serve.runtime.guard import Guard
from treadle.systems.serve.runtime.inference import Answer, Inference
from treadle.systems.serve.runtime.log import PredictionLog
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.row_facts import make_facts
from treadle.wire.oip import (
    InferRequest,
    OutputTensor,
    Parameter,
    ProtocolError,
    ServerMetadata,
    encode_error,
    encode_infer_answer,
    parse_infer_request,
)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_log = logging.getLogger("treadle.serve")
_JSON, _BINARY = (b"content-type", b"application/json"), (b"content-type", b"application/octet-stream")
_TEXT = (b"content-type", b"text/plain; version=0.0.4; charset=utf-8")
_SERVER = msgspec.json.encode(ServerMetadata(name="treadle", version=__version__, extensions=("binary_tensor_data",)))
_MAX_BODY_ANYWHERE = 1 << 30


class PlainRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `POST /predict/{endpoint}`: rows with named columns."""

    rows: list[dict[str, Any]]
    id: str | None = None
    entity: list[str | int] | str | int | None = None
    event_at: list[str | int] | str | int | None = None
    feature_as_of: list[str | int] | str | int | None = None
    unit: str | int | None = None
    features: str | None = None


_decode_plain = msgspec.json.Decoder(PlainRequest).decode

Handler = Callable[[RequestHead, bytes], Awaitable[tuple[list[tuple[bytes, bytes]], bytes]]]


@dataclass(frozen=True, slots=True)
class _Address:
    method: str
    handler: Handler
    endpoint: str = ""
    max_body: int = 0


class ServingApp:
    """The ASGI application. `refresh` rebuilds the addresses after a swap."""

    def __init__(
        self, table: RouteTable, inference: Inference, log: PredictionLog, metrics: Metrics, guard: Guard
    ) -> None:
        self._table, self._inference, self._prediction_log = table, inference, log
        self._metrics, self._guard = metrics, guard
        self._addresses: dict[str, _Address] = {}
        self.draining = False
        self.refresh()

    # -- addresses --------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Takes what the table holds now."""
        addresses = {
            "/v2": _Address("GET", _constant(_SERVER)),
            "/v2/": _Address("GET", _constant(_SERVER)),
            "/v2/health/live": _Address("GET", _constant(b'{"live":true}')),
            "/v2/health/ready": _Address("GET", self._ready),
            "/metrics": _Address("GET", self._exposition),
        }
        for name, endpoint in self._table.live.items():
            self._add_endpoint(addresses, name, endpoint)
        self._addresses = addresses

    def _add_endpoint(self, addresses: dict[str, _Address], name: str, endpoint: LiveEndpoint) -> None:
        base, largest = f"/v2/models/{name}", endpoint.limits.max_body_bytes
        addresses[f"/predict/{name}"] = _Address("POST", _plain(self, endpoint), name, largest)
        for version in endpoint.metadata:
            path = base if version is None else f"{base}/versions/{version}"
            addresses[path] = _Address("GET", _constant(endpoint.metadata[version]), name)
            addresses[f"{path}/ready"] = _Address("GET", _constant(_ready_body(name)), name)
            only = None if version is None else endpoint.of_version(version)
            addresses[f"{path}/infer"] = _Address("POST", _infer(self, endpoint, only), name, largest)

    # -- the request's path -----------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        head = RequestHead.of(scope["headers"])
        address = self._addresses.get(scope["path"])
        try:
            headers, answer = await self._answer(scope, head, address, receive)
        except ClientGone:
            return
        except TreadleError as error:
            await self._refuse(send, address.endpoint if address else "", error)
            return
        except Exception:
            _log.exception("a request to %s failed", scope["path"])
            failure = TreadleError("The server failed on this request; its log says where.")
            await self._refuse(send, address.endpoint if address else "", failure)
            return
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(
        self, scope: Scope, head: RequestHead, address: _Address | None, receive: Receive
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        self._guard.check(head)
        if address is None:
            raise self._nowhere(scope["path"])
        if scope["method"] != address.method:
            raise WrongMethod(f"{scope['method']} is not what this address takes.", fix=f"Use {address.method}.")
        return await address.handler(head, await read_body(head, receive, address.max_body or _MAX_BODY_ANYWHERE))

    async def _refuse(self, send: Send, endpoint: str, error: TreadleError) -> None:
        self._metrics.requests[endpoint, error.status] += 1
        body = encode_error(" ".join(error.sentences()))
        headers = [_JSON, (b"content-length", b"%d" % len(body))]
        if error.retryable:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": error.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _nowhere(self, path: str) -> TreadleError:
        parts = path.split("/")
        if (len(parts) > 3 and parts[1:3] == ["v2", "models"]) or (len(parts) == 3 and parts[1] == "predict"):
            name = parts[3] if parts[1] == "v2" else parts[2]
            endpoint = self._table.live.get(name)
            if endpoint is None:
                why = self._table.failures.get(name, "")
                return NoSuchModel(f"No endpoint {name!r} is served here.", why=why, fix=self._known(name))
            if len(parts) > 5 and parts[4] == "versions" and parts[5] not in endpoint.metadata:
                versions = [version for version in endpoint.metadata if version is not None]
                return NoSuchModel(
                    f"Endpoint {name!r} does not serve version {parts[5]!r}.", fix=did_you_mean(parts[5], versions)
                )
        return NoSuchModel(f"Nothing is at {path!r}.", fix="GET /v2 says what this server is.")

    def _known(self, name: str) -> str:
        return did_you_mean(name, self._table.live)

    # -- answers ----------------------------------------------------------------------------------------------------

    async def _ready(self, head: RequestHead, body: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Ready when something is served; what could not be put in force stands beside it."""
        if self.draining:
            raise Overloaded("This server is stopping.")
        failures = self._table.failures
        if not self._table.live:
            first = next(iter(failures.items()), None)
            raise Overloaded(
                "No endpoint is served yet.", why=f"{first[0]}: {first[1]}" if first else "", fix="Deploy one."
            )
        payload: dict[str, Any] = {"ready": True}
        if failures:
            payload["refused_documents"] = failures
        return _json(msgspec.json.encode(payload))

    async def _exposition(self, head: RequestHead, body: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
        log = self._prediction_log
        text = self._metrics.text(
            log.figures, log.held_bytes, log.budget_bytes, self._table.failures, self._table.swaps
        ).encode()
        return [_TEXT, (b"content-length", b"%d" % len(text))], text

    async def infer(
        self, endpoint: LiveEndpoint, only: LiveRevision | None, head: RequestHead, body: bytes
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The protocol's inference."""
        started = time.perf_counter()
        request = parse_infer_request(body, head.inference_length)

        def read(revision: LiveRevision) -> Batch:
            return revision.model.plan.from_request(request)

        answer = self._inference.answer_inline(endpoint, read, request.id, only, started)
        if isinstance(answer, Batch):
            answer = await self._inference.answer_later(endpoint, answer, read, request.id, only, started)
        payload, header_length = _encode(endpoint, request, answer)
        self._metrics.answered(endpoint.name, time.perf_counter() - started)
        if header_length is None:
            return _json(payload)
        size = (b"inference-header-content-length", b"%d" % header_length)
        return [_BINARY, (b"content-length", b"%d" % len(payload)), size], payload

    async def predict(
        self, endpoint: LiveEndpoint, head: RequestHead, body: bytes
    ) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """The plain form: rows with named columns in, a prediction a row out."""
        started = time.perf_counter()
        try:
            request = _decode_plain(body)
        except msgspec.DecodeError as error:
            raise ProtocolError(
                f"The body cannot be read: {error}.", fix='Send {"rows": [{"column": value, ...}]}.'
            ) from None
        rows = len(request.rows)
        given = {"entity": request.entity, "event_at": request.event_at, "feature_as_of": request.feature_as_of}
        facts = make_facts(given, request.unit, rows, features=request.features)

        def read(revision: LiveRevision) -> Batch:
            return revision.model.plan.from_rows(request.rows, facts)

        answer = await self._inference.answer(endpoint, read, request.id, None, started)
        payload = msgspec.json.encode(_plain_answer(endpoint, request.id, answer))
        self._metrics.answered(endpoint.name, time.perf_counter() - started)
        return _json(payload)


def _infer(app: ServingApp, endpoint: LiveEndpoint, only: LiveRevision | None) -> Handler:
    def handler(head: RequestHead, body: bytes) -> Awaitable[tuple[list[tuple[bytes, bytes]], bytes]]:
        return app.infer(endpoint, only, head, body)

    return handler


def _plain(app: ServingApp, endpoint: LiveEndpoint) -> Handler:
    def handler(head: RequestHead, body: bytes) -> Awaitable[tuple[list[tuple[bytes, bytes]], bytes]]:
        return app.predict(endpoint, head, body)

    return handler


def _constant(body: bytes) -> Handler:
    answer = _json(body)

    async def handler(head: RequestHead, received: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
        return answer

    return handler


def _json(body: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    return [_JSON, (b"content-length", b"%d" % len(body))], body


def _ready_body(name: str) -> bytes:
    return msgspec.json.encode({"name": name, "ready": True})


def _encode(endpoint: LiveEndpoint, request: InferRequest, answer: Answer) -> tuple[bytes, int | None]:
    outputs = _wanted(request, answer.outputs())
    revision = answer.revision
    parameters: dict[str, Parameter] = {"prediction_id": answer.ids[0]}
    if revision is not None:
        parameters["revision"] = revision.number
    return encode_infer_answer(
        model_name=endpoint.name,
        model_version=revision.model_version if revision is not None else None,
        request_id=request.id,
        parameters=parameters,
        outputs=outputs,
    )


def _wanted(request: InferRequest, outputs: list[OutputTensor]) -> list[OutputTensor]:
    """The outputs that the request names, in its order and form; all of them when it names none."""
    if request.outputs is None:
        if request.binary_output:
            for output in outputs:
                output.binary = True
        return outputs
    by_name = {output.name: output for output in outputs}
    wanted = []
    for asked in request.outputs:
        if asked.name not in by_name:
            raise UnknownInput(f"This model has no output {asked.name!r}.", fix=did_you_mean(asked.name, by_name))
        output = by_name[asked.name]
        output.binary = asked.binary
        wanted.append(output)
    return wanted


def _plain_answer(endpoint: LiveEndpoint, request_id: str | None, answer: Answer) -> dict[str, Any]:
    columns = {
        output.name: output.values if isinstance(output.values, list) else output.values.tolist()
        for output in answer.outputs()
    }
    predictions = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    revision = answer.revision
    return {
        "endpoint": endpoint.name,
        **({"id": request_id} if request_id is not None else {}),
        **({"model_version": revision.model_version, "revision": revision.number} if revision is not None else {}),
        "predictions": predictions,
    }
