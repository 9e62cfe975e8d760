"""Every trial is a run, written with the trial: what was asked, told and reported can be searched like any other run."""

from __future__ import annotations

import os

import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState, create_trial

from tests.systems.train.tuning.opening import CALLER, Opened, store_at, studies_on
from treadle.ground.ids import run_id_of
from treadle.kernel.catalog import RunRows
from treadle.kernel.store import Statement, Store
from treadle.systems.train.tracking.records import TrackedRun
from treadle.systems.train.tracking.repository import TrackedRunRows
from treadle.systems.train.tuning.optuna_storage import OptunaStorage
from treadle.systems.train.tuning.records import StudyNamed


@pytest.fixture
def store(place: str) -> Store:
    return store_at(place, os.getpid())


def runs_of(store: Store) -> list[TrackedRun]:
    """Every run: that of the study, then those of its trials."""
    with store.read() as reader:
        numbers = [number for (number,) in reader.all(Statement("all", _ALL, _ALL))]
        return TrackedRunRows().load(reader, "default", numbers)


_ALL = "select number from tracked_run order by run"


def test_a_trial_is_a_run_below_that_of_its_study(storage, store):
    study = optuna.create_study(study_name="late", storage=storage)
    trial = study.ask()
    trial.suggest_float("x", 0.5, 0.5)
    trial.suggest_categorical("kind", ["gbt"])
    trial.report(0.25, 3)
    trial.set_user_attr("fold", {"n": 1})
    study.tell(trial, 0.75)

    above, run = runs_of(store)

    assert above.run == studies_on(store).get(CALLER, StudyNamed(name="late")).run
    assert (above.name, above.status, run.name, run.status) == ("late", "RUNNING", "late-0", "FINISHED")
    assert {param.key: param.value for param in run.params} == {"x": "0.5", "kind": "gbt"}
    assert {point.key: (point.value, point.step) for point in run.metrics} == {
        "value": (0.75, 0),
        "intermediate_value": (0.25, 3),
    }
    tags = {tag.key: tag.value for tag in run.tags}
    assert tags["mlflow.parentRunId"] == above.run
    assert tags["user_fold"] == '{"n": 1}'
    assert run.end_ms is not None


def test_the_graph_knows_study_and_trial(storage, store):
    study = optuna.create_study(study_name="late", storage=storage)
    study.tell(study.ask(), 1.0)

    above, run = runs_of(store)

    with store.read() as reader:
        found = RunRows().get(reader, "default", run_id_of(run.run) or "")
    assert (found.kind, found.parent, found.status) == ("trial", run_id_of(above.run), "done")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (TrialState.WAITING, "SCHEDULED"),
        (TrialState.RUNNING, "RUNNING"),
        (TrialState.PRUNED, "KILLED"),
        (TrialState.FAIL, "FAILED"),
    ],
)
def test_a_run_s_status_is_its_trial_s_state(storage, store, state, status):
    study = storage.create_new_study([StudyDirection.MINIMIZE], "s")

    storage.create_new_trial(study, create_trial(state=state))

    assert runs_of(store)[1].status == status


def test_several_directions_are_several_metrics(storage, store):
    study = optuna.create_study(directions=["minimize", "maximize"], storage=storage)
    study.tell(study.ask(), [0.5, float("inf")])

    values = {point.key: point.value for point in runs_of(store)[1].metrics}

    assert values == {"value_0": 0.5, "value_1": pytest.approx(1.797e308, rel=1e-3)}


def test_trials_that_are_brought_in_are_runs_as_they_were(storage, store):
    earlier = optuna.create_study()
    earlier.optimize(lambda trial: trial.suggest_int("n", 1, 5), n_trials=3)
    study = optuna.create_study(study_name="again", storage=storage)

    study.add_trials(earlier.trials)

    started = [int(trial.datetime_start.timestamp() * 1000) for trial in earlier.trials]
    assert [run.start_ms for run in runs_of(store)[1:]] == started
    assert [run.params[0].value for run in runs_of(store)[1:]] == [str(trial.params["n"]) for trial in earlier.trials]


def test_what_no_tag_can_hold_stays_in_the_study(storage, store):
    study = optuna.create_study(storage=storage)
    trial = study.ask()
    trial.set_user_attr("漢字?*", 1)
    trial.set_user_attr("../up", 1)

    assert trial.user_attrs == {"漢字?*": 1, "../up": 1}
    assert not any(tag.key.startswith("user_") and "*" in tag.key for tag in runs_of(store)[1].tags)


def test_a_deleted_study_leaves_its_runs(storage, store):
    study = optuna.create_study(study_name="s", storage=storage)
    study.tell(study.ask(), 1.0)

    optuna.delete_study(study_name="s", storage=storage)
    again = optuna.create_study(study_name="s", storage=storage)

    assert again.trials == []
    assert [run.status for run in runs_of(store)] == ["FINISHED", "FINISHED", "RUNNING"]
    assert len({run.experiment for run in runs_of(store)}) == 1


def test_importances_pruning_and_constraints_work(place):
    storage = OptunaStorage(Opened(place))
    sampler = optuna.samplers.TPESampler(seed=1)
    study = optuna.create_study(
        storage=storage, sampler=sampler, pruner=optuna.pruners.MedianPruner(n_startup_trials=3)
    )
    study.enqueue_trial({"x": 0.125})

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        trial.suggest_float("y", 0, 1)
        trial.set_constraint("low", x - 0.9)
        for step in range(3):
            trial.report(x * (step + 1), step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return x

    study.optimize(objective, n_trials=25)

    assert study.trials[0].params["x"] == 0.125
    assert study.best_value == min(trial.value for trial in study.get_trials(states=(TrialState.COMPLETE,)))
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert study.best_trial.constraints == {"low": study.best_value - 0.9}
    importances = optuna.importance.get_param_importances(study)
    assert importances["x"] > importances["y"]


def test_copy_study_goes_in_and_out(storage):
    optuna.create_study(study_name="here", storage=storage).add_trial(create_trial(state=TrialState.FAIL))
    elsewhere = optuna.storages.InMemoryStorage()

    optuna.copy_study(from_study_name="here", from_storage=storage, to_storage=elsewhere)
    optuna.copy_study(from_study_name="here", from_storage=elsewhere, to_storage=storage, to_study_name="back")

    assert optuna.load_study(study_name="back", storage=storage).trials[0].state is TrialState.FAIL
