"""The profile of a dataset in the terminal and as a page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import httpx
import polars as pl
import pytest

from treadle.assembly import Workspace
from treadle.faces.api import HomeToken, Server, build
from treadle.faces.api.pages import page_routes
from treadle.faces.cli.entry import main
from treadle.faces.pages.dataset_profile import profile_page
from treadle.faces.plots.bars import sparkline
from treadle.ground.settings import load
from treadle.systems.prepare.profiling.records import ProfileOf


class Reader(HTMLParser):
    """Collects what a browser would fetch, and how elements are nested."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.labels: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.addresses += [str(known[name]) for name in ("src", "href") if name in known]
        if tag == "svg":
            self.labels.append(known.get("aria-label") or "")
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    rows = pl.DataFrame(
        {
            "amount": [float(k % 17) for k in range(400)],
            "<shop>": ["north", "south & west", '"x"', None] * 100,
            "mail": [f"ada{k}@example.org" for k in range(400)],
            "day": pl.Series(range(400)).cast(pl.Date),
        }
    )
    with Workspace(load({"home": str(tmp_path / "home")}, environ={}, folder=tmp_path), actor="ada") as workspace:
        workspace.datasets.land(workspace.caller, "sales", rows)
    return tmp_path / "home"


def test_the_terminal_shows_every_column_with_what_it_holds(home, capsys):
    assert main(["datasets", "profile", "sales"]) == 0

    out = capsys.readouterr().out
    assert "400 rows, 4 columns" in out
    assert "█" in out
    assert "north 33%" in out
    assert "possibly personal: email" in out
    assert "ada1@" not in out


def test_a_program_gets_the_same_as_one_document(home, capsys):
    assert main(["datasets", "profile", "sales", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["columns"][0]["name"]) == (400, "amount")


def test_the_page_stands_alone_and_lets_no_name_become_markup(home, capsys, tmp_path):
    assert main(["datasets", "profile", "sales", "--html", str(tmp_path / "page.html")]) == 0

    page = (tmp_path / "page.html").read_text()
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.addresses == []
    assert "Histogram of amount" in reader.labels
    assert all(reader.labels)
    assert "&lt;shop&gt;" in page
    assert "<shop>" not in page
    assert "@example.org" not in page


def test_the_api_answers_the_page_to_those_who_may_read(home, tmp_path):
    with Workspace(load({"home": str(home)}, environ={}, folder=tmp_path), actor="ada") as workspace:
        bound, token = workspace.bound(), HomeToken("a-token", actor="ada")
        app = build(bound, token, version="1", foreign_routes=page_routes(bound, token))
        with Server(app, token, port=0) as running, httpx.Client(base_url=running.url, trust_env=False) as web:
            known = {"Authorization": "Bearer a-token"}
            found = web.get("/pages/datasets/sales/profile", headers=known)
            refused = web.get("/pages/datasets/sales/profile")
            missing = web.get("/pages/datasets/sail/profile", headers=known)

    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in found.headers["content-security-policy"]
    assert "&lt;shop&gt;" in found.text
    assert (refused.status_code, missing.status_code) == (401, 404)


def test_the_terminal_shows_how_landings_compare(home, capsys, tmp_path):
    with Workspace(load({"home": str(home)}, environ={}, folder=tmp_path), actor="ada") as workspace:
        for k in range(18):
            rows = pl.DataFrame(
                {
                    "amount": [float(n % 7) for n in range(200 if k < 17 else 900)],
                    "n": range(200 * k, 200 * k + (200 if k < 17 else 900)),
                }
            )
            workspace.datasets.land(workspace.caller, "daily", rows)

    assert main(["datasets", "anomalies", "daily"]) == 0
    shown = capsys.readouterr().out
    assert main(["datasets", "anomalies", "daily", "--check", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)

    assert "volume: expected" in shown
    assert "├" in shown
    assert "learning" in shown
    assert told["landings"][-1]["is_told"]
    assert main(["incidents", "list"]) == 0
    assert "unusual volume" in capsys.readouterr().out


def test_a_very_wide_dataset_is_listed_beyond_the_first_cards(tmp_path):
    with Workspace(load({"home": str(tmp_path)}, environ={}, folder=tmp_path), actor="ada") as workspace:
        workspace.datasets.land(workspace.caller, "wide", pl.DataFrame({f"c{k}": [k] for k in range(450)}))
        page = profile_page(workspace.profiles.get(workspace.caller, ProfileOf(dataset="wide")))

    assert page.count("<article") == 400
    assert "c449" in page


def test_a_sparkline_has_a_sign_for_each_bar():
    assert sparkline([0, 1, 4, 8]) == " ▂▅█"
    assert sparkline([]) == sparkline([0.0]) == ""
