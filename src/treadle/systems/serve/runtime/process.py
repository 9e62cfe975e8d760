"""The server process: load what is deployed, listen, watch, and drain when told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import signal
import socket
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import uvicorn

from treadle.ground.errors import InvalidInput
from treadle.ground.ids import new_id
from treadle.systems.serve.runtime.announcement import Announcement
from treadle.systems.serve.runtime.app import ServingApp
from treadle.systems.serve.runtime.endpoints import RouteTable
from treadle.systems.serve.runtime.grpc_methods import GrpcMethods
from treadle.systems.serve.runtime.grpc_server import GrpcServer
from treadle.systems.serve.runtime.guard import Guard
from treadle.systems.serve.runtime.http_protocol import JoiningProtocol
from treadle.systems.serve.runtime.inference import Inference
from treadle.systems.serve.runtime.keyed import Features, OpenReader
from treadle.systems.serve.runtime.log import PredictionLog
from treadle.systems.serve.runtime.log.writer import WhenFull
from treadle.systems.serve.runtime.metrics import Metrics
from treadle.systems.serve.runtime.observing import AccessLog, Observer
from treadle.systems.serve.runtime.protocol import Protocol
from treadle.systems.serve.runtime.rates import Rates
from treadle.systems.serve.runtime.repository import Repository
from treadle.systems.serve.runtime.shadowing import Shadowing
from treadle.systems.serve.runtime.tracing import Tracer

WATCH_EVERY_S = 0.05
_log = logging.getLogger("treadle.serve")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How one server process runs."""

    serving: Path
    host: str = "127.0.0.1"
    port: int = 0
    grpc_port: int | None = None
    """None does not answer gRPC, 0 takes a free port."""
    port_file: Path | None = None
    ready_descriptor: int | None = None
    tied_descriptor: int | None = None
    """A pipe whose other end is held by whoever started this server: it stops when that process is gone."""
    token: str | None = None
    model_control: bool = False
    """Whether clients may load and unload endpoints also where they come from beyond loopback."""
    log_budget_bytes: int = 8 << 30
    segment_bytes: int = 64 << 20
    log_when_full: WhenFull = "refuse"
    drain_s: float = 30.0
    shares_port: bool = False
    """Whether other servers may listen on the same port: the system then divides new connections among them."""
    parts: int = 1
    """How many servers share the port; each keeps so small a part of the rate limits."""
    access_log: str | None = None
    """A file, or `-` for the standard output; None writes none."""
    access_log_share: float = 1.0
    otlp_endpoint: str | None = None
    """Where traces go, such as `http://localhost:4318`; None makes none."""
    trace_share: float = 1.0
    open_reader: OpenReader | None = None
    """Opens the online features of a project; None refuses endpoints that read them."""


def run(settings: ServerSettings) -> None:
    """Serves until SIGTERM or SIGINT; answers what is in flight, syncs the log, and returns.

    Raises InvalidInput when it should listen beyond loopback without a token.
    """
    loopback = _is_loopback(settings.host)
    if not loopback and not settings.token:
        raise InvalidInput(
            f"Listening on {settings.host} needs a token.",
            why="Beyond loopback, whoever reaches the port could ask for predictions.",
            fix="Give one in the environment: TREADLE_SERVE_TOKEN.",
        )
    server = new_id("srv")
    log = PredictionLog(
        settings.serving / "predictions" / server,
        budget_bytes=settings.log_budget_bytes,
        segment_bytes=settings.segment_bytes,
        when_full=settings.log_when_full,
    )
    observer = _observer(settings)
    tracer = None if observer is None else observer.tracer
    with (
        contextlib.nullcontext() if tracer is None else contextlib.closing(tracer),
        ThreadPoolExecutor(os.cpu_count(), "model") as models,
        ThreadPoolExecutor(1, "loader") as loader,
        contextlib.closing(log),
        ThreadPoolExecutor(1, "shadow") as shadow,
        contextlib.ExitStack() as closing,
    ):
        table, metrics = RouteTable(settings.serving, server), Metrics()
        _load_all(table)
        protocol = Protocol(table)
        repository = Repository(table, loader, is_controlled=loopback or settings.model_control)
        features = closing.enter_context(contextlib.closing(Features(settings.open_reader, metrics.features_read)))
        inference = Inference(log, metrics, models, Shadowing(log, metrics, shadow), features)
        guard, rates = Guard(settings.token, loopback), Rates(parts=settings.parts)
        inference.is_observed = tracer is not None
        app = ServingApp(protocol, repository, inference, log, metrics, guard, rates, observer)
        grpc = None
        if settings.grpc_port is not None:
            grpc = GrpcServer(
                GrpcMethods(protocol, repository, inference, metrics, rates),
                guard,
                observer,
                shares_port=settings.shares_port,
            )
        listener = _listen(settings.host, settings.port, shares_port=settings.shares_port)
        announcement = Announcement(server, os.getpid(), settings.host, listener.getsockname()[1])
        _serve(settings, app, protocol, repository, grpc, listener, announcement)


def _observer(settings: ServerSettings) -> Observer | None:
    """None where nothing is told of requests; then a request costs one comparison."""
    if settings.access_log is None and settings.otlp_endpoint is None:
        return None
    access = None if settings.access_log is None else AccessLog.at(settings.access_log, settings.access_log_share)
    tracer = None
    if settings.otlp_endpoint is not None:
        service = os.environ.get("OTEL_SERVICE_NAME", "treadle-serve")
        told = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")
        headers = dict(pair.strip().split("=", 1) for pair in told.split(",") if "=" in pair)
        tracer = Tracer(settings.otlp_endpoint, service=service, share=settings.trace_share, headers=headers)
    return Observer(access, tracer)


def _serve(
    settings: ServerSettings,
    app: ServingApp,
    protocol: Protocol,
    repository: Repository,
    grpc: GrpcServer | None,
    listener: socket.socket,
    announcement: Announcement,
) -> None:
    config = uvicorn.Config(
        app,
        loop="auto",
        http=JoiningProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(settings.drain_s) or None,
    )
    server = uvicorn.Server(config)

    async def main() -> None:
        said = announcement
        if grpc is not None:
            grpc_port = await grpc.start(settings.host, settings.grpc_port or 0)
            said = msgspec.structs.replace(announcement, grpc_port=grpc_port)
        watching = asyncio.create_task(_watch(repository))
        announcing = asyncio.create_task(_announce_when_started(server, settings, said))
        if settings.tied_descriptor is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(settings.tied_descriptor, _stop_untied, loop, server, settings.tied_descriptor)
        try:
            await server.serve(sockets=[listener])
        finally:
            protocol.is_draining = True
            if grpc is not None:
                await grpc.stop(settings.drain_s)
            for task in (watching, announcing):
                task.cancel()

    def stop(*_: object) -> None:
        server.should_exit = True

    # uvicorn takes the signals only while it serves: one that comes before must stop it too, and it raises the one that
    # stopped it once more when it is done; the log must be closed before anything ends.
    for stopping in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stopping, stop)
    _rest_the_collector()
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(main())


def _rest_the_collector() -> None:
    """Takes what is loaded by now out of the cyclic collector's sight, and lets it look less often.

    A request makes some dozens of containers and no cycle, so the collector would walk over the libraries for nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def _stop_untied(loop: asyncio.AbstractEventLoop, server: uvicorn.Server, descriptor: int) -> None:
    """Ends the server as a signal would: nobody is left who could."""
    loop.remove_reader(descriptor)
    server.should_exit = True


def _load_all(table: RouteTable) -> None:
    for name in table.changed():
        endpoint = table.load(name)
        if endpoint is not None:
            table.swap(endpoint)
        else:
            _log.error("endpoint %s cannot be served: %s", name, table.failures[name])


async def _watch(repository: Repository) -> None:
    """Puts new route documents in force: looked for every 50 ms."""
    while True:
        await asyncio.sleep(WATCH_EVERY_S)
        try:
            for name in repository.table.changed():
                await repository.bring(name)
        except Exception:
            # The watcher outlives what it stumbles over: without it no deployment would take effect any more.
            _log.exception("watching the routes failed")


async def _announce_when_started(server: uvicorn.Server, settings: ServerSettings, who: Announcement) -> None:
    while not server.started:
        await asyncio.sleep(0.001)
    document = msgspec.json.encode(who)
    if settings.port_file is not None:
        settings.port_file.parent.mkdir(parents=True, exist_ok=True)
        descriptor, aside = tempfile.mkstemp(prefix=".incoming-", dir=settings.port_file.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(document)
        Path(aside).replace(settings.port_file)
    if settings.ready_descriptor is not None:
        os.write(settings.ready_descriptor, document + b"\n")
        os.close(settings.ready_descriptor)


def _listen(host: str, port: int, *, shares_port: bool = False) -> socket.socket:
    """A listening socket whose connections send at once; Nagle's algorithm would hold small answers for 40 ms."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shares_port:
        if not hasattr(socket, "SO_REUSEPORT"):
            raise InvalidInput("This system does not let several servers share a port.", fix="Give each its own.")
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise InvalidInput(
            f"Port {port} on {host} cannot be listened on: {error.strerror}.",
            fix="Choose another, or 0 for a free one.",
        ) from None
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
