"""What does one row over gRPC cost, with schema, prediction log and metrics on, beside MLServer?

    python benchmarks/serve_grpc.py [--json] [--seconds 3] [--conformance]

Both serve the same LightGBM model of 100 trees in one process, and both answer the same bytes of one row of 20 numbers,
raw and typed. The load speaks HTTP/2 over plain sockets (this file again, `load`), each connection one call at a time, so
that no client's library is measured. --conformance asks both the 39 questions of tests/wire/oip/conformance.py as well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.peers.mlserver_models import write_repository  # noqa: E402 - a program of its own
from benchmarks.serve import COLUMNS, serving_area, train  # noqa: E402

SERVE_PEERS_PYTHON = ROOT / ".peers-serve" / "bin" / "python"
REACH = 5.0
"""At least so many times MLServer's throughput."""
MEMORY_REACH_MB = 40
WARM_S = 0.5
METHOD = b"/inference.GRPCInferenceService/ModelInfer"


# -- the load ---------------------------------------------------------------------------------------------------------


def header(name: bytes, value: bytes) -> bytes:
    """A header field, literal and never indexed: what is sent is the same for every call."""
    return b"\x00" + length(name) + name + length(value) + value


def length(text: bytes) -> bytes:
    return bytes((len(text),)) if len(text) < 127 else b"\x7f" + bytes((len(text) - 127,))


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


class Connection(asyncio.Protocol):
    """Makes one call after the other on streams of one connection, and notes how long each took."""

    def __init__(self, port: int, message: bytes, took: list[float], end: float, done: asyncio.Future[None]) -> None:
        authority = header(b":authority", b"127.0.0.1:%d" % port)
        kind = header(b"te", b"trailers") + header(b"content-type", b"application/grpc")
        self.head = b"\x83\x86" + header(b":path", METHOD) + authority + kind
        self.data = b"\0" + struct.pack(">I", len(message)) + message
        self.took, self.end, self.done = took, end, done
        self.buffer, self.stream = bytearray(), -1
        self.answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        window = frame(4, 0, 0, struct.pack(">HI", 4, 2**31 - 1)) + frame(8, 0, 0, struct.pack(">I", 2**30))
        transport.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + window)  # type: ignore[attr-defined]
        self.call()

    def call(self) -> None:
        self.stream += 2
        self.answered = False
        self.started = time.perf_counter()
        self.transport.write(frame(1, 4, self.stream, self.head) + frame(0, 1, self.stream, self.data))

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) >= 9:
            size = int.from_bytes(self.buffer[:3])
            if len(self.buffer) < 9 + size:
                return
            kind, flags = self.buffer[3], self.buffer[4]
            payload = bytes(self.buffer[9 : 9 + size])
            del self.buffer[: 9 + size]
            self.take(kind, flags, payload)

    def take(self, kind: int, flags: int, payload: bytes) -> None:
        if kind in (4, 6) and not flags & 1:  # settings and pings want to be heard
            self.transport.write(frame(kind, 1, 0, payload if kind == 6 else b""))
        elif kind == 0 and payload:
            self.answered = True
        elif kind == 1 and flags & 1:
            assert self.answered, "the call was refused"
            now = time.perf_counter()
            self.took.append(now - self.started)
            if now < self.end:
                self.call()
            else:
                self.transport.close()
                if not self.done.done():
                    self.done.set_result(None)
        elif kind in (3, 7):
            raise ConnectionError(f"the server ended the call: {payload!r}")


async def drive(port: int, message: bytes, connections: int, seconds: float) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    took: list[float] = []
    started = time.perf_counter()
    waiting: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    for done in waiting:
        one = Connection(port, message, took, started + seconds, done)
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*waiting)
    elapsed = time.perf_counter() - started
    took.sort()
    return {
        "calls": len(took),
        "calls_per_s": round(len(took) / elapsed),
        "p50_ms": round(statistics.median(took) * 1000, 3),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 3),
    }


def load(port: int, message: Path, connections: int, seconds: float) -> None:
    import uvloop

    warm = uvloop.run(drive(port, message.read_bytes(), connections, WARM_S))
    report = uvloop.run(drive(port, message.read_bytes(), connections, seconds))
    print(json.dumps({**report, "calls": report["calls"] + warm["calls"]}))


# -- the servers ------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def mlserver(folder: Path, model: Path) -> Iterator[tuple[int, int, int]]:
    """MLServer's process, its HTTP and its gRPC port, once its model is ready."""
    import httpx

    http, grpc, metrics = free_port(), free_port(), free_port()
    folder.mkdir()
    write_repository(folder, model, (http, grpc, metrics))
    program = [str(SERVE_PEERS_PYTHON.with_name("mlserver")), "start", str(folder)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(program, cwd=folder, stdout=log, stderr=log)
    try:
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{http}/v2/models/numbers/ready", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        yield process.pid, http, grpc
    finally:
        process.terminate()
        process.wait(30)


def messages(folder: Path, row: list[float]) -> dict[str, Path]:
    """The same request with raw and with typed contents."""
    from tritonclient.grpc import service_pb2 as pb

    tensor = {"name": "input", "datatype": "FP64", "shape": [1, COLUMNS]}
    raw = pb.ModelInferRequest(
        model_name="numbers", inputs=[tensor], raw_input_contents=[struct.pack(f"<{COLUMNS}d", *row)]
    )
    typed = pb.ModelInferRequest(model_name="numbers", inputs=[{**tensor, "contents": {"fp64_contents": row}}])
    paths = {"raw": folder / "raw", "typed": folder / "typed"}
    paths["raw"].write_bytes(raw.SerializeToString())
    paths["typed"].write_bytes(typed.SerializeToString())
    return paths


def measure(port: int, message: Path, connections: int, seconds: float) -> dict[str, float]:
    command = [sys.executable, __file__, "load", str(port), str(message), str(connections), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def conformance(http: int, grpc: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.wire.oip.conformance", "--json", "--http", f"http://127.0.0.1:{http}"]
    command += ["--grpc", f"127.0.0.1:{grpc}", "--model", "numbers", "--width", str(COLUMNS)]
    answer: dict[str, Any] = json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    )
    return answer


def run(seconds: float, rounds: int, *, conforms: bool) -> dict[str, Any]:
    import psutil

    from treadle.systems.serve import ServerProcess

    report: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        trained = train(folder)
        serving = serving_area(folder, trained)
        sent = messages(folder, trained.row)

        def memory_mb(pid: int) -> int:
            return round(psutil.Process(pid).memory_info().rss / 1e6)

        alone = ServerProcess.start(serving)
        without = memory_mb(alone.announcement.pid)
        alone.stop()
        ours = ServerProcess.start(serving, grpc_port=0)
        report["grpc_memory_mb"] = memory_mb(ours.announcement.pid) - without
        try:
            with mlserver(folder / "mlserver", folder / "model.txt") as (pid, http, grpc):
                ports = {"treadle": ours.announcement.grpc_port or 0, "mlserver": grpc}
                pids = {"treadle": ours.announcement.pid, "mlserver": pid}
                for form, message in sent.items():
                    for connections in (1, 32):
                        found: dict[str, list[dict[str, float]]] = {who: [] for who in ports}
                        for _ in range(rounds):
                            for who, port in ports.items():
                                before = sum(psutil.Process(pids[who]).cpu_times()[:2])
                                point = measure(port, message, connections, seconds)
                                spent = sum(psutil.Process(pids[who]).cpu_times()[:2]) - before
                                found[who].append({**point, "cpu_us": round(spent / point["calls"] * 1e6)})
                        report[f"{form}_{connections}"] = medians(found)
                report["memory_mb"] = {"treadle": memory_mb(ours.announcement.pid), "mlserver": memory_mb(pid)}
                if conforms:
                    report["conformance"] = {
                        "treadle": conformance(ours.announcement.port, ports["treadle"]),
                        "mlserver": conformance(http, grpc),
                    }
        finally:
            ours.stop()
    return report


def medians(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    middle = {who: {key: statistics.median(one[key] for one in all_) for key in all_[0]} for who, all_ in found.items()}
    ours, theirs = middle["treadle"], middle["mlserver"]
    ratio = round(ours["calls_per_s"] / theirs["calls_per_s"], 2)
    return {**middle, "ratio": ratio, "cpu_ratio": round(theirs["cpu_us"] / ours["cpu_us"], 2)}


def main() -> int:
    """Answers 1 when the reach is not kept at 32 connections."""
    if sys.argv[1:2] == ["load"]:
        load(int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--conformance", action="store_true", help="also ask both what they can do")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each point and round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    report = run(given.seconds, given.rounds, conforms=given.conformance)
    if given.json:
        print(json.dumps(report, indent=2))
    else:
        tell(report)
    kept = all(report[f"{form}_32"]["ratio"] >= REACH for form in ("raw", "typed"))
    return int(not kept or report["grpc_memory_mb"] > MEMORY_REACH_MB)


def tell(report: dict[str, Any]) -> None:
    for form in ("raw", "typed"):
        for connections in (1, 32):
            point = report[f"{form}_{connections}"]
            for who in ("treadle", "mlserver"):
                one = point[who]
                print(
                    f"{who:9} {form:5} c={connections:<3} {one['calls_per_s']:>6.0f} calls/s  p50 {one['p50_ms']:.2f} ms  p99 {one['p99_ms']:.2f} ms  {one['cpu_us']:.0f} us of the processor"
                )
            print(
                f"{'ratio':9} {form:5} c={connections:<3} {point['ratio']:.2f} times its calls, {point['cpu_ratio']:.2f} by the processor's time"
            )
    print(f"gRPC costs {report['grpc_memory_mb']} MB; in all {report['memory_mb']} MB")
    for who, found in report.get("conformance", {}).items():
        print(f"{who}: {found['held']} of {found['of']} checks hold; not: {', '.join(found['failed']) or 'none'}")


if __name__ == "__main__":
    sys.exit(main())
