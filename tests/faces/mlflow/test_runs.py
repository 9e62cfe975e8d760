"""Runs over the protocol: what newest MLflow answers, word for word where clients look at words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faces.mlflow.calling import Client

NOT_FOUND = (404, "RESOURCE_DOES_NOT_EXIST", "Run with id=nope not found")
DATASET = {"name": "d", "digest": "1", "source_type": "s", "source": "{}"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    made = Client(tmp_path)
    yield made
    made.close()


def test_a_new_run_is_answered_whole(client: Client) -> None:
    made = client.post(
        "runs/create",
        experiment_id="0",
        start_time=5,
        run_name="a",
        user_id="ada",
        tags=[{"key": "t", "value": "v"}],
    )

    run = made["run"]["info"]["run_id"]
    info = {
        "run_uuid": run,
        "experiment_id": "0",
        "run_name": "a",
        "user_id": "ada",
        "status": "RUNNING",
        "start_time": 5,
        "artifact_uri": f"mlflow-artifacts:/0/{run}/artifacts",
        "lifecycle_stage": "active",
        "run_id": run,
    }
    tags = [{"key": "mlflow.runName", "value": "a"}, {"key": "t", "value": "v"}]
    assert made["run"]["info"] == info
    assert sorted(made["run"]["data"]["tags"], key=lambda tag: tag["key"]) == tags
    whole = {"info": info, "data": {"tags": tags}, "inputs": {}, "outputs": {}}
    assert client.get("runs/get", run_id=run) == {"run": whole}
    assert client.get("runs/get", run_uuid=run) == {"run": whole}


def test_an_update_changes_what_it_names(client: Client) -> None:
    run = client.run()

    ended = client.post("runs/update", run_id=run, status="FINISHED", end_time="77")["run_info"]
    assert (ended["status"], ended["end_time"]) == ("FINISHED", 77)
    assert client.post("runs/update", run_id=run, status="NOPE")["run_info"]["status"] == "FINISHED"
    renamed = client.post("runs/update", run_id=run, run_name="b", status=1)["run_info"]
    assert (renamed["status"], renamed["run_name"], renamed["end_time"]) == ("RUNNING", "b", 77)


def test_parameters_tags_and_metrics_of_a_batch_are_answered(client: Client) -> None:
    run = client.run()
    metrics = [
        {"key": "m", "value": value, "timestamp": 9, "step": step} for value, step in ((1, 0), ("NaN", 4), (2, 3))
    ]

    client.post(
        "runs/log-batch",
        run_id=run,
        metrics=metrics,
        params=[{"key": "p", "value": "1"}],
        tags=[{"key": "t", "value": "1"}, {"key": "t", "value": "2"}],
    )

    data = client.get("runs/get", run_id=run)["run"]["data"]
    assert data["metrics"] == [{"key": "m", "value": "NaN", "timestamp": 9, "step": 4}]
    assert data["params"] == [{"key": "p", "value": "1"}]
    assert {"key": "t", "value": "2"} in data["tags"]


def test_a_parameter_may_be_sent_again_but_not_changed(client: Client) -> None:
    run = client.run()
    for _ in range(2):
        client.post("runs/log-parameter", run_id=run, key="p", value="1")

    status, code, message = client.refused("POST", "runs/log-parameter", run_id=run, key="p", value="2")
    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message == (
        f"Changing param values is not allowed. Param with key='p' was already logged with value='1' for run ID='{run}'. "
        "Attempted logging new value '2'."
    )
    *_, message = client.refused("POST", "runs/log-batch", run_id=run, params=[{"key": "p", "value": "2"}])
    assert message == (
        "Changing param values is not allowed. Params were already logged='[{'key': 'p', 'old_value': '1', "
        f"'new_value': '2'}}]' for run ID='{run}'."
    )


def test_a_deleted_run_takes_nothing_until_it_is_restored(client: Client) -> None:
    run = client.run()
    for _ in range(2):
        assert client.post("runs/delete", run_id=run) == {}

    assert client.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    message = f"The run {run} must be in the 'active' state. Current state is deleted."
    for path, asked in [
        ("log-metric", {"key": "m", "value": 1, "timestamp": 5}),
        ("log-parameter", {"key": "p", "value": "1"}),
        ("set-tag", {"key": "t", "value": "1"}),
        ("update", {"status": "FINISHED"}),
        ("log-batch", {}),
    ]:
        assert client.refused("POST", f"runs/{path}", run_id=run, **asked) == (400, "INVALID_PARAMETER_VALUE", message)
    assert client.post("runs/restore", run_id=run) == {}
    assert client.post("runs/set-tag", run_id=run, key="t", value="1") == {}


def test_inputs_and_outputs_are_answered_with_the_run(client: Client) -> None:
    run = client.run()
    tagged = {"dataset": DATASET, "tags": [{"key": "mlflow.data.context", "value": "train"}]}
    client.post("runs/log-inputs", run_id=run, datasets=[tagged], models=[{"model_id": "m-1"}])
    client.post("runs/log-inputs", run_id=run, datasets=[{"dataset": DATASET}])
    client.post("runs/outputs", run_id=run, models=[{"model_id": "m-2", "step": 3}])

    found = client.get("runs/get", run_id=run)["run"]
    assert found["inputs"] == {"dataset_inputs": [tagged], "model_inputs": [{"model_id": "m-1"}]}
    assert found["outputs"] == {"model_outputs": [{"model_id": "m-2", "step": 3}]}
    assert client.post("experiments/search-datasets", experiment_ids=["0"]) == {
        "dataset_summaries": [{"experiment_id": "0", "name": "d", "digest": "1", "context": "train"}]
    }


@pytest.mark.parametrize("path", ["runs/delete", "runs/restore", "runs/update", "runs/log-batch", "runs/log-inputs"])
def test_a_run_that_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert client.refused("POST", path, run_id="nope") == NOT_FOUND
    assert client.refused("GET", "runs/get", run_id="nope") == NOT_FOUND


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"metrics": [{"key": "m", "value": 1}]}, "Missing value for required parameter 'metrics[0].timestamp'."),
        (
            {"metrics": [{"key": "", "value": 1, "timestamp": 1}]},
            "Missing value for required parameter 'metrics[0].key'.",
        ),
        ({"tags": [{"value": "x"}]}, "Missing value for required parameter 'tags[0].key'."),
        ({"params": [{"key": "p"}] * 2}, "Duplicate parameter keys have been submitted: ['p']."),
        ({"tags": [{"key": "k"}] * 101}, "A batch logging request can contain at most 100 tags. Got 101 tags."),
        (
            {"metrics": [{"key": "m", "value": 1, "timestamp": 1}] * 1000, "tags": [{"key": "k"}]},
            "A batch logging request can contain at most 1000 metrics, params, and tags.",
        ),
        ({"run_id": "x y"}, "Invalid value \"x y\" for parameter 'run_id' supplied."),
    ],
)
def test_a_batch_that_breaks_a_rule_is_refused(client: Client, asked: dict[str, Any], message: str) -> None:
    status, code, told = client.refused("POST", "runs/log-batch", **{"run_id": client.run(), **asked})

    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert told.startswith(message)


def test_models_of_old_clients_are_listed_in_a_tag(client: Client) -> None:
    run = client.run()
    model = '{"artifact_path": "a", "flavors": {}, "run_id": "x", "utc_time_created": "2020", "mlflow_version": "1"}'

    client.post("runs/log-model", run_id=run, model_json=model)

    tags = {tag["key"]: tag["value"] for tag in client.get("runs/get", run_id=run)["run"]["data"]["tags"]}
    assert '"artifact_path": "a"' in tags["mlflow.log-model.history"]
    status, *_ = client.refused("POST", "runs/log-model", run_id=run, model_json="{}")
    assert status == 400
