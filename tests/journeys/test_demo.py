"""The demo, on the real flights, as far as the first weeks of May: killed on its way, and taken up again."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import signal
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

import treadle as td
from tests.demo_home import TREADLE, UNTIL, alone, demo, own_demo_home, shared_demo_home, shared_folder
from treadle.loops.feedback.archive import dataset_of
from treadle.systems.monitor.requests import ListAlerts, ListWindows
from treadle.systems.train.registry.service import ModelNamed, VersionNamed

ENDPOINT = "late-arrival"
EMPTY = {"meta", "br", "line", "rect", "circle", "path"}


def named_verb(command: str) -> str:
    """The verb of a command, which may be called as `treadle` or as a module."""
    return next(word for word in command.split() if word in ("why", "replay", "verify"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all processes of this test run have in common."""
    return shared_folder(tmp_path_factory)


@pytest.fixture(scope="module")
def home(shared: Path) -> Path:
    """The home of a demo that was killed in April, and then went on to its end."""
    return shared_demo_home(shared)


@pytest.fixture(scope="module")
def report(home: Path) -> dict[str, Any]:
    return json.loads((home / "report.json").read_text())


@pytest.fixture(scope="module")
def again(shared: Path, home: Path, report: dict[str, Any]) -> dict[str, Any]:
    """What the same demo answers when it is called once more."""
    with alone(shared):
        done = demo(home, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def workspace(home: Path):
    with td.open_workspace(home, project="flights") as opened:
        yield opened


def test_the_report_has_what_it_promises(report):
    kinds = {
        "seconds": float,
        "weeks": list,
        "alerts": list,
        "retrains": list,
        "decisions": list,
        "quarantined": int,
        "incidents": list,
        "examples": dict,
    }

    assert {name: type(report[name]) for name in kinds} == kinds
    for week in report["weeks"]:
        assert {"week", "model_version", "n", "auc", "drift"} <= week.keys()
    for alert in report["alerts"]:
        assert {"id", "week", "columns"} <= alert.keys()
    assert {"run", "caused_by"} <= {name for one in report["retrains"] for name in one}
    assert {"model_version", "promoted", "reason"} <= report["decisions"][0].keys()
    assert {"prediction", "model_version", "run"} == report["examples"].keys()


def test_every_flight_was_predicted_once_although_the_demo_was_killed(report, workspace):
    snapshot = workspace.datasets.snapshot("flights", dataset_of(ENDPOINT))
    asked = workspace.datasets.scan("flights", snapshot).select("entity", "prediction_id").collect()

    assert asked["entity"].n_unique() == asked["prediction_id"].n_unique() == asked.height
    assert sum(week["n"] for week in report["weeks"]) == report["predictions"] == asked.height
    flights = workspace.datasets.scan("flights", workspace.datasets.snapshot("flights", "flights"))
    due = flights.filter(
        pl.col("sched_dep_at").is_between(
            pl.datetime(2013, 4, 1, 5, time_zone="UTC"), pl.datetime(2013, 5, 6, 5, time_zone="UTC"), closed="left"
        )
    )
    assert set(asked["entity"]) == set(due.select("flight_id").collect()["flight_id"])


def test_the_weeks_are_those_of_the_monitor(report, workspace):
    windows = workspace.monitors.windows(workspace.caller, ListWindows(name=ENDPOINT))

    told = [(week["week"], week["model_version"], week["n"], week["auc"], week["drift"]) for week in report["weeks"]]
    assert told == [
        (f"{w.starts_at:%Y-%m-%d}", f"{ENDPOINT}/{w.model_version}", w.rows, w.performance.auc, w.drift.score)
        for w in windows
    ]


def test_alerts_start_retrainings_and_these_end_in_decisions(report, workspace):
    alerts = {alert.id for alert in workspace.alerts.list(workspace.caller, ListAlerts())}

    assert report["alerts"]
    assert {alert["id"] for alert in report["alerts"]} == alerts
    assert report["retrains"]
    assert {retrain["caused_by"] for retrain in report["retrains"]} <= alerts
    trained = {retrain["run"]: retrain["caused_by"] for retrain in report["retrains"] if retrain["trained"]}
    assert trained
    assert trained == {one["run"]: one["caused_by"] for one in report["decisions"] if one["caused_by"]}


def test_the_decisions_are_the_evidence_of_every_version(report, workspace):
    versions = workspace.registry.models.versions(workspace.caller, ModelNamed(model=ENDPOINT))
    sheets = [
        workspace.registry.models.get(workspace.caller, VersionNamed(model=ENDPOINT, version=str(version.number)))
        for version in versions
    ]
    on_record = {
        (f"{ENDPOINT}/{sheet.version.number}", evidence.body["promoted"], evidence.body["reason"])
        for sheet in sheets
        for evidence in sheet.evidence
        if evidence.kind == "gate"
    }

    assert {(one["model_version"], one["promoted"], one["reason"]) for one in report["decisions"]} == on_record
    assert len(report["decisions"]) == len(on_record) >= 2


def test_the_impossible_wind_is_in_quarantine_with_an_incident(report):
    assert report["quarantined"] == len(report["quarantine"]) >= 1
    assert "weather" in {row["dataset"] for row in report["quarantine"]}
    assert "weather" in {incident["dataset"] for incident in report["incidents"] if incident["rows"] == 1}


def test_run_again_it_answers_what_it_answered_and_predicts_nothing_twice(report, again):
    changing = {"seconds", "home", "report", "try"}

    assert {name: value for name, value in again.items() if name not in changing} == {
        name: value for name, value in report.items() if name not in changing
    }


def test_json_is_the_report_with_the_places_and_the_commands(home, again):
    assert again["home"] == str(home)
    assert again["report"] == str(home / "report.html")
    assert json.loads((home / "report.json").read_text()).items() <= again.items()
    assert [named_verb(command) for command in again["try"]] == ["why", "replay", "verify"]


def test_the_three_commands_that_it_names_answer(again):
    for command in again["try"]:
        verb = named_verb(command)
        done = subprocess.run([*shlex.split(command), "--json"], capture_output=True, text=True, check=False)

        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        if verb == "why":
            assert "snap_" in done.stdout
        elif verb == "replay":
            assert (found["model"]["verdict"], found["features"]["verdict"]) == ("identical", "identical")
        else:
            assert found["verdict"] in ("identical-bytes", "identical-model")


def test_the_tutorials_questions_about_the_data_are_answered(home, report):
    tutorial = (Path(__file__).parents[2] / "docs" / "tutorials" / "the-demo.md").read_text(encoding="utf-8")
    block = tutorial.partition("## Look at its data")[2].partition("```text")[2].partition("```")[0]
    said = {}
    for command in block.strip().splitlines():
        words = shlex.split(command.removeprefix("treadle "))
        done = subprocess.run([*TREADLE, *words], cwd=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (command, done.stderr)
        said[" ".join(words[:2])] = done.stdout

    assert len(said) == len(block.strip().splitlines()) > 5
    assert "wind_speed" in said["datasets profile"]
    assert "LGA" in said["datasets query"]
    assert "left_within_twelve_hours" in said["quarantine list"]
    assert "Owner: carol" in said["features page"]


def test_a_person_sees_the_weeks_and_what_to_ask_next(home, report):
    shown = (home / "shown.txt").read_text()

    for week in report["weeks"]:
        assert f"\n{week['week']}" in shown
    assert report["examples"]["prediction"] in shown
    assert "quarantine" in shown
    assert "incidents" in shown


class Balance(HTMLParser):
    """Whether every element that is opened is closed, and what the page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in EMPTY:
            self.open.append(tag)
        self.fetched += [f"{tag} {name}" for name, _ in attributes if name in ("src", "href", "srcset", "data")]
        self.fetched += [tag] if tag in ("script", "link", "iframe", "img", "object") else []

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag not in EMPTY:
            self.wrong.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


def test_the_page_is_well_formed_and_asks_nothing_of_the_network(home, report):
    text = (home / "report.html").read_text()
    page = Balance()
    page.feed(text)

    assert page.wrong == []
    assert page.open == []
    assert page.fetched == []
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert report["examples"]["prediction"] in text
    assert all(decision["run"] in text for decision in report["decisions"])


@pytest.mark.parametrize("options", [(), ("--fresh",)])
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, options):
    (tmp_path / "treadle.toml").write_text('project = "mine"\n')
    (tmp_path / "thesis.txt").write_text("years of work")

    done = demo(tmp_path, *options)

    assert done.returncode != 0
    assert "is not the home of a demo" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis.txt", "treadle.toml"]


def test_a_day_outside_of_the_year_is_refused_before_anything_is_written(tmp_path):
    home = tmp_path / "home"
    command = [*TREADLE, "demo", "--home", str(home), "--until", "2012-01-01"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "cannot end" in done.stderr
    assert not (home / "treadle.db").exists()


def test_at_a_terminal_the_demo_ends_with_an_address_that_opens_its_pages(shared, tmp_path):
    home = own_demo_home(shared, tmp_path / "home")
    parent, child = pty.openpty()
    command = [*TREADLE, "demo", "--home", str(home), "--until", UNTIL]
    with subprocess.Popen(command, stdin=child, stdout=child, stderr=child, start_new_session=True) as process:
        os.close(child)
        said = ""
        while "/open?code=" not in said or not said.endswith("\n"):
            said += os.read(parent, 4096).decode()
        link = re.findall(r"http://\S+/open\?code=\S+", said)[0]
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            session = browser.get(link).url.join("/api/v1/session")
            looked = browser.get(session).json()
        process.send_signal(signal.SIGINT)
        while said_last := _read(parent):
            said += said_last
    os.close(parent)

    assert (looked["project"], looked["is_owner"]) == ("flights", True)
    assert process.returncode == 0
    assert said.rstrip().endswith("stopped")


def _read(terminal: int) -> str:
    """What is said next; nothing once nobody is at the other side."""
    try:
        return os.read(terminal, 4096).decode()
    except OSError:
        return ""
