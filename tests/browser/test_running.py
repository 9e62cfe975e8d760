"""Pipelines and runs by clicking: a run with parameters, one that fails and goes on, a question that is answered.

Each works in a process of its own that `treadle up` starts, from the code as it was published.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import House, Looker, looking, opened_house

PIPELINE = """
from pathlib import Path

import treadle as td

GATE = Path(__file__).parent


@td.step
def read(rows: int) -> list[int]:
    print("\\x1b[32mreading\\x1b[0m", rows, "rows")
    return list(range(rows))


@td.step
def total(values: list[int], place: str) -> int:
    if not Path(place).exists():
        raise FileNotFoundError("the gate is closed")
    return sum(values)


@td.pipeline(schedule="0 3 * * *")
def sums(rows: int, place: str = "."):
    return total(read(rows), place)


@td.pipeline
def asking():
    return td.wait_for_approval("the new price", request={"price": 4})
"""


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home whose two pipelines are published."""
    home = tmp_path_factory.mktemp("workshop")
    (home / "pipeline.py").write_text(PIPELINE)
    publish = [sys.executable, "-m", "treadle.faces.cli.entry", "publish", "pipeline.py", "--home", str(home)]
    subprocess.run(publish, cwd=home, check=True, capture_output=True)
    with opened_house(home) as house:
        yield house


@pytest.fixture
def worker(workshop: House, browser: Browser) -> Iterator[Looker]:
    with looking(workshop, browser) as worker:
        yield worker


def asked_for(page: Page, button: str, **parameters: str) -> None:
    """Fills the form of a run, and waits until the page is that of the run which came of it."""
    page.get_by_role("button", name=button).click()
    form = page.get_by_role("dialog")
    for name, text in parameters.items():
        form.get_by_label(name).fill(text)
    form.get_by_role("button", name="Run", exact=True).click()
    expect(form).to_have_count(0, timeout=30_000)
    page.wait_for_url(re.compile("/runs/run_"))


def stands(page: Page, status: str) -> None:
    expect(page.locator("h1").get_by_text(status)).to_be_visible(timeout=30_000)


def test_what_a_plan_foretells_is_run_followed_to_its_end_and_known_when_it_is_run_again(worker: Looker) -> None:
    page = worker.visit("/pipelines/sums")
    page.get_by_label("rows").fill("5")
    page.get_by_role("button", name="Plan it").click()
    steps = page.get_by_role("region", name="Steps and why they would run")
    expect(steps.get_by_role("row", name=re.compile("would run read it has not run before"))).to_be_visible()
    expect(steps.get_by_role("row", name=re.compile("depends total depends on sums.read"))).to_be_visible()

    asked_for(page, "Run it now", rows="5")
    stands(page, "done")

    page.get_by_role("tab", name="Logs").click()
    expect(page.get_by_role("log").get_by_text("reading 5 rows")).to_be_visible()
    page.get_by_label("Search the lines").fill("no such line")
    expect(page.get_by_text("0 lines found")).to_be_visible()
    page.get_by_role("tab", name="Inputs and outputs").click()
    expect(page.get_by_role("region", name="Outputs").get_by_text("[0,1,2,3,4]")).to_be_visible()

    first = page.url.partition("?")[0]
    asked_for(page, "Run again")
    expect(page).not_to_have_url(re.compile(first))
    stands(page, "done")
    page.get_by_role("list").get_by_role("button", name=re.compile("^read")).click()
    expect(page.get_by_text("It was not run again")).to_be_visible()
    page.get_by_role("link", name="It is sums/read of the run").click()
    expect(page).to_have_url(re.compile(first))


def test_a_run_that_failed_says_why_and_goes_on_once_it_is_mended(worker: Looker, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    page = worker.visit("/pipelines/sums")
    asked_for(page, "Run it now", rows="6", place=str(gate))
    stands(page, "failed")
    expect(page.get_by_label("What went wrong").first).to_contain_text("the gate is closed")

    gate.touch()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("dialog").get_by_role("button", name="Resume").click()

    stands(page, "done")
    page.get_by_role("tab", name="Why").click()
    expect(page.get_by_text("resumed")).to_be_visible()
    run = page.url.split("/runs/")[1].partition("?")[0]
    assert worker.house.ask("runs.get", run=run)["run"]["attempt"] == 2


def test_a_question_is_answered_and_a_pipeline_is_paused(worker: Looker) -> None:
    page = worker.visit("/pipelines/asking")
    asked_for(page, "Run it now")
    stands(page, "waiting")
    page = worker.visit("/runs")
    page.get_by_role("link", name="the new price").click()
    page.get_by_role("button", name="Yes").click()
    page.get_by_role("dialog").get_by_role("button", name="Yes").click()
    stands(page, "done")

    page = worker.visit("/pipelines/sums?tab=starts")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Resume")).to_be_visible()

    assert [line["is_paused"] for line in worker.house.ask("triggers.list")] == [True]
    said = worker.house.ask("events.list", kinds=["wait.answered", "trigger.paused"])
    assert [event["kind"] for event in said] == ["trigger.paused", "wait.answered"]


def test_runs_are_found_by_name_and_status_and_the_address_keeps_that(worker: Looker) -> None:
    page = worker.visit("/runs?status=failed&name=SUM")
    expect(page.get_by_text("No run is like that.").or_(page.get_by_role("link", name="sums").first)).to_be_visible()
    page.get_by_label("Part of the name").fill("no such pipeline")

    expect(page.get_by_text("No run is like that.")).to_be_visible()
    expect(page).to_have_url(re.compile("name=no"))
