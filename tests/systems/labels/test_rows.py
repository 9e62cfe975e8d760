"""Rows of datasets and quarantines become tasks, and labels become rows again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.systems.collect import Datasets
from treadle.systems.labels import (
    AddTasks,
    Annotate,
    CreateLabelProject,
    ExportLabels,
    Labels,
    LabelsNamed,
    NextTasks,
    Question,
    StudioDocument,
    TaskNamed,
    TaskPage,
)
from treadle.systems.labels.errors import NotATask
from treadle.testing import embedded_store

ADA = Caller(project="default", actor="ada")
QUESTIONS = [
    Question(name="verdict", kind="choice", choices=["error", "real"]),
    Question(name="knots", kind="number", required=False),
    Question(name="why", kind="text", required=False),
]


class Sink:
    """The landing of labels as the assembly makes it: a dataset of its own."""

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets

    def land_labels(self, caller: Caller, dataset: str, frame: pl.DataFrame, key: str) -> str:
        [landing] = self._datasets.land(caller, dataset, frame, key=key, event_column="known_at")
        assert landing.snapshot is not None
        return landing.snapshot


class Home(NamedTuple):
    datasets: Datasets
    labels: Labels


@pytest.fixture
def home(tmp_path: Path) -> Home:
    store = embedded_store(tmp_path)
    events = EventLog(store, system_clock, new_id)
    datasets = Datasets(store, events, Refs(events, system_clock), tmp_path / "data", system_clock, new_id)
    labels = Labels(store, events, system_clock, new_id, datasets, Sink(datasets))
    labels.create_project(ADA, CreateLabelProject(name="wind", questions=QUESTIONS))
    datasets.land(
        ADA,
        "weather",
        pl.DataFrame({"origin": ["EWR", "JFK"], "at": [datetime(2013, 2, 12, tzinfo=UTC)] * 2, "wind": [1048.0, 9.2]}),
    )
    return Home(datasets, labels)


def answer_all(home: Home, verdict: str = "error") -> None:
    while leased := home.labels.next(ADA, NextTasks(labels="wind")):
        value = {"verdict": verdict, "knots": leased[0].task.data["wind"]}
        home.labels.annotate(ADA, Annotate(task=leased[0].task.id, value=value, seconds=1.5))


def test_rows_become_tasks_once_and_show_what_was_chosen(home):
    request = AddTasks(labels="wind", dataset="weather", columns=["wind", "at"])

    assert home.labels.add_tasks(ADA, request).added == 2
    again = home.labels.add_tasks(ADA, request)

    assert (again.added, again.known) == (0, 2)
    [first, _] = home.labels.tasks(ADA, TaskPage(labels="wind")).items
    assert first.data == {"wind": 1048.0, "at": "2013-02-12T00:00:00+00:00"}
    assert first.source.startswith("land_")
    assert first.source.endswith(":0")


def test_export_lands_once_and_leads_back_to_the_raw_rows(home):
    home.labels.add_tasks(ADA, AddTasks(labels="wind", dataset="weather"))
    answer_all(home)

    export = home.labels.export(ADA, ExportLabels(labels="wind", dataset="wind-labels"))
    again = home.labels.export(ADA, ExportLabels(labels="wind", dataset="wind-labels"))

    assert (export.rows, export.by_status) == (2, {"single": 2})
    assert again.snapshot == export.snapshot
    snapshot = home.datasets.snapshot("default", "wind-labels")
    landed = home.datasets.scan("default", snapshot).collect()
    weather = home.datasets.scan("default", home.datasets.snapshot("default", "weather")).collect()
    joined = landed.join(weather, left_on=["landing", "row"], right_on=["_landing", "_row"])
    assert landed["note"].to_list() == ["", ""]
    assert joined.select("verdict", "knots").rows() == [("error", 1048.0), ("error", 9.2)]
    assert (joined["knots"] == joined["wind"]).all()


def test_export_of_nothing_decided_lands_nothing(home):
    home.labels.add_tasks(ADA, AddTasks(labels="wind", dataset="weather"))

    export = home.labels.export(ADA, ExportLabels(labels="wind", dataset="wind-labels"))

    assert (export.snapshot, export.rows, export.by_status) == (None, 0, {"open": 2})


def test_column_that_the_rows_lack_is_named(home):
    with pytest.raises(NotATask) as refusal:
        home.labels.add_tasks(ADA, AddTasks(labels="wind", dataset="weather", columns=["wnd"]))

    assert "wind" in refusal.value.fix


def test_project_goes_to_label_studio_and_comes_back_the_same(home):
    home.labels.add_tasks(ADA, AddTasks(labels="wind", dataset="weather"))
    answer_all(home)
    exported = home.labels.export_studio(ADA, LabelsNamed(labels="wind"))
    home.labels.create_project(ADA, CreateLabelProject(name="again", questions=QUESTIONS))

    taken = home.labels.import_studio(ADA, StudioDocument(labels="again", document=exported.document))
    twice = home.labels.import_studio(ADA, StudioDocument(labels="again", document=exported.document))

    assert (taken.tasks.added, taken.annotations, taken.left_out) == (2, 2, {})
    assert (twice.tasks.added, twice.annotations) == (0, 0)
    one, other = (home.labels.verdicts(ADA, LabelsNamed(labels=name)) for name in ("wind", "again"))
    assert [(v.source, v.value, v.status) for v in one] == [(v.source, v.value, v.status) for v in other]
    made = home.labels.history(ADA, TaskNamed(task=other[0].task))[0]
    original = home.labels.history(ADA, TaskNamed(task=one[0].task))[0]
    assert (made.annotator, made.seconds, made.event_at) == ("ada", 1.5, original.recorded_at)
    assert '<Choices name="verdict"' in exported.config


def test_foreign_answers_that_do_not_fit_are_counted_and_their_tasks_kept(home):
    document = """[{"id": 7, "data": {"x": 1}, "annotations": [
        {"completed_by": 3, "result": [{"from_name": "verdict", "type": "choices", "value": {"choices": ["maybe"]}}]},
        {"completed_by": 4, "result": [{"from_name": "box", "type": "rectanglelabels", "value": {"x": 1}},
            {"from_name": "verdict", "type": "choices", "value": {"choices": ["real"]}}]},
        {"completed_by": 5, "was_cancelled": true, "result": []}]}]"""

    taken = home.labels.import_studio(ADA, StudioDocument(labels="wind", document=document))

    assert (taken.tasks.added, taken.annotations) == (1, 2)
    assert taken.left_out == {"'maybe' is no choice of 'verdict'.": 1, "results of another kind": 1}
    [verdict] = home.labels.verdicts(ADA, LabelsNamed(labels="wind"))
    assert (verdict.source, verdict.value, verdict.annotators) == ("labelstudio:7", {"verdict": "real"}, ["4"])
