"""Cleaned rows and incidents on the graph: back to what a row said at first, and on to what rests on bad data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import treadle as td
from tests.systems.prepare.cleaning.conftest import ROWS, SALES
from treadle.faces.cli import entry
from treadle.kernel.vocabulary.datasets import RowId
from treadle.loops.provenance import Node
from treadle.loops.provenance.landed import Landed
from treadle.loops.provenance.records import ImpactRequest, WhyRequest
from treadle.systems.prepare.records import ListIncidents, PublishContract


@td.step
def total(sales: pl.DataFrame) -> float:
    return float(sales["price"].sum())


@td.pipeline
def report():
    return total(td.clean(td.dataset("sales.raw").snapshot()))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[td.Workspace]:
    with td.open_workspace(tmp_path / "home") as workspace, td.use(workspace):
        workspace.contracts.publish(workspace.caller, PublishContract(dataset="sales", text=SALES))
        td.dataset("sales.raw").land(ROWS)
        yield workspace


def why(home: td.Workspace, id: str) -> Node:
    return home.provenance.why(home.caller, WhyRequest(id=id))


def impact(home: td.Workspace, id: str) -> Node:
    return home.provenance.impact(home.caller, ImpactRequest(id=id))


def of_kind(node: Node, kind: str) -> list[str]:
    return [one.title for one in node.walk() if one.kind == kind]


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_a_cleaned_snapshot_is_followed_to_the_one_it_was_made_of_and_back(
    home: td.Workspace, in_pipeline: bool
) -> None:
    raw = td.dataset("sales.raw").snapshot()
    if in_pipeline:
        report()
        clean = td.dataset("sales").snapshot()
    else:
        clean = td.clean(raw)
        td.run(td.pipeline(lambda: total(td.dataset("sales").snapshot())))

    assert of_kind(why(home, clean.id), "snapshot") == ["sales version 1", "sales.raw version 1"]
    below = impact(home, raw.id)
    assert any(title.endswith("total") for title in of_kind(below, "run"))
    assert "sales version 1" in of_kind(below, "snapshot")


def test_a_cleaned_row_says_what_it_said_before(home: td.Workspace) -> None:
    clean = td.dataset("sales.raw").clean()
    landing = clean.scan().collect()["_landing"][0]

    row = Landed(home.datasets, home.cleanings, home.project).row(RowId(landing, 0), "sales", clean.id)

    assert row.facts == {"shop": "Main Street", "price": 1.5}
    [before] = row.children
    assert before.facts == {
        "shop": "' main  street', changed by shop.text",
        "price": "'1,50', changed by price.cast",
    }


def test_an_incident_is_walked_to_its_landings_and_to_what_rests_on_them(home: td.Workspace) -> None:
    report()
    incident = home.incidents.list(home.caller, ListIncidents())[0]

    up, down = why(home, incident.id), impact(home, f"incident/{incident.id}")

    assert (up.kind, up.title) == ("incident", incident.title)
    assert {"sales version 1", "sales.raw version 1"} <= set(of_kind(up, "snapshot"))
    assert any(title.endswith("report/total") for title in of_kind(down, "run"))


def test_the_page_of_an_incident_says_what_it_touches(home: td.Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    report()
    incident = home.incidents.list(home.caller, ListIncidents())[0]

    assert entry.main(["incidents", "comment", incident.id, "seen", "--home", str(home.home)]) == 0
    assert entry.main(["incidents", "show", incident.id, "--home", str(home.home)]) == 0

    shown = capsys.readouterr().out
    assert "touches" in shown
    assert "sales version 1" in shown
    assert "opened" in shown
    assert "seen" in shown
