"""Inside a step, MLflow's run is the step's own run.

The first run that a client begins in a step is the step itself, known to MLflow by the digits of its id; so what is
logged stands where the engine records the step. Runs that are nested in it are runs of their own, below it. When the
step ends, MLflow's active run ends with it, so that the next step in this process begins anew.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from treadle.faces.mlflow_plugin.local import LocalServer
from treadle.ground.ids import mlflow_id
from treadle.kernel.engine.context import StepContext, running_step
from treadle.systems.train.tracking.adopting import AdoptRun
from treadle.systems.train.tracking.graph import PARENT_TAG
from treadle.systems.train.tracking.records import Pair


def run_of_step(server: LocalServer, body: str) -> dict[str, Any] | None:
    """The answer to `runs/create` inside a step: the step's own run; None where the run is to be one of its own."""
    step = running_step()
    if step is None:
        return None
    asked = json.loads(body)
    tags = [Pair(str(tag["key"]), str(tag.get("value", ""))) for tag in asked.get("tags", [])]
    if any(tag.key == PARENT_TAG for tag in tags):
        return None
    request = AdoptRun(
        run=step.id,
        experiment=str(asked.get("experiment_id", "0")),
        name=str(asked.get("run_name", "")) or step.path,
        user_id=str(asked.get("user_id", "")),
        start_ms=int(asked.get("start_time", 0)) or None,
        tags=tags,
    )
    if server.adopt(request) is None:
        return None
    _end_with(step)
    return server.call("GET", "/api/2.0/mlflow/runs/get", json.dumps({"run_id": mlflow_id(step.id)}))


def _end_with(step: StepContext) -> None:
    """Ends MLflow's active run together with the step."""
    run = mlflow_id(step.id)

    def end() -> None:
        mlflow = sys.modules.get("mlflow")
        active = None if mlflow is None else mlflow.active_run()
        if mlflow is not None and active is not None and active.info.run_id == run:
            mlflow.end_run("FAILED" if sys.exc_info()[0] is not None else "FINISHED")

    step.at_end.append(end)
