"""How fast does a study go on our store? Trivial trials with TPE from 4 processes at least 5x Optuna's own SQLite storage.

Both run in turns, each time a fresh study; the processes start together once all have imported what they need. Each trial
asks for two numbers and a word; ours writes every trial as a run besides. `in memory` is one process without any storage:
what the sampler alone takes.

    python benchmarks/optuna_storage.py [--trials 400] [--processes 4] [--rounds 3] [--json]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

LIMIT = 5.0


def objective(trial: Any) -> float:
    """Trivial: the storage and the sampler are all that takes time."""
    x = trial.suggest_float("x", -10, 10)
    y = trial.suggest_float("y", 1e-3, 1e3, log=True)
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    return x * x + y + (kind == "a")


def ours(folder: str) -> Any:
    import treadle

    return treadle.optuna_storage(treadle.open_workspace(folder))


def optunas(folder: str) -> Any:
    import optuna

    return optuna.storages.get_storage(f"sqlite:///{folder}/optuna.db")


def in_memory(folder: str) -> Any:
    import optuna

    return optuna.storages.InMemoryStorage()


def work(opened: Callable[[str], Any], folder: str, trials: int, gate: Any, seed: int) -> None:
    """One process of a study."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.TPESampler(seed=seed)
    study = optuna.create_study(study_name="s", storage=opened(folder), sampler=sampler, load_if_exists=True)
    gate.wait()
    study.optimize(objective, n_trials=trials)
    gate.wait()


def rate(opened: Callable[[str], Any], trials: int, processes: int) -> float:
    """Trials a second of all processes together, from the moment at which all are ready until the last has finished."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        optuna.create_study(study_name="s", storage=opened(folder))
        gate = context.Barrier(processes + 1)
        workers = [
            context.Process(target=work, args=(opened, folder, trials // processes, gate, seed))
            for seed in range(processes)
        ]
        for worker in workers:
            worker.start()
        gate.wait()
        begun = time.perf_counter()
        gate.wait()
        seconds = time.perf_counter() - begun
        for worker in workers:
            worker.join()
    return trials / seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--trials", type=int, default=400, help="of each study, all processes together")
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()

    rates: dict[str, list[float]] = {"Treadle": [], "Optuna's SQLite": []}
    for _ in range(options.rounds):
        rates["Treadle"].append(rate(ours, options.trials, options.processes))
        rates["Optuna's SQLite"].append(rate(optunas, options.trials, options.processes))
    alone = rate(in_memory, options.trials // options.processes, 1)
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ratio = medians["Treadle"] / medians["Optuna's SQLite"]

    if options.json:
        rounded = {name: round(found, 1) for name, found in {**medians, "in memory": alone}.items()}
        print(json.dumps({"trials_per_second": rounded, "ratio": round(ratio, 2), "limit": LIMIT}))
    else:
        for name, found in medians.items():
            print(f"{found:8.1f} trials/s  {name}, {options.processes} processes")
        print(f"{alone:8.1f} trials/s  in memory, one process")
        print(f"{ratio:8.1f}x {'' if ratio >= LIMIT else ' NOT KEPT'} (at least {LIMIT:g}x)")
    return int(ratio < LIMIT)


if __name__ == "__main__":
    sys.exit(main())
