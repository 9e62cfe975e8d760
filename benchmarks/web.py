"""How long until a page of the web application is usable over a large store, and how long do its calls take?

The store holds the demo's year, 10,000 runs, 50 curves of 100,000 points, 1,000 snapshots and 1,000,000 predictions (seeding
takes some minutes; `--home` keeps it, and takes it as it is the next time). Every page is opened five times in a fresh window
of Chromium, signed in: usable is when its heading stands and nothing loads any more. Ends with 1 when a page takes longer than a
second, or a call of its longer than 100 ms (medians).

    python benchmarks/web.py [--home DIR] [--times 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.pages.seeding import ENDPOINT, PROJECT, seed  # noqa: E402 - a program of its own
from treadle.faces.tokens import home_token  # noqa: E402

USABLE_MS, CALL_MS = 1000.0, 100.0
CHROMIUM = os.environ.get("TREADLE_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
_SETTLED = """() => document.querySelector("main h1") && !document.querySelector("[aria-label=Loading]")"""
_CALLS = """() => performance.getEntriesByType("resource").filter((one) => one.name.includes("/api/v1/"))
    .filter((one) => one.responseEnd > 0).map((one) => [one.name.split("/api/v1/")[1].split("?")[0], one.duration])"""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One page: medians in milliseconds, and its slowest call."""

    page: str
    usable_ms: float
    call: str
    call_ms: float

    @property
    def is_kept(self) -> bool:
        return self.usable_ms <= USABLE_MS and self.call_ms <= CALL_MS


@contextmanager
def up(home: Path) -> Iterator[str]:
    """`treadle up` over a home; answers its address."""
    command = [sys.executable, "-m", "treadle.faces.cli.entry", "up", "--home", str(home), "--project", PROJECT]
    with subprocess.Popen(
        [*command, "--port", "0", "--serve-port", "0", "--json"],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        text = ""
        for line in process.stdout:
            text += line
            if line.rstrip() == "}":
                break
        try:
            yield json.loads(text)["url"]
        finally:
            process.terminate()


def pages(ask: Any) -> dict[str, str]:
    """Every page by what it is called, with the things of this store in its address."""
    prediction = ask("predictions.list", endpoint=ENDPOINT, limit=1)["items"][0]["prediction_id"]
    run = ask("runs.list", kind="pipeline", limit=1)["items"][0]["id"]
    alert = ask("alerts.list", limit=1)[0]["id"]
    experiments = ask("searches.experiments", limit=10)["items"]
    curves = next(one for one in experiments if one["name"] == "curves")["number"]
    return {
        "home": "/",
        "datasets": "/datasets",
        "dataset": "/datasets/flights",
        "dataset, 1,000 snapshots": "/datasets/orders?tab=snapshots",
        "dataset, profile": "/datasets/flights?tab=profile",
        "features": "/features",
        "pipelines": "/pipelines",
        "pipeline": "/pipelines/retrain",
        "runs": "/runs",
        "run": f"/runs/{run}",
        "experiments": "/experiments",
        "experiment, 10,000 runs": "/experiments/0",
        "experiment, curves": f"/experiments/{curves}?tab=charts",
        "models": "/models",
        "model": f"/models/{ENDPOINT}",
        "version": f"/models/{ENDPOINT}/5",
        "endpoints": "/endpoints",
        "endpoint": f"/endpoints/{ENDPOINT}",
        "monitoring": "/monitoring",
        "monitor": f"/monitoring/{ENDPOINT}",
        "alert": f"/alerts/{alert}",
        "lineage": f"/lineage?of=model%2F{ENDPOINT}%2F5",
        "prediction": f"/predictions/{prediction}",
        "activity": "/activity",
        "settings": "/settings",
    }


def measure(browser: Browser, url: str, token: str, times: int) -> Iterator[Row]:
    headers = {"Authorization": f"Bearer {token}"}

    def ask(verb: str, **request: Any) -> Any:
        path = "/api/v1/" + verb.replace(".", "/")
        return httpx.post(url + path, json=request, headers=headers, timeout=60).raise_for_status().json()

    for name, path in pages(ask).items():
        usable, calls = [], defaultdict(list)
        for _ in range(times):
            with browser.new_context(viewport={"width": 1280, "height": 860}) as context:
                context.request.post(f"{url}/api/v1/session", data={"token": token})
                page = context.new_page()
                begun = time.perf_counter()
                page.goto(url + path, wait_until="commit")
                page.wait_for_function(_SETTLED, polling=10)
                usable.append((time.perf_counter() - begun) * 1000)
                page.wait_for_load_state("load")
                for verb, took in page.evaluate(_CALLS):
                    if verb != "events/live":
                        calls[verb].append(took)
        slowest, took = max(((verb, statistics.median(each)) for verb, each in calls.items()), key=lambda one: one[1])
        yield Row(page=name, usable_ms=statistics.median(usable), call=slowest, call_ms=took)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--home", type=Path, help="where the store is kept, or is already")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home: Path = given.home or Path(folder) / "home"
        if not (home / "treadle.db").is_file():
            print("filling a store: some minutes", file=sys.stderr)
            seed(home)
        with up(home) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            rows = list(measure(browser, url, home_token(home), given.times))
            browser.close()
    if given.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        print(f"{'page':<28} {'usable':>9}  {'slowest call':<28} {'took':>8}")
        for row in rows:
            mark = "" if row.is_kept else "  not kept"
            print(f"{row.page:<28} {row.usable_ms:>6.0f} ms  {row.call:<28} {row.call_ms:>5.0f} ms{mark}")
    return int(not all(row.is_kept for row in rows))


if __name__ == "__main__":
    sys.exit(main())
