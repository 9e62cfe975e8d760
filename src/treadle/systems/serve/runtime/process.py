"""The server process: load what is deployed, listen, watch, and drain when told to stop."""

from __future__ import annotations

import asyncio
import contextlib
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
from treadle.systems.serve.runtime.guard import Guard
from treadle.systems.serve.runtime.http_protocol import JoiningProtocol
from treadle.systems.serve.runtime.inference import Inference
from treadle.systems.serve.runtime.log import PredictionLog
from treadle.systems.serve.runtime.metrics import Metrics

WATCH_EVERY_S = 0.05
_log = logging.getLogger("treadle.serve")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """How one server process runs."""

    serving: Path
    host: str = "127.0.0.1"
    port: int = 0
    port_file: Path | None = None
    ready_descriptor: int | None = None
    tied_descriptor: int | None = None
    """A pipe whose other end is held by whoever started this server: it stops when that process is gone."""
    token: str | None = None
    log_budget_bytes: int = 8 << 30
    segment_bytes: int = 64 << 20
    drain_s: float = 30.0


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
    )
    with ThreadPoolExecutor(1, "model") as models, ThreadPoolExecutor(1, "loader") as loader, contextlib.closing(log):
        table, metrics = RouteTable(settings.serving, server), Metrics()
        _load_all(table)
        app = ServingApp(table, Inference(log, metrics, models), log, metrics, Guard(settings.token, loopback))
        listener = _listen(settings.host, settings.port)
        port = listener.getsockname()[1]
        _serve(settings, app, table, loader, listener, Announcement(server, os.getpid(), settings.host, port))


def _serve(
    settings: ServerSettings,
    app: ServingApp,
    table: RouteTable,
    loader: ThreadPoolExecutor,
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
        watching = asyncio.create_task(_watch(app, table, loader))
        announcing = asyncio.create_task(_announce_when_started(server, settings, announcement))
        if settings.tied_descriptor is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(settings.tied_descriptor, _stop_untied, loop, server, settings.tied_descriptor)
        try:
            await server.serve(sockets=[listener])
        finally:
            app.draining = True
            for task in (watching, announcing):
                task.cancel()

    # uvicorn raises the signal that stopped it once more when it is done; the log must be closed before anything ends.
    for stopping in (signal.SIGTERM, signal.SIGINT):
        signal.signal(stopping, lambda *_: None)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(main())


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


async def _watch(app: ServingApp, table: RouteTable, loader: ThreadPoolExecutor) -> None:
    """Puts new route documents in force: looked for every 50 ms, loaded aside, swapped here."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(WATCH_EVERY_S)
        try:
            for name in table.changed():
                endpoint = await loop.run_in_executor(loader, table.load, name)
                if endpoint is None:
                    _log.error("a document of endpoint %s is refused: %s", name, table.failures[name])
                    continue
                table.swap(endpoint)
                app.refresh()
                _log.info("endpoint %s serves document %d", name, endpoint.document.number)
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


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once; Nagle's algorithm would hold small answers for 40 ms."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
