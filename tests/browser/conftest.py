"""A real browser over a real server on the store of the demo, for every process of the test run one of each.

Debian's Chromium is driven (`chromium-headless-shell`, or what `TREADLE_CHROMIUM` names). Where there is none, or where the
pages are not built, the tests are skipped, and each says so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.demo_home import own_demo_home, shared_folder
from treadle.faces.api.web.bundle import bundle
from treadle.faces.tokens import home_token

ROOT = Path(__file__).parents[2]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(os.environ.get("TREADLE_SCREENSHOTS", ROOT / "build" / "screenshots"))
"""Where pictures of the pages are left: what a run of the tests shows a person."""
CHROMIUM = os.environ.get("TREADLE_CHROMIUM") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
WIDE, NARROW = {"width": 1280, "height": 860}, {"width": 390, "height": 844}
EXPERIMENT = "learning rates"
SERIOUS = ("serious", "critical")
expect.set_options(timeout=10_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = []
    if CHROMIUM is None:
        missing.append("no Chromium is installed: apt install chromium-headless-shell")
    if not bundle().is_built:
        missing.append("the pages are not built: make web")
    if missing:
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.skip(reason="; ".join(missing)))


@dataclass
class House:
    """A running `treadle up` over a copy of the demo's home."""

    home: Path
    url: str
    token: str

    def ask(self, verb: str, **request: Any) -> Any:
        """What a verb answers, as a program would ask."""
        path = "/api/v1/" + verb.replace(".", "/")
        answer = httpx.post(
            self.url + path, json=request, headers={"Authorization": f"Bearer {self.token}"}, timeout=60
        )
        assert answer.status_code < 300, answer.text
        return answer.json()

    def tracked(self) -> tuple[str, list[str]]:
        """An experiment with some runs, as a training script logs them: its id and theirs. Made when first asked for."""
        found = [one for one in self.ask("searches.experiments")["items"] if one["name"] == EXPERIMENT]
        if not found:
            self._log()
            return self.tracked()
        experiment = str(found[0]["number"])
        return experiment, [run["run"] for run in self.ask("searches.runs", experiments=[experiment])["items"]]

    def _log(self) -> None:
        experiment = str(self.ask("experiments.create", name=EXPERIMENT)["number"])
        with httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=60) as http:
            for number, rate in enumerate((0.3, 0.1, 0.03)):
                run = self.ask("tracking.create", experiment=experiment, name=f"rate {rate}")["run"]
                steps = list(range(200))
                self.ask(
                    "tracking.log",
                    run=run,
                    keys=["loss"] * len(steps) + ["accuracy"],
                    values=[1 / (1 + rate * step) for step in steps] + [0.7 + number / 20],
                    steps=[*steps, 0],
                    times_ms=[1_700_000_000_000 + step * 1000 for step in [*steps, 0]],
                    params=[{"key": "rate", "value": str(rate)}, {"key": "model", "value": "forest"}],
                )
                place = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts/notes.csv"
                assert http.put(place, content=f"step,loss\n0,1\n199,{rate}\n").status_code == 200
                self.ask("tracking.update", run=run, status="FINISHED", end_ms=1_700_000_200_000)


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home = own_demo_home(shared_folder(tmp_path_factory), tmp_path_factory.mktemp("browser") / "home")
    with opened_house(home, "--project", "flights") as house:
        yield house


@contextmanager
def opened_house(home: Path, *options: str) -> Iterator[House]:
    """A `treadle up` over a home, with that as its working folder, until the end of the `with`."""
    command = [sys.executable, "-m", "treadle.faces.cli.entry", "up", "--home", str(home), *options]
    said = (home / "up.log").open("wb")
    with subprocess.Popen(
        [*command, "--port", "0", "--serve-port", "0", "--json"], cwd=home, stdout=subprocess.PIPE, stderr=said
    ) as process:
        try:
            assert process.stdout is not None
            answer = json.loads(_document(process.stdout))
            yield House(home, answer["url"], home_token(home))
        finally:
            process.terminate()
            process.wait(30)
            said.close()


def _document(stream: Any) -> str:
    """The first JSON document on a stream, which is laid out over lines."""
    text = ""
    for line in stream:
        text += line.decode()
        if line.rstrip() == b"}":
            break
    return text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: while it is open an event loop runs in this thread, which the tests of others may want to begin."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Looker:
    """Somebody who is signed in and looks at pages; what the pages complain about is kept."""

    house: House
    page: Page
    complaints: list[str] = field(default_factory=list)

    def visit(self, path: str) -> Page:
        """Goes to a page, and waits until it stands."""
        self.page.goto(self.house.url + path)
        return self.settled()

    def settled(self) -> Page:
        """The page once nothing of it is loading any more."""
        expect(self.page.locator("main h1")).to_be_visible()
        expect(self.page.locator("[aria-label=Loading]")).to_have_count(0)
        return self.page

    def picture(self, name: str) -> None:
        """A picture of the page as it is."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}.png")

    def obstacles(self) -> list[str]:
        """What keeps people with disabilities out of the page, as axe finds it: only what is serious."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{one['id']}: {node['html'][:160]} ({one['help']})"
            for one in found["violations"]
            if one["impact"] in SERIOUS
            for node in one["nodes"]
        ]


@pytest.fixture
def looker(house: House, browser: Browser) -> Iterator[Looker]:
    """A signed-in person in a fresh browser window. The test fails when a page complains in the console."""
    with looking(house, browser) as looker:
        yield looker


@contextmanager
def looking(house: House, browser: Browser) -> Iterator[Looker]:
    """A signed-in person in a fresh browser window of a house. Fails at its end when a page has complained."""
    context = browser.new_context(viewport=WIDE, color_scheme="light", reduced_motion="reduce")
    signed = context.request.post(f"{house.url}/api/v1/session", data={"token": house.token})
    assert signed.status == 204, signed.text()
    looker = Looker(house, context.new_page())
    looker.page.on("console", lambda said: _keep(looker, said.type, said.text))
    looker.page.on("pageerror", lambda error: looker.complaints.append(str(error)))
    yield looker
    context.close()
    assert looker.complaints == []


def _keep(looker: Looker, kind: str, text: str) -> None:
    if kind in ("error", "warning") and not re.search(r"net::ERR_ABORTED", text):
        looker.complaints.append(text)
