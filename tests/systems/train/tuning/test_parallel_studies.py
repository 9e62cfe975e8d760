"""Many processes tune one study: numbers without gaps, nothing lost, each waiting trial run once, and kills at any moment."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from tests.systems.train.tuning.opening import Opened
from treadle.systems.train.tuning.optuna_storage import OptunaStorage

ROOT = Path(__file__).resolve().parents[4]
SPAWN = multiprocessing.get_context("spawn")
FORK = multiprocessing.get_context("fork")


def tune(storage: OptunaStorage, trials: int) -> int:
    """One process's share; it writes everything that can be lost."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(study_name="s", storage=storage, sampler=optuna.samplers.RandomSampler())

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        trial.report(x, 1)
        trial.set_user_attr("pid", os.getpid())
        return x

    study.optimize(objective, n_trials=trials)
    return os.getpid()


def take(storage: OptunaStorage, trials: list[int]) -> list[int]:
    """The waiting trials that this process was told to run."""
    return [trial for trial in trials if storage.set_trial_state_values(trial, TrialState.RUNNING)]


def test_processes_share_a_study_and_lose_nothing(storage):
    optuna.create_study(study_name="s", storage=storage)

    with ProcessPoolExecutor(4, mp_context=SPAWN) as pool:
        pids = list(pool.map(tune, [storage] * 4, [15] * 4))

    trials = optuna.load_study(study_name="s", storage=storage).trials
    assert [trial.number for trial in trials] == list(range(60))
    assert all(trial.state is TrialState.COMPLETE for trial in trials)
    assert all(trial.value == trial.params["x"] == trial.intermediate_values[1] for trial in trials)
    assert sorted(trial.user_attrs["pid"] for trial in trials) == sorted(pids * 15)


def test_of_many_processes_one_runs_a_waiting_trial(storage):
    study = storage.create_new_study([StudyDirection.MINIMIZE])
    waiting = optuna.trial.create_trial(state=TrialState.WAITING)
    trials = [storage.create_new_trial(study, waiting) for _ in range(25)]

    with ProcessPoolExecutor(4, mp_context=SPAWN) as pool:
        taken = list(pool.map(take, [storage] * 4, [trials] * 4))

    assert sorted(trial for some in taken for trial in some) == trials


def test_a_forked_process_opens_a_store_of_its_own(storage):
    optuna.create_study(study_name="s", storage=storage)
    tune(storage, 1)

    child = FORK.Process(target=tune, args=(storage, 3))
    child.start()
    child.join()

    assert child.exitcode == 0
    assert len(storage.get_all_trials(1)) == 4


def test_a_pickled_storage_carries_no_trials(storage):
    optuna.create_study(study_name="s", storage=storage)
    tune(storage, 3)
    storage.get_all_trials(1)

    assert len(pickle.dumps(storage)) < 1_000
    assert len(pickle.loads(pickle.dumps(storage)).get_all_trials(1)) == 3


def test_what_was_acknowledged_survives_a_kill(place):
    """A process prints each trial after `tell` has returned; whatever was printed stands, and numbers have no gaps."""
    storage = OptunaStorage(Opened(place))
    optuna.create_study(study_name="s", storage=storage)
    told: list[int] = []

    for _ in range(3):
        program = [sys.executable, "-m", "tests.systems.train.tuning.tuning_process", place]
        with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told += [int(process.stdout.readline()) for _ in range(7)]
            os.kill(process.pid, signal.SIGKILL)
            told += [int(line) for line in process.stdout if line.endswith("\n")]

    trials = OptunaStorage(Opened(place)).get_all_trials(1)
    assert [trial.number for trial in trials] == list(range(len(trials)))
    done = {trial.number: trial for trial in trials if trial.state is TrialState.COMPLETE}
    assert len(told) == len(set(told)) >= 21
    assert set(told) <= set(done)
    assert all(done[number].value == done[number].params["x"] for number in told)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning", "ignore:Heartbeat of storage:UserWarning")
class TestHeartbeats:
    """A trial whose process is gone is failed, and tried again where somebody says so."""

    def stale_study(self, storage: Any) -> optuna.Study:
        study = optuna.create_study(storage=storage)
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        storage.record_heartbeat(trial._trial_id)
        return study

    def test_a_silent_trial_is_failed_and_tried_again(self, place):
        retry = optuna.storages.RetryHeartbeatStaleTrialCallback(max_retry=1)
        storage = OptunaStorage(
            Opened(place), heartbeat_interval=1, grace_period=1, heartbeat_stale_trial_callback=retry
        )
        study = self.stale_study(storage)
        storage.grace_period = 1e-6

        optuna.storages.fail_stale_trials(study)

        failed, again = study.trials
        assert failed.state is TrialState.FAIL
        assert again.state is TrialState.WAITING
        assert again.system_attrs["failed_trial"] == 0

    def test_a_trial_that_beats_is_left_alone(self, place):
        storage = OptunaStorage(Opened(place), heartbeat_interval=60)
        study = self.stale_study(storage)

        assert storage._get_stale_trial_ids(study._study_id) == []

    def test_optimize_beats_by_itself(self, place):
        storage = OptunaStorage(Opened(place), heartbeat_interval=60, grace_period=60)
        study = optuna.create_study(storage=storage)
        seen: list[list[int]] = []

        def objective(trial: optuna.Trial) -> float:
            storage.grace_period = 1e-6
            deadline = time.monotonic() + 30
            while not (stale := storage._get_stale_trial_ids(study._study_id)) and time.monotonic() < deadline:
                pass
            storage.grace_period = 60
            seen.append(stale)
            return 0.0

        study.optimize(objective, n_trials=1)

        assert seen == [[study.trials[0]._trial_id]]

    @pytest.mark.parametrize("wrong", [{"heartbeat_interval": 0}, {"heartbeat_interval": 1, "grace_period": 0}])
    def test_seconds_are_positive(self, wrong):
        with pytest.raises(ValueError, match="positive"):
            OptunaStorage(Opened("nowhere"), **wrong)
