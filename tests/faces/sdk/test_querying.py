"""`td.query`: SQL in scripts and in pipelines, where the snapshots become inputs of the run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle.kernel.catalog import LineageRows
from treadle.kernel.catalog.service import ListRuns


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[td.Workspace]:
    with td.open_workspace(tmp_path) as opened, td.use(opened):
        td.dataset("flights").land(pl.DataFrame({"origin": ["JFK", "EWR"], "delay": [5, 50]}))
        yield opened


def test_a_script_asks_in_sql_and_gets_polars(workspace: td.Workspace) -> None:
    found = td.query("select origin, delay / 10 as tens from flights@v1 where delay > 5")

    assert found.to_dict(as_series=False) == {"origin": ["EWR"], "tens": [5.0]}


@td.step
def total(rows: pl.DataFrame) -> int:
    return int(rows["delay"].sum())


@td.pipeline
def delays() -> int:
    rows = td.query("select * from flights where delay > 1")
    if (Path.cwd() / "no-power").exists():
        raise RuntimeError("no power")
    return td.load(total(rows))


def test_a_pipeline_s_query_has_its_snapshots_as_inputs_and_keeps_them_on_resume(
    workspace: td.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no-power").touch()
    with pytest.raises(RuntimeError):
        delays()
    td.dataset("flights").land(pl.DataFrame({"origin": ["LGA"], "delay": [1000]}))
    (tmp_path / "no-power").unlink()
    [left] = [run.id for run in workspace.runs.newest(workspace.caller, ListRuns(kind="pipeline")).items]

    resumed = workspace.engine.resume(left, delays)
    fresh = delays()

    assert (resumed.value, fresh.value) == (55, 1055)
    first = workspace.datasets.snapshot("default", "flights", "1")
    with workspace.store.read() as reader:
        edges = LineageRows().of_digest(reader, "default", first.content_id)
    assert sorted((edge.direction, edge.role) for edge in edges) == [("in", "flights"), ("out", "flights@1")]
