"""From a request line to its route, and what no request line may do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route
from treadle.faces.api.mlflow.routing import Table, below_prefix, decoded
from treadle.wire.mlflow.errors import ProtocolError


def answer(_: Exchange) -> Answer:
    return Answer()


TABLE = Table(
    [
        Route("GET", "2.0/models/{id}", answer),
        Route("POST", "2.0/models/search", answer),
        Route("GET", "2.0/models/search", answer),
        Route("DELETE", "2.0/models/{id}/tags/{key:path}", answer),
        Route("GET", "2.0/{rest:path}", answer),
        Route("GET", "/version", answer),
    ]
)


@pytest.mark.parametrize(
    ("method", "path", "route", "parameters"),
    [
        ("GET", "2.0/models/m-1", "2.0/models/{id}", {"id": "m-1"}),
        ("GET", "2.0/models/search", "2.0/models/search", {}),
        ("DELETE", "2.0/models/m-1/tags/a/b", "2.0/models/{id}/tags/{key:path}", {"id": "m-1", "key": "a/b"}),
        ("GET", "2.0/models/m-1/more", "2.0/{rest:path}", {"rest": "models/m-1/more"}),
        ("GET", "/version", "/version", {}),
    ],
)
def test_the_nearest_route_answers(method, path, route, parameters):
    found = TABLE.find(method, path)

    assert found is not None
    assert (found[0].path, found[1]) == (route, parameters)


def test_a_path_says_which_methods_it_has():
    assert TABLE.find("PUT", "2.0/models/m-1") is None
    assert TABLE.methods("2.0/models/search") == ["GET", "POST"]
    assert TABLE.methods("/nothing") == []


def test_two_routes_cannot_answer_one_request():
    with pytest.raises(ValueError, match="two routes"):
        Table([Route("GET", "a", answer), Route("GET", "a", answer)])


@pytest.mark.parametrize("prefix", ["/api/", "/ajax-api/"])
def test_both_prefixes_lead_to_the_same_route(prefix):
    assert below_prefix(f"{prefix}2.0/mlflow/runs/get") == "2.0/mlflow/runs/get"


def test_our_own_api_is_no_part_of_the_protocol():
    assert below_prefix("/api/v1/runs/list") is None


def test_a_path_is_decoded_once():
    assert decoded(b"/a%20b/%c3%a9/%2541") == "/a b/é/%41"


@pytest.mark.parametrize(
    "raw",
    [
        b"/a/../b",
        b"/a/./b",
        b"/..",
        b"/a/%2e%2e/b",
        b"/a/%2E%2e",
        b"/a%2fb",
        b"/a%2Fb",
        b"/a%5cb",
        b"/a\\b",
        b"/a%00b",
        b"/a%0d%0ab",
        b"/a%ff",
    ],
)
def test_a_path_that_could_be_read_in_two_ways_is_refused(raw):
    with pytest.raises(ProtocolError, match="Invalid path"):
        decoded(raw)


@given(st.binary(max_size=40))
def test_no_path_that_passes_leaves_its_folder(raw):
    try:
        path = decoded(b"/" + raw)
    except ProtocolError:
        return

    assert not {".", ".."} & set(path.split("/"))
    assert not set(path) & set("\\\x00\n\r")
