"""The protocol over REST: its addresses, each a translation between bytes and what `protocol` answers."""

from __future__ import annotations

import time
from collections.abc import Awaitable
from functools import cache
from typing import Any, TypeVar

import msgspec

from treadle.ground.errors import TreadleError
from treadle.systems.serve.runtime.addresses import BINARY, Address, Handler, HandlerNow, Reply, constant, json_reply
from treadle.systems.serve.runtime.batches import Batch
from treadle.systems.serve.runtime.bodies import RequestHead
from treadle.systems.serve.runtime.endpoints import LiveEndpoint, LiveRevision
from treadle.systems.serve.runtime.errors import Drained, NotServed
from treadle.systems.serve.runtime.inference import Answer, Inference, Read
from treadle.systems.serve.runtime.keyed import rows_of_request
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.protocol import (
    EXPLAIN,
    SERVER,
    Protocol,
    answer_parameters,
    check_outputs,
    raw_request,
    wanted_outputs,
    wants_explanation,
)
from treadle.systems.serve.runtime.repository import Repository
from treadle.wire.oip import (
    UNREADABLE,
    IndexRequest,
    InferRequest,
    ModelReadiness,
    ProtocolError,
    StatisticsAnswer,
    UnloadRequest,
    encode_infer_answer,
    openapi,
    parse_infer_request,
)

_encode = msgspec.json.encode
_EXPLAIN = b'"explain"'
_INDEX, _LOAD, _UNLOAD = (
    "/v2/repository/index",
    "/v2/repository/models/{name}/load",
    "/v2/repository/models/{name}/unload",
)
_Body = TypeVar("_Body", bound=msgspec.Struct)

NOT_SERVED = {
    "/v2/logging": "A server's log is set where it is started.",
    "/v2/trace/setting": "Traces are set where a server is started.",
    "/v2/systemsharedmemory/status": "Send tensors in the request.",
    "/v2/cudasharedmemory/status": "Send tensors in the request.",
}
"""Addresses of Triton's extensions that this server does not have, and what to do instead."""


class ProtocolAddresses:
    """Builds the addresses; rebuilt at each swap, so a request costs one look-up."""

    def __init__(self, protocol: Protocol, repository: Repository, inference: Inference, metrics: Metrics) -> None:
        self._protocol, self._repository = protocol, repository
        self._inference, self._metrics = inference, metrics

    def all(self) -> dict[str, Address]:
        """The addresses of the server, then those of each endpoint: a name such as `stats` may be an endpoint's."""
        server = constant(_encode(SERVER))
        addresses = {
            "/v2": Address("GET", server),
            "/v2/": Address("GET", server),
            "/v2/health/live": Address("GET", constant(b'{"live":true}'), is_open=True),
            "/v2/health/ready": Address("GET", self._ready, is_open=True),
            "/v2/models/stats": Address("GET", self._statistics(None, None)),
            "/v2/openapi.json": Address("GET", self._openapi),
            _INDEX: Address("POST", self._index),
        }
        addresses |= {path: Address("GET", _not_served(path, fix)) for path, fix in NOT_SERVED.items()}
        for name, endpoint in self._protocol.table.live.items():
            addresses |= self._of(name, endpoint)
        return addresses

    def _of(self, name: str, endpoint: LiveEndpoint) -> dict[str, Address]:
        addresses: dict[str, Address] = {}
        limits = endpoint.limits
        ready = _drained(name) if endpoint.document.is_drained else constant(_encode(ModelReadiness(name)))
        for version, metadata in endpoint.metadata.items():
            path = f"/v2/models/{name}" if version is None else f"/v2/models/{name}/versions/{version}"
            config = self._protocol.config(endpoint, version)
            only = None if version is None else endpoint.of_version(version)
            addresses |= {
                path: Address("GET", constant(_encode(metadata)), name),
                f"{path}/ready": Address("GET", ready, name),
                f"{path}/config": Address("GET", constant(_encode(config)), name),
                f"{path}/stats": Address("GET", self._statistics(name, version), name),
                f"{path}/infer": Address(
                    "POST",
                    self._infer(endpoint, only),
                    name,
                    limits.max_body_bytes,
                    limits=limits,
                    now=self._infer_now(endpoint, only),
                ),
            }
        return addresses

    def of_repository(self, path: str) -> Address | None:
        """The address that loads or unloads a model, which need not be served yet."""
        parts = path.split("/")
        if len(parts) != 6 or parts[:4] != ["", "v2", "repository", "models"] or parts[5] not in ("load", "unload"):
            return None
        return Address("POST", self._load(parts[4]) if parts[5] == "load" else self._unload(parts[4]))

    async def _openapi(self, head: RequestHead, body: bytes) -> Reply:
        return json_reply(_openapi_document())

    # -- answers ----------------------------------------------------------------------------------------------------

    async def _ready(self, head: RequestHead, body: bytes) -> Reply:
        """Ready when something is served; what could not be put in force stands beside it."""
        failures = self._protocol.check_ready()
        payload: dict[str, Any] = {"ready": True}
        if failures:
            payload["refused_documents"] = failures
        return json_reply(_encode(payload))

    async def _index(self, head: RequestHead, body: bytes) -> Reply:
        asked = _decode(body, IndexRequest)
        return json_reply(_encode(self._repository.index(only_ready=asked.ready)))

    def _load(self, name: str) -> Handler:
        async def handler(head: RequestHead, body: bytes) -> Reply:
            await self._repository.load(name, _decode(body, UnloadRequest).parameters)
            return json_reply(b"{}")

        return handler

    def _unload(self, name: str) -> Handler:
        async def handler(head: RequestHead, body: bytes) -> Reply:
            self._repository.unload(name, _decode(body, UnloadRequest).parameters)
            return json_reply(b"{}")

        return handler

    def _statistics(self, name: str | None, version: str | None) -> Handler:
        async def handler(head: RequestHead, body: bytes) -> Reply:
            return json_reply(_encode(StatisticsAnswer(self._protocol.statistics(name, version))))

        return handler

    def _infer(self, endpoint: LiveEndpoint, only: LiveRevision | None) -> Handler:
        def handler(head: RequestHead, body: bytes) -> Awaitable[Reply]:
            return self.infer(endpoint, only, head, body)

        return handler

    def _infer_now(self, endpoint: LiveEndpoint, only: LiveRevision | None) -> HandlerNow | None:
        """None where a request may have to wait: for its share of a rate, for a split, for a slow model."""
        if endpoint.limits.requests_per_s or not self._inference.is_inline(endpoint, only):
            return None

        def handler(head: RequestHead, body: bytes) -> Reply | None:
            if _EXPLAIN in body:
                return None  # worked out in a thread, so it has to wait
            request, answer, _, started = self._begin(endpoint, only, head, body)
            return None if isinstance(answer, Batch) else self._reply(endpoint, request, answer, started)

        return handler

    async def infer(self, endpoint: LiveEndpoint, only: LiveRevision | None, head: RequestHead, body: bytes) -> Reply:
        """The protocol's inference."""
        if endpoint.document.features is not None:
            return await self._infer_keyed(endpoint, only, head, body)
        request, answer, read, started = self._begin(endpoint, only, head, body)
        if isinstance(answer, Batch):
            try:
                answer = await self._inference.answer_later(endpoint, answer, read, request.id, only, started)
            except TreadleError:
                _count_failure(endpoint, only, started)
                raise
        await self._explain(request, answer, read)
        return self._reply(endpoint, request, answer, started)

    async def _explain(self, request: InferRequest, answer: Answer, read: Read) -> None:
        if request.parameters.get(EXPLAIN):
            answer.explanation = await self._inference.explain(answer, read)

    async def _infer_keyed(
        self, endpoint: LiveEndpoint, only: LiveRevision | None, head: RequestHead, body: bytes
    ) -> Reply:
        """The inference of an endpoint whose features the server reads."""
        started = time.perf_counter()
        source = endpoint.document.features
        assert source is not None
        try:
            request = _parsed(endpoint, head, body)
            read = await self._inference.keyed(endpoint, *rows_of_request(source, request))
            answer = await self._inference.answer(endpoint, read, request.id, only, started)
            await self._explain(request, answer, read)
        except TreadleError:
            _count_failure(endpoint, only, started)
            raise
        return self._reply(endpoint, request, answer, started)

    def _begin(
        self, endpoint: LiveEndpoint, only: LiveRevision | None, head: RequestHead, body: bytes
    ) -> tuple[InferRequest, Answer | Batch, Read, float]:
        """(request, its answer or the batch that has to wait, how a revision reads it, when it came)."""
        started = time.perf_counter()
        try:
            request = _parsed(endpoint, head, body)

            def read(revision: LiveRevision) -> Batch:
                return revision.model.plan.from_request(request)

            return request, self._inference.answer_inline(endpoint, read, request.id, only, started), read, started
        except TreadleError:
            _count_failure(endpoint, only, started)
            raise

    def _reply(self, endpoint: LiveEndpoint, request: InferRequest, answer: Answer, started: float) -> Reply:
        revision = answer.revision
        payload, header_length = encode_infer_answer(
            model_name=endpoint.name,
            model_version=revision.model_version if revision is not None else None,
            request_id=request.id,
            parameters=answer_parameters(answer),
            outputs=wanted_outputs(request, answer),
        )
        self._metrics.answered(endpoint.name, time.perf_counter() - started)
        if header_length is None:
            return json_reply(payload)
        size = (b"inference-header-content-length", b"%d" % header_length)
        return [BINARY, (b"content-length", b"%d" % len(payload)), size], payload


def _parsed(endpoint: LiveEndpoint, head: RequestHead, body: bytes) -> InferRequest:
    if head.inference_length == 0:
        request = raw_request(endpoint, body)
    else:
        request = parse_infer_request(body, head.inference_length)
    check_outputs(endpoint, request)
    wants_explanation(request)
    return request


def _count_failure(endpoint: LiveEndpoint, only: LiveRevision | None, started: float) -> None:
    (only or endpoint.revisions[0]).figures.failed(time.perf_counter() - started)


@cache
def _openapi_document() -> bytes:
    return _encode(openapi(SERVER.version))


def _drained(name: str) -> Handler:
    async def handler(head: RequestHead, body: bytes) -> Reply:
        raise Drained.of(name)

    return handler


def _not_served(path: str, fix: str) -> Handler:
    async def handler(head: RequestHead, body: bytes) -> Reply:
        raise NotServed(f"This server does not have {path!r}, an extension of Triton's.", fix=fix)

    return handler


def _decode(body: bytes, kind: type[_Body]) -> _Body:
    """The record in a body; that of an empty one has every field at its default."""
    if not body:
        return kind()
    try:
        return msgspec.json.decode(body, type=kind)
    except UNREADABLE as error:
        raise ProtocolError(f"The body cannot be read: {error}.", fix="Send a JSON object, or no body.") from None
