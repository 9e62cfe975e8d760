"""Experiments over the protocol: what newest MLflow answers, word for word where clients look at words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faces.mlflow.calling import Client

SEE = "See the API docs for more information about request parameters."


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    made = Client(tmp_path)
    yield made
    made.close()


def test_default_is_there_from_the_beginning(client: Client) -> None:
    found = client.get("experiments/get", experiment_id="0")["experiment"]

    times = {found.pop("creation_time"), found.pop("last_update_time")}
    assert len(times) == 1
    assert found == {
        "experiment_id": "0",
        "name": "Default",
        "artifact_location": "mlflow-artifacts:/0",
        "lifecycle_stage": "active",
        "workspace": "default",
    }


def test_an_experiment_is_made_found_tagged_and_renamed(client: Client) -> None:
    made = client.post("experiments/create", name="late", tags=[{"key": "a", "value": "b"}, {"key": "c"}])
    assert made == {"experiment_id": "1"}

    assert client.post("experiments/update", experiment_id="1", new_name="later") == {}
    assert client.post("experiments/set-experiment-tag", experiment_id="1", key="a", value="d") == {}
    assert client.post("experiments/delete-experiment-tag", experiment_id="1", key="c") == {}

    found = client.get("experiments/get-by-name", experiment_name="later")["experiment"]
    assert (found["experiment_id"], found["tags"]) == ("1", [{"key": "a", "value": "d"}])


def test_a_deleted_experiment_is_answered_as_deleted_and_comes_back(client: Client) -> None:
    client.post("experiments/create", name="late")
    client.post("experiments/delete", experiment_id="1")

    assert client.get("experiments/get", experiment_id="1")["experiment"]["lifecycle_stage"] == "deleted"
    assert client.refused("POST", "experiments/delete", experiment_id="1") == (
        404,
        "RESOURCE_DOES_NOT_EXIST",
        "No Experiment with id=1 exists",
    )
    assert client.refused("POST", "experiments/update", experiment_id="1", new_name="x") == (
        500,
        "INVALID_STATE",
        "Cannot rename a non-active experiment.",
    )
    assert client.post("experiments/restore", experiment_id="1") == {}


@pytest.mark.parametrize(
    ("method", "path", "asked", "status", "code", "message"),
    [
        ("POST", "create", {}, 400, "INVALID_PARAMETER_VALUE", f"Missing value for required parameter 'name'. {SEE}"),
        (
            "POST",
            "create",
            {"name": "Default"},
            400,
            "RESOURCE_ALREADY_EXISTS",
            "Experiment(name=Default) already exists.",
        ),
        (
            "POST",
            "create",
            {"name": "n" * 501},
            400,
            "INVALID_PARAMETER_VALUE",
            "'name' exceeds the maximum length of 500 characters",
        ),
        ("GET", "get", {"experiment_id": "7"}, 404, "RESOURCE_DOES_NOT_EXIST", "No Experiment with id=7 exists"),
        (
            "GET",
            "get",
            {"experiment_id": "abc"},
            400,
            "INVALID_PARAMETER_VALUE",
            "Invalid experiment ID 'abc'. Experiment ID must be a valid integer.",
        ),
        (
            "GET",
            "get-by-name",
            {"experiment_name": "x"},
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "Could not find experiment with name 'x'",
        ),
        (
            "POST",
            "update",
            {"experiment_id": "0"},
            400,
            "INVALID_PARAMETER_VALUE",
            f"Missing value for required parameter 'new_name'. {SEE}",
        ),
        (
            "POST",
            "delete-experiment-tag",
            {"experiment_id": "0", "key": "q"},
            404,
            "RESOURCE_DOES_NOT_EXIST",
            "No tag with name: q in experiment with id 0",
        ),
        (
            "POST",
            "set-experiment-tag",
            {"experiment_id": "0", "key": "/a", "value": "x"},
            400,
            "INVALID_PARAMETER_VALUE",
            "Invalid value \"/a\" for parameter 'key' supplied: Names may be treated as files in certain cases, and must "
            "not resolve to other names when treated as such. This name would resolve to '/a'",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_the_words_of_the_protocol(
    client: Client, method: str, path: str, asked: dict[str, str], status: int, code: str, message: str
) -> None:
    assert client.refused(method, f"experiments/{path}", **asked) == (status, code, message)
