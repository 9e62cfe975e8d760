"""A process that tunes until it is killed, and says which trials have been told."""

from __future__ import annotations

import sys

import optuna

from tests.systems.train.tuning.opening import Opened
from treadle.systems.train.tuning.optuna_storage import OptunaStorage


def main() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.load_study(
        study_name="s", storage=OptunaStorage(Opened(sys.argv[1])), sampler=optuna.samplers.RandomSampler()
    )
    while True:
        trial = study.ask()
        study.tell(trial, trial.suggest_float("x", 0, 1))
        print(trial.number, flush=True)


if __name__ == "__main__":
    main()
