"""Sources as treadle.toml declares them and the command line runs them."""

from __future__ import annotations

import json
import re
import sqlite3
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from treadle.assembly import open_workspace
from treadle.faces.cli import entry
from treadle.faces.sdk.connecting import client_of
from treadle.ground.errors import TreadleError
from treadle.systems.collect.connectors.declaring import KINDS, declared_sources

TOML = """
[sources.orders]
kind = "sql"
url = "sqlite:///shop.db"
table = "orders"
cursor = "id"
batch_rows = 2

[sources.wrong]
kind = "sql"
url = "sqlite:///shop.db"
table = "oders"
cursor = "id"

[sources.typo]
kind = "sql"
url = "sqlite:///shop.db"
tabel = "orders"

[sources.leaky]
kind = "sql"
url = "postgresql://reader:geheim@127.0.0.1/shop"
table = "orders"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "treadle.toml").write_text(TOML)
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        connection.execute("create table orders (id integer, item text)")
        connection.executemany("insert into orders values (?, ?)", [(1, "tea"), (2, "rice"), (3, "oil")])
    connection.close()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def treadle(shop, capsys):
    """Calls a command; answers its exit code and what it printed."""

    def call(*words: str) -> tuple[int, str]:
        code = entry.main(list(words))
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return call


def test_a_run_says_what_landed_and_how_fast(treadle):
    code, text = treadle("sources", "run", "orders")

    assert code == 0
    assert "orders  2 batches  3 rows" in text
    assert "rows/s" in text
    assert treadle("sources", "run", "orders") == (0, "Nothing new.\n")


def test_a_run_as_json_is_a_line_a_landing(treadle):
    _, text = treadle("sources", "run", "orders", "--json", "--limit", "1")

    [landing] = [json.loads(line) for line in text.splitlines()]

    assert (landing["rows_in"], landing["rows_kept"], landing["state"]) == (2, 2, "committed")
    assert landing["source"]["table"] == "orders"


def test_a_source_is_checked_before_it_runs(treadle):
    code, text = treadle("sources", "check", "orders")
    wrong, why = treadle("sources", "check", "wrong")

    assert code == 0
    assert "Ready: treadle sources run orders" in text
    assert "tea" in text
    assert wrong == 1
    assert "no such table: oders" in why
    assert treadle("sources", "run", "orders")[1].count("batches") == 1  # nothing had landed, nothing was skipped


def test_the_list_shows_how_far_each_has_come_and_what_is_declared_wrong(treadle):
    treadle("sources", "run", "orders")

    _, text = treadle("sources", "list", "--json")
    found = {one["name"]: one for one in json.loads(text)}

    assert (found["orders"]["batches"], found["orders"]["rows"]) == (2, 3)
    assert "Did you mean 'table'?" in found["typo"]["problem"]
    assert "geheim" not in text
    assert "password" in found["leaky"]["problem"]


def test_a_source_is_shown_with_its_cursor_and_its_landings(treadle):
    treadle("sources", "run", "orders")

    code, text = treadle("sources", "show", "orders")

    assert code == 0
    assert '"text":"3"' in text
    assert text.count("committed") == 2


def test_a_name_that_is_not_declared_says_which_are(treadle):
    code, text = treadle("sources", "run", "oders")

    assert code != 0
    assert "Did you mean 'orders'?" in text


def test_a_client_can_only_name_a_source_and_only_in_the_project_that_declares_it(shop):
    with open_workspace() as workspace:
        stranger = replace(workspace.caller, project="another")

        with pytest.raises(TreadleError) as caught:
            client_of(workspace).call("sources.run", name="orders", url="sqlite:///etc.db")

        assert caught.value.code == "verbs.request_invalid"
        assert workspace.sources.list(stranger) == []


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"kind": "sqll"}, "sqll"),
        ({"url": "sqlite:///shop.db"}, "no kind"),
        ({"kind": "sql", "url": "sqlite:///shop.db", "table": "orders", "batch_rows": 0}, "batch_rows"),
        ({"kind": "files", "pattern": "*.csv", "settle_s": -1}, "settle_s"),
        ({"kind": "files", "pattern": "*.csv", "schedule": "every day"}, "cron"),
        ({"kind": "files", "pattern": "*.csv", "every_s": 5, "schedule": "@daily"}, "both"),
        ({"kind": "http", "url": "https://a.example", "headers": {"Authorization": "Bearer x"}}, "plain text"),
        ({"kind": "objects", "url": "s3://b", "config": {"secret_access_key": "x"}}, "plain text"),
        ({"kind": "sql", "url": "mysql://r@h/d", "password": "x", "table": "t"}, "plain text"),
        ({"kind": "sql", "url": "mysql://r@h/d?password=x", "table": "t"}, "password"),
    ],
)
def test_what_is_declared_wrong_is_said_before_anything_connects(tmp_path, table, says):
    with pytest.raises(TreadleError) as caught:
        declared_sources({"orders": table}, tmp_path)["orders"].open()

    assert says in " ".join(caught.value.sentences())


def test_every_declaration_of_the_how_to_page_can_be_opened(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "collect-data.md").read_text()
    blocks = re.findall(r"^```toml[^\n]*\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    kinds = set()

    for block in blocks:
        for declared in declared_sources(tomllib.loads(block)["sources"], tmp_path).values():
            declared.open()
            kinds.add(declared.common.kind)

    assert kinds == set(KINDS.names())
