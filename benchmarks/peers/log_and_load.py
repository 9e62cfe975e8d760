"""How long `mlflow.sklearn.log_model` and `load_model` take, end to end, with an unchanged client: run by `.peers/bin/python`.

The requirements are named, since to infer them the client starts an interpreter of its own for about two seconds, whatever
the server. Prints the median seconds of so many rounds, and how much of them the client did not wait for an answer: no server
can be quicker than that.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import threading
import time
import warnings
from typing import Any

import mlflow
import numpy as np
import urllib3
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)


class Waiting:
    """How long at least one request was under way: downloads run side by side."""

    def __init__(self) -> None:
        self.seconds, self._open, self._since, self._lock = 0.0, 0, 0.0, threading.Lock()
        self._inner: Any = urllib3.connectionpool.HTTPConnectionPool._make_request
        urllib3.connectionpool.HTTPConnectionPool._make_request = self._outer()

    def _outer(self) -> Any:
        def made(pool: Any, *arguments: Any, **options: Any) -> Any:
            self._step(1)
            try:
                return self._inner(pool, *arguments, **options)
            finally:
                self._step(-1)

        return made

    def _step(self, change: int) -> None:
        with self._lock:
            now = time.perf_counter()
            if self._open:
                self.seconds += now - self._since
            self._open, self._since = self._open + change, now


def main(repeat: int) -> None:
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(200, 5))
    model = LogisticRegression().fit(rows, rows[:, 0] > 0)
    wanted = model.predict_proba(rows)
    mlflow.set_experiment("log and load")
    logs, loads, alone = [], [], []
    waiting = Waiting()
    for _ in range(repeat + 1):
        with mlflow.start_run():
            begun, before = time.perf_counter(), waiting.seconds
            info = mlflow.sklearn.log_model(model, name="model", pip_requirements=["scikit-learn"])
            logs.append(time.perf_counter() - begun)
            waited = waiting.seconds - before
        begun, before = time.perf_counter(), waiting.seconds
        loaded = mlflow.sklearn.load_model(info.model_uri)
        loads.append(time.perf_counter() - begun)
        waited += waiting.seconds - before
        alone.append(logs[-1] + loads[-1] - waited)
        assert (loaded.predict_proba(rows) == wanted).all()
    answer = {"log_s": logs, "load_s": loads, "client_alone_s": alone}
    print(json.dumps({name: statistics.median(times[1:]) for name, times in answer.items()}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
