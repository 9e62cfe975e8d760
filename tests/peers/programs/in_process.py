"""A stock client over `treadle://`: no server, the same store. Arguments: the URI.

Everything is written through the client's own functions and read back by them.
"""

import sys

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.linear_model import LogisticRegression

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()

experiment = mlflow.set_experiment("in-process")
with mlflow.start_run(run_name="first") as run:
    mlflow.log_params({"depth": 3, "rate": 0.1})
    for step in range(5):
        mlflow.log_metric("loss", 1.0 / (step + 1), step=step)
    mlflow.set_tag("team", "blue")
    mlflow.log_text("hello", "notes/hello.txt")
    mlflow.log_dict({"a": [1, 2]}, "facts.json")
    mlflow.log_input(mlflow.data.from_numpy(np.arange(6.0).reshape(3, 2), name="rows"), context="training")

found = mlflow.get_run(run.info.run_id)
assert found.data.params == {"depth": "3", "rate": "0.1"}, found.data.params
assert found.data.metrics == {"loss": 0.2}
assert found.inputs.dataset_inputs[0].dataset.name == "rows"
assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == [0, 1, 2, 3, 4]
assert sorted(each.path for each in client.list_artifacts(run.info.run_id)) == ["facts.json", "notes"]
assert mlflow.artifacts.load_text(f"{run.info.artifact_uri}/notes/hello.txt") == "hello"
assert list(mlflow.search_runs(filter_string="metrics.loss < 0.5 and tags.team = 'blue'").run_id) == [run.info.run_id]

rows = np.random.default_rng(1).random((40, 3))
truth = (rows[:, 0] > 0.5).astype(int)
model = LogisticRegression().fit(rows, truth)
with mlflow.start_run():
    mlflow.sklearn.log_model(model, name="model", registered_model_name="churn")
client.set_registered_model_alias("churn", "champion", "1")
loaded = mlflow.sklearn.load_model("models:/churn@champion")
assert (loaded.predict(rows) == model.predict(rows)).all()
assert [each.name for each in client.search_registered_models()] == ["churn"]


@mlflow.trace
def double(n: int) -> int:
    return 2 * n


double(4)
mlflow.flush_trace_async_logging()
traces = mlflow.search_traces(return_type="list")
assert len(traces) == 1, traces
assert client.get_trace(traces[0].info.trace_id).data.spans[0].name == "double"

client.delete_run(run.info.run_id)
assert run.info.run_id not in set(mlflow.search_runs().run_id)
client.restore_run(run.info.run_id)
code = ""
try:
    client.get_run("0" * 32)
except MlflowException as error:
    code = error.error_code
assert code == "RESOURCE_DOES_NOT_EXIST", code
sys.stdout.write(f"{run.info.run_id}\n")
