"""`treadle experiments` and `treadle metrics`: what tracking clients logged, from the terminal."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from treadle.assembly import open_workspace
from treadle.faces.cli import entry
from treadle.systems.train.tracking.requests import CreateRun, LogBatch

Call = Callable[..., Any]


@pytest.fixture
def treadle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls a command; answers what a person sees, or with `as_json` its answer."""

    def call(*words: str, as_json: bool = False, code: int = 0) -> Any:
        assert entry.main([*words, "--home", str(tmp_path), *(["--json"] if as_json else [])]) == code
        captured = capsys.readouterr()
        return json.loads(captured.out) if as_json else captured.out + captured.err

    return call


@pytest.fixture
def run(tmp_path: Path) -> str:
    with open_workspace(tmp_path) as workspace:
        made = workspace.tracking.runs.create(workspace.caller, CreateRun(name="r")).run
        steps = list(range(500))
        batch = LogBatch(
            run=made, keys=["loss"] * 500, values=[math.cos(step) for step in steps], steps=steps, times_ms=steps
        )
        workspace.tracking.runs.log(workspace.caller, batch)
    return made


def test_an_experiment_is_made_renamed_deleted_and_brought_back(treadle: Call) -> None:
    assert "late is experiment 1." in treadle("experiments", "create", "late")
    assert "Experiment 1 is later." in treadle("experiments", "rename", "1", "later")
    assert "treadle experiments restore 1" in treadle("experiments", "delete", "1", "--yes")
    assert [one["name"] for one in treadle("experiments", "list", as_json=True)["items"]] == ["Default"]
    assert "deleted" in treadle("experiments", "list", "--deleted")
    treadle("experiments", "restore", "1")
    assert treadle("experiments", "show", "1", as_json=True)["lifecycle"] == "active"


def test_an_experiment_that_is_not_there_is_an_error(treadle: Call) -> None:
    assert "No Experiment with id=7 exists" in treadle("experiments", "show", "7", code=3)


def test_metrics_are_listed_with_their_ranges(treadle: Call, run: str) -> None:
    (loss,) = treadle("metrics", "list", run, as_json=True)

    assert (loss["key"], loss["step"], loss["high"]) == ("loss", 499, 1.0)
    assert "loss" in treadle("metrics", "list", run)


def test_a_history_is_drawn_with_few_points_and_exact_where_asked(treadle: Call, run: str) -> None:
    assert "of 500 points" in treadle("metrics", "history", run, "loss")

    near = treadle("metrics", "history", run, "loss", "--first", "10", "--last", "12", as_json=True)
    assert near["steps"] == [10, 11, 12]
    assert near["values"] == [math.cos(step) for step in (10, 11, 12)]
