"""Labels land once, and one that was decided anew lands beside the one before it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle.loops.feedback.labels import LabelLandings
from treadle.systems.labels import AddTasks, Annotate, CreateLabelProject, ExportLabels, NewTask, Question, TaskPage

ASKED = Question(name="verdict", kind="choice", choices=["real", "error"])


@pytest.fixture
def home(tmp_path: Path) -> td.Workspace:
    workspace = td.open_workspace(tmp_path / "home")
    workspace.labels.create_project(workspace.caller, CreateLabelProject(name="wind", questions=[ASKED]))
    return workspace


def add(home: td.Workspace, *sources: str) -> list[str]:
    tasks = [NewTask(source=source, data={}) for source in sources]
    home.labels.add_tasks(home.caller, AddTasks(labels="wind", tasks=tasks))
    return [task.id for task in home.labels.tasks(home.caller, TaskPage(labels="wind")).items]


def export(home: td.Workspace) -> tuple[str | None, list[tuple[str, str, str]]]:
    done = home.labels.export(home.caller, ExportLabels(labels="wind", dataset="wind-labels"))
    rows = home.datasets.scan(home.project, home.datasets.snapshot(home.project, "wind-labels")).collect()
    return done.snapshot, rows.select("source", "verdict", "note").rows()


def test_an_export_lands_what_has_been_decided_since_the_last_one(home):
    first, second = add(home, "a", "b")
    home.labels.annotate(home.caller, Annotate(task=first, value={"verdict": "error"}, note="no such wind"))
    before, _ = export(home)

    home.labels.annotate(home.caller, Annotate(task=second, value={"verdict": "real"}))
    after, rows = export(home)
    again, _ = export(home)

    assert rows == [("a", "error", "no such wind"), ("b", "real", "")]
    assert before != after == again


def test_a_label_that_is_reviewed_later_lands_anew_and_the_first_stays(home):
    [task] = add(home, "a")
    home.labels.annotate(home.caller, Annotate(task=task, value={"verdict": "error"}))
    export(home)

    home.labels.review(home.caller, Annotate(task=task, value={"verdict": "real"}, note="a tornado"))
    _, rows = export(home)

    assert rows == [("a", "error", ""), ("a", "real", "a tornado")]


def test_labels_without_a_dataset_yet_begin_one(home):
    frame = pl.DataFrame(
        {"task": ["t"], "known_at": [None]}, schema={"task": pl.String, "known_at": pl.Datetime("us", "UTC")}
    )

    snapshot = LabelLandings(home.datasets).land_labels(home.caller, "fresh", frame, "k")

    assert home.datasets.snapshot(home.project, "fresh").id == snapshot
