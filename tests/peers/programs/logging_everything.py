"""Everything that `mlflow.log_*` offers, written and read back; an unchanged client, told nothing but the address."""

from __future__ import annotations

import json
import math
import tempfile
import time
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient, MlflowException
from mlflow.entities import Metric, Param, RunStatus, RunTag, ViewType
from PIL import Image

client = MlflowClient()


def experiments() -> None:
    made = mlflow.set_experiment("everything")
    assert mlflow.set_experiment("everything").experiment_id == made.experiment_id
    assert mlflow.get_experiment("0").name == "Default"
    mlflow.set_experiment_tag("team", "late flights")
    other = mlflow.create_experiment("second", tags={"team": "other", "note": "ünïcødé 😀"})
    with pytest.raises(MlflowException) as refused:
        mlflow.create_experiment("second")
    assert refused.value.error_code == "RESOURCE_ALREADY_EXISTS"
    client.rename_experiment(other, "second, renamed")
    assert mlflow.get_experiment(other).tags["note"] == "ünïcødé 😀"
    assert mlflow.get_experiment_by_name("second") is None
    client.delete_experiment(other)
    assert client.get_experiment(other).lifecycle_stage == "deleted"
    assert [one.name for one in mlflow.search_experiments(view_type=ViewType.DELETED_ONLY)] == ["second, renamed"]
    client.restore_experiment(other)
    found = mlflow.search_experiments(filter_string="tags.team ILIKE 'OTHER'", order_by=["name ASC"])
    assert [one.experiment_id for one in found] == [other]
    client.delete_experiment_tag(other, "team")
    assert "team" not in mlflow.get_experiment(other).tags


def values() -> str:
    with mlflow.start_run(run_name="values", tags={"kind": "demo"}, description="all of it") as run:
        mlflow.log_param("depth", 7)
        mlflow.log_params({"rate": 0.1, "text": "x" * 6000, "none": None, "weird/key-1 .": "ok"})
        mlflow.log_param("depth", 7)
        with pytest.raises(MlflowException) as refused:
            mlflow.log_param("depth", 8)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE", refused.value
        mlflow.log_metric("loss", 0.5)
        for step in (3, 1, 2):
            mlflow.log_metric("loss", 1 / step, step=step, timestamp=1_700_000_000_000 + step)
        mlflow.log_metric("loss", 0.25, step=3, timestamp=1_700_000_000_009)
        mlflow.log_metrics({"nan": math.nan, "inf": math.inf, "minus": -math.inf, "tiny": 5e-324}, step=-4)
        for step in range(40):
            mlflow.log_metric("queued", step * 0.5, step=step, synchronous=False)
        mlflow.log_params({"queued_a": 1, "queued_b": 2}, synchronous=False)
        mlflow.set_tag("async", "yes", synchronous=False)
        mlflow.flush_async_logging()
        mlflow.set_tags({"a": "1", "b": "ünïcødé 😀"})
        mlflow.set_tag("gone", "1")
        mlflow.delete_tag("gone")
        now = int(time.time() * 1000)
        client.log_batch(run.info.run_id, metrics=[Metric("batch", i * i, now + i, i) for i in range(1000)])
        client.log_batch(run.info.run_id, params=[Param(f"p{i}", str(i)) for i in range(100)])
        client.log_batch(run.info.run_id, tags=[RunTag(f"t{i}", str(i)) for i in range(100)])
        with mlflow.start_run(run_name="child", nested=True) as child:
            mlflow.log_metric("loss", 9)
    found = mlflow.get_run(run.info.run_id)
    assert (found.info.status, found.info.run_name, found.info.lifecycle_stage) == ("FINISHED", "values", "active")
    assert found.info.end_time >= found.info.start_time
    assert found.data.params["depth"] == "7"
    assert found.data.params["none"] == "None"
    assert found.data.params["weird/key-1 ."] == "ok"
    assert len(found.data.params) == 5 + 2 + 100
    assert found.data.metrics["loss"] == 0.25
    assert math.isnan(found.data.metrics["nan"])
    assert found.data.metrics["inf"] > 1e308
    assert found.data.metrics["minus"] < -1e308
    assert found.data.metrics["tiny"] == 5e-324
    assert found.data.tags["b"] == "ünïcødé 😀"
    assert "gone" not in found.data.tags
    assert found.data.tags["async"] == "yes"
    assert found.data.tags["mlflow.note.content"] == "all of it"
    assert mlflow.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == run.info.run_id
    assert mlflow.get_parent_run(child.info.run_id).info.run_id == run.info.run_id
    history = client.get_metric_history(run.info.run_id, "batch")
    assert [(one.value, one.timestamp, one.step) for one in history] == [(i * i, now + i, i) for i in range(1000)]
    loss = [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, "loss")]
    assert sorted(loss) == [(0, 0.5), (1, 1.0), (2, 0.5), (3, 0.25), (3, 1 / 3)]
    assert len(client.get_metric_history(run.info.run_id, "queued")) == 40
    assert client.get_metric_history(run.info.run_id, "never") == []
    return run.info.run_id


def artifacts() -> None:
    with tempfile.TemporaryDirectory() as name, mlflow.start_run(run_name="artifacts") as run:
        folder = Path(name)
        (folder / "sub").mkdir()
        (folder / "one file.txt").write_text("one")
        (folder / "sub" / "ünï.bin").write_bytes(bytes(range(256)) * 4096)
        (folder / "empty").write_bytes(b"")
        mlflow.log_artifact(str(folder / "one file.txt"))
        mlflow.log_artifact(str(folder / "one file.txt"), "deep/er")
        mlflow.log_artifacts(name, "whole")
        mlflow.log_text("spoken", "text/said.txt")
        mlflow.log_dict({"a": [1, {"b": None}]}, "data.json")
        mlflow.log_dict({"a": 1}, "data.yaml")
        figure, axes = plt.subplots()
        axes.plot([1, 2])
        mlflow.log_figure(figure, "figure.png")
        plt.close(figure)
        pixels = np.arange(30 * 20 * 3, dtype=np.uint8).reshape(30, 20, 3)
        mlflow.log_image(pixels, "pixels.png")
        mlflow.log_image(Image.fromarray(pixels), key="preview", step=3, timestamp=1_700_000_000_000, synchronous=True)
        table = pd.DataFrame({"question": ["a", "b"], "score": [0.5, 1.5]})
        mlflow.log_table(table, "table.json")
        mlflow.log_table({"question": ["c"], "score": [2.5]}, "table.json")
        assert mlflow.get_artifact_uri("x").endswith("/artifacts/x"), mlflow.get_artifact_uri("x")
        names = {one.path for one in client.list_artifacts(run.info.run_id)}
        wanted = {"one file.txt", "deep", "whole", "text", "data.json", "data.yaml", "figure.png", "pixels.png"}
        assert wanted <= names, names
        whole = {one.path: one for one in client.list_artifacts(run.info.run_id, "whole")}
        assert {path: one.is_dir for path, one in whole.items()} == {
            "whole/one file.txt": False,
            "whole/sub": True,
            "whole/empty": False,
        }
        assert whole["whole/one file.txt"].file_size == 3
        assert client.list_artifacts(run.info.run_id, "nowhere") == []
        back = Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, dst_path=str(folder / "back")))
        assert (back / "whole" / "sub" / "ünï.bin").read_bytes() == bytes(range(256)) * 4096
        assert (back / "deep" / "er" / "one file.txt").read_text() == "one"
        assert (back / "whole" / "empty").read_bytes() == b""
        assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/text/said.txt") == "spoken"
        assert mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/data.json") == {"a": [1, {"b": None}]}
        read = np.asarray(mlflow.artifacts.load_image(f"{run.info.artifact_uri}/pixels.png"))
        assert (read == pixels).all()
        loaded = mlflow.load_table("table.json", run_ids=[run.info.run_id])
        assert list(loaded["score"]) == [0.5, 1.5, 2.5]
        listed = mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="deep")
        assert [(one.path, one.is_dir) for one in listed] == [("deep/er", True)]


def inputs() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
    data = mlflow.data.from_pandas(frame, source="somewhere.csv", name="flights", targets="y")
    array = mlflow.data.from_numpy(np.eye(3), name="eye")
    with mlflow.start_run(run_name="inputs") as run:
        mlflow.log_input(data, context="training", tags={"split": "a"})
        mlflow.log_input(data, context="validation")
        mlflow.log_inputs([array], ["test"], [{"k": "v"}])
        mlflow.log_metric("auc", 0.9, dataset=data)
    found = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    by_name = {one.dataset.name: one for one in found}
    assert set(by_name) == {"flights", "eye"}
    assert by_name["flights"].dataset.digest == data.digest
    assert json.loads(by_name["flights"].dataset.profile)["num_rows"] == 2
    assert {tag.key: tag.value for tag in by_name["eye"].tags} == {"k": "v", "mlflow.data.context": "test"}
    assert "y" in by_name["flights"].dataset.schema
    hit = mlflow.search_runs(filter_string="datasets.name = 'flights' AND datasets.context = 'training'")
    assert list(hit["run_id"]) == [run.info.run_id]


def searching() -> None:
    made = []
    mlflow.set_experiment("searched")
    for number in range(12):
        with mlflow.start_run(run_name=f"run {number}") as run:
            mlflow.log_metric("score", number)
            mlflow.log_metric("other metric", -number)
            mlflow.log_param("parity", "even" if number % 2 == 0 else "odd")
            mlflow.set_tag("Group", "Big" if number > 5 else "small")
            made.append(run.info.run_id)
    with mlflow.start_run(run_name="bare") as run:
        bare = run.info.run_id

    def ids(**asked: object) -> list[str]:
        return [one.info.run_id for one in mlflow.search_runs(output_format="list", **asked)]

    assert ids() == [bare, *reversed(made)]
    assert ids(order_by=["metrics.score DESC"]) == [*reversed(made), bare]
    assert ids(order_by=["metrics.score"]) == [*made, bare]
    assert ids(filter_string="metrics.score >= 9 and params.parity = 'odd'") == [made[11], made[9]]
    assert ids(filter_string='metrics."other metric" < -9.5', order_by=["metrics.score ASC"]) == made[10:]
    assert ids(filter_string="tags.Group LIKE 'B%' AND attributes.run_name ILIKE 'RUN 1_'") == [made[11], made[10]]
    assert ids(filter_string="tags.Group LIKE 'b%'") == []
    assert ids(filter_string="tags.`Group` IS NULL") == [bare]
    assert ids(filter_string=f"run_id IN ('{made[0]}', '{made[1]}')", order_by=["start_time ASC"]) == made[:2]
    assert ids(filter_string="status = 'FINISHED' AND metrics.score != 3", max_results=3) == made[:8:-1]
    assert ids(run_view_type=ViewType.DELETED_ONLY) == []
    client.delete_run(made[0])
    assert ids(run_view_type=ViewType.DELETED_ONLY) == [made[0]]
    assert len(ids(run_view_type=ViewType.ALL)) == 13
    client.restore_run(made[0])
    page, seen = client.search_runs([run.info.experiment_id], order_by=["metrics.score ASC"], max_results=5), []
    seen += page
    while page.token:
        page = client.search_runs(
            [run.info.experiment_id], order_by=["metrics.score ASC"], max_results=5, page_token=page.token
        )
        seen += page
    assert [one.info.run_id for one in seen] == [*made, bare]
    frame = mlflow.search_runs(order_by=["metrics.score DESC"])
    assert list(frame["metrics.score"][:3]) == [11.0, 10.0, 9.0]
    for wrong in ("metrics.score > 'a'", "nothing.here = 1", "metrics.score", "params.parity > 'x'"):
        with pytest.raises(MlflowException) as refused:
            ids(filter_string=wrong)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE", (wrong, refused.value)


def lives() -> None:
    mlflow.set_experiment("lives")
    with pytest.raises(ZeroDivisionError), mlflow.start_run() as run:
        raise ZeroDivisionError
    assert mlflow.get_run(run.info.run_id).info.status == "FAILED"
    mlflow.start_run()
    killed = mlflow.active_run().info.run_id
    mlflow.end_run("KILLED")
    assert mlflow.get_run(killed).info.status == "KILLED"
    with mlflow.start_run(run_id=killed):
        mlflow.log_metric("again", 1)
        assert mlflow.get_run(killed).info.status == "RUNNING"
    made = client.create_run(run.info.experiment_id, start_time=123, run_name="by hand", tags={"mlflow.user": "ada"})
    assert (made.info.start_time, made.info.user_id, made.info.status) == (123, "ada", "RUNNING")
    client.update_run(made.info.run_id, status="SCHEDULED", name="renamed")
    assert client.get_run(made.info.run_id).data.tags["mlflow.runName"] == "renamed"
    client.set_terminated(made.info.run_id, end_time=456)
    assert client.get_run(made.info.run_id).info.end_time == 456
    assert RunStatus.from_string(client.get_run(made.info.run_id).info.status) == RunStatus.FINISHED
    client.delete_run(made.info.run_id)
    with pytest.raises(MlflowException):
        client.log_metric(made.info.run_id, "late", 1)
    with pytest.raises(MlflowException) as absent:
        client.get_run("0" * 32)
    assert absent.value.error_code == "RESOURCE_DOES_NOT_EXIST"


if __name__ == "__main__":
    for part in (experiments, values, artifacts, inputs, searching, lives):
        part()
        print(part.__name__, "as written", flush=True)
