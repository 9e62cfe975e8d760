"""The two servers that are compared: a stock `mlflow server` from `.peers`, and `treadle up` from this tree.

Each is started on a free port of loopback with a folder of its own, and is ended by its process group, so that nothing of
it stays behind. The stock one is the fair baseline unless told otherwise: SQLite, one worker, no job runners.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".peers" / "bin"
PEERS_PYTHON = PEERS / "python"
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",  # each look at a trace would wait a second for the exporter's thread
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONWARNINGS": "ignore",
}
START_TIMEOUT_S = 180.0


@dataclass(kw_only=True)
class Served:
    """A running server: its address, what it must be told, and its processes."""

    name: str
    url: str
    folder: Path
    process: subprocess.Popen[bytes]
    started_in_s: float
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        port = urlsplit(self.url).port
        assert port is not None
        return port

    def environment(self) -> dict[str, str]:
        """What a stock client's process is started with, to log here."""
        named = {"MLFLOW_TRACKING_URI": self.url, "MLFLOW_REGISTRY_URI": self.url}
        if self.token:
            named["MLFLOW_TRACKING_TOKEN"] = self.token
        return {**client_environment(), **named}

    def pids(self) -> list[int]:
        """The server's process and all that descend from it."""
        import psutil

        try:
            whole = psutil.Process(self.process.pid)
            return [self.process.pid, *(child.pid for child in whole.children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def memory_bytes(self) -> int:
        """The proportional set size of all its processes: pages that several share are counted once."""
        return sum(_pss(pid) for pid in self.pids())


def client_environment() -> dict[str, str]:
    """The environment of a stock client: this one without what would lead it elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "TREADLE_", "OTEL_"))}
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        kept.pop(name, None)
    return {**kept, **QUIET, "NO_PROXY": "*"}


@contextlib.contextmanager
def stock_server(
    folder: Path, *, store_uri: str = "", is_default: bool = False, more: tuple[str, ...] = ()
) -> Iterator[Served]:
    """A stock server on SQLite in `folder`; is_default: with the workers and job runners that it starts by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [
        *(str(PEERS / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)),
        *("--backend-store-uri", store_uri or f"sqlite:///{folder}/mlflow.db"),
        *("--artifacts-destination", str(folder / "artifacts")),
        *(() if is_default else ("--workers", "1")),
        *more,
    ]
    environment = client_environment()
    if is_default:
        environment.pop("MLFLOW_SERVER_ENABLE_JOB_EXECUTION")
    begun = time.perf_counter()
    with _running(command, folder, environment) as process:
        url = f"http://127.0.0.1:{port}"
        _await_health(url, process, folder)
        yield Served(name="stock", url=url, folder=folder, process=process, started_in_s=time.perf_counter() - begun)


@contextlib.contextmanager
def treadle_server(folder: Path, *, store_url: str = "", port: int = 0, more: tuple[str, ...] = ()) -> Iterator[Served]:
    """`treadle up` with its home in `folder`, on SQLite or on the store of that URL."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    environment = {**client_environment(), **({"TREADLE_STORE": store_url} if store_url else {})}
    command = [
        *(sys.executable, "-m", "treadle.faces.cli.entry", "up", "--home", str(folder / "home")),
        *("--host", "127.0.0.1", "--port", str(port), "--serve-port", "0", *more),
    ]
    begun = time.perf_counter()
    with _running(command, folder, environment) as process:
        url = f"http://127.0.0.1:{port}"
        _await_health(url, process, folder)
        took = time.perf_counter() - begun
        token = (folder / "home" / "api.token").read_text().strip()
        yield Served(
            name="treadle", url=url, folder=folder, process=process, started_in_s=took, token=token,
            headers={"Authorization": f"Bearer {token}"},
        )  # fmt: skip


@contextlib.contextmanager
def _running(command: list[str], folder: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes], within_s: float = 20.0) -> None:
    """Ends a server with all that it started: asked first, then killed."""
    for kind in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, kind)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(within_s)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def _await_health(url: str, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    where = urlsplit(url)
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        connection = http.client.HTTPConnection("127.0.0.1", where.port, timeout=10)
        try:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            answer.read()  # an answer that is not read keeps its socket
            if answer.status == 200:
                return
        except OSError:
            time.sleep(0.01)
        finally:
            connection.close()
    raise AssertionError(f"{url} did not come up:\n{(folder / 'server.log').read_text()[-4000:]}")


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError), Path(f"/proc/{pid}/smaps_rollup").open() as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def peers_have(name: str) -> bool:
    """Whether a library is installed beside the stock clients."""
    found = subprocess.run(
        [str(PEERS_PYTHON), "-c", f"import importlib.util as u; raise SystemExit(u.find_spec({json.dumps(name)}) is None)"],
        check=False,
    )  # fmt: skip
    return found.returncode == 0
