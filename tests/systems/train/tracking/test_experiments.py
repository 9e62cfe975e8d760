"""Experiments: numbered from Default, deleted and brought back with their runs."""

from __future__ import annotations

import pytest

from tests.systems.train.tracking.conftest import ADA, Tracking, opened
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.kernel.store import Store
from treadle.systems.train.tracking.errors import (
    ExperimentExists,
    ExperimentNotActive,
    ExperimentNotFound,
    TagNotFound,
    TrackingInvalid,
)
from treadle.systems.train.tracking.experiments import (
    CreateExperiment,
    ExperimentNamed,
    ExperimentNumbered,
    Experiments,
    ListExperiments,
    RenameExperiment,
    TagExperiment,
    UntagExperiment,
)
from treadle.systems.train.tracking.records import Pair
from treadle.systems.train.tracking.requests import TrackedRunNamed


def made(tracking: Tracking, name: str = "late", **asked: object) -> int:
    return tracking.experiments.create(ADA, CreateExperiment(name=name, **asked)).number  # type: ignore[arg-type]


def test_a_new_project_has_the_experiment_default_and_the_next_one_is_1(tracking: Tracking) -> None:
    first = tracking.experiments.get(ADA, ExperimentNumbered(experiment="0"))

    assert (first.number, first.name, first.artifact_location) == (0, "Default", "mlflow-artifacts:/0")
    assert made(tracking) == 1
    assert [one.name for one in tracking.experiments.newest(ADA, ListExperiments()).items] == ["late", "Default"]


def test_projects_do_not_see_each_others_experiments(tracking: Tracking) -> None:
    made(tracking)
    other = Caller(project="q", actor="ada")

    assert [one.number for one in tracking.experiments.newest(other, ListExperiments()).items] == [0]
    assert tracking.experiments.create(other, CreateExperiment(name="late")).number == 1


def test_artifacts_go_below_the_servers_root_or_where_the_experiment_says(any_store: Store, tracking: Tracking) -> None:
    events, clock = tracking.events, tracking.experiments._clock
    rooted = Experiments(any_store, events, clock, artifact_root="s3://bucket/ml?region=eu")

    plain = rooted.create(ADA, CreateExperiment(name="a"))
    own = rooted.create(ADA, CreateExperiment(name="b", artifact_location="gs://other/place"))

    assert plain.artifact_location == "s3://bucket/ml/1?region=eu"
    assert own.artifact_location == "gs://other/place"


def test_a_name_is_taken_even_by_a_deleted_experiment(tracking: Tracking) -> None:
    number = made(tracking)
    tracking.experiments.delete(ADA, ExperimentNumbered(experiment=str(number)))

    with pytest.raises(ExperimentExists, match=r"^Experiment\(name=late\) already exists\.$"):
        made(tracking)


def test_deleting_takes_the_runs_along_and_restoring_brings_them_back(tracking: Tracking) -> None:
    number = str(made(tracking))
    run = tracking.run(experiment=number)

    tracking.experiments.delete(ADA, ExperimentNumbered(experiment=number))
    assert tracking.runs.get(ADA, TrackedRunNamed(run=run)).lifecycle == "deleted"
    with pytest.raises(ExperimentNotFound, match="No Experiment with id=1 exists"):
        tracking.experiments.delete(ADA, ExperimentNumbered(experiment=number))
    with pytest.raises(ExperimentNotActive):
        tracking.experiments.rename(ADA, RenameExperiment(experiment=number, name="x"))
    with pytest.raises(TrackingInvalid, match="The experiment 1 must be in the 'active' state"):
        tracking.run(experiment=number)

    tracking.experiments.restore(ADA, ExperimentNumbered(experiment=number))
    assert tracking.runs.get(ADA, TrackedRunNamed(run=run)).lifecycle == "active"
    with pytest.raises(ExperimentNotFound):
        tracking.experiments.restore(ADA, ExperimentNumbered(experiment=number))


def test_acts_on_experiments_leave_events_and_tags_do_not(tracking: Tracking) -> None:
    number = str(made(tracking))
    tracking.experiments.rename(ADA, RenameExperiment(experiment=number, name="later"))
    tracking.experiments.tag(ADA, TagExperiment(experiment=number, key="a", value="b"))
    tracking.experiments.delete(ADA, ExperimentNumbered(experiment=number))
    tracking.experiments.restore(ADA, ExperimentNumbered(experiment=number))

    kinds = [event.kind for event in tracking.events.about("p", f"experiment/{number}")]
    assert kinds == ["experiment.created", "experiment.renamed", "experiment.deleted", "experiment.restored"]


def test_a_new_name_must_be_free(tracking: Tracking) -> None:
    made(tracking, "a")
    number = str(made(tracking, "b"))

    with pytest.raises(ExperimentExists):
        tracking.experiments.rename(ADA, RenameExperiment(experiment=number, name="a"))
    assert tracking.experiments.rename(ADA, RenameExperiment(experiment=number, name="b")).name == "b"


def test_tags_are_set_replaced_and_removed(tracking: Tracking) -> None:
    number = str(made(tracking, tags=[Pair("a", "1")]))
    tracking.experiments.tag(ADA, TagExperiment(experiment=number, key="a", value="2"))
    tracking.experiments.tag(ADA, TagExperiment(experiment=number, key="b", value="3"))
    tracking.experiments.untag(ADA, UntagExperiment(experiment=number, key="b"))

    assert tracking.experiments.named(ADA, ExperimentNamed(name="late")).tags == [Pair("a", "2")]
    with pytest.raises(TagNotFound, match="No tag with name: b in experiment with id 1"):
        tracking.experiments.untag(ADA, UntagExperiment(experiment=number, key="b"))


@pytest.mark.parametrize("experiment", ["7", "99999999999999999999999"])
def test_an_experiment_that_never_was_is_not_found(tracking: Tracking, experiment: str) -> None:
    with pytest.raises(ExperimentNotFound, match=f"No Experiment with id={experiment} exists"):
        tracking.experiments.get(ADA, ExperimentNumbered(experiment=experiment))


@pytest.mark.parametrize(
    "location", ["s3://b/x#f", "s3://b/x;p", "s3://b/x?a=../../etc", "runs:/abc/model", "s3://" + "x" * 3000]
)
def test_locations_that_could_be_read_in_two_ways_are_refused(tracking: Tracking, location: str) -> None:
    with pytest.raises(TrackingInvalid):
        made(tracking, artifact_location=location)


def test_two_processes_that_make_experiments_at_once_get_different_numbers(any_store: Store) -> None:
    one, other = opened(any_store), opened(any_store)

    assert [made(one, "a"), made(other, "b"), made(one, "c")] == [1, 2, 3]


def test_reading_is_no_licence_to_write(tracking: Tracking) -> None:
    reader = Caller(project="p", actor="eve", permissions=frozenset({"*.read"}))

    tracking.experiments.newest(reader, ListExperiments())
    with pytest.raises(PermissionDenied):
        tracking.experiments.create(reader, CreateExperiment(name="x"))


def test_an_experiment_has_at_most_fifty_views_and_each_can_be_changed(tracking: Tracking) -> None:
    number = str(made(tracking, tags=[Pair(f"mlflow.customView.view{place}", "{}") for place in range(50)]))

    tracking.experiments.tag(ADA, TagExperiment(experiment=number, key="mlflow.customView.view7", value="new"))
    with pytest.raises(TrackingInvalid, match="Unable to create another custom view for experiment 1; the maximum"):
        tracking.experiments.tag(ADA, TagExperiment(experiment=number, key="mlflow.customView.view50", value="x"))
