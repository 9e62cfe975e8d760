"""A model from its fit to `models:/m@champion`: log, register, alias, tags, stages, webhooks, load, evaluate."""

from __future__ import annotations

import warnings

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient, MlflowException
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression

warnings.filterwarnings("ignore")
client = MlflowClient()
rng = np.random.default_rng(7)
X = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
Y = (X["a"] - X["b"] > 0).astype(int)
MODEL = LogisticRegression().fit(X, Y)
NEEDS = ["scikit-learn"]


def log_and_register() -> str:
    mlflow.set_experiment("registry")
    with mlflow.start_run() as run:
        first = mlflow.sklearn.log_model(
            MODEL, name="model", signature=infer_signature(X, MODEL.predict(X)), input_example=X[:3],
            registered_model_name="late", pip_requirements=NEEDS, params={"kind": "linear"}, tags={"by": "ada"},
        )  # fmt: skip
        mlflow.log_metric("auc", 0.8, model_id=first.model_id)
    logged = mlflow.get_logged_model(first.model_id)
    assert (logged.name, str(logged.status), logged.source_run_id) == ("model", "READY", run.info.run_id)
    assert logged.params == {"kind": "linear"}
    assert logged.tags["by"] == "ada"
    assert [(one.key, one.value) for one in logged.metrics] == [("auc", 0.8)]
    mlflow.set_logged_model_tags(first.model_id, {"reviewed": "yes"})
    mlflow.delete_logged_model_tag(first.model_id, "by")
    found = mlflow.search_logged_models(
        filter_string="metrics.auc > 0.5 AND tags.reviewed = 'yes'", output_format="list"
    )
    assert [one.model_id for one in found] == [first.model_id]
    assert client.get_model_version("late", "1").run_id == run.info.run_id
    second = mlflow.register_model(f"models:/{first.model_id}", "late", tags={"try": "2"})
    third = mlflow.register_model(f"runs:/{run.info.run_id}/model", "late")
    assert (second.version, third.version) in ((2, 3), ("2", "3"))
    assert second.tags == {"try": "2"}
    return str(first.model_id)


def curate(model_id: str) -> None:
    client.update_registered_model("late", "which flights will be late")
    client.set_registered_model_tag("late", "team", "ops")
    client.set_model_version_tag("late", "2", "checked", "yes")
    client.update_model_version("late", "2", "the second")
    client.set_registered_model_alias("late", "champion", "2")
    client.set_registered_model_alias("late", "challenger", "3")
    client.set_registered_model_alias("late", "champion", "1")
    client.delete_registered_model_alias("late", "challenger")
    model = client.get_registered_model("late")
    assert {name: str(version) for name, version in model.aliases.items()} == {"champion": "1"}
    assert (model.description, model.tags["team"]) == ("which flights will be late", "ops")
    version = client.get_model_version_by_alias("late", "champion")
    assert (str(version.version), version.aliases, version.source) == ("1", ["champion"], f"models:/{model_id}")
    with pytest.raises(MlflowException) as absent:
        client.get_model_version_by_alias("late", "nobody")
    assert absent.value.error_code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
    client.transition_model_version_stage("late", "1", "Production")
    client.transition_model_version_stage("late", "2", "Production", archive_existing_versions=True)
    assert client.get_model_version("late", "1").current_stage == "Archived"
    assert [str(one.version) for one in client.get_latest_versions("late", ["Production"])] == ["2"]
    found = client.search_model_versions("name = 'late' AND tags.checked = 'yes'")
    assert [str(one.version) for one in found] == ["2"]
    assert [
        str(one.version) for one in client.search_model_versions("name = 'late'", order_by=["version_number DESC"])
    ] == [
        "3",
        "2",
        "1",
    ]
    assert [one.name for one in client.search_registered_models("name ILIKE 'LA%'")] == ["late"]
    client.delete_model_version_tag("late", "2", "checked")
    client.delete_registered_model_tag("late", "team")
    client.create_registered_model("spare", tags={"a": "b"}, description="to be dropped")
    with pytest.raises(MlflowException) as taken:
        client.create_registered_model("spare")
    assert taken.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.rename_registered_model("spare", "dropped")
    client.delete_registered_model("dropped")
    with pytest.raises(MlflowException) as gone:
        client.get_registered_model("dropped")
    assert gone.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    client.delete_model_version("late", "3")
    assert [
        str(one.version) for one in client.search_model_versions("name = 'late'", order_by=["version_number ASC"])
    ] == ["1", "2"]
    with pytest.raises(MlflowException):
        client.create_model_version("late", "/etc", run_id="0" * 32)


def load(model_id: str) -> None:
    wanted = MODEL.predict(X)
    for uri in ("models:/late@champion", "models:/late/1", f"models:/{model_id}", "models:/late/latest"):
        assert (mlflow.pyfunc.load_model(uri).predict(X) == wanted).all(), uri
    assert (mlflow.sklearn.load_model("models:/late@champion").predict_proba(X) == MODEL.predict_proba(X)).all()
    info = mlflow.models.get_model_info("models:/late@champion")
    assert info.signature == infer_signature(X, MODEL.predict(X))


def evaluate(model_id: str) -> None:
    data = mlflow.data.from_pandas(X.assign(y=Y), targets="y", name="held out")
    options = {"model_type": "classifier", "evaluator_config": {"log_explainer": False}}
    with mlflow.start_run(run_name="evaluated") as run:
        answer = mlflow.models.evaluate(f"models:/{model_id}", data, **options)
    found = mlflow.get_run(run.info.run_id)
    assert found.data.metrics["accuracy_score"] == answer.metrics["accuracy_score"] == MODEL.score(X, Y)
    assert {one.path for one in client.list_artifacts(run.info.run_id)} >= {"confusion_matrix.png"}
    assert [one.dataset.name for one in found.inputs.dataset_inputs] == ["held out"]
    assert [one.model_id for one in found.inputs.model_inputs] == [model_id]
    metrics = {one.key: one.value for one in mlflow.get_logged_model(model_id).metrics}
    assert metrics["accuracy_score"] == MODEL.score(X, Y)


if __name__ == "__main__":
    model = log_and_register()
    curate(model)
    load(model)
    evaluate(model)
    print("registry as written", flush=True)
