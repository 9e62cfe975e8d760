"""`treadle contracts`: from a draft to a page, with and without a store."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import httpx
import polars as pl
import pytest

from treadle.assembly import Workspace
from treadle.faces.api import HomeToken, Server, build
from treadle.faces.cli import entry
from treadle.ground.settings import load

CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: orders
version: 1.0.0
status: active
name: Orders <b>
description:
  purpose: What was ordered.
  usage: |
    1. Amounts below zero are refunds
       and are refused.
    2. Ask before you mend.
team: {members: [{username: ada, role: owner}]}
support: [{channel: "#orders", url: "javascript:alert(1)"}, {channel: desk, url: "https://desk.example.org"}]
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer, primaryKey: true}
      - name: amount
        logicalType: number
        logicalTypeOptions: {minimum: 0}
        customProperties: [{property: unit, value: EUR}]
        quality:
          - {name: rarely_missing, metric: nullValues, mustBe: 0, severity: warning, businessImpact: the bill is wrong}
    quality:
      - {type: text, description: When in doubt ask Ada.}
      - {name: odd, type: custom, engine: python, implementation: is_odd}
"""
ROWS = pl.DataFrame({"id": [1, 2, 2, 4], "amount": [3.5, -1.0, None, 9.0]})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a contract and rows, and a home in which they landed."""
    folder = tmp_path_factory.mktemp("contracts")
    (folder / "orders.odcs.yaml").write_text(CONTRACT)
    ROWS.write_parquet(folder / "orders.parquet")
    (folder / "inbox").mkdir()
    ROWS.write_csv(folder / "inbox" / "orders.csv")
    assert entry.main(["datasets", "land", "orders", "*.csv", "--home", str(folder)]) == 0
    assert entry.main(["contracts", "publish", "orders", str(folder / "orders.odcs.yaml"), "--home", str(folder)]) == 0
    return folder


@pytest.fixture
def treadle(place, capsys, monkeypatch):
    """Calls a command there; answers its exit code and its answer as JSON."""
    monkeypatch.chdir(place)
    capsys.readouterr()

    def call(*words: str):
        code = entry.main([*words, "--home", str(place), "--json"])
        captured = capsys.readouterr()
        return code, json.loads(captured.out or captured.err)

    return call


def outcomes(report):
    return {one["rule"]: one["failed"] for one in report["results"] if not one["skipped"]}


FOUND = {"id.required": 0, "amount.range": 1, "rarely_missing": 1, "primary_key": 1}


def test_a_file_is_checked_without_a_store(treadle, monkeypatch):
    code, report = treadle("contracts", "check", "orders.odcs.yaml", "orders.parquet")

    assert (code, report["passed"], report["rows"]) == (1, False, 4)
    assert outcomes(report) == FOUND
    assert "@td.rule" in next(one["skipped"] for one in report["results"] if one["rule"] == "odd")


def test_a_csv_is_checked_alike(treadle):
    assert outcomes(treadle("contracts", "check", "orders.odcs.yaml", "inbox/orders.csv")[1]) == FOUND


def test_a_dataset_is_checked_by_what_holds_and_by_what_is_tried(treadle):
    code, kept = treadle("contracts", "check", "orders")
    _, tried = treadle("contracts", "check", "orders.odcs.yaml", "orders@1")

    assert code == 1
    assert outcomes(kept) == outcomes(tried) == FOUND
    assert kept["id"]
    assert not tried["id"]


@pytest.mark.parametrize("what", [("orders",), ("orders.odcs.yaml", "orders.parquet")])
def test_failing_rows_are_shown_with_their_values(treadle, what):
    _, answer = treadle("contracts", "check", *what, "--rows")

    shown = {(one["rule"], one["row"]): one["values"] for one in answer["failing"]}
    assert shown == {
        ("amount.range", 1): {"amount": -1.0},
        ("rarely_missing", 2): {"amount": None},
        ("primary_key", 2): {"id": 2},
    }
    assert all((":" in one["id"]) if what == ("orders",) else one["id"] is None for one in answer["failing"])


def test_all_failing_rows_are_written_to_a_file(treadle, place):
    treadle("contracts", "check", "orders.odcs.yaml", "orders.parquet", "--rows-to", "bad.parquet")

    lines = set(pl.read_parquet(place / "bad.parquet").iter_rows())
    assert lines == {("amount.range", 1), ("rarely_missing", 2), ("primary_key", 2)}


def test_python_rules_run_from_a_file_that_the_caller_names(treadle, place):
    (place / "checks.py").write_text(
        "import polars as pl\nimport treadle as td\n\n\n"
        "@td.rule(columns=['id'])\ndef is_odd(frame):\n    return pl.col('id') % 2 == 1\n"
    )

    _, report = treadle("contracts", "check", "orders.odcs.yaml", "orders.parquet", "--python", "checks.py")

    assert outcomes(report)["odd"] == 3


def test_warnings_fail_only_where_one_is_strict(treadle, place):
    ROWS.head(1).with_columns(amount=pl.lit(None, dtype=pl.Float64)).write_parquet(place / "one.parquet")

    assert treadle("contracts", "check", "orders.odcs.yaml", "one.parquet")[0] == 0
    assert treadle("contracts", "check", "orders.odcs.yaml", "one.parquet", "--strict")[0] == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("contracts", "check", "orders.odcs.yaml", "nowhere.parquet"), "contract.file_unreadable"),
        (("contracts", "check", "missing.yaml", "orders.parquet"), "cli.contract_file_missing"),
        (("contracts", "check", "orders", "--rows-to", "x.csv"), "cli.usage"),
        (("contracts", "check", "a", "b", "c"), "cli.usage"),
        (
            ("contracts", "check", "orders.odcs.yaml", "orders.parquet", "--rows", "--rule", "od"),
            "contract.rule_refused",
        ),
        (("contracts", "show", "orders@9"), "cli.contract_file_missing"),
        (("contracts", "export"), "cli.usage"),
    ],
)
def test_what_cannot_be_done_says_so(treadle, words, code):
    found, answer = treadle(*words)

    assert found > 1 or answer["code"] == code
    assert answer["code"] == code


def test_a_draft_is_written_once_and_is_read_back(treadle, place):
    code, _ = treadle("contracts", "init", "orders", "-o", "draft.odcs.yaml")
    again, refused = treadle("contracts", "init", "orders", "-o", "draft.odcs.yaml")
    _, offline = treadle("contracts", "init", "bought", "--rows", "orders.parquet")

    assert (code, refused["code"]) == (0, "cli.would_overwrite")
    assert again
    assert "name: bought" in offline["text"]
    assert treadle("contracts", "check", "draft.odcs.yaml", "orders.parquet")[0] == 0


def test_a_breaking_change_without_its_version_fails_in_ci(treadle, place):
    changed = CONTRACT.replace("minimum: 0}", "minimum: 1}")
    (place / "next.odcs.yaml").write_text(changed)

    code, found = treadle("contracts", "diff", "orders@1.0.0", "next.odcs.yaml")
    (place / "next.odcs.yaml").write_text(changed.replace("version: 1.0.0", "version: 2.0.0"))

    assert (code, found["bump"], found["wanted_version"]) == (1, "major", "2.0.0")
    assert [one["breaks"] for one in found["changes"]] == ["writers"]
    assert treadle("contracts", "diff", "orders", "next.odcs.yaml")[0] == 0


def test_hints_say_what_is_left_unsaid(treadle):
    code, hints = treadle("contracts", "lint", "orders.odcs.yaml")

    assert code == 0
    assert {"service_level", "description"} <= {one["code"] for one in hints}


def test_every_version_that_held_is_listed(treadle):
    assert [one["version"] for one in treadle("contracts", "history", "orders")[1]] == ["1.0.0"]


class Outline(HTMLParser):
    """The headings of a page, and what it would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.foreign: list[str] = []
        self._in_heading = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self._in_heading = tag in ("h1", "h2")
        links = [value for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.foreign += [value for value in links if not value.startswith(("#", "https://desk"))] + (
            [tag] if tag in ("script", "iframe", "link", "img") else []
        )

    def handle_data(self, data):
        if self._in_heading:
            self.headings.append(data)
            self._in_heading = False


def test_a_page_reads_like_a_document_and_loads_nothing(treadle, place):
    treadle("contracts", "check", "orders")
    _, done = treadle("contracts", "export", "--html", "-o", "pages")

    text = (place / "pages" / "orders.html").read_text()
    found = Outline(text)
    assert [Path(path).name for path in done["files"]] == ["orders.html", "index.html"]
    assert found.headings[0] == "Orders <b>"
    assert {"How this data is cleaned", "Rules", "Columns", "Whom to ask", "Quality over time"} <= set(found.headings)
    assert found.foreign == []
    assert "<li>Amounts below zero are refunds and are refused.</li>" in text
    assert "amount is at least 0" in text
    assert "the bill is wrong" in text
    assert "orders.html" in (place / "pages" / "index.html").read_text()


def test_the_same_is_written_as_markdown(treadle, place):
    treadle("contracts", "export", "orders", "--markdown", "-o", "texts")

    text = (place / "texts" / "orders.md").read_text()
    assert "| `amount.range` | amount is at least 0 | a row that fails is refused (error) |" in text
    assert "When in doubt ask Ada." in text


def test_pages_are_served_to_those_who_may_read_them(place):
    with Workspace(load({"home": place}, environ={}, folder=place), actor="ada") as workspace:
        authenticator = HomeToken("secret", actor="ada")
        app = build(workspace.bound(), authenticator, version="1")
        with Server(app, authenticator, port=0) as running:
            said = {"Authorization": "Bearer secret"}
            with httpx.Client(base_url=running.url, headers=said, trust_env=False) as web:
                page = web.get("/api/v1/contracts/page.html", params={"dataset": "orders"})
                index = web.get("/api/v1/contracts/index.html")
                missing = web.get("/api/v1/contracts/page.html", params={"dataset": "nope"})
                stranger = web.get("/api/v1/contracts/page.html", headers={"Authorization": "Bearer x"})

    assert "Orders &lt;b&gt;" in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "page.html?dataset=orders" in index.text
    assert (missing.status_code, stranger.status_code) == (404, 401)
