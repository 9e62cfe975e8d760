"""The server that runs the application: one socket, bound before anything is promised.

The socket is ours so that port 0 can be answered with the port that was taken, and so that TCP_NODELAY is on: without
it an answer of two segments waits for the other side's delayed acknowledgement, 40 ms.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import uvicorn

from treadle.faces.api.authentication import Authenticator, require_safe_address
from treadle.faces.api.direct import DirectProtocol
from treadle.ground.errors import Unavailable


class AddressTaken(Unavailable):
    """Another program listens there."""

    code, status = "api.address_taken", 503


KEEP_ALIVE_S = 75
"""How long a silent connection is kept: a training loop may say something once a minute."""


class _Announcing(uvicorn.Server):
    """Says when requests are answered and signals are heeded, and not before."""

    announce: Callable[[], None] = staticmethod(lambda: None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.announce()


class Server:
    """Serves an application; `run` in this thread until a signal, or `start` and `stop` in a thread of its own."""

    def __init__(self, app: Any, authenticator: Authenticator, *, host: str = "127.0.0.1", port: int = 4700) -> None:
        require_safe_address(host, authenticator)
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        config = uvicorn.Config(
            app,
            http=DirectProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=10,
        )
        self._server = _Announcing(config)
        self._thread: threading.Thread | None = None

    def run(self, announce: Callable[[], None] = lambda: None) -> None:
        """Serves until SIGINT or SIGTERM, then answers what is under way, and lets the signal have its effect.

        announce: called once requests are answered.
        """
        self._server.announce = announce
        self._server.run(sockets=[self._socket])

    def start(self) -> None:
        """Serves in a thread; returns when requests are answered."""
        self._thread = threading.Thread(target=self.run, name="treadle-api", daemon=True)
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise Unavailable("The API could not be started.", fix="The log says why.")
            time.sleep(0.002)

    @property
    def is_ending(self) -> bool:
        """Whether it only answers what is under way any more."""
        return self._server.should_exit

    def end(self) -> None:
        """Lets `run` answer what is under way and come back; from any thread."""
        self._server.should_exit = True

    def stop(self) -> None:
        """Answers what is under way, then ends. May be called twice."""
        self.end()
        if self._thread is not None:
            self._thread.join()
        self._socket.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.bind((host, port))
        listening.listen(1024)
    except OSError as error:
        with contextlib.suppress(OSError):
            listening.close()
        raise AddressTaken(
            f"The API cannot listen on {host}:{port}.",
            why=error.strerror or str(error),
            fix="Is another `treadle up` running? Choose another port: TREADLE_PORT=4701 (0 takes a free one).",
            host=host,
            port=port,
        ) from error
    listening.set_inheritable(False)
    return listening
