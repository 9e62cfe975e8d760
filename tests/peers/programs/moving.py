"""Fills a store with something of everything, or tells all that a stock client reads in several: `fill`, or `tell URI=FILE …`."""

from __future__ import annotations

import hashlib
import json
import math
import sys
import tempfile
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from sklearn.linear_model import LinearRegression


def fill() -> None:
    client = MlflowClient()
    group = client.create_experiment("flights", tags={"team": "a"})
    client.delete_experiment(client.create_experiment("gone"))
    for place in range(3):
        run = client.create_run(group, tags={"k": str(place)}, run_name=f"r{place}").info.run_id
        points = [Metric("loss", 1.0 / (step + 1), 1700000000000 + step, step) for step in range(20)]
        points += [Metric("odd", math.nan, 1, 0), Metric("endless", math.inf, 1, 0)]
        client.log_batch(run, points, [Param("lr", "0.1"), Param("note", "naïve\nline")], [RunTag("a/b", "x")])
        client.log_text(run, f"hello {place}", "sub dir/x/hello.txt")
        client.set_terminated(run, "FAILED" if place == 1 else "FINISHED")
        if place == 2:
            client.delete_run(run)
    mlflow.set_experiment("flights")
    with mlflow.start_run(run_name="model"):
        data = mlflow.data.from_numpy(np.array([[1.0]]), name="flights")
        mlflow.log_input(data, context="training")
        trained = LinearRegression().fit(np.array([[1.0], [2.0]]), [1.0, 2.0])
        model = mlflow.sklearn.log_model(
            trained, name="m", params={"p": "1"}, tags={"mt": "1"}, pip_requirements=["scikit-learn"]
        )
        mlflow.log_metric("acc", 0.5, step=0, model_id=model.model_id, dataset=data)
        mlflow.register_model(model.model_uri, "late", tags={"vt": "1"})
    client.update_registered_model("late", "of flights")
    client.set_registered_model_tag("late", "rt", "2")
    client.set_registered_model_alias("late", "champion", 1)
    client.update_model_version("late", "1", "the first")
    client.create_registered_model("empty")


def tell() -> dict[str, object]:
    client = MlflowClient()
    groups = {one.experiment_id: one for one in client.search_experiments(view_type=ViewType.ALL)}
    runs = {}
    for run in client.search_runs(list(groups), run_view_type=ViewType.ALL, max_results=1000):
        info = run.info
        runs[info.run_id] = {
            "experiment": groups[info.experiment_id].name,
            "info": [info.run_name, info.status, info.start_time, info.end_time, info.lifecycle_stage, info.user_id],
            "params": run.data.params,
            "tags": run.data.tags,
            "metrics": {
                key: sorted(
                    [point.step, point.timestamp, shown(point.value)]
                    for point in client.get_metric_history(info.run_id, key)
                )
                for key in run.data.metrics
            },
            "latest": {key: shown(value) for key, value in run.data.metrics.items()},
            "inputs": [
                [used.dataset.name, used.dataset.digest, used.dataset.source, {tag.key: tag.value for tag in used.tags}]
                for used in run.inputs.dataset_inputs
            ],
            "outputs": [made.model_id for made in (run.outputs.model_outputs if run.outputs else [])],
            "files": files(run_id=info.run_id) if info.lifecycle_stage == "active" else {},
        }
    logged = {}
    for group in [one.experiment_id for one in groups.values() if one.lifecycle_stage == "active"]:
        for model in client.search_logged_models([group]):
            logged[model.model_id] = [
                model.name, str(model.status), model.creation_timestamp, model.tags, model.params, model.source_run_id,
                [[point.key, shown(point.value)] for point in model.metrics or []],
                files(artifact_uri=f"models:/{model.model_id}"),
            ]  # fmt: skip
    models = {}
    for model in client.search_registered_models():
        versions = client.search_model_versions(f"name='{model.name}'")
        models[model.name] = [
            model.description or "", model.tags, {name: int(of) for name, of in model.aliases.items()}, model.creation_timestamp, model.last_updated_timestamp,
            [
                [int(one.version), one.description or "", one.tags, one.run_id, one.current_stage, one.source, one.creation_timestamp,
                 one.last_updated_timestamp, list(client.get_model_version(model.name, one.version).aliases)]
                for one in versions
            ],
        ]  # fmt: skip
    predicted = mlflow.sklearn.load_model("models:/late@champion").predict(np.array([[3.0]])).tolist()
    experiments = [
        [one.name, one.lifecycle_stage, one.tags, one.creation_time if one.name != "Default" else 0]
        for one in groups.values()
    ]
    return {
        "experiments": sorted(experiments, key=lambda one: one[0]), "runs": runs, "logged models": logged, "models": models,
        "predicted": predicted,
    }  # fmt: skip


def shown(value: float) -> str:
    """A value; a folder keeps an infinity, MLflow's databases and Treadle the greatest float in its place."""
    return repr(math.copysign(sys.float_info.max, value) if math.isinf(value) else value)


def files(**which: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(
            mlflow.artifacts.download_artifacts(
                dst_path=name, **({"artifact_path": ""} if "run_id" in which else {}), **which
            )
        )
        return {
            place.relative_to(root).as_posix(): hashlib.sha256(place.read_bytes()).hexdigest()
            for place in sorted(root.rglob("*"))
            if place.is_file()
        }


if sys.argv[1] == "fill":
    fill()
for told in sys.argv[2:]:
    uri, _, file = told.rpartition("=")
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    Path(file).write_text(json.dumps(tell(), sort_keys=True, indent=1))
