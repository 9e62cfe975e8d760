"""A pipeline whose steps log with MLflow and name neither a run nor a server."""

import mlflow

import treadle as td


@td.step
def train(rate: float) -> str:
    mlflow.log_param("rate", rate)
    mlflow.log_metric("loss", rate / 2)
    mlflow.log_text("trained", "log.txt")
    with mlflow.start_run(run_name="fold", nested=True):
        mlflow.log_metric("inner", 1.0)
    active = mlflow.active_run()
    assert active is not None
    return str(active.info.run_id)


@td.step
def fail(after: str) -> str:
    mlflow.log_metric("reached", 1.0)
    raise RuntimeError("on purpose")


@td.pipeline
def work() -> list[str]:
    return [td.load(train(0.1)), td.load(train(0.2))]


@td.pipeline
def broken() -> str:
    return td.load(fail(td.load(train(0.3))))
