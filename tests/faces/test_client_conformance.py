"""One suite, two transports: a program cannot tell whether the work is done here or behind an API."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.faces import bakery
from tests.faces.bakery import BakeLoaf, Flour, Loaf, OvenCold, Reading
from treadle.faces.api import HomeToken, Server, build
from treadle.faces.requests import RequestInvalid, VerbNotFound
from treadle.faces.sdk.client import Client
from treadle.faces.sdk.embedded import InProcess
from treadle.faces.sdk.remote import OverHttp, ServerUnreachable
from treadle.faces.sdk.verbs import Verbs
from treadle.ground.errors import TreadleError
from treadle.kernel.governance import Caller

TOKEN = "the-token-of-this-home"
VERBS = Verbs({"loaves": ["tests.faces.bakery"], "oven": ["tests.faces.bakery"]})


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    authenticator = HomeToken(TOKEN, actor="ada")
    with Server(build(bakery.bound(), authenticator, version="1"), authenticator, port=0) as running:
        yield running


@pytest.fixture(params=["in process", "over HTTP"])
def client(request: pytest.FixtureRequest, server: Server) -> Iterator[Client]:
    if request.param == "in process":
        service = bakery.Bakery()
        transport = InProcess(lambda verb: service, Caller(project="bread", actor="ada"))
    else:
        transport = OverHttp(server.url, TOKEN, project="bread")
    with Client(transport, VERBS) as opened:
        yield opened


def test_a_verb_answers_the_service_s_record(client):
    at = datetime(2013, 4, 1, 3, 0, 0, 123456, tzinfo=UTC)

    loaf = client.loaves.bake(name="rye", flours=[Flour(kind="rye", grams=700), Flour(kind="wheat", grams=50)], at=at)

    assert loaf == Loaf(name="rye", baked_by="ada", project="bread", grams=750, minutes=40.0, at=at)


def test_a_request_may_be_given_whole(client):
    assert client.call("loaves.bake", BakeLoaf(name="rye", minutes=1.5)).minutes == 1.5


def test_nested_fields_may_be_given_as_plain_values(client):
    assert client.loaves.bake(name="rye", flours=[{"kind": "rye", "grams": 3}]).grams == 3


def test_a_page_keeps_the_type_of_its_items(client):
    page = client.loaves.find(names=["a", "b", "c"], limit=2)

    assert [(type(loaf), loaf.name) for loaf in page.items] == [(Loaf, "a"), (Loaf, "b")]
    assert page.next == "more"


def test_a_verb_without_a_request_answers_none(client):
    assert client.oven.clean() is None


def test_a_long_running_verb_answers_its_run_at_once(client):
    assert client.oven.heat() == "run_1"


def test_a_stream_yields_items_as_records(client):
    assert list(client.oven.watch(degrees=3)) == [Reading(place=n, degrees=10 * n) for n in range(3)]


def test_a_stream_without_items_is_empty(client):
    assert list(client.oven.watch(degrees=0)) == []


def test_a_stream_that_breaks_gives_what_came_before_and_then_its_error(client):
    readings = client.oven.watch(degrees=3, breaks_at=2)

    assert [next(readings).place, next(readings).place] == [0, 1]
    with pytest.raises(OvenCold, match="fire went out"):
        next(readings)


def test_a_stream_can_be_left_early(client):
    readings = iter(client.oven.watch(degrees=1000))

    assert next(readings).place == 0
    readings.close()


def test_the_service_s_error_arrives_with_all_its_parts(client):
    with pytest.raises(OvenCold) as caught:
        client.loaves.bake(name="rye", is_warm=False)

    error = caught.value
    assert error.sentences() == ["The oven is cold.", "Nobody lit it.", "Light it."]
    assert (error.code, error.status, error.context) == ("bakery.oven_cold", 409, {"loaf": "rye"})


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "missing required field `name`"),
        ({"name": 7}, "Expected `str`"),
        ({"name": "rye", "minute": 3}, "Did you mean 'minutes'"),
        ({"name": "rye", "flours": [{"kind": "rye"}]}, "missing required field `grams`"),
    ],
)
def test_a_wrong_request_is_refused_before_it_travels(client, fields, why):
    with pytest.raises(RequestInvalid) as caught:
        client.loaves.bake(**fields)

    assert why in caught.value.why


def test_an_unknown_verb_is_named_with_its_neighbours(client):
    with pytest.raises(VerbNotFound) as caught:
        client.call("loaves.back")

    assert "loaves.bake" in caught.value.why


@pytest.mark.parametrize("reach", [lambda client: client.loafs, lambda client: client.loaves.back])
def test_a_misspelt_attribute_is_an_attribute_error_with_a_hint(client, reach):
    with pytest.raises(AttributeError, match=r"loaves"):
        reach(client)


def test_completion_lists_nouns_and_actions(client):
    assert {"loaves", "oven"} <= set(dir(client))
    assert dir(client.loaves) == ["bake", "find"]


def test_an_unknown_noun_is_named_with_its_neighbours(client):
    with pytest.raises(VerbNotFound) as caught:
        client.call("loafs.bake")

    assert "loaves" in caught.value.why


def test_a_server_that_is_gone_is_unavailable_and_may_be_tried_again():
    with pytest.raises(ServerUnreachable) as caught, Client(OverHttp("http://127.0.0.1:9", TOKEN), VERBS) as client:
        client.oven.clean()

    assert caught.value.retryable


def test_an_unforeseen_error_of_the_server_shows_nothing_of_its_inside(server):
    with pytest.raises(TreadleError) as caught, Client(OverHttp(server.url, TOKEN), VERBS) as client:
        client.oven.explode()

    assert caught.value.code == "treadle.error"
    assert "secret of the oven" not in " ".join(caught.value.sentences())


def test_a_verb_s_module_is_imported_when_its_noun_is_used():
    verbs = Verbs({"loaves": ["tests.faces.bakery"], "ghosts": ["no_such_module_at_all"]})

    assert verbs.nouns == ["ghosts", "loaves"]
    assert set(verbs.of("loaves")) == {"bake", "find"}
