"""Searches over the protocol: what clients of MLflow ask, and what ours may ask beyond."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faces.mlflow.registry_house import Client
from treadle.assembly import Workspace
from treadle.faces.cli import entry
from treadle.ground.settings import load


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with Workspace(load({"home": tmp_path / "home"}, environ={}, folder=tmp_path), actor="ada") as workspace:
        yield Client(workspace)


def make_run(client: Client, start: int = 1, **logged: Any) -> str:
    info = client.made("runs/create", experiment_id="0", start_time=start, run_name=logged.pop("name", "r"))["run"][
        "info"
    ]
    run: str = info["run_id"]
    batch = {
        "metrics": [
            {"key": key, "value": value, "timestamp": 1, "step": 0} for key, value in logged.get("metrics", {}).items()
        ],
        "params": [{"key": key, "value": value} for key, value in logged.get("params", {}).items()],
        "tags": [{"key": key, "value": value} for key, value in logged.get("tags", {}).items()],
    }
    client.made("runs/log-batch", run_id=run, **batch)
    return run


def search(client: Client, **asked: Any) -> dict[str, Any]:
    found: dict[str, Any] = client.made("runs/search", experiment_ids=["0"], **asked)
    return found


def ids(page: dict[str, Any]) -> list[str]:
    return [run["info"]["run_id"] for run in page.get("runs", [])]


def test_runs_are_found_by_what_was_logged_in_them_and_answered_as_runs_get_answers_them(client: Client) -> None:
    make_run(client, metrics={"loss": 0.5}, params={"lr": "0.1"})
    good = make_run(client, metrics={"loss": 0.1}, params={"lr": "0.1"}, tags={"owner": "ann"})

    page = search(client, filter="metrics.loss < 0.2 and params.lr = '0.1' and tags.owner LIKE 'a%'")

    assert page == {"runs": [client.get("runs/get", run_id=good)[1]["run"]]}


def test_the_newest_run_comes_first_unless_an_order_says_otherwise(client: Client) -> None:
    first, second = make_run(client, start=1, metrics={"a": 2.0}), make_run(client, start=2, metrics={"a": 1.0})
    nan, none = make_run(client, start=3, metrics={"a": "NaN"}), make_run(client, start=4)

    assert ids(search(client)) == [none, nan, second, first]
    assert ids(search(client, order_by=["metrics.a DESC"])) == [first, second, nan, none]
    assert ids(search(client, order_by=["metrics.a"])) == [second, first, nan, none]


def test_a_page_is_followed_by_the_rest_although_runs_come_and_go(client: Client) -> None:
    runs = [make_run(client, start=start, metrics={"a": float(start % 3)}) for start in range(9)]
    first = search(client, order_by=["metrics.a DESC"], max_results=4)

    make_run(client, start=100, metrics={"a": 5.0})
    client.made("runs/delete", run_id=ids(first)[0])
    second = search(client, order_by=["metrics.a DESC"], max_results=100, page_token=first["next_page_token"])

    assert sorted(ids(first) + ids(second)) == sorted(runs)
    assert "next_page_token" not in second


@pytest.mark.parametrize("token", ["!", "e30=", "bm90IGpzb24="])
def test_a_page_token_that_is_none_is_refused(client: Client, token: str) -> None:
    status, body = client.post("runs/search", experiment_ids=["0"], page_token=token)

    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_a_page_token_of_another_search_is_refused(client: Client) -> None:
    for start in range(3):
        make_run(client, start=start)
    token = search(client, max_results=1)["next_page_token"]

    status, body = client.post("runs/search", experiment_ids=["0"], filter="params.a = 'b'", page_token=token)

    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_deleted_runs_are_found_in_their_own_view(client: Client) -> None:
    gone, there = make_run(client, start=1), make_run(client, start=2)
    client.made("runs/delete", run_id=gone)

    assert ids(search(client)) == [there]
    assert ids(search(client, run_view_type="DELETED_ONLY")) == [gone]
    assert ids(search(client, run_view_type="ALL")) == [there, gone]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"filter": "metrics.a > 'x'"}, "Expected numeric value type for metric. Found 'x'"),
        ({"filter": "params.a = 1"}, "Expected a quoted string value for parameter (e.g. 'my-value'). Got value 1"),
        ({"filter": "what.a = 'x'"}, "Invalid entity type 'what'."),
        ({"filter": "name = 'x'"}, "Invalid attribute key 'name' specified."),
        ({"filter": "metrics.a >"}, "Invalid clause(s) in filter string"),
        ({"filter": "params.a RLIKE '(a'"}, "a group that is not closed"),
        ({"order_by": ["metrics.a sideways"]}, "Invalid ordering key in order_by clause 'metrics.a sideways'."),
        ({"order_by": ["metrics.a", "metrics.a DESC"]}, "`order_by` contains duplicate fields"),
        ({"max_results": 0}, "It must be a positive integer"),
        ({"max_results": 50001}, "It must be at most 50000"),
        ({"columns": ["whatever"]}, "is no column"),
    ],
)
def test_what_cannot_be_understood_is_refused(client: Client, asked: dict[str, Any], message: str) -> None:
    status, body = client.post("runs/search", experiment_ids=["0"], **asked)

    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert message in body["message"]


@pytest.mark.parametrize(
    "asked",
    [
        {"filter": "params.a = '\0'"},
        {"filter": "metrics.`\0` > 1"},
        {"filter": "run_id IN ('\\x00')"},
        {"filter": "params.a = '\ud800'"},
        {"order_by": ["metrics.`\ud800`"]},
        {"columns": ["params.\0"]},
        {"filter": f"params.a LIKE '{'%a' * 9000}'"},
        {"experiment_ids": ["x"]},
    ],
)
def test_what_no_database_could_take_is_refused(client: Client, asked: dict[str, Any]) -> None:
    make_run(client)

    status, body = client.post("runs/search", **{"experiment_ids": ["0"], **asked})

    assert (status, body["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize(
    "asked",
    [
        {"experiment_ids": ["99999999999999999999999"]},
        {"filter": f"start_time > {'9' * 400}"},
        {"filter": "metrics.a > 1e999 or metrics.a < -1e999"},
        {"filter": f"start_time < {2**63} and start_time > -{2**64}"},
        {"filter": "params.a LIKE '%%%%%%%%%%%%%a%b%c%d%e%f'"},
    ],
)
def test_figures_of_any_size_may_be_asked_for(client: Client, asked: dict[str, Any]) -> None:
    make_run(client)

    status, body = client.post("runs/search", **{"experiment_ids": ["0"], **asked})

    assert status == 200, body


def test_a_choice_of_columns_leaves_the_others_out(client: Client) -> None:
    make_run(client, metrics={"a": 1.0, "b": 2.0}, params={"x": "1", "y": "2"})

    data = search(client, columns=["metrics.a", "params"])["runs"][0]["data"]

    assert [metric["key"] for metric in data["metrics"]] == ["a"]
    assert [param["key"] for param in data["params"]] == ["x", "y"]
    assert "tags" not in data


def test_runs_can_be_counted(client: Client) -> None:
    for value in range(5):
        make_run(client, metrics={"a": float(value)})

    assert search(client, filter="metrics.a >= 2", count_only=True) == {"total": 3}
    page = search(client, filter="metrics.a >= 2", max_results=1, with_total=True)
    assert (len(page["runs"]), page["total"]) == (1, 3)


def test_no_experiments_have_no_runs(client: Client) -> None:
    make_run(client)

    assert client.made("runs/search", experiment_ids=[]) == {}


def test_experiments_are_found_by_name_tag_and_time(client: Client) -> None:
    for name, owner in (("alpha", "ann"), ("beta", "bob"), ("Alpine", "ann")):
        client.made("experiments/create", name=name, tags=[{"key": "owner", "value": owner}])

    def names(**asked: Any) -> list[str]:
        found = client.made("experiments/search", max_results=10, **asked)
        return [one["name"] for one in found.get("experiments", [])]

    assert sorted(names()) == ["Alpine", "Default", "alpha", "beta"]
    assert names(filter="name LIKE 'al%'") == ["alpha"]
    assert names(filter="name ILIKE 'al%'", order_by=["name ASC"]) == ["Alpine", "alpha"]
    assert names(filter="tags.owner = 'ann'", order_by=["experiment_id DESC"]) == ["Alpine", "alpha"]
    assert names(filter="experiment_id IN ('0', '2')", order_by=["experiment_id"]) == ["Default", "beta"]
    assert names(filter="tags.owner IS NULL") == ["Default"]
    assert names(filter="creation_time < 5") == []


def test_experiments_are_paged_and_asked_for_by_get_as_well(client: Client) -> None:
    for number in range(4):
        client.made("experiments/create", name=f"e{number}")
    first = client.made("experiments/search", max_results=3, order_by=["name"])

    status, second = client.get(
        "experiments/search", max_results="3", order_by="name", page_token=first["next_page_token"]
    )

    assert status == 200
    assert [one["name"] for one in first["experiments"] + second["experiments"]] == ["Default", "e0", "e1", "e2", "e3"]


def make_model(client: Client, name: str, **logged: Any) -> str:
    params = [{"key": key, "value": value} for key, value in logged.get("params", {}).items()]
    model = client.made("logged-models", experiment_id="0", name=name, params=params)["model"]
    return str(model["info"]["model_id"])


def log_point(client: Client, run: str, model: str, value: float, dataset: str | None = None, step: int = 0) -> None:
    named = {} if dataset is None else {"dataset_name": dataset, "dataset_digest": "d"}
    client.made("runs/log-metric", run_id=run, model_id=model, key="acc", value=value, timestamp=1, step=step, **named)


def test_logged_models_are_found_and_ordered_by_metrics_on_data_sets(client: Client) -> None:
    run = make_run(client)
    good, bad, bare = (
        make_model(client, "good", params={"depth": "3"}),
        make_model(client, "bad"),
        make_model(client, "x"),
    )
    log_point(client, run, good, 0.9, "test")
    log_point(client, run, good, 0.1, "train", step=1)
    log_point(client, run, bad, 0.2, "test")
    log_point(client, run, bad, 0.8, "train", step=1)

    def found(**asked: Any) -> list[str]:
        page = client.made("logged-models/search", experiment_ids=["0"], **asked)
        return [one["info"]["model_id"] for one in page.get("models", [])]

    on_test, on_train = (
        {"field_name": "metrics.acc", "ascending": False, "dataset_name": name} for name in ("test", "train")
    )
    assert sorted(found()) == sorted([good, bad, bare])
    assert found(filter="params.depth = '3'") == [good]
    assert found(filter="name LIKE 'b%'") == [bad]
    assert found(order_by=[on_test]) == [good, bad, bare]
    assert found(order_by=[on_train]) == [bad, good, bare]
    assert found(filter="metrics.acc > 0.5", datasets=[{"dataset_name": "test"}]) == [good]
    assert sorted(found(datasets=[{"dataset_name": "test"}])) == sorted([good, bad])
    assert client.post("logged-models/search", experiment_ids=["0"], order_by=[{"field_name": "params.x"}])[0] == 400


def typed(client: Client, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    code = entry.main([*words, "--home", str(client.workspace.home)])
    found = capsys.readouterr()
    assert code == 0, found.err
    return found.out


def test_the_terminal_shows_what_the_question_speaks_of(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(client, metrics={"val/loss": 0.25}, params={"model": "tree"}, name="one")
    make_run(client, metrics={"val/loss": 0.5}, params={"model": "tree"}, name="two")
    make_run(client, params={"model": "forest"}, name="three")

    table = typed(
        client, capsys, "runs", "search", "metrics.`val/loss` < 1", "-o", "metrics.`val/loss`", "-c", "params.model"
    )
    counted = typed(client, capsys, "runs", "count", "--by", "params.model", "--experiment", "Default")

    assert [line.split()[2] for line in table.splitlines()[1:]] == ["one", "two"]
    assert "0.25" in table
    assert "tree" in table
    assert counted.splitlines()[-1] == "3 runs."
    assert [line.split() for line in counted.splitlines()[1:3]] == [["tree", "2"], ["forest", "1"]]
