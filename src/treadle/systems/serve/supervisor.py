"""Starting and stopping a model server on this machine.

The server says that it answers by one line on a pipe, so nobody polls and nobody sleeps; its death closes the pipe, which
ends the waiting as well.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from treadle.systems.serve.errors import ServerDidNotStart
from treadle.systems.serve.runtime.announcement import Announcement

NARROW_POOLS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A model server answers a row on one thread; whoever starts it may say otherwise in the environment."""


ANNOUNCED = "server.json"
"""Beside the routes: who answers at which port, for those who ask from another process."""


@dataclass(slots=True)
class ServerProcess:
    """A running server. Its errors go to `<serving>/server.log`."""

    serving: Path
    process: subprocess.Popen[bytes]
    announcement: Announcement
    tie: int | None = None
    """A descriptor whose other end the server holds: it ends when this process does, however that happens."""

    @classmethod
    def start(
        cls,
        serving: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        grpc_port: int | None = None,
        timeout_s: float = 30.0,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> ServerProcess:
        """A server that answers. Raises ServerDidNotStart, with the end of its log, when it dies or takes too long.

        grpc_port: where it answers gRPC as well, 0 for a free one; None does not.
        arguments: further ones of `python -m treadle.systems.serve.runtime`, for example `--segment-bytes`.
        environment: what it is told beside this process's own.
        """
        serving.mkdir(parents=True, exist_ok=True)
        readable, writable = os.pipe()
        tied, tie = os.pipe()
        command = [sys.executable, "-m", "treadle.systems.serve.runtime", "--serving", str(serving)]
        command += ["--host", host, "--port", str(port), "--ready-fd", str(writable)]
        command += ["--tied-fd", str(tied), "--port-file", str(serving / ANNOUNCED), *arguments]
        if grpc_port is not None:
            command += ["--grpc-port", str(grpc_port)]
        try:
            with (serving / "server.log").open("ab") as log:
                process = subprocess.Popen(
                    command,
                    env={**NARROW_POOLS, **os.environ, **(environment or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(writable, tied),
                    start_new_session=True,  # Ctrl-C is for us: we stop the server when we are ready to
                )
        except BaseException:
            os.close(tie)
            raise
        finally:
            os.close(writable)
            os.close(tied)
        try:
            line = _read_line(readable, timeout_s)
        finally:
            os.close(readable)
        if not line:
            if line is None:
                process.kill()
            process.wait()
            os.close(tie)
            ending = "ended while it started" if line is not None else f"did not answer within {timeout_s:g} s"
            raise ServerDidNotStart(
                f"The model server {ending}.",
                why=_last_words(serving / "server.log"),
                fix=f"Start it by hand to see more: {' '.join(command[1:5])}",
            )
        return cls(serving, process, msgspec.json.decode(line, type=Announcement), tie)

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.announcement.port}"

    @property
    def grpc_address(self) -> str | None:
        """Where gRPC is answered, as clients want it: host and port; None where it is not."""
        port = self.announcement.grpc_port
        return None if port is None else f"{self._host}:{port}"

    @property
    def _host(self) -> str:
        host = self.announcement.host
        return f"[{host}]" if ":" in host else host

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def stop(self, timeout_s: float = 35.0) -> int:
        """Its exit status after it answered what was in flight. A server that takes longer is killed; its log loses
        nothing by that."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._untie()
        return self.process.wait()

    def kill(self) -> None:
        """Ends it at once, as a crash would."""
        self.process.kill()
        self.process.wait()
        self._untie()

    def _untie(self) -> None:
        if self.tie is not None:
            os.close(self.tie)
            self.tie = None


def _read_line(descriptor: int, timeout_s: float) -> bytes | None:
    """The line; empty when the writer died, None when it was too slow."""
    ready, _, _ = select.select([descriptor], [], [], timeout_s)
    return os.read(descriptor, 4096).strip() if ready else None


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    return " ".join(lines[-3:])
