"""How requests of the protocol are read: protobuf's JSON with the leniency that clients count on."""

from __future__ import annotations

import contextlib
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.faces.api.mlflow.reading import read_body, read_query
from treadle.wire.mlflow.errors import ProtocolError


class Point(msgspec.Struct):
    key: str
    value: float
    step: int = 0


class Asked(msgspec.Struct):
    run_id: str = ""
    metrics: list[Point] = []
    names: list[str] = []
    max_results: int | None = None
    is_deep: bool = False
    tags: dict[str, str] = {}


def test_numbers_may_come_as_text():
    asked = read_body(Asked, b'{"max_results": "12", "metrics": [{"key": "a", "value": "1.5", "step": "-3"}]}')

    assert (asked.max_results, asked.metrics) == (12, [Point("a", 1.5, -3)])


@pytest.mark.parametrize("text", ['"NaN"', "NaN"])
def test_nan_may_come_as_text_or_bare(text):
    asked = read_body(Asked, b'{"metrics": [{"key": "a", "value": %s}]}' % text.encode())

    assert math.isnan(asked.metrics[0].value)


@pytest.mark.parametrize(("text", "value"), [('"Infinity"', math.inf), ('"-Infinity"', -math.inf)])
def test_infinities_may_come_as_text(text, value):
    assert read_body(Asked, b'{"metrics": [{"key": "a", "value": %s}]}' % text.encode()).metrics[0].value == value


def test_what_nobody_knows_is_ignored_and_null_is_what_was_not_given():
    assert read_body(Asked, b'{"run_id": null, "metrics": null, "more": {"a": [1]}}') == Asked()


def test_a_name_may_be_spelled_in_two_ways_but_not_in_both_at_once():
    assert read_body(Asked, b'{"runId": "a", "maxResults": 3, "metrics": null}') == Asked(run_id="a", max_results=3)
    with pytest.raises(ProtocolError, match="both 'run_id' and 'runId'"):
        read_body(Asked, b'{"run_id": "a", "runId": "b", "metrics": null}')


def test_keys_of_free_maps_are_left_as_they_are():
    assert read_body(Asked, b'{"tags": {"myKey": "1", "my_key": "2"}, "metrics": null}').tags == {
        "myKey": "1",
        "my_key": "2",
    }


def test_a_body_that_was_encoded_twice_is_read():
    assert read_body(Asked, b'"{\\"run_id\\": \\"a\\"}"').run_id == "a"


@pytest.mark.parametrize("body", [b"", b"null", b"no json"])
def test_a_body_that_says_nothing_is_an_empty_request(body):
    assert read_body(Asked, body) == Asked()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"run_id": 31}', "Invalid value 31 for parameter 'run_id' supplied:  Hint: Value was of type 'int'."),
        (b'{"metrics": [{"key": "a"}]}', "Missing value for required parameter 'metrics[0].value'."),
        (b'{"metrics": {}}', "Invalid value {} for parameter 'metrics' supplied:  Hint: Value was of type 'dict'."),
    ],
)
def test_what_is_wrong_is_said_in_the_words_that_clients_match_on(body, message):
    with pytest.raises(ProtocolError) as refused:
        read_body(Asked, body)

    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    assert refused.value.message == f"{message} See the API docs for more information about request parameters."


def test_a_body_that_is_no_object_is_refused():
    with pytest.raises(ProtocolError):
        read_body(Asked, b"[1]")


def test_a_query_gives_lists_where_fields_take_them():
    query = {"run_id": ["a"], "names": ["x", "y"], "max_results": ["7"], "is_deep": ["True"], "other": ["1"]}

    assert read_query(Asked, query) == Asked(run_id="a", names=["x", "y"], max_results=7, is_deep=True)


def test_a_truth_value_in_a_query_is_true_or_false():
    with pytest.raises(ProtocolError, match="Invalid boolean value: yes"):
        read_query(Asked, {"is_deep": ["yes"]})


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=8))
def test_no_body_is_met_with_anything_but_an_answer_or_a_refusal(value):
    for body in (msgspec.json.encode({"run_id": value, "metrics": value}), msgspec.json.encode(value)):
        with contextlib.suppress(ProtocolError):
            read_body(Asked, body)
