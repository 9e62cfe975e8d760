"""Logged models over the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faces.mlflow.calling import Client


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    made = Client(tmp_path)
    yield made
    made.close()


def test_a_model_is_made_finalised_tagged_and_deleted(client: Client) -> None:
    run = client.run()
    made = client.post(
        "logged-models",
        experiment_id="0",
        name="late",
        source_run_id=run,
        model_type="t",
        params=[{"key": "p", "value": "1"}],
        tags=[{"key": "t", "value": "1"}],
    )["model"]

    model = made["info"]["model_id"]
    assert made["info"]["artifact_uri"] == f"mlflow-artifacts:/0/models/{model}/artifacts"
    assert (made["info"]["status"], made["info"]["source_run_id"]) == ("LOGGED_MODEL_PENDING", run)
    assert made["data"] == {"params": [{"key": "p", "value": "1"}]}

    path = f"logged-models/{model}"
    ready = client.patch(path, model_id=model, status="LOGGED_MODEL_READY")["model"]
    assert ready["info"]["status"] == "LOGGED_MODEL_READY"
    client.patch(f"{path}/tags", tags=[{"key": "u", "value": "2"}])
    client.delete(f"{path}/tags/t")
    client.post(f"{path}/params", params=[{"key": "q", "value": "2"}])
    found = client.get(path)["model"]
    assert found["info"]["tags"] == [{"key": "u", "value": "2"}]
    assert [param["key"] for param in found["data"]["params"]] == ["p", "q"]

    client.delete(path)
    gone = (404, "RESOURCE_DOES_NOT_EXIST", f"Logged model with ID '{model}' not found.")
    assert client.refused("GET", path) == gone
    assert client.get(path, allow_deleted="true")["model"]["info"]["model_id"] == model


def test_metrics_that_name_a_model_are_answered_with_it(client: Client) -> None:
    run = client.run()
    model = client.post("logged-models", experiment_id="0", name="late")["model"]["info"]["model_id"]
    client.post(
        "runs/log-metric",
        run_id=run,
        key="acc",
        value=0.5,
        timestamp=3,
        step=2,
        model_id=model,
        dataset_name="d",
        dataset_digest="1",
    )

    expected = {"key": "acc", "value": 0.5, "timestamp": 3, "step": 2, "model_id": model, "run_id": run}
    found = client.get(f"logged-models/{model}")["model"]["data"]["metrics"]
    assert found == [{**expected, "dataset_name": "d", "dataset_digest": "1"}]
    assert client.get("runs/get", run_id=run)["run"]["data"]["metrics"][0]["value"] == 0.5


def test_a_name_with_a_slash_is_refused(client: Client) -> None:
    status, code, message = client.refused("POST", "logged-models", experiment_id="0", name="a/b")

    assert (status, code) == (400, "INVALID_PARAMETER_VALUE")
    assert message.startswith("Invalid model name ('a/b') provided.")
