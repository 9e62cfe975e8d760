"""How many times faster than MLServer and `mlflow models serve` is one row over REST, with everything on here?

    python benchmarks/serve_rest.py [--json] [--seconds 3]

Each serves the same estimators of scikit-learn in one process, as its users do: a logistic regression, and boosting of 100
trees. Treadle and MLServer (its own scikit-learn runtime, without a pool) are asked by the Open Inference Protocol, MLflow's
server by its own `/invocations`. Schema, prediction log and metrics are on here. The load is that of `serve.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
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

from benchmarks.serve import MODELS, Kind, Trained, line, measure, serving_area, train  # noqa: E402 - a program of its own
from benchmarks.serve_grpc import free_port, mlserver  # noqa: E402

PEERS_PYTHON = ROOT / ".peers" / "bin" / "python"
SERVE_PEERS_PYTHON = ROOT / ".peers-serve" / "bin" / "python"
REACH = {"mlserver": 20.0, "mlflow": 40.0}
"""At least so many times their throughput, at 32 connections."""


@contextmanager
def mlflow_server(folder: Path) -> Iterator[int]:
    """The port of `mlflow models serve`, once it is ready."""
    import httpx

    port = free_port()
    environment = {
        **os.environ,
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true",
        "PATH": f"{PEERS_PYTHON.parent}:{os.environ['PATH']}",
    }
    command = [str(PEERS_PYTHON.with_name("mlflow")), "models", "serve", "-m", str(folder), "-p", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--env-manager", "local"], env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/ping", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if process.poll() is not None:
                raise RuntimeError((folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        yield port
    finally:
        subprocess.run(["pkill", "-TERM", "-s", str(process.pid)], check=False)
        process.wait(30)


def compare(folder: Path, kind: Kind, seconds: float, rounds: int) -> dict[str, Any]:
    from treadle.systems.serve import ServerProcess

    trained = train(folder, kind)
    program = str(ROOT / "benchmarks" / "peers" / "estimators.py")
    for python, form, place in (
        (SERVE_PEERS_PYTHON, "joblib", folder / "model.joblib"),
        (PEERS_PYTHON, "mlflow", folder / "mlflow"),
    ):
        fit = [str(python), program, kind, str(folder / "rows.npz"), form, str(place)]
        subprocess.run(fit, check=True, capture_output=True)
    ours = ServerProcess.start(serving_area(folder, trained))
    try:
        with (
            mlserver(folder / "mlserver", folder / "model.joblib") as (_, http, _),
            mlflow_server(folder / "mlflow") as scoring,
        ):
            path = "/v2/models/numbers/infer"
            probabilities = json.dumps({**json.loads(trained.body), "outputs": [{"name": "predict_proba"}]})
            servers = {
                "treadle": (ours.announcement.port, path, trained.body),
                "mlserver": (http, path, probabilities),
                "mlflow": (scoring, "/invocations", json.dumps({"inputs": [trained.row]})),
            }
            check(trained, servers)
            return {f"connections_{n}": beside(servers, n, seconds, rounds) for n in (1, 32)}
    finally:
        ours.stop()


def check(trained: Trained, servers: dict[str, tuple[int, str, str]]) -> None:
    """All answer the same score."""
    import httpx

    expected = trained.manifest.probe.scores[0][-1]
    for who, (port, path, body) in servers.items():
        headers = {"content-type": "application/json"}
        answer = httpx.post(f"http://127.0.0.1:{port}{path}", content=body, headers=headers, trust_env=False)
        answer.raise_for_status()
        told = answer.json()
        scores = told["predictions"][0] if who == "mlflow" else told["outputs"][0]["data"][-1]
        score = scores[-1] if isinstance(scores, list) else scores
        if abs(score - expected) > 1e-6:
            raise AssertionError(f"{who} says {score}, not {expected}")


def beside(servers: dict[str, tuple[int, str, str]], connections: int, seconds: float, rounds: int) -> dict[str, Any]:
    found: dict[str, list[dict[str, float]]] = {who: [] for who in servers}
    for _ in range(rounds):
        for who, (port, path, body) in servers.items():
            found[who].append(measure(port, path, body, connections, seconds))
    middle = {who: {key: statistics.median(one[key] for one in all_) for key in all_[0]} for who, all_ in found.items()}
    ratios = {who: round(middle["treadle"]["requests_per_s"] / middle[who]["requests_per_s"], 1) for who in REACH}
    return {**middle, "times": ratios}


def main() -> int:
    """Answers 1 when a reach is not kept at 32 connections."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each point and round")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    report = {}
    for kind in MODELS:
        with tempfile.TemporaryDirectory() as name:
            report[kind] = compare(Path(name), kind, given.seconds, given.rounds)
    if given.json:
        print(json.dumps(report, indent=2))
    else:
        for kind, found in report.items():
            for connections in (1, 32):
                point = found[f"connections_{connections}"]
                for who in ("treadle", *REACH):
                    print(f"{kind:8} {line(who, connections, point[who])}")
                print(f"{kind:8} times faster: {point['times']}")
    kept = all(found["connections_32"]["times"][who] >= REACH[who] for found in report.values() for who in REACH)
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
