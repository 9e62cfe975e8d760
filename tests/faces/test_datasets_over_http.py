"""Datasets over HTTP answer as in process: questions, whole files, folders, comparisons."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle.assembly import modules
from treadle.faces.api import HomeToken, Server, build
from treadle.faces.sdk.client import Client
from treadle.faces.sdk.embedded import InProcess
from treadle.faces.sdk.remote import OverHttp
from treadle.faces.sdk.verbs import Verbs
from treadle.systems.collect.errors import QueryRefused, SnapshotNotFound
from treadle.systems.collect.filesets.exporting import write_files

TOKEN = "the-token-of-this-home"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[td.Workspace]:
    folder = tmp_path_factory.mktemp("home")
    photos = folder / "inbox" / "photos"
    photos.mkdir(parents=True)
    (photos / "a.txt").write_bytes(b"one")
    (photos / "empty").write_bytes(b"")
    with td.open_workspace(folder) as opened, td.use(opened):
        td.dataset("prices").land(pl.DataFrame({"sku": ["a", "b"], "price": [1.0, None]}))
        td.dataset("prices").land(pl.DataFrame({"sku": ["c"], "price": [3.0]}))
        yield opened


@pytest.fixture(scope="module", params=["in process", "over HTTP"])
def client(request: pytest.FixtureRequest, home: td.Workspace) -> Iterator[Client]:
    verbs = Verbs(modules())
    if request.param == "in process":
        yield Client(InProcess(home.service, home.caller), verbs)
        return
    authenticator = HomeToken(TOKEN, actor="ada")
    app = build(home.bound(), authenticator, version="1")
    with (
        Server(app, authenticator, port=0) as running,
        Client(OverHttp(running.url, TOKEN, project="default"), verbs) as opened,
    ):
        yield opened


def test_a_question_and_its_refusals(client: Client) -> None:
    answer = client.datasets.query(sql="select sku, price from prices@1 order by sku")

    assert (answer.rows, answer.snapshots) == ([["a", 1.0], ["b", None]], {"prices@1": "prices@1"})
    with pytest.raises(QueryRefused):
        client.datasets.query(sql="drop table prices")
    with pytest.raises(SnapshotNotFound):
        client.datasets.query(sql="from prices@9")


def test_whole_files_and_folders(client: Client, tmp_path: Path) -> None:
    data = b"".join(piece.data for piece in client.datasets.export(name="prices", format="parquet"))
    client.datasets.land_folder(dataset="photos", folder="photos")
    count = write_files(tmp_path / "out", client.datasets.read_files(name="photos"))

    assert pl.read_parquet(io.BytesIO(data))["sku"].to_list() == ["a", "b", "c"]
    assert count == 2
    assert (tmp_path / "out" / "a.txt").read_bytes() == b"one"


def test_a_comparison_a_branch_a_compaction(client: Client) -> None:
    found = client.datasets.diff(name="prices", before="1", after="2", key=["sku"])
    made = client.datasets.branch(name="prices", branch="fix", at="1")

    assert (found.rows.added, found.by_key.inserted, found.columns[0].name) == (1, 1, "sku")
    assert (made.dataset, made.rows) == ("prices@fix", 2)
    assert [one.branch for one in client.datasets.branches(name="prices")] == ["fix"]
    assert client.datasets.merge(name="prices", branch="fix").how == "nothing"
    assert client.datasets.compact(name="prices").files_after == 1
