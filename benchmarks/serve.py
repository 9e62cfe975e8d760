"""What does serving cost around a model, with schema, prediction log and metrics on?

    python benchmarks/serve.py [--json] [--seconds 3]

The models are scikit-learn's logistic regression and its boosting of 100 trees, in the form that conversion offers first. The
baseline is a bare raw-ASGI handler around ONNX Runtime on the same uvicorn, in the same run: it trusts what comes in, logs
nothing, counts nothing. Both answer the same bytes of one row of 20 numbers over kept-alive connections. The load comes from a process
of its own (this file again, `load`) that speaks HTTP over plain sockets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["logistic", "boosting"]
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

COLUMNS, TREES = 20, 100
MODELS: tuple[Kind, ...] = ("logistic", "boosting")
WARM_S = 0.5
LEAST_OF_BARE, MOST_P50, MOST_START_S, MOST_MB = 0.6, 2.0, 1.0, 120
"""The reach: of the bare handler's throughput at 32 connections, of its p50 at one, and what one server takes."""
MOST_LOG_US, LEAST_RECORDS_PER_S = 3.0, 100_000


# -- the load ---------------------------------------------------------------------------------------------------------


class Connection(asyncio.Protocol):
    """Sends one request after the other and notes how long each answer took."""

    def __init__(self, request: bytes, took: list[float], end: float, done: asyncio.Future[None]) -> None:
        self.request, self.took, self.end, self.done = request, took, end, done
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.ask()

    def ask(self) -> None:
        self.started = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.buffer.index(b"content-length: ") + 16
        length = int(self.buffer[at : self.buffer.index(b"\r", at)])
        if len(self.buffer) < head + 4 + length:
            return
        assert self.buffer.startswith(b"HTTP/1.1 200"), self.buffer
        self.buffer = b""
        now = time.perf_counter()
        self.took.append(now - self.started)
        if now < self.end:
            self.ask()
        else:
            self.transport.close()
            if not self.done.done():
                self.done.set_result(None)


async def ask_for(port: int, request: bytes, connections: int, seconds: float) -> tuple[list[float], float]:
    """How long each answer took, and all of them together."""
    loop = asyncio.get_running_loop()
    took: list[float] = []
    started = time.perf_counter()
    waiting: list[asyncio.Future[None]] = [loop.create_future() for _ in range(connections)]
    for done in waiting:
        one = Connection(request, took, started + seconds, done)
        await loop.create_connection(lambda one=one: one, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.gather(*waiting)
    return took, time.perf_counter() - started


async def drive(port: int, request: bytes, connections: int, seconds: float) -> dict[str, float]:
    await ask_for(port, request, connections, WARM_S)
    took, elapsed = await ask_for(port, request, connections, seconds)
    took.sort()
    return {
        "requests_per_s": round(len(took) / elapsed),
        "p50_ms": round(statistics.median(took) * 1000, 4),
        "p99_ms": round(took[int(len(took) * 0.99)] * 1000, 4),
    }


def load(port: int, path: str, body: str, connections: int, seconds: float) -> None:
    import uvloop

    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    print(json.dumps(uvloop.run(drive(port, (head + body).encode(), connections, seconds))))


# -- the baseline -----------------------------------------------------------------------------------------------------


def bare(model: Path, ready: int) -> None:
    """A raw ASGI handler around ONNX Runtime: JSON in, matrix, model, JSON out, and nothing else."""
    import socket

    import msgspec
    import numpy as np
    import uvicorn

    from treadle.systems.serve.runtime.engines import EngineOptions, open_engine

    engine = open_engine("onnx", model, EngineOptions())
    decode = msgspec.json.Decoder().decode

    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        tensor = decode(message["body"])["inputs"][0]
        matrix = np.array(tensor["data"], dtype=np.float64).reshape(tensor["shape"])
        scores = engine.predict(matrix)
        answer = msgspec.json.encode(
            {
                "model_name": "numbers",
                "outputs": [
                    {"name": "probability", "datatype": "FP64", "shape": [len(matrix)], "data": scores[:, 0].tolist()}
                ],
            }
        )
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(2048)
    os.write(ready, b"%d\n" % listener.getsockname()[1])
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", interface="asgi3", log_config=None, access_log=False,
        proxy_headers=False, server_header=False,
    )  # fmt: skip
    uvicorn.Server(config).run(sockets=[listener])


# -- the run ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trained:
    """A model as it is served, and what it was fitted on. In its folder are `model.txt`, `model.onnx` and `rows.npz`."""

    manifest: Any
    content: bytes

    @property
    def row(self) -> list[float]:
        return [float(value or 0) for value in self.manifest.probe.rows[0].values()]

    @property
    def body(self) -> str:
        """The request as the Open Inference Protocol has it."""
        tensor = {"name": "input", "shape": [1, COLUMNS], "datatype": "FP64", "data": self.row}
        return json.dumps({"inputs": [tensor]})


def train(folder: Path, kind: Kind = "boosting") -> Trained:
    """A model on 20 columns, converted as at its registration."""
    import numpy as np

    from benchmarks.peers.estimators import fitted
    from treadle.ground.digests import of_bytes
    from treadle.systems.serve.conversion.offering import offer
    from treadle.systems.serve.runtime.engines import EngineOptions
    from treadle.systems.serve.runtime.models import make_manifest
    from treadle.systems.serve.runtime.signature import Column, Signature

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(5000, COLUMNS))
    target = (rows[:, 0] + rows[:, 1] * rows[:, 2] > 0).astype(int)
    np.savez(folder / "rows.npz", rows=rows, target=target)
    estimator = fitted(kind, rows, target)
    offered = offer(estimator, engine="sklearn", content=b"", options=EngineOptions(), task="binary", columns=COLUMNS)
    forms = {one.name: one for one in offered}
    served, graph = forms["native"], forms["onnx-float32"]
    assert served.content is not None
    assert graph.content is not None
    (folder / "model.txt").write_bytes(served.content)
    (folder / "model.onnx").write_bytes(graph.content)
    signature = Signature(
        inputs=tuple(Column(name=f"f{at}") for at in range(COLUMNS)), task="binary", classes=("0", "1")
    )
    probe = tuple({f"f{at}": float(value) for at, value in enumerate(row)} for row in rows[:8])
    manifest = make_manifest(
        model_digest=of_bytes(served.content), engine=served.engine, file="model.txt", model=served.content,
        signature=signature, probe_rows=probe, options=served.options, scores=estimator.predict_proba(rows[:8])[:, 1],
    )  # fmt: skip
    return Trained(manifest, served.content)


def serving_area(folder: Path, trained: Trained) -> Path:
    """A folder that `ServerProcess` serves, with the model behind the endpoint `numbers`."""
    from treadle.systems.serve.runtime.documents import RouteDocument, RouteRevision, write_document
    from treadle.systems.serve.runtime.models import write_model

    serving = folder / "serving"
    bundle = write_model(serving / "models", trained.manifest, trained.content)
    revision = RouteRevision(revision="rev_1", number=1, weight=1.0, model="m", model_version="1", bundle=bundle)
    write_document(serving / "routes", RouteDocument(endpoint="numbers", number=1, revisions=(revision,)))
    return serving


@contextmanager
def bare_server(model: Path) -> Iterator[int]:
    """The port of a bare handler."""
    readable, writable = os.pipe()
    command = [sys.executable, __file__, "bare", str(model), str(writable)]
    process = subprocess.Popen(command, pass_fds=(writable,))
    os.close(writable)
    try:
        port = int(os.read(readable, 100))
        yield port
    finally:
        os.close(readable)
        process.terminate()
        process.wait()


def measure(port: int, path: str, body: str, connections: int, seconds: float) -> dict[str, float]:
    command = [sys.executable, __file__, "load", str(port), path, body, str(connections), str(seconds)]
    answer: dict[str, float] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return answer


def log_cost(folder: Path, calls: int = 50_000) -> dict[str, float]:
    """What a record costs on the request's path, one row of 20 numbers."""
    import numpy as np

    from treadle.systems.serve.runtime.log import Call, Context, LoggedColumn, PredictionLog

    context = Context(
        number=1, server="s", endpoint="e", revision="r", revision_number=1, model="m", model_version="1", model_digest="d",
        bundle="b", engine="lightgbm", engine_version="4", threads=1, width=1, columns=(LoggedColumn("a", "FP64"),),
    )  # fmt: skip
    call = Call(
        context=1, first_id=bytes(16), rows=1, recorded_at=1, latency_us=1, matrix=np.ones(COLUMNS).tobytes(),
        scores=np.ones(1).tobytes(),
    )  # fmt: skip
    log = PredictionLog(folder)
    took = []
    for _ in range(calls):
        started = time.perf_counter()
        log.append(context, call)
        took.append(time.perf_counter() - started)
    log.close()
    return {"p50_us": round(statistics.median(took) * 1e6, 2), "records_per_s": round(calls / sum(took))}


def run(seconds: float, rounds: int) -> dict[str, Any]:
    report: dict[str, Any] = {"columns": COLUMNS, "trees": TREES}
    for kind in MODELS:
        with tempfile.TemporaryDirectory() as name:
            report[kind] = beside_bare(Path(name), kind, seconds, rounds)
    with tempfile.TemporaryDirectory() as name:
        report["prediction_log"] = log_cost(Path(name) / "srv")
    return report


def beside_bare(folder: Path, kind: Kind, seconds: float, rounds: int) -> dict[str, Any]:
    import psutil

    from treadle.systems.serve import ServerProcess

    report: dict[str, Any] = {}
    trained = train(folder, kind)
    started = time.perf_counter()
    server = ServerProcess.start(serving_area(folder, trained))
    report["start_s"] = round(time.perf_counter() - started, 3)
    try:
        with bare_server(folder / "model.onnx") as port:
            ports = {"treadle": server.announcement.port, "bare": port}
            for connections in (1, 32):
                found: dict[str, list[dict[str, float]]] = {"treadle": [], "bare": []}
                for _ in range(rounds):
                    for who, where in ports.items():
                        path = "/v2/models/numbers/infer"
                        found[who].append(measure(where, path, trained.body, connections, seconds))
                report[f"connections_{connections}"] = _medians(found)
        report["rss_mb"] = round(psutil.Process(server.announcement.pid).memory_info().rss / 1e6)
    finally:
        server.stop()
    return report


def _medians(found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    medians = {
        who: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]} for who, rounds in found.items()
    }
    ratio = {
        "throughput": round(medians["treadle"]["requests_per_s"] / medians["bare"]["requests_per_s"], 3),
        "p50": round(medians["treadle"]["p50_ms"] / medians["bare"]["p50_ms"], 3),
    }
    return {**medians, "ratio_to_bare": ratio}


def missed(report: dict[str, Any]) -> list[str]:
    """What is not reached, in words."""
    found = []
    for kind in MODELS:
        one = report[kind]
        checks = (
            (one["connections_32"]["ratio_to_bare"]["throughput"] >= LEAST_OF_BARE, "throughput at 32 connections"),
            (one["connections_1"]["ratio_to_bare"]["p50"] <= MOST_P50, "p50 at one connection"),
            (one["start_s"] <= MOST_START_S, "start"),
            (one["rss_mb"] <= MOST_MB, "memory"),
        )
        found += [f"{kind}: {what}" for is_kept, what in checks if not is_kept]
    log = report["prediction_log"]
    if log["p50_us"] > MOST_LOG_US or log["records_per_s"] < LEAST_RECORDS_PER_S:
        found.append("prediction log")
    return found


def main() -> int:
    """Answers 1 when a reach is not kept."""
    if sys.argv[1:2] == ["load"]:
        load(int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]), float(sys.argv[6]))
        return 0
    if sys.argv[1:2] == ["bare"]:
        bare(Path(sys.argv[2]), int(sys.argv[3]))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each point and round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    report = run(given.seconds, given.rounds)
    report["missed"] = missed(report)
    if given.json:
        print(json.dumps(report, indent=2))
    else:
        tell(report)
    return int(bool(report["missed"]))


def tell(report: dict[str, Any]) -> None:
    for kind in MODELS:
        one = report[kind]
        for connections in (1, 32):
            found = one[f"connections_{connections}"]
            for who in ("treadle", "bare"):
                print(f"{kind:8} {line(who, connections, found[who])}")
            ratio = found["ratio_to_bare"]
            print(f"{kind:8} ratio    {ratio['throughput']:.2f} of its throughput, {ratio['p50']:.2f} times its p50")
        print(f"{kind:8} start to first answer {one['start_s']} s, memory {one['rss_mb']} MB")
    print(f"prediction log {report['prediction_log']}")
    if report["missed"]:
        print(f"not reached: {'; '.join(report['missed'])}")


def line(who: str, connections: int, one: dict[str, float]) -> str:
    rate = f"{one['requests_per_s']:>8.0f} req/s"
    return f"{who:8} c={connections:<3} {rate}  p50 {one['p50_ms']:.3f} ms  p99 {one['p99_ms']:.3f} ms"


if __name__ == "__main__":
    sys.exit(main())
