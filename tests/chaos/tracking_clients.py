"""Writers and readers of the tracking protocol, each a process that knows nothing but an address.

A writer sends points one by one and in batches to runs of its own, and sends again what was not acknowledged, as the stock
client does: a connection that was refused or cut, or an answer that asks for patience, is tried anew after a while that grows.
A reader asks for runs and histories all the time; it forgives a connection that is refused or cut, and nothing else.

`python -m tests.chaos.tracking_clients write|read PORT SECONDS SEED TOKEN EXPERIMENT`; a line of JSON at the end says what it did.
"""

from __future__ import annotations

import http.client
import json
import random
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

API = "/api/2.0/mlflow"
CUT = (ConnectionError, http.client.HTTPException, TimeoutError)
PATIENCE = {408, 429, 500, 502, 503, 504}
"""What the stock client tries again after."""


class Refused(Exception):
    """The server said no."""


class Client:
    """One kept-alive connection, opened again when it is lost."""

    def __init__(self, port: int, token: str, timeout_s: float = 30.0) -> None:
        self.port, self.timeout_s = port, timeout_s
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.connection: http.client.HTTPConnection | None = None

    def once(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        """Status and answer; raises one of CUT when there was none."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        where = f"{API}/{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            self.connection.request(method, where, None if body is None else json.dumps(body), self.headers)
            answer = self.connection.getresponse()
            content = answer.read()
        except CUT:
            self.connection.close()
            self.connection = None
            raise
        return answer.status, json.loads(content)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()

    def until_acknowledged(self, method: str, path: str, body: Any) -> Any:
        """The answer of the server that at last gave one."""
        wait = 0.02
        while True:
            try:
                status, answer = self.once(method, path, body)
            except CUT:
                status, answer = 503, {"message": "no answer"}
            if status == 200:
                return answer
            if status not in PATIENCE or "locked" in str(answer):
                raise Refused(f"{status} {answer} to {method} {path}")
            time.sleep(wait)
            wait = min(2 * wait, 0.5)


def write(client: Client, until: float, rng: random.Random, experiment: str) -> dict[str, Any]:
    """How many points of each run were acknowledged: those with steps 0 to n - 1."""
    acknowledged: dict[str, int] = {}
    while time.monotonic() < until:
        body = {"experiment_id": experiment, "run_name": "chaos", "start_time": int(time.time() * 1000)}
        run = client.until_acknowledged("POST", "runs/create", body)["run"]["info"]["run_id"]
        acknowledged[run] = 0
        for _ in range(rng.randrange(50, 400)):
            at = acknowledged[run]
            size = rng.choice([1, 1, 1, 10, 300])
            points = [point(step) for step in range(at, at + size)]
            if size == 1:
                client.until_acknowledged("POST", "runs/log-metric", {"run_id": run, **points[0]})
            else:
                tags = [{"key": "reached", "value": str(at + size)}]
                client.until_acknowledged("POST", "runs/log-batch", {"run_id": run, "metrics": points, "tags": tags})
            acknowledged[run] = at + size
            if time.monotonic() > until:
                break
    return {"acknowledged": acknowledged}


def point(step: int) -> dict[str, Any]:
    return {"key": "loss", "value": step * 0.25, "timestamp": 1_700_000_000_000 + step, "step": step}


def read(client: Client, until: float, rng: random.Random, experiment: str) -> dict[str, Any]:
    """How often it was answered; raises when an answer is an error, or when points that were seen are gone."""
    seen: dict[str, int] = {}
    counts = {"answers": 0, "cut": 0}
    known: list[str] = []

    def search() -> None:
        body = {
            "experiment_ids": [experiment],
            "filter": "metrics.loss >= 0",
            "order_by": ["metrics.loss DESC"],
            "max_results": 50,
        }
        for run in ask("POST", "runs/search", body).get("runs", []):
            known.append(run["info"]["run_id"])
            latest = {one["key"]: one for one in run["data"]["metrics"]}["loss"]
            assert latest["value"] == int(latest["step"]) * 0.25, latest

    def history() -> None:
        run = rng.choice(known)
        steps, token = [], ""
        while True:
            more = {"page_token": token} if token else {}
            answer = ask("GET", "metrics/get-history", None, run_id=run, metric_key="loss", max_results=5000, **more)
            steps += [int(one["step"]) for one in answer.get("metrics", [])]
            token = answer.get("next_page_token", "")
            if not token:
                break
        assert len(steps) == len(set(steps)), f"a point of {run} is there twice"
        assert len(steps) >= seen.get(run, 0), f"{run} had {seen[run]} points, now {len(steps)}"
        seen[run] = len(steps)

    def get() -> None:
        ask("GET", "runs/get", None, run_id=rng.choice(known))

    def ask(method: str, path: str, body: Any, **query: Any) -> Any:
        status, answer = client.once(method, path, body, **query)
        if status != 200:
            raise Refused(f"{status} {answer} to {method} {path}")
        counts["answers"] += 1
        return answer

    while time.monotonic() < until:
        way: Callable[[], None] = rng.choice([search, history, history, get]) if known else search
        try:
            way()
        except CUT:
            counts["cut"] += 1
            time.sleep(0.02)
        del known[:-200]
        time.sleep(0.005)
    return counts


def main(words: list[str]) -> None:
    what, port, seconds, seed, token, experiment = words
    work = {"write": write, "read": read}[what]
    done = work(Client(int(port), token), time.monotonic() + float(seconds), random.Random(int(seed)), experiment)
    print(json.dumps(done))


if __name__ == "__main__":
    main(sys.argv[1:])
