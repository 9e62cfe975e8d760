"""The model server's two faces without a process or a socket around them: requests in, answers out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from treadle.ground.ids import new_id
from treadle.systems.serve.runtime.app import ServingApp
from treadle.systems.serve.runtime.endpoints import RouteTable
from treadle.systems.serve.runtime.grpc_methods import GrpcMethods
from treadle.systems.serve.runtime.guard import Guard
from treadle.systems.serve.runtime.inference import Inference
from treadle.systems.serve.runtime.keyed import Features, OpenReader
from treadle.systems.serve.runtime.log import PredictionLog
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.protocol import Protocol
from treadle.systems.serve.runtime.rates import Rates
from treadle.systems.serve.runtime.repository import Repository
from treadle.systems.serve.runtime.shadowing import Shadowing


@dataclass(frozen=True)
class Request:
    """A request of HTTP, as a server hands it to its application."""

    method: str
    path: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[bytes, bytes]
    body: bytes


@dataclass(frozen=True)
class Faces:
    app: ServingApp
    grpc: GrpcMethods

    async def ask(self, request: Request) -> Reply:
        """The application's answer. The body comes in two parts, as a large one does."""
        half = len(request.body) // 2
        parts = [
            {"type": "http.request", "body": request.body[:half], "more_body": True},
            {"type": "http.request", "body": request.body[half:], "more_body": False},
        ]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return parts.pop(0) if parts else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": request.method, "path": request.path, "headers": list(request.headers),
            "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await self.app(scope, receive, send)
        start, body = sent
        return Reply(start["status"], dict(start["headers"]), body["body"])


@contextmanager
def faces(serving: Path, open_reader: OpenReader | None = None) -> Iterator[Faces]:
    """Both faces over a serving area, whose clients may not load and unload."""
    log, metrics = PredictionLog(serving / "predictions" / new_id("srv")), Metrics()
    with ThreadPoolExecutor(1) as models, ThreadPoolExecutor(1) as loader, ThreadPoolExecutor(1) as shadows:
        table = RouteTable(serving, "srv_1")
        for name in table.changed():
            endpoint = table.load(name)
            assert endpoint is not None, table.failures
            table.swap(endpoint)
        protocol, repository = Protocol(table), Repository(table, loader, is_controlled=False)
        features = Features(open_reader, metrics.features_read)
        inference = Inference(log, metrics, models, Shadowing(log, metrics, shadows), features)
        app = ServingApp(protocol, repository, inference, log, metrics, Guard(), Rates())
        try:
            yield Faces(app, GrpcMethods(protocol, repository, inference, metrics, Rates()))
        finally:
            features.close()
            log.close()


def run(coroutine: Any, timeout_s: float) -> Any:
    """What a coroutine answers, or TimeoutError."""
    return asyncio.run(asyncio.wait_for(coroutine, timeout_s))
