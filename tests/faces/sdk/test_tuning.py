"""`treadle.optuna_storage()`: on the current workspace, behind an API, and carried to Ray's workers."""

from __future__ import annotations

import pickle
from pathlib import Path

import optuna
import pytest

import treadle
from treadle.assembly import open_workspace
from treadle.faces.api import HomeToken, Server, build
from treadle.systems.train.tuning.records import StudyNamed

TOKEN = "the-token-of-this-home"


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def tune(storage: optuna.storages.BaseStorage, trials: int) -> list[float]:
    study = optuna.create_study(
        study_name="s", storage=storage, load_if_exists=True, sampler=optuna.samplers.RandomSampler()
    )
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=trials)
    return [trial.value for trial in study.trials]


def test_a_study_stands_in_the_workspace_that_is_current(tmp_path: Path) -> None:
    with open_workspace(tmp_path) as workspace, treadle.use(workspace):
        values = tune(treadle.optuna_storage(), 2)

        assert len(values) == 2
        assert workspace.tracking.studies.get(workspace.caller, StudyNamed(name="s")).trials == 2


def test_a_study_is_tuned_through_an_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_workspace(tmp_path / "server") as behind:
        authenticator = HomeToken(TOKEN, actor="ada")
        with Server(build(behind.bound(), authenticator, version="1"), authenticator, port=0) as server:
            monkeypatch.setenv("TREADLE_TOKEN", TOKEN)
            with open_workspace(tmp_path / "client", server=server.url) as workspace:
                storage = treadle.optuna_storage(workspace)
                assert len(tune(storage, 2)) == 2
                assert len(tune(pickle.loads(pickle.dumps(storage)), 1)) == 3
                with pytest.raises(KeyError):
                    storage.get_trial(3_000_000_000)
                assert TOKEN.encode() not in pickle.dumps(storage)
        assert behind.tracking.studies.get(behind.caller, StudyNamed(name="s")).trials == 3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(180)
def test_ray_s_workers_share_a_study(tmp_path: Path) -> None:
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        with open_workspace(tmp_path) as workspace:
            storage = treadle.optuna_storage(workspace)
            optuna.create_study(study_name="s", storage=storage)
            ray.get([ray.remote(tune).remote(storage, 5) for _ in range(2)])
            trials = optuna.load_study(study_name="s", storage=storage).trials
    finally:
        ray.shutdown()

    assert [trial.number for trial in trials] == list(range(10))
    assert all(trial.value == trial.params["x"] for trial in trials)
