"""The protocol over gRPC: each method from bytes to bytes, a translation of what `protocol` answers.

Nothing here knows grpcio: `grpc_server` listens, and calls these.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from treadle.ground.errors import TreadleError
from treadle.systems.serve.runtime.batches import Batch
from treadle.systems.serve.runtime.endpoints import LiveEndpoint, LiveRevision
from treadle.systems.serve.runtime.errors import NoSuchService, NotServed, Overloaded
from treadle.systems.serve.runtime.inference import Inference, Read
from treadle.systems.serve.runtime.keyed import rows_of_request
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.protocol import (
    SERVER,
    Protocol,
    answer_parameters,
    check_outputs,
    wanted_outputs,
    wants_explanation,
)
from treadle.systems.serve.runtime.rates import Rates
from treadle.systems.serve.runtime.repository import Repository
from treadle.wire.oip import BodyTooLarge, Parameter
from treadle.wire.oip.protobuf_answers import (
    NOT_SERVING,
    SERVICE_UNKNOWN,
    SERVING,
    encode_claim,
    encode_config,
    encode_health,
    encode_health_list,
    encode_index,
    encode_infer_response,
    encode_model_metadata,
    encode_server_metadata,
    encode_statistics,
    encode_stream_answer,
    encode_stream_error,
)
from treadle.wire.oip.protobuf_requests import (
    GrpcInferRequest,
    decode_control_request,
    decode_health_request,
    decode_index_request,
    decode_infer_request,
    decode_model_request,
)

INFERENCE, HEALTH = "inference.GRPCInferenceService", "grpc.health.v1.Health"
NOT_SERVED = {
    "TraceSetting": "Traces are set where a server is started.",
    "LogSettings": "A server's log is set where it is started.",
    **{
        f"{kind}SharedMemory{act}": "Send tensors in the request."
        for kind in ("System", "Cuda")
        for act in ("Status", "Register", "Unregister")
    },
}
"""Methods of Triton's extensions that this server does not have, and what to do instead."""
_log = logging.getLogger("treadle.serve")

Caller = Callable[[], bytes]
"""Says who calls; a function, since only an endpoint with a rate asks."""
Unary = Callable[[bytes, Caller], Awaitable[bytes]]
ServerStream = Callable[[bytes], AsyncIterator[bytes]]
BothStreams = Callable[[AsyncIterator[bytes], Caller], AsyncIterator[bytes]]


class GrpcMethods:
    """Both services. What they refuse is raised as TreadleError, but within a stream of inferences it is an answer."""

    def __init__(
        self, protocol: Protocol, repository: Repository, inference: Inference, metrics: Metrics, rates: Rates
    ) -> None:
        self._protocol, self._repository = protocol, repository
        self._inference, self._metrics, self._rates = inference, metrics, rates
        self._changed, self._stopping = asyncio.Event(), asyncio.Event()
        repository.changed.append(self.tell_change)

    def unary(self) -> dict[str, Unary]:
        """The methods of one request and one answer, by their path."""
        methods: dict[str, Unary] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "ModelConfig": self._model_config,
            "ModelStatistics": self._model_statistics,
            "ModelInfer": self.infer,
            "RepositoryIndex": self._index,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
            **{name: _not_served(name, fix) for name, fix in NOT_SERVED.items()},
        }
        paths = {f"/{INFERENCE}/{name}": method for name, method in methods.items()}
        return {**paths, f"/{HEALTH}/Check": self._check, f"/{HEALTH}/List": self._list}

    def server_streams(self) -> dict[str, ServerStream]:
        """The methods of one request and many answers."""
        return {f"/{HEALTH}/Watch": self._watch}

    def both_streams(self) -> dict[str, BothStreams]:
        """The methods of many requests and many answers."""
        return {f"/{INFERENCE}/ModelStreamInfer": self.stream_infer}

    def tell_change(self) -> None:
        """Wakes those who watch the health of this server."""
        before, self._changed = self._changed, asyncio.Event()
        before.set()

    def stop(self) -> None:
        """Ends the streams that wait: of health, with what is so now, and of inferences that send nothing."""
        self._stopping.set()
        self.tell_change()

    # -- the server and its models ----------------------------------------------------------------------------------

    async def _server_live(self, data: bytes, caller: Caller) -> bytes:
        return encode_claim(True)

    async def _server_ready(self, data: bytes, caller: Caller) -> bytes:
        return encode_claim(self._is_ready())

    async def _server_metadata(self, data: bytes, caller: Caller) -> bytes:
        return encode_server_metadata(SERVER)

    async def _model_ready(self, data: bytes, caller: Caller) -> bytes:
        """A model that is not served is not ready, which whoever waits for it wants to be told without an error."""
        asked = decode_model_request(data)
        endpoint = self._protocol.table.live.get(asked.name)
        if endpoint is None or endpoint.document.is_drained:
            return encode_claim(False)
        return encode_claim(asked.version is None or asked.version in endpoint.metadata)

    async def _model_metadata(self, data: bytes, caller: Caller) -> bytes:
        asked = decode_model_request(data)
        endpoint, _ = self._protocol.find(asked.name, asked.version)
        return encode_model_metadata(endpoint.metadata[asked.version])

    async def _model_config(self, data: bytes, caller: Caller) -> bytes:
        asked = decode_model_request(data)
        endpoint, _ = self._protocol.find(asked.name, asked.version)
        return encode_config(self._protocol.config(endpoint, asked.version))

    async def _model_statistics(self, data: bytes, caller: Caller) -> bytes:
        asked = decode_model_request(data)
        return encode_statistics(self._protocol.statistics(asked.name or None, asked.version))

    # -- the repository ---------------------------------------------------------------------------------------------

    async def _index(self, data: bytes, caller: Caller) -> bytes:
        return encode_index(self._repository.index(only_ready=decode_index_request(data).ready))

    async def _load(self, data: bytes, caller: Caller) -> bytes:
        asked = decode_control_request(data)
        await self._repository.load(asked.name, asked.parameters)
        return b""

    async def _unload(self, data: bytes, caller: Caller) -> bytes:
        asked = decode_control_request(data)
        self._repository.unload(asked.name, asked.parameters)
        return b""

    # -- inference --------------------------------------------------------------------------------------------------

    async def infer(self, data: bytes, caller: Caller) -> bytes:
        """A ModelInferResponse for a ModelInferRequest."""
        return await self._infer(data, caller, {})

    async def stream_infer(self, requests: AsyncIterator[bytes], caller: Caller) -> AsyncIterator[bytes]:
        """An answer or an error for each request, in their order; the stream goes on after an error.

        Raises Overloaded once the server stops and what had come is answered: an idle stream may not hold it up.
        """
        async for data in self._until_stopped(requests):
            try:
                yield encode_stream_answer(await self._infer(data, caller, {"triton_final_response": True}))
            except TreadleError as error:
                yield encode_stream_error(" ".join(error.sentences()))
            except Exception:
                _log.exception("a request of a stream failed")
                yield encode_stream_error("The server failed on this request; its log says where.")

    async def _infer(self, data: bytes, caller: Caller, parameters: dict[str, Parameter]) -> bytes:
        started = time.perf_counter()
        asked = decode_infer_request(data)
        endpoint, only = self._protocol.find(asked.name, asked.version)
        try:
            if endpoint.limits.requests_per_s:
                self._rates.take(endpoint.name, caller(), endpoint.limits)
            answer = await self._answer(endpoint, only, asked, len(data), started, parameters)
        except TreadleError as error:
            (only or endpoint.revisions[0]).figures.failed(time.perf_counter() - started)
            self._metrics.requests[endpoint.name, error.status] += 1
            raise
        self._metrics.answered(endpoint.name, time.perf_counter() - started)
        return answer

    async def _answer(
        self,
        endpoint: LiveEndpoint,
        only: LiveRevision | None,
        asked: GrpcInferRequest,
        size: int,
        started: float,
        parameters: dict[str, Parameter],
    ) -> bytes:
        request, largest = asked.request, endpoint.limits.max_body_bytes
        if size > largest:
            raise BodyTooLarge(f"The message is larger than {largest} bytes.", fix="Send fewer rows in each request.")
        check_outputs(endpoint, request)
        wants_explanation(request)

        def as_sent(revision: LiveRevision) -> Batch:
            return revision.model.plan.from_request(request)

        read: Read = as_sent
        if endpoint.document.features is not None:
            read = await self._inference.keyed(endpoint, *rows_of_request(endpoint.document.features, request))
        answer = self._inference.answer_inline(endpoint, read, request.id, only, started)
        if isinstance(answer, Batch):
            answer = await self._inference.answer_later(endpoint, answer, read, request.id, only, started)
        if wants_explanation(request):
            answer.explanation = await self._inference.explain(answer, read)
        return encode_infer_response(
            model_name=endpoint.name,
            model_version=answer.revision.model_version if answer.revision is not None else None,
            request_id=request.id,
            parameters=answer_parameters(answer) | parameters,
            outputs=wanted_outputs(request, answer),
            is_raw=asked.is_raw,
        )

    # -- health -----------------------------------------------------------------------------------------------------

    def _is_ready(self) -> bool:
        try:
            self._protocol.check_ready()
        except Overloaded:
            return False
        return True

    def _status(self, service: str) -> int:
        if service not in ("", INFERENCE):
            return SERVICE_UNKNOWN
        return SERVING if self._is_ready() else NOT_SERVING

    async def _check(self, data: bytes, caller: Caller) -> bytes:
        service = decode_health_request(data)
        status = self._status(service)
        if status == SERVICE_UNKNOWN:
            raise NoSuchService(f"There is no service {service!r} here.", fix=f"Ask for {INFERENCE!r}, or for none.")
        return encode_health(status)

    async def _list(self, data: bytes, caller: Caller) -> bytes:
        return encode_health_list({service: self._status(service) for service in ("", INFERENCE)})

    async def _watch(self, data: bytes) -> AsyncIterator[bytes]:
        """The status now, and each time that it is another one."""
        service = decode_health_request(data)
        said = None
        while True:
            changed, status = self._changed, self._status(service)
            if status != said:
                said = status
                yield encode_health(status)
            if self._protocol.is_draining:
                return
            await changed.wait()

    async def _until_stopped(self, requests: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The requests of a stream in their order. Raises Overloaded where the server stops while it waits for one."""
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            while True:
                coming = asyncio.ensure_future(_next(requests))
                done, _ = await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if coming not in done:
                    coming.cancel()
                    raise Overloaded("This server is stopping.")
                data = coming.result()
                if data is None:
                    return
                yield data
        finally:
            stopping.cancel()


async def _next(requests: AsyncIterator[bytes]) -> bytes | None:
    """The next request of a stream, None at its end."""
    return await anext(requests, None)


def _not_served(name: str, fix: str) -> Unary:
    async def method(data: bytes, caller: Caller) -> bytes:
        raise NotServed(f"This server does not have {name}, an extension of Triton's.", fix=fix)

    return method
