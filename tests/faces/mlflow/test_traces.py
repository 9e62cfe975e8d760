"""Traces over MLflow's protocol: its answers, its errors, and that nothing a client sends breaks the server down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.wire.otlp.encoding import json_form, protobuf
from tests.wire.otlp.strategies import REQUESTS
from treadle.assembly import open_workspace
from treadle.faces.api.mlflow import assessments, evaluation, scorers, traces, traces_v2
from treadle.faces.api.mlflow.dispatch import Dispatcher
from treadle.faces.api.mlflow.exchange import Answer
from treadle.systems.train.files.service import FolderNamed
from treadle.wire.otlp import ResourceSpans, Span

PROTOBUF, JSON = "application/x-protobuf", "application/json"
TRACE = "tr-0af7651916cd43dd8448eb211c80319c"
ROOT = Span(
    trace_id=bytes.fromhex(TRACE[3:]),
    span_id=bytes.fromhex("b7ad6b7169203331"),
    name="request",
    start_ns=1_700_000_000_000_000_000,
    end_ns=1_700_000_000_250_000_000,
    attributes={"rows": 3, "mlflow.spanType": "CHAIN"},
    status_code=1,
)
HERE = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]


class House:
    """A fresh home, called in process."""

    def __init__(self, home: Path) -> None:
        self.workspace = open_workspace(home)
        self.dispatcher = Dispatcher(self.workspace)

    def call(self, method: str, path: str, *, body: bytes = b"", query: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.dispatcher.call(self.workspace.caller, method, path, body=body, query=query, headers=named)

    def send(self, *spans: Span, media: str = PROTOBUF, **headers: str) -> Answer:
        given = [ResourceSpans(spans=list(spans))]
        body = json_form(given) if media == JSON else protobuf(given)
        return self.call(
            "POST", "/v1/traces", body=body, content_type=media, **{"x_mlflow_experiment_id": "0"} | headers
        )

    def json(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        answer = self.call(
            method,
            path,
            body=b"" if body is None else json.dumps(body).encode(),
            query={name: value if isinstance(value, list) else [str(value)] for name, value in query.items()},
            content_type=JSON,
        )
        return answer.status, json.loads(answer.body)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("home"))
    house.send(ROOT)
    yield house
    house.workspace.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.workspace.close()


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_spans_are_answered_in_the_encoding_they_came_in(house: House, media: str):
    answer = house.send(ROOT, media=media)

    assert (answer.status, answer.media_type, answer.body) == (200, media, b"" if media == PROTOBUF else b"{}")
    status, found = house.json("GET", "3.0/mlflow/traces/get", trace_id=TRACE)
    assert status == 200
    assert found["trace"]["trace_info"]["execution_duration"] == "0.250s"
    assert found["trace"]["trace_info"]["request_time"] == "2023-11-14T22:13:20Z"
    (span,) = found["trace"]["spans"]
    assert span["attributes"] == [
        {"key": "rows", "value": {"int_value": 3}},
        {"key": "mlflow.spanType", "value": {"string_value": "CHAIN"}},
        {"key": "mlflow.traceRequestId", "value": {"string_value": TRACE}},
    ]
    assert span["start_time_unix_nano"] == 1_700_000_000_000_000_000


def test_spans_without_identity_are_told_and_the_others_kept(house: House):
    answer = house.send(ROOT, Span(name="nobody"), media=JSON)

    assert json.loads(answer.body)["partialSuccess"]["rejectedSpans"] == "1"
    assert house.json("GET", f"3.0/mlflow/traces/{TRACE}")[0] == 200
    assert house.send(Span(name="nobody")).status == 422


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content_type": PROTOBUF}, b"", 422),
        ({"content_type": "text/plain", "x_mlflow_experiment_id": "0"}, b"x", 400),
        ({"x_mlflow_experiment_id": "0"}, b"x", 400),
        ({"content_type": PROTOBUF, "x_mlflow_experiment_id": "0"}, b"", 400),
        ({"content_type": PROTOBUF, "x_mlflow_experiment_id": "0"}, b"\xff\xff", 400),
        ({"content_type": JSON, "x_mlflow_experiment_id": "0"}, b"[]", 400),
        ({"content_type": JSON, "x_mlflow_experiment_id": "0"}, b'{"resourceSpans": [{"scopeSpans": 5}]}', 400),
        ({"content_type": PROTOBUF, "x_mlflow_experiment_id": "x"}, protobuf([ResourceSpans(spans=[ROOT])]), 400),
        ({"content_type": PROTOBUF, "x_mlflow_experiment_id": "9"}, protobuf([ResourceSpans(spans=[ROOT])]), 404),
    ],
)
def test_what_is_no_request_of_spans_is_refused(house: House, headers: dict[str, str], body: bytes, status: int):
    answer = house.call("POST", "/v1/traces", body=body, **headers)

    assert answer.status == status
    assert json.loads(answer.body)["message"]


def test_a_run_in_the_header_is_tied_to_the_trace(house: House):
    house.send(ROOT, x_mlflow_run_id="a" * 32)

    _, found = house.json("POST", "3.0/mlflow/traces/search", {"locations": HERE, "filter": f"run_id = '{'a' * 32}'"})

    assert [one["trace_id"] for one in found["traces"]] == [TRACE]


def test_a_page_goes_on_where_the_last_one_ended(house: House):
    for number in range(3):
        house.send(Span(trace_id=bytes([number + 1] * 16), span_id=b"12345678", start_ns=number * 10**9))

    _, first = house.json("POST", "3.0/mlflow/traces/search", {"locations": HERE, "max_results": 2})
    _, second = house.json(
        "POST",
        "3.0/mlflow/traces/search",
        {"locations": HERE, "max_results": 2, "page_token": first["next_page_token"]},
    )

    assert [one["trace_id"][-2:] for one in first["traces"] + second["traces"]] == ["03", "02", "01"]
    assert "next_page_token" not in second
    assert house.json("POST", "3.0/mlflow/traces/search", {"locations": HERE, "max_results": 501})[0] == 400


def test_older_clients_start_end_and_find_a_trace(house: House):
    begun = {"experiment_id": "0", "timestamp_ms": 1000, "tags": [{"key": "mlflow.traceName", "value": "old"}]}
    _, started = house.json("POST", "2.0/mlflow/traces", begun)
    trace = started["trace_info"]["request_id"]
    ended = {"timestamp_ms": 1250, "status": "OK", "request_metadata": [{"key": "a", "value": "b"}]}
    house.json("PATCH", f"2.0/mlflow/traces/{trace}", ended)

    _, info = house.json("GET", f"2.0/mlflow/traces/{trace}/info")
    _, found = house.json("GET", "2.0/mlflow/traces", experiment_ids=["0"], filter="name = 'old'")

    assert found["traces"] == [info["trace_info"]]
    assert (info["trace_info"]["execution_time_ms"], info["trace_info"]["status"]) == (250, "OK")
    assert {"key": "a", "value": "b"} in info["trace_info"]["request_metadata"]


def test_the_spans_of_a_trace_are_a_file_too(house: House):
    house.send(ROOT)

    answer = house.call("GET", "3.0/mlflow/get-trace-artifact", query={"request_id": [TRACE]})

    (span,) = json.loads(answer.body)["spans"]
    assert (span["name"], span["attributes"]["rows"]) == ("request", "3")


def test_what_a_client_put_beside_a_trace_is_given_back_and_goes_with_it(house: House):
    begun = {"experiment_id": "0", "timestamp_ms": 1000}
    trace = house.json("POST", "2.0/mlflow/traces", begun)[1]["trace_info"]["request_id"]
    caller, files = house.workspace.caller, house.workspace.tracking.files
    for name in ("traces.json", "attachments/picture.png"):
        files.put_bytes(caller, f"0/traces/{trace}/artifacts/{name}", name.encode())

    def read(**query: str) -> bytes:
        asked = {name: [value] for name, value in ({"request_id": trace} | query).items()}
        answer = house.call("GET", "2.0/mlflow/get-trace-artifact", query=asked)
        assert answer.file is not None, answer.body
        with answer.file as file:
            return file.read()

    assert read() == b"traces.json"
    assert read(path="picture.png") == b"attachments/picture.png"
    asked = {"request_id": [trace], "path": ["../traces.json"]}
    assert house.call("GET", "2.0/mlflow/get-trace-artifact", query=asked).status == 400
    house.json("POST", "2.0/mlflow/traces/delete-traces", {"experiment_id": "0", "request_ids": [trace]})
    assert files.list(caller, FolderNamed(path="0/traces")) == []


def test_numbers_over_traces_come_by_time_and_name(house: House):
    for number in range(4):
        start_ns = (1_700_000_000 + 60 * number) * 10**9
        root = Span(
            trace_id=bytes([number + 1] * 16),
            span_id=b"12345678",
            name=f"step {number % 2}",
            start_ns=start_ns,
            end_ns=start_ns + (number + 1) * 10**8,
        )
        house.send(root)
    asked = {"experiment_ids": ["0"], "view_type": "TRACES", "metric_name": "latency"}

    def measured(**said: Any) -> Any:
        status, found = house.json("POST", "3.0/mlflow/traces/metrics", asked | said)
        assert status == 200, found
        return [(one.get("dimensions", {}), one["values"]) for one in found.get("data_points", [])]

    kinds = [{"aggregation_type": "AVG"}, {"aggregation_type": "PERCENTILE", "percentile_value": 50}]
    assert measured(aggregations=kinds) == [({}, {"AVG": 250.0, "P50.0": 250.0})]
    buckets = measured(
        aggregations=[{"aggregation_type": 6}], time_interval_seconds=120, start_time_ms=0, end_time_ms=2 * 10**12
    )
    assert [(found["time_bucket"], values["MAX"]) for found, values in buckets] == [
        ("2023-11-14T22:12:00+00:00", 100.0),
        ("2023-11-14T22:14:00+00:00", 300.0),
        ("2023-11-14T22:16:00+00:00", 400.0),
    ]
    spans = measured(
        view_type="SPANS",
        metric_name="span_count",
        dimensions=["span_name"],
        filters=["trace.status = 'OK'"],
        aggregations=[{"aggregation_type": "COUNT"}],
    )
    assert spans == [({"span_name": "step 0"}, {"COUNT": 2.0}), ({"span_name": "step 1"}, {"COUNT": 2.0})]
    for wrong in ({"metric_name": "x"}, {"view_type": "X"}, {"dimensions": ["x"]}, {"filters": ["x = 'y'"]}):
        assert house.json("POST", "3.0/mlflow/traces/metrics", asked | {"aggregations": kinds} | wrong)[0] == 400


ROUTES = [route for area in (traces, traces_v2, assessments, evaluation, scorers) for route in area.ROUTES]
WORDS = st.sampled_from(
    ["0", "1", TRACE, "a-1", "name = 'x'", "span.attributes.a LIKE '%'", "timestamp DESC", "", "x", "OK", "TRACES", "COUNT",
     "latency", "2023-01-01T00:00:00Z", "1.5s", "{}", "[]", '{"inputs": {"a": 1}}', '[{"inputs": {"a": 1}}]', "\x00",
     "\ud800", "feedback", "value"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(
    ["trace", "trace_info", "trace_id", "trace_ids", "experiment_id", "experiment_ids", "locations", "mlflow_experiment",
     "trace_location", "filter", "filter_string", "order_by", "max_results", "page_token", "key", "value", "tags", "records",
     "assessment", "assessment_name", "feedback", "expectation", "serialized_value", "source", "update_mask", "metadata",
     "name", "serialized_scorer", "version", "view_type", "metric_name", "aggregations", "aggregation_type", "state",
     "request_time", "execution_duration", "run_id", "prompt_versions", "dataset_record_ids", "timestamp_ms", "status",
     "filter_string1", "filter_string2", "trace_metadata", "max_timestamp_millis", "request_ids", "scorer_ids"]
)  # fmt: skip
BODIES = st.recursive(
    st.dictionaries(NAMES, VALUES, max_size=4),
    lambda inner: st.dictionaries(NAMES, inner | st.lists(inner, max_size=2) | VALUES, max_size=5),
    max_leaves=4,
)


@given(st.sampled_from(ROUTES), BODIES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_no_body_breaks_a_route_down(shared: House, route: Any, body: dict[str, Any]):
    path = route.path.format(trace_id=TRACE, assessment_id="a-1", dataset_id="d-1", key="k")
    query = {name: [str(value)] for name, value in body.items()} if route.method == "GET" else None

    answer = shared.call(route.method, path, body=json.dumps(body).encode(), query=query, content_type=JSON)

    assert answer.status < 500, answer.body
    json.loads(answer.body)


@given(REQUESTS, st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_no_spans_break_the_server_down(shared: House, sent: list[ResourceSpans], rest: bytes):
    """Whatever is taken can be read again, by every way that there is."""
    answer = shared.call(
        "POST", "/v1/traces", body=protobuf(sent) + rest, content_type=PROTOBUF, x_mlflow_experiment_id="0"
    )

    assert answer.status in (200, 400, 422), answer.body
    for trace in [f"tr-{span.trace_id.hex()}" for one in sent for span in one.spans][:2]:
        for path in ("3.0/mlflow/traces/get", "3.0/mlflow/get-trace-artifact"):
            read = shared.call("GET", path, query={"trace_id": [trace], "request_id": [trace]}, content_type=JSON)
            assert read.status in (200, 404), read.body
    found = shared.call(
        "POST",
        "3.0/mlflow/traces/search",
        body=json.dumps({"locations": HERE, "filter": "span.attributes.a LIKE '%b%'"}).encode(),
        content_type=JSON,
    )
    assert found.status == 200, found.body
