"""The HTTP face as a stranger meets it: what it answers, and what it refuses."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator

import httpx
import pytest

from tests.faces import bakery
from treadle.faces.api import HomeToken, Server, build
from treadle.faces.api import server as server_module
from treadle.faces.api.errors import ListeningRefused
from treadle.faces.api.server import AddressTaken

TOKEN = "the-token-of-this-home"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    authenticator = HomeToken(TOKEN, actor="ada")
    app = build(bakery.bound(), authenticator, version="1.2", body_max_bytes=4096)
    with Server(app, authenticator, port=0) as running:
        yield running


@pytest.fixture
def web(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers=AUTHORIZED, trust_env=False) as client:
        yield client


def test_a_write_is_posted_and_answered_as_json(web):
    answer = web.post("/api/v1/loaves/bake", json={"name": "rye"}, headers={"X-Treadle-Project": "bread"})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["name"] == "rye"
    assert answer.json()["project"] == "bread"


def test_a_read_is_got_with_query_parameters(web):
    answer = web.get("/api/v1/loaves/find", params={"names": ["a", "b"], "limit": "1", "is_large": "true"})

    assert [loaf["name"] for loaf in answer.json()["items"]] == ["a"]
    assert answer.json()["items"][0]["grams"] == 900


def test_a_single_query_value_is_a_list_where_a_list_is_asked_for(web):
    assert len(web.get("/api/v1/loaves/find", params={"names": "a"}).json()["items"]) == 1


def test_a_write_cannot_be_got(web):
    answer = web.get("/api/v1/loaves/bake", params={"name": "rye"})

    assert answer.status_code == 405
    assert answer.json()["code"] == "api.method_not_allowed"


def test_a_long_running_verb_is_accepted(web):
    assert web.post("/api/v1/oven/heat", json={}).status_code == 202


def test_a_stream_is_one_object_a_line_and_says_its_end(web):
    answer = web.post("/api/v1/oven/watch", json={"degrees": 2})

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line) for line in answer.text.splitlines()] == [
        {"item": {"place": 0, "degrees": 0}},
        {"item": {"place": 1, "degrees": 10}},
        {"end": True},
    ]


def test_a_stream_that_fails_at_once_has_the_error_s_status(web):
    assert web.post("/api/v1/oven/watch", json={"degrees": 2, "breaks_at": 0}).status_code == 409


def test_a_problem_is_problem_json_with_what_why_and_fix(web):
    answer = web.post("/api/v1/loaves/bake", json={"name": "rye", "is_warm": False})

    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "https://treadle.readthedocs.io/reference/errors#bakery-oven_cold",
        "title": "The oven is cold.",
        "status": 409,
        "code": "bakery.oven_cold",
        "why": "Nobody lit it.",
        "fix": "Light it.",
        "retryable": False,
        "context": {"loaf": "rye"},
    }


def test_an_unforeseen_error_shows_nothing_of_the_inside_and_is_in_the_log(web, caplog):
    with caplog.at_level(logging.ERROR, logger="treadle.api"):
        answer = web.post("/api/v1/oven/explode", json={})

    assert answer.status_code == 500
    assert "secret" not in answer.text
    reference = answer.json()["context"]["reference"]
    assert reference in caplog.text
    assert "the secret of the oven" in caplog.text


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{", "not valid JSON"),
        (b"[1]", "must be a JSON object"),
        (b'{"name": 7}', "Expected `str`"),
        (b'{"name": "rye", "x": 1}', "no field 'x'"),
        (b"\xff\xfe", "not valid JSON"),
    ],
)
def test_a_wrong_body_is_refused_with_the_place(web, body, why):
    answer = web.post("/api/v1/loaves/bake", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert answer.json()["code"] == "verbs.request_invalid"
    assert why in answer.json()["why"]


def test_a_form_of_another_site_is_no_json(web):
    answer = web.post("/api/v1/loaves/bake", data={"name": "rye"})

    assert (answer.status_code, answer.json()["code"]) == (415, "api.body_not_json")


@pytest.mark.parametrize(
    "given", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer ü"}]
)
@pytest.mark.parametrize("path", ["/api/v1/loaves/find", "/metrics"])
def test_without_the_token_nothing_is_told(server, given, path):
    headers = {name: value.encode() for name, value in given.items()}

    answer = httpx.get(server.url + path, headers=headers, trust_env=False)

    assert (answer.status_code, answer.json()["code"]) == (401, "api.unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:4700", "127.0.0.1.evil.example", ""])
def test_a_rebound_name_is_refused(web, host):
    answer = web.get("/health", headers={"Host": host})

    assert (answer.status_code, answer.json()["code"]) == (403, "api.host_refused")


@pytest.mark.parametrize("project", ["../other", "A", "a/b", "", "a" * 64])
def test_a_project_that_cannot_be_one_is_refused_before_it_becomes_a_path(web, project):
    answer = web.post("/api/v1/loaves/bake", json={"name": "rye"}, headers={"X-Treadle-Project": project})

    assert (answer.status_code, answer.json()["code"]) == (400, "api.project_invalid")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_is_refused(web, headers):
    answer = web.post("/api/v1/loaves/bake", json={"name": "rye"}, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (403, "api.origin_refused")


def test_a_page_of_this_server_is_let_in(web, server):
    answer = web.post("/api/v1/loaves/bake", json={"name": "rye"}, headers={"Origin": server.url})

    assert answer.status_code == 200


def test_a_body_over_the_limit_is_refused_by_its_length(web):
    answer = web.post("/api/v1/loaves/bake", json={"name": "r" * 5000})

    assert (answer.status_code, answer.json()["code"]) == (413, "api.body_too_large")


def test_a_body_over_the_limit_is_refused_though_it_hides_its_length(web):
    pieces = (b"x" * 1000 for _ in range(9))

    answer = web.post("/api/v1/loaves/bake", content=pieces, headers={"Content-Type": "application/json"})

    assert (answer.status_code, answer.json()["code"]) == (413, "api.body_too_large")


def test_a_path_that_is_not_there_names_one_that_is(web):
    answer = web.post("/api/v1/loaves/bakes", json={})

    assert answer.status_code == 404
    assert "/api/v1/loaves/bake" in answer.json()["why"]


def test_health_needs_no_token(server):
    assert httpx.get(server.url + "/health", trust_env=False).json() == {"status": "ok", "version": "1.2"}


def test_metrics_count_calls_by_verb_and_status(web):
    web.post("/api/v1/oven/clean", json={})
    web.post("/api/v1/oven/clean", json={"x": 1})

    text = web.get("/metrics").text

    assert 'treadle_api_calls_total{verb="oven.clean",status="200"}' in text
    assert 'treadle_api_calls_total{verb="oven.clean",status="400"}' in text
    assert 'treadle_api_call_seconds_bucket{verb="oven.clean",le="+Inf"}' in text
    assert "treadle_api_calls_under_way 0" in text


def test_the_openapi_document_describes_every_verb(web):
    document = web.get("/api/v1/openapi.json").json()

    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {
        f"/api/v1/{name}"
        for name in ("loaves/bake", "loaves/find", "oven/clean", "oven/explode", "oven/heat", "oven/watch")
    }
    bake = document["paths"]["/api/v1/loaves/bake"]
    assert set(bake) == {"post"}
    assert bake["post"]["x-permission"] == "loaves.write"
    assert bake["post"]["requestBody"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/BakeLoaf"
    }
    find = document["paths"]["/api/v1/loaves/find"]["get"]
    assert [parameter["name"] for parameter in find["parameters"]] == ["limit", "names", "is_large"]


def test_every_reference_of_the_openapi_document_leads_somewhere(web):
    text = web.get("/api/v1/openapi.json").text
    document = json.loads(text)

    wanted = {part.partition('"')[0] for part in text.split('"$ref":"#/components/schemas/')[1:]}

    assert wanted
    assert wanted <= set(document["components"]["schemas"])


def test_a_connection_sends_without_waiting_for_more():
    """With Nagle's algorithm on, an answer of two segments takes 40 ms."""
    listening = server_module._listen("127.0.0.1", 0)
    try:
        with socket.create_connection(listening.getsockname()):
            accepted, _ = listening.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    finally:
        listening.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "example.org"])
def test_the_server_does_not_listen_beyond_loopback_with_one_token_for_all(host):
    authenticator = HomeToken(TOKEN, actor="ada")

    with pytest.raises(ListeningRefused):
        Server(build({}, authenticator, version="1"), authenticator, host=host, port=0)


def test_a_port_that_is_taken_is_named(server):
    authenticator = HomeToken(TOKEN, actor="ada")

    with pytest.raises(AddressTaken, match=str(server.port)):
        Server(build({}, authenticator, version="1"), authenticator, port=server.port)


def test_a_server_that_was_stopped_gives_its_port_back():
    authenticator = HomeToken(TOKEN, actor="ada")
    with Server(build({}, authenticator, version="1"), authenticator, port=0) as first:
        port = first.port

    with Server(build({}, authenticator, version="1"), authenticator, port=port) as second:
        assert httpx.get(second.url + "/health", trust_env=False).status_code == 200
