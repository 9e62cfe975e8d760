"""How much quicker is tracking than a stock `mlflow server`, asked the same things in the same run?

The baseline is the fair one: SQLite, one worker, no job runners, on the same disk; `--defaults` measures what `mlflow server`
starts by itself beside it. Requests are bytes made beforehand on kept-alive connections, so that the servers are compared and not a
client. `--postgres` measures Treadle's writes on PostgreSQL too. Ends with 1 when a reach is not kept. Searches of 200,000 runs:
`tracking_search.py`; files of 1 GB: `tracking_artifacts.py`; Optuna: `optuna_storage.py`.

    make bench-peers ARGS=tracking
    python benchmarks/tracking.py [--only create,search] [--defaults] [--postgres] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.peers import filling  # noqa: E402 - a program of its own
from benchmarks.peers.lean import Connection, batches, each  # noqa: E402
from tests.peers.servers import PEERS_PYTHON, Served, stock_server, treadle_server  # noqa: E402

API = "/api/2.0/mlflow"
PARTS = ("start", "memory", "log_metric", "log_batch", "create", "search", "history", "log_and_load")
LOAD_S = 4.0
HISTORY_POINTS = 100_000
SETTLED_S = 3.0


@dataclass(kw_only=True)
class Row:
    """One line of the table. ratio: how many times better than the baseline; reach: what it should at least be."""

    what: str
    unit: str
    stock: float | None
    treadle: float
    ratio: float | None
    reach: float | None = None
    limit: float | None = None
    is_more_better: bool = False

    @property
    def is_kept(self) -> bool:
        enough = self.reach is None or (self.ratio is not None and self.ratio >= self.reach)
        if self.limit is None:
            return enough
        return enough and (self.treadle >= self.limit if self.is_more_better else self.treadle <= self.limit)


def row(what: str, unit: str, stock: float | None, treadle: float, **more: Any) -> Row:
    """A line; less is better unless told otherwise."""
    better = more.get("is_more_better", False)
    ratio = None if stock is None else treadle / stock if better else stock / treadle
    return Row(what=what, unit=unit, stock=stock, treadle=treadle, ratio=ratio, **more)


@dataclass
class Bench:
    """Both servers and what was found."""

    folder: Path
    options: argparse.Namespace
    rows: list[Row] = field(default_factory=list)

    def wants(self, part: str) -> bool:
        return part in self.options.only

    # -- what is asked -------------------------------------------------------------------------------------------------

    def starts(self) -> None:
        """From the start of the command to the first healthy answer, on an empty store; the median."""
        taken: dict[str, list[float]] = {"stock": [], "treadle": []}
        for number in range(3):
            for name, start in (("stock", stock_server), ("treadle", treadle_server)):
                with start(self.folder / f"start-{name}-{number}") as served:
                    taken[name].append(served.started_in_s)
        stock, treadle = (statistics.median(taken[name]) for name in ("stock", "treadle"))
        self.rows.append(row("start to first healthy answer", "s", stock, treadle, reach=10, limit=1.0))

    def memory(self, stock: Served, treadle: Served) -> None:
        time.sleep(SETTLED_S)
        sizes = [served.memory_bytes() / 1e6 for served in (stock, treadle)]
        self.rows.append(row("idle memory, all processes (PSS)", "MB", *sizes, reach=2.5, limit=150))

    def log_metric(self, served: Served, count: int) -> float:
        run, connection = self._run(served)
        bodies = [
            {"run_id": run, "key": "loss", "value": at * 0.5, "timestamp": 1_700_000_000_000 + at, "step": at}
            for at in range(count + 50)
        ]
        requests = [connection.request("POST", f"{API}/runs/log-metric", body) for body in bodies]
        each(connection, requests[:50])
        return statistics.median(each(connection, requests[50:])) * 1e3

    def create(self, served: Served, count: int) -> float:
        experiment, connection = self._experiment(served)
        bodies = [{"experiment_id": experiment, "run_name": f"r{at}", "start_time": at} for at in range(count + 20)]
        requests = [connection.request("POST", f"{API}/runs/create", body) for body in bodies]
        each(connection, requests[:20])
        return statistics.median(each(connection, requests[20:])) * 1e3

    def log_batch(self, served: Served, clients: int, count: int) -> float:
        """Points per second of so many client processes, each with a run of its own."""
        processes = []
        for _ in range(clients):
            run, connection = self._run(served)
            connection.close()
            arguments = [str(served.port), str(LOAD_S), run, str(count), json.dumps(dict(served.headers))]
            command = [sys.executable, "-m", "benchmarks.peers.lean", *arguments]
            processes.append(
                subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        found = [json.loads(process.communicate(timeout=600)[0]) for process in processes]
        return sum(one["batches"] for one in found) * 1000 / max(one["seconds"] for one in found)

    def search(self, served: Served, experiment: str, repeat: int) -> float:
        connection = Connection(served.port, dict(served.headers))
        body = {"experiment_ids": [experiment], **filling.SEARCH}
        request = connection.request("POST", f"{API}/runs/search", body)
        answer = json.loads(connection.send(request))
        assert len(answer["runs"]) == 100
        return statistics.median(each(connection, [request] * repeat)) * 1e3

    def history(self, served: Served, repeat: int) -> float:
        """Seconds for all points of a metric, in pages of 25,000 as the stock client asks for them."""
        run, connection = self._run(served)
        for body in batches(run, HISTORY_POINTS // 1000):
            connection.ask("POST", f"{API}/runs/log-batch", body)
        taken = []
        for _ in range(repeat):
            begun = time.perf_counter()
            have, token = 0, ""
            while True:
                more = f"&page_token={token}" if token else ""
                path = f"{API}/metrics/get-history?run_id={run}&metric_key=loss&max_results=25000{more}"
                answer = json.loads(connection.send(connection.request("GET", path)))
                have += len(answer["metrics"])
                token = answer.get("next_page_token", "")
                if not token:
                    break
            taken.append(time.perf_counter() - begun)
            assert have == HISTORY_POINTS
        return statistics.median(taken)

    def log_and_load(self, served: Served, repeat: int) -> dict[str, float]:
        program = str(ROOT / "benchmarks" / "peers" / "log_and_load.py")
        done = subprocess.run(
            [str(PEERS_PYTHON), program, str(repeat)],
            env=served.environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return found

    # -- places --------------------------------------------------------------------------------------------------------

    def _experiment(self, served: Served) -> tuple[str, Connection]:
        connection = Connection(served.port, dict(served.headers))
        made = connection.ask("POST", f"{API}/experiments/create", {"name": f"bench {time.monotonic_ns()}"})
        return str(made["experiment_id"]), connection

    def _run(self, served: Served) -> tuple[str, Connection]:
        experiment, connection = self._experiment(served)
        made = connection.ask("POST", f"{API}/runs/create", {"experiment_id": experiment, "run_name": "r"})
        return str(made["run"]["info"]["run_id"]), connection

    # -- the rounds ----------------------------------------------------------------------------------------------------

    def compare(self, stock: Served, treadle: Served) -> None:
        if self.wants("memory"):
            self.memory(stock, treadle)
        if self.wants("log_metric"):
            pair = [self.log_metric(stock, 400), self.log_metric(treadle, 4000)]
            self.rows.append(row("log_metric one by one, one connection, p50", "ms", *pair, reach=10))
        if self.wants("create"):
            pair = [self.create(stock, 300), self.create(treadle, 3000)]
            self.rows.append(row("create run, one connection, p50", "ms", *pair, reach=10))
        if self.wants("log_batch"):
            for clients in (1, 4):
                pair = [self.log_batch(stock, clients, 100), self.log_batch(treadle, clients, 1200 // clients)]
                limit = 200_000 if clients == 4 else None
                self.rows.append(
                    row(
                        f"log-batch of 1,000 metrics, {clients} client{'s' * (clients > 1)}", "points/s", *pair,
                        reach=15, limit=limit, is_more_better=True,
                    )
                )  # fmt: skip
        if self.wants("history"):
            pair = [self.history(stock, 2), self.history(treadle, 5)]
            self.rows.append(row(f"history of {HISTORY_POINTS:,} points, in pages of 25,000", "s", *pair, reach=5))
        if self.wants("log_and_load"):
            self._compare_models(stock, treadle)
        if self.wants("search"):
            self._compare_searches(stock, treadle)

    def _compare_models(self, stock: Served, treadle: Served) -> None:
        theirs, ours = self.log_and_load(stock, 7), self.log_and_load(treadle, 7)
        whole = [one["log_s"] + one["load_s"] for one in (theirs, ours)]
        alone = statistics.median([theirs["client_alone_s"], ours["client_alone_s"]])
        self.rows.append(row("sklearn.log_model + load_model, stock client, end to end", "s", *whole, reach=3))
        self.rows.append(row("  of which log_model", "s", theirs["log_s"], ours["log_s"]))
        self.rows.append(row("  of which load_model", "s", theirs["load_s"], ours["load_s"]))
        self.rows.append(row("  of which the client itself, without waiting for an answer", "s", alone, alone))
        waits = [pair - alone for pair in whole]
        self.rows.append(row("  of which waiting for answers", "s", *waits))

    def _compare_searches(self, stock: Served, treadle: Served) -> None:
        theirs, connection = self._experiment(stock)
        connection.close()
        filling.fill_stock(stock.folder / "mlflow.db", theirs, 5_000)
        experiment, connection = self._experiment(treadle)
        connection.close()
        what = "runs/search by metric, ordered by metric, 100 of"
        first, found = 0, {}
        for count in (5_000, 20_000):
            filling.fill_over_http(treadle.port, dict(treadle.headers), experiment, first, count)
            first = count
            found[count] = self.search(treadle, experiment, 60)
            if count == 5_000:
                self.rows.append(row(f"{what} 5,000, p50", "ms", self.search(stock, theirs, 9), found[count], reach=20))
            else:
                self.rows.append(row(f"{what} 20,000, p50", "ms", None, found[count], limit=15))

    def defaults(self) -> None:
        """What `mlflow server` starts by itself: four workers and job runners."""
        with stock_server(self.folder / "defaults", is_default=True) as served:
            self.rows.append(row("stock's defaults: start", "s", None, served.started_in_s))
            time.sleep(4 * SETTLED_S)
            self.rows.append(row("stock's defaults: idle memory (PSS)", "MB", None, served.memory_bytes() / 1e6))
            self.rows.append(row("stock's defaults: log_metric p50", "ms", None, self.log_metric(served, 100)))
            self.rows.append(row("stock's defaults: create run p50", "ms", None, self.create(served, 100)))
            rate = self.log_batch(served, 4, 100)
            self.rows.append(row("stock's defaults: log-batch, 4 clients", "points/s", None, rate))

    def postgres(self, sqlite: Served) -> None:
        """Treadle's writes on PostgreSQL, as a share of what it does on SQLite in the same run."""
        from treadle.testing.postgres import postgres_database

        with ExitStack() as stack:
            url = stack.enter_context(postgres_database())
            served = stack.enter_context(treadle_server(self.folder / "postgres", store_url=url))
            asked: list[tuple[str, str, Callable[[Served], float], bool]] = [
                ("log_metric p50", "ms", lambda one: self.log_metric(one, 2000), False),
                ("create run p50", "ms", lambda one: self.create(one, 1000), False),
                ("log-batch, 1 client", "points/s", lambda one: self.log_batch(one, 1, 600), True),
                ("log-batch, 4 clients", "points/s", lambda one: self.log_batch(one, 4, 300), True),
            ]
            for what, unit, ask, is_more_better in asked:
                pair = [ask(sqlite), ask(served)]
                title = f"on PostgreSQL, against Treadle on SQLite: {what}"
                self.rows.append(row(title, unit, *pair, reach=0.5, is_more_better=is_more_better))


def table(rows: list[Row]) -> str:
    """The rows as a table of Markdown."""
    lines = ["| work | stock | Treadle | times better | reach |", "| --- | ---: | ---: | ---: | --- |"]
    for one in rows:
        stock = "" if one.stock is None else f"{_number(one.stock)} {one.unit}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2g}x" if one.ratio < 10 else f"{one.ratio:.0f}x"
        reach = [f"{one.reach:g}x"] if one.reach is not None else []
        if one.limit is not None:
            reach.append(f"{'at least' if one.is_more_better else 'at most'} {_number(one.limit)} {one.unit}")
        kept = "" if one.is_kept else " **not kept**"
        lines.append(
            f"| {one.what} | {stock} | {_number(one.treadle)} {one.unit} | {ratio} | {', '.join(reach)}{kept} |"
        )
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> int:
    """Answers 1 when a reach is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=lambda text: text.split(","), default=PARTS, help=f"some of {', '.join(PARTS)}")
    parser.add_argument("--defaults", action="store_true", help="measure what stock starts by itself beside it")
    parser.add_argument("--postgres", action="store_true", help="measure Treadle on PostgreSQL too")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="treadle-bench-") as name:
        bench = Bench(Path(name), options)
        if bench.wants("start"):
            bench.starts()
        with stock_server(Path(name) / "stock") as stock, treadle_server(Path(name) / "treadle") as treadle:
            bench.compare(stock, treadle)
            if options.postgres:
                bench.postgres(treadle)
        if options.defaults:
            bench.defaults()
    if options.json:
        print(json.dumps([{**asdict(one), "is_kept": one.is_kept} for one in bench.rows]))
    else:
        print(table(bench.rows))
    return int(not all(one.is_kept for one in bench.rows))


if __name__ == "__main__":
    sys.exit(main())
