"""Tracked runs: their life, what is logged in them, and their row on the graph."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.systems.train.tracking.conftest import ADA, Tracking, opened
from treadle.ground.ids import mlflow_id, new_id, run_id_of
from treadle.kernel.catalog import LineageRows, Run, RunRows
from treadle.kernel.store import Store
from treadle.systems.train.tracking.errors import TagNotFound, TrackedRunNotFound, TrackingInvalid
from treadle.systems.train.tracking.inputs import ListInputs
from treadle.systems.train.tracking.records import DatasetInput, ModelOutput, Pair, TrackedRun
from treadle.systems.train.tracking.repository import TrackedRunRows
from treadle.systems.train.tracking.requests import (
    CreateRun,
    DeleteTag,
    LogBatch,
    LogInputs,
    LogOutputs,
    LogParam,
    RecordModel,
    SetTag,
    TrackedRunNamed,
    UpdateRun,
)

ROWS = DatasetInput(
    name="rows", digest="d1", source_type="local", source="{}", tags=[Pair("mlflow.data.context", "train")]
)


def found(tracking: Tracking, run: str) -> TrackedRun:
    return tracking.runs.get(ADA, TrackedRunNamed(run=run))


def on_graph(tracking: Tracking, run: str) -> Run:
    with tracking.store.read() as reader:
        return RunRows().get(reader, "p", run_id_of(run) or "")


def test_a_run_has_both_names_by_the_same_bits() -> None:
    run = new_id("run")

    assert run_id_of(mlflow_id(run)) == run
    assert mlflow_id(run_id_of("f" * 32) or "") == "f" * 32
    assert run_id_of("F" * 32) is None
    assert run_id_of("f" * 31) is None


def test_a_new_run_is_running_and_knows_where_its_artifacts_go(tracking: Tracking) -> None:
    run = tracking.run(user_id="ada", start_ms=5, tags=[Pair("a", "b")])

    made = found(tracking, run)
    assert (made.status, made.start_ms, made.end_ms, made.lifecycle) == ("RUNNING", 5, None, "active")
    assert made.artifact_uri == f"mlflow-artifacts:/0/{run}/artifacts"
    assert made.tags == [Pair("a", "b"), Pair("mlflow.runName", "r")]


def test_a_run_without_a_name_gets_one_and_a_name_in_a_tag_counts(tracking: Tracking) -> None:
    assert re.fullmatch(r"[a-z]+-[a-z]+-\d+", found(tracking, tracking.run("")).name)
    assert found(tracking, tracking.run("", tags=[Pair("mlflow.runName", "tagged")])).name == "tagged"
    with pytest.raises(TrackingInvalid, match=r"Both 'run_name' argument and 'mlflow\.runName' tag"):
        tracking.run("a", tags=[Pair("mlflow.runName", "b")])


def test_a_run_is_on_the_graph_from_the_moment_that_it_exists(tracking: Tracking) -> None:
    run = tracking.run(start_ms=1_700_000_000_000)

    row = on_graph(tracking, run)
    assert (row.kind, row.status, row.actor, row.params) == ("tracking", "running", "ada", {})
    assert row.started_at is not None
    assert row.started_at.year == 2023


def test_parameters_are_folded_into_the_graph_when_the_run_ends(tracking: Tracking) -> None:
    run = tracking.run()
    tracking.runs.log_param(ADA, LogParam(run=run, key="depth", value="3"))
    tracking.runs.update(ADA, UpdateRun(run=run, status="FINISHED", end_ms=1_700_000_000_000))

    row = on_graph(tracking, run)
    assert (row.status, row.params) == ("done", {"depth": "3"})
    assert row.ended_at is not None

    tracking.runs.update(ADA, UpdateRun(run=run, status="RUNNING"))
    assert on_graph(tracking, run).ended_at is None


def test_a_nested_run_hangs_below_its_parent(tracking: Tracking) -> None:
    parent = tracking.run("parent")
    child = tracking.run("child", tags=[Pair("mlflow.parentRunId", parent)])
    grandchild = tracking.run("grandchild", tags=[Pair("mlflow.parentRunId", child)])
    stray = tracking.run("stray", tags=[Pair("mlflow.parentRunId", "f" * 32)])

    row = on_graph(tracking, grandchild)
    assert (row.parent, row.root, row.path) == (run_id_of(child), run_id_of(parent), "parent/child/grandchild")
    assert on_graph(tracking, stray).root == run_id_of(stray)


def test_what_an_update_does_not_name_stays(tracking: Tracking) -> None:
    run = tracking.run(start_ms=5)
    tracking.runs.update(ADA, UpdateRun(run=run, status="FAILED", end_ms=9))

    changed = tracking.runs.update(ADA, UpdateRun(run=run, name="renamed"))

    assert (changed.status, changed.end_ms, changed.name) == ("FAILED", 9, "renamed")
    assert Pair("mlflow.runName", "renamed") in found(tracking, run).tags


def test_a_parameter_is_written_once(tracking: Tracking) -> None:
    run = tracking.run()
    for _ in range(2):
        tracking.runs.log_param(ADA, LogParam(run=run, key="p", value="1"))

    with pytest.raises(TrackingInvalid, match="Param with key='p' was already logged with value='1' for run ID"):
        tracking.runs.log_param(ADA, LogParam(run=run, key="p", value="2"))
    with pytest.raises(TrackingInvalid, match="Duplicate parameter keys have been submitted: \\['q'\\]"):
        tracking.runs.log(ADA, LogBatch(run=run, params=[Pair("q", "1"), Pair("q", "1")]))
    assert found(tracking, run).params == [Pair("p", "1")]


def test_values_that_are_too_long_are_cut_and_keys_refused(tracking: Tracking) -> None:
    run = tracking.run()
    tracking.runs.log_param(ADA, LogParam(run=run, key="p", value="x" * 7000))
    tracking.runs.set_tag(ADA, SetTag(run=run, key="t", value="x" * 9000))

    made = found(tracking, run)
    assert len(made.params[0].value) == 6000
    assert {tag.key: len(tag.value) for tag in made.tags}["t"] == 8000
    with pytest.raises(TrackingInvalid, match="'Param key' exceeds the maximum length of 250 characters"):
        tracking.runs.log_param(ADA, LogParam(run=run, key="k" * 251, value="x"))


def test_the_tag_that_names_a_run_renames_it(tracking: Tracking) -> None:
    run = tracking.run()
    tracking.runs.set_tag(ADA, SetTag(run=run, key="mlflow.runName", value="new"))
    tracking.runs.log(ADA, LogBatch(run=run, tags=[Pair("a", "1"), Pair("a", "2"), Pair("mlflow.runName", "newer")]))

    made = found(tracking, run)
    assert made.name == "newer"
    assert made.tags == [Pair("a", "2"), Pair("mlflow.runName", "newer")]
    tracking.runs.delete_tag(ADA, DeleteTag(run=run, key="a"))
    with pytest.raises(TagNotFound):
        tracking.runs.delete_tag(ADA, DeleteTag(run=run, key="a"))


def test_nothing_is_logged_in_a_deleted_run_until_it_is_restored(tracking: Tracking) -> None:
    run = tracking.run()
    tracking.runs.delete(ADA, TrackedRunNamed(run=run))

    assert found(tracking, run).lifecycle == "deleted"
    with pytest.raises(TrackingInvalid, match=f"The run {run} must be in the 'active' state. Current state is deleted"):
        tracking.log(run, ("loss", 1.0, 0, 0))

    tracking.runs.restore(ADA, TrackedRunNamed(run=run))
    tracking.log(run, ("loss", 1.0, 0, 0))
    assert [event.kind for event in tracking.events.about("p", f"run/{run}")] == ["run.deleted", "run.restored"]


def test_a_run_of_another_project_is_not_there(tracking: Tracking) -> None:
    run = tracking.run()
    other = replace(ADA, project="q")

    with pytest.raises(TrackedRunNotFound, match=f"Run with id={run} not found"):
        tracking.runs.get(other, TrackedRunNamed(run=run))
    with pytest.raises(TrackedRunNotFound):
        tracking.runs.set_tag(other, SetTag(run=run, key="a", value="b"))


def test_inputs_and_outputs_are_kept_once_in_their_order(tracking: Tracking) -> None:
    run = tracking.run()
    more = DatasetInput(name="more", digest="d2", source_type="local", source="{}", schema="s", profile="p")
    tracking.inputs.log(ADA, LogInputs(run=run, datasets=[ROWS, more, ROWS], models=["m-b", "m-a"]))
    tracking.inputs.log(ADA, LogInputs(run=run, datasets=[ROWS], models=["m-b"]))
    tracking.inputs.log_outputs(ADA, LogOutputs(run=run, models=[ModelOutput("m-2", 3), ModelOutput("m-1", 4)]))

    made = found(tracking, run)
    assert made.datasets == [ROWS, more]
    assert made.models == ["m-b", "m-a"]
    assert made.outputs == [ModelOutput("m-2", 3), ModelOutput("m-1", 4)]
    shown = tracking.inputs.summaries(ADA, ListInputs(experiments=["0"]))
    assert [(one.name, one.context) for one in shown] == [("more", None), ("rows", "train")]


def test_data_sets_and_logged_models_hang_together_on_the_graph(tracking: Tracking) -> None:
    trained, judged = tracking.run("trained"), tracking.run("judged")
    tracking.inputs.log(ADA, LogInputs(run=trained, datasets=[ROWS]))
    tracking.inputs.log_outputs(ADA, LogOutputs(run=trained, models=[ModelOutput("m-1", 0)]))
    tracking.inputs.log(ADA, LogInputs(run=judged, datasets=[ROWS], models=["m-1"]))
    lineage = LineageRows()

    with tracking.store.read() as reader:
        edges = {edge.role: edge for edge in lineage.of_run(reader, "p", run_id_of(judged) or "")}
        makers = lineage.producers(reader, "p", edges["model: m-1"].digest)
        readers = lineage.of_digest(reader, "p", edges["train: rows@d1"].digest)

    assert makers == [run_id_of(trained)]
    assert [edge.run for edge in readers] == [run_id_of(trained), run_id_of(judged)]


def test_an_experiment_has_a_data_set_once_however_many_runs_read_it(tracking: Tracking) -> None:
    for _ in range(2):
        tracking.inputs.log(ADA, LogInputs(run=tracking.run(), datasets=[ROWS]))

    assert len(tracking.inputs.summaries(ADA, ListInputs(experiments=["0"]))) == 1


def test_models_of_old_clients_are_listed_in_a_tag(tracking: Tracking) -> None:
    run = tracking.run()
    for path in ("a", "b"):
        tracking.runs.record_model(ADA, RecordModel(run=run, description={"artifact_path": path}))

    tags = {tag.key: tag.value for tag in found(tracking, run).tags}
    assert tags["mlflow.log-model.history"] == '[{"artifact_path": "a"}, {"artifact_path": "b"}]'


def test_descriptions_of_models_are_kept_whole_however_many(tracking: Tracking) -> None:
    run = tracking.run()
    for path in ("a" * 6000, "b" * 6000, "c"):
        tracking.runs.record_model(ADA, RecordModel(run=run, description={"artifact_path": path}))

    tags = {tag.key: tag.value for tag in found(tracking, run).tags}
    assert [one["artifact_path"][0] for one in json.loads(tags["mlflow.log-model.history"])] == ["a", "b", "c"]


@pytest.mark.parametrize("value", ["[", "{}", "x"])
def test_a_model_is_not_recorded_beside_a_tag_that_somebody_made_something_else(tracking: Tracking, value: str) -> None:
    run = tracking.run()
    tracking.runs.set_tag(ADA, SetTag(run=run, key="mlflow.log-model.history", value=value))

    with pytest.raises(TrackingInvalid, match="no JSON array"):
        tracking.runs.record_model(ADA, RecordModel(run=run, description={"artifact_path": "a"}))


def test_runs_are_loaded_together_in_the_order_asked(tracking: Tracking) -> None:
    runs = [tracking.run(str(place)) for place in range(3)]
    for place, run in enumerate(runs):
        tracking.log(run, ("loss", float(place), 0, 0))
    rows = TrackedRunRows()

    with tracking.store.read() as reader:
        numbers = rows.numbers(reader, "p", runs)
        loaded = rows.load(reader, "p", [numbers[runs[2]], 999, numbers[runs[0]]])

    assert [(one.name, one.metrics[0].value) for one in loaded] == [("2", 2.0), ("0", 0.0)]


def test_many_processes_make_runs_without_taking_each_others_numbers(any_store: Store) -> None:
    houses = [opened(any_store) for _ in range(4)]

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda place: houses[place % 4].runs.create(ADA, CreateRun()).number, range(200)))

    assert len(set(made)) == 200
