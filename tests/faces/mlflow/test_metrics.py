"""Metrics over the protocol: histories whole, paged and sampled as newest MLflow answers them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faces.mlflow.calling import Client

SEE = "See the API docs for more information about request parameters."


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    made = Client(tmp_path)
    yield made
    made.close()


def logged(client: Client, count: int) -> str:
    run = client.run()
    metrics = [{"key": "m", "value": step * 2, "timestamp": 100 + step, "step": step} for step in range(count)]
    client.post("runs/log-batch", run_id=run, metrics=metrics)
    return run


def test_values_come_back_as_the_protocol_writes_them(client: Client) -> None:
    run = client.run()
    for value, at in (("NaN", 5), ("Infinity", "6"), ("-Infinity", 7), (1, 8), (1.5, 9)):
        assert client.post("runs/log-metric", run_id=run, key="m", value=value, timestamp=at) == {}

    found = client.get("metrics/get-history", run_id=run, metric_key="m")["metrics"]
    assert [one["value"] for one in found] == ["NaN", 1.7976931348623157e308, -1.7976931348623157e308, 1.0, 1.5]
    assert found[0] == {"key": "m", "value": "NaN", "timestamp": 5, "step": 0}


def test_a_history_is_paged_without_gaps(client: Client) -> None:
    run = logged(client, 10)
    pages: list[Any] = []
    token = ""
    while True:
        found = client.get("metrics/get-history", run_id=run, metric_key="m", max_results=4, page_token=token)
        pages.append([one["step"] for one in found["metrics"]])
        token = found.get("next_page_token", "")
        if not token:
            break

    assert pages == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_samples_are_even_and_end_with_the_last_point(client: Client) -> None:
    run, other = logged(client, 100), logged(client, 3)

    found = client.get("metrics/get-history-bulk-interval", run_ids=[run, other], metric_key="m", max_results=5)
    assert [one["step"] for one in found["metrics"] if one["run_id"] == run] == [0, 20, 40, 60, 99]
    assert [one["step"] for one in found["metrics"] if one["run_id"] == other] == [0, 1, 2]

    near = client.get("metrics/get-history-bulk-interval", run_ids=[run], metric_key="m", start_step=10, end_step=12)
    assert [one["step"] for one in near["metrics"]] == [10, 11, 12]


def test_histories_of_several_runs_come_run_by_run(client: Client) -> None:
    runs = sorted([logged(client, 2), logged(client, 2)])

    found = client.get("metrics/get-history-bulk", run_id=runs, metric_key="m", max_results=3)["metrics"]

    assert [(one["run_id"], one["step"]) for one in found] == [(runs[0], 0), (runs[0], 1), (runs[1], 0)]


def test_what_nobody_logged_is_an_empty_answer(client: Client) -> None:
    run = logged(client, 1)

    assert client.get("metrics/get-history", run_id=run, metric_key="none") == {}
    assert client.get("metrics/get-history", run_id="nope", metric_key="m") == {}
    assert client.get("metrics/get-history-bulk-interval", run_ids=["nope"], metric_key="m") == {}


@pytest.mark.parametrize(
    ("path", "asked", "message"),
    [
        ("get-history", {"run_id": "r"}, f"Missing value for required parameter 'metric_key'. {SEE}"),
        (
            "get-history",
            {"run_id": "r", "metric_key": "m", "max_results": 0},
            "Invalid value 0 for parameter 'max_results' supplied. It must be a positive integer.",
        ),
        (
            "get-history",
            {"run_id": "r", "metric_key": "m", "page_token": "garbage"},
            "Invalid page token, could not base64-decode",
        ),
        ("get-history-bulk", {"metric_key": "m"}, "GetMetricHistoryBulk request must specify at least one run_id."),
        (
            "get-history-bulk-interval",
            {"run_ids": ["r"], "metric_key": "m", "start_step": 1},
            "If either start step or end step are specified, both must be specified.",
        ),
        (
            "get-history-bulk-interval",
            {"run_ids": ["r"], "metric_key": "m", "start_step": 3, "end_step": 1},
            "end_step must be greater than start_step. Found start_step=3 and end_step=1.",
        ),
        (
            "get-history-bulk-interval",
            {"run_ids": ["r"], "metric_key": "m", "max_results": 2501},
            f"max_results must be between 1 and 2500. {SEE}",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    client: Client, path: str, asked: dict[str, Any], message: str
) -> None:
    assert client.refused("GET", f"metrics/{path}", **asked) == (400, "INVALID_PARAMETER_VALUE", message)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"key": "m", "timestamp": 5}, f"Missing value for required parameter 'value'. {SEE}"),
        ({"key": "m", "value": 1}, f"Missing value for required parameter 'timestamp'. {SEE}"),
        (
            {"key": "m", "value": "abc", "timestamp": 5},
            f"Invalid value \"abc\" for parameter 'value' supplied:  Hint: Value was of type 'str'. {SEE}",
        ),
        (
            {"key": "m", "value": 1, "timestamp": -5},
            "Invalid value -5 for parameter 'timestamp' supplied: metric 'm' (value=1.0). "
            "Timestamp must be a nonnegative long (64-bit integer) ",
        ),
        ({"key": "m" * 251, "value": 1, "timestamp": 5}, "'Metric name' exceeds the maximum length of 250 characters"),
    ],
)
def test_a_point_that_breaks_a_rule_is_refused(client: Client, asked: dict[str, Any], message: str) -> None:
    told = client.refused("POST", "runs/log-metric", run_id=client.run(), **asked)

    assert told == (400, "INVALID_PARAMETER_VALUE", message)
