"""Each difference that is meant, at work; and the page that lists them lists these and no others."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.peers import intended
from tests.peers.servers import ROOT, Served
from tests.peers.twins import Difference, Twins

M = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
PAGE = ROOT / "docs" / "reference" / "mlflow-differences.md"
NAMES = [one.__name__ for one in intended.INTENDED]


@pytest.fixture
def found() -> list[Difference]:
    return []


@pytest.fixture
def twins(stock: Served, treadle: Served, found: list[Difference]) -> Iterator[Twins]:
    both = Twins(stock, treadle, lambda _: False, found)
    yield both
    both.close()


def create(twins: Twins, name: str, **more: Any) -> None:
    body = {"name": name, **more}
    twins.ask("POST", f"{M}/experiments/create", body, makes=("experiment_id",), kind="experiment")


def a_name_that_is_taken(twins: Twins) -> None:
    create(twins, "taken twice")
    create(twins, "taken twice")


def a_body_that_is_a_list(twins: Twins) -> None:
    twins.ask("POST", f"{M}/experiments/create", raw=b"[]")


def a_search_that_is_a_list(twins: Twins) -> None:
    twins.ask("POST", f"{M}/runs/search", raw=b"[]")


def a_route_that_is_not_there(twins: Twins) -> None:
    twins.ask("POST", f"{M}/runs/no-such-thing", {})


def a_file_that_is_not_there(twins: Twins) -> None:
    twins.ask("GET", f"{FILES}/0/{'0' * 32}/artifacts/absent.txt")


def a_search_by_a_time_that_is_no_key(twins: Twins) -> None:
    twins.ask("GET", f"{M}/registered-models/search", query={"filter": "name = 'x' OR name = 'y'"})


def a_page_of_less_than_nothing(twins: Twins) -> None:
    create(twins, "pages")
    body = {"experiment_ids": ["‹experiment1›"], "max_results": -1}
    twins.ask("POST", f"{M}/logged-models/search", body)


def an_order_by_name_and_name(twins: Twins) -> None:
    twins.ask("POST", f"{M}/experiments/search", {"order_by": ["name", "name DESC"], "max_results": 1})


def a_tag_that_is_told_twice(twins: Twins) -> None:
    create(twins, "repetitions")
    tags = [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]
    twins.ask("POST", f"{M}/logged-models", {"experiment_id": "‹experiment1›", "name": "m", "tags": tags})


def a_state_that_is_not(twins: Twins) -> None:
    create(twins, "states")
    body = {"experiment_id": "‹experiment1›", "name": "m"}
    twins.ask("POST", f"{M}/logged-models", body, makes=("model", "info", "model_id"), kind="model")
    twins.ask("PATCH", f"{M}/logged-models/‹model1›", {"model_id": "‹model1›", "status": "no such"})


def a_file(twins: Twins, content: bytes = b"x") -> None:
    create(twins, f"uploads of {len(content)}")
    body = {"experiment_id": "‹experiment1›", "run_name": "r", "start_time": 1}
    twins.ask("POST", f"{M}/runs/create", body, makes=("run", "info", "run_id"), kind="run")
    twins.ask("PUT", f"{FILES}/‹experiment1›/‹run1›/artifacts/a.txt", raw=content)


def an_empty_file(twins: Twins) -> None:
    a_file(twins, b"")
    assert twins.found is not None
    twins.found.clear()
    twins.ask("GET", f"{M}/artifacts/list", query={"run_id": "‹run1›"})


def a_path_with_a_drive(twins: Twins) -> None:
    create(twins, "paths")
    twins.ask("PUT", f"{FILES}/‹experiment1›/{'1' * 32}/artifacts/C:\\x", raw=b"x")


def a_run_of_no_experiment(twins: Twins) -> None:
    twins.ask("POST", f"{M}/runs/create", {"run_name": "homeless", "start_time": 1})


def a_number_that_is_none(twins: Twins) -> None:
    create(twins, "numbers")
    body = {"experiment_id": "‹experiment1›", "run_name": "r", "start_time": 1}
    twins.ask("POST", f"{M}/runs/create", body, makes=("run", "info", "run_id"), kind="run")
    metrics = [{"key": key, "value": value, "timestamp": 1} for key, value in [("a", "much"), ("b", 1)]]
    twins.ask("POST", f"{M}/runs/log-batch", {"run_id": "‹run1›", "metrics": metrics, "params": [], "tags": []})


AT_WORK: dict[str, Callable[[Twins], None]] = {
    "statements_stay_inside": a_name_that_is_taken,
    "breakdowns_are_refusals": a_body_that_is_a_list,
    "bodies_are_objects": a_search_that_is_a_list,
    "errors_have_one_form": a_route_that_is_not_there,
    "errors_say_more": a_file_that_is_not_there,
    "searches_know_more": a_search_by_a_time_that_is_no_key,
    "pages_have_a_size": a_page_of_less_than_nothing,
    "orders_name_a_key_once": an_order_by_name_and_name,
    "repetitions_are_taken": a_tag_that_is_told_twice,
    "unknown_states_are_refused": a_state_that_is_not,
    "uploads_answer_an_object": a_file,
    "empty_files_have_a_size": an_empty_file,
    "paths_are_plain": a_path_with_a_drive,
    "runs_begin_in_default": a_run_of_no_experiment,
    "numbers_are_read": a_number_that_is_none,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_difference_that_is_meant_is_there(name: str, twins: Twins, found: list[Difference]) -> None:
    AT_WORK[name](twins)

    assert found, "the two answer alike: take the difference off the list"
    assert [one for one in found if not getattr(intended, name)(one)] == []


@pytest.mark.needs_no_peers
def test_the_page_lists_the_differences_that_are_meant() -> None:
    listed = re.findall(r"^### `(\w+)`$", PAGE.read_text(), re.MULTILINE)

    assert listed == NAMES
    assert all(inspect.getdoc(one) for one in intended.INTENDED)
