"""Whoever asks for it is told of each request: a line, and the spans of its trace; nobody's prediction waits for that."""

from __future__ import annotations

import json
import random
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from tests.systems.serve.models import deploy, flights_model
from tests.systems.serve.processes import start_server
from treadle.ground.errors import InvalidInput
from treadle.systems.serve.runtime.observing import AccessLog
from treadle.systems.serve.runtime.tracing import Span, TraceContext, Tracer, context_of

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
ROW = {"rows": [{"a": 0.5, "b": -1.0, "c": 0.25}]}


class Collector(ThreadingHTTPServer):
    """Takes what an OpenTelemetry collector would."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[dict[str, Any]] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def spans(self) -> list[dict[str, Any]]:
        return [
            span
            for body in self.bodies
            for resource in body["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert (self.path, self.headers["content-type"]) == ("/v1/traces", "application/json")
        self.server.bodies.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def facts(span: dict[str, Any]) -> dict[str, Any]:
    return {one["key"]: next(iter(one["value"].values())) for one in span["attributes"]}


def test_requests_become_lines_and_spans_on_either_way(serving: Path, tmp_path: Path, collector: Collector) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))
    matrix = {"inputs": [{"name": "input", "shape": [1, 3], "datatype": "FP64", "data": [0.5, -1.0, 0.25]}]}
    lines = tmp_path / "access.jsonl"
    told = {"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "r-1"}
    arguments = ("--access-log", str(lines), "--otlp-endpoint", collector.url)

    with start_server(serving, arguments=arguments) as server:
        server.infer("numbers", matrix, headers=told)
        server.http.post("/predict/numbers", json=ROW, headers=told)
        server.http.post("/predict/numbers", json=ROW, headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
        server.infer("numbers", {"inputs": []})
        metrics = server.http.get("/metrics").text

    written = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [(one["method"], one["path"], one["status"]) for one in written] == [
        ("POST", "/v2/models/numbers/infer", 200), ("POST", "/predict/numbers", 200), ("POST", "/predict/numbers", 200),
        ("POST", "/v2/models/numbers/infer", 400), ("GET", "/metrics", 200),
    ]  # fmt: skip
    assert [(one["request_id"], one["trace_id"]) for one in written[:2]] == [("r-1", TRACE)] * 2
    assert all(one["us"] > 0 and one["sent_bytes"] > 0 for one in written)
    traced = [span for span in collector.spans() if span["traceId"] == TRACE]
    roots = [span for span in traced if span["parentSpanId"] == PARENT]
    assert [root["name"] for root in roots] == ["POST /v2/models/numbers/infer", "POST /predict/numbers"]
    assert facts(roots[0])["http.response.status_code"] == "200"
    for root in roots:
        below = [span for span in traced if span["parentSpanId"] == root["spanId"]]
        assert [span["name"] for span in below] == ["model", "prediction log"]
        assert facts(below[0]) == {"treadle.endpoint": "numbers", "treadle.revision": "1", "treadle.rows": "1"}
        moments = [int(root["startTimeUnixNano"]), *(int(span["startTimeUnixNano"]) for span in below)]
        assert moments == sorted(moments)
        assert int(below[1]["endTimeUnixNano"]) <= int(root["endTimeUnixNano"])
    assert len(traced) == 6
    refused = next(span for span in collector.spans() if span["traceId"] != TRACE)
    assert refused["parentSpanId"] == ""
    assert "treadle_spans_dropped_total 0" in metrics


def test_calls_of_grpc_become_lines_and_spans_as_well(serving: Path, tmp_path: Path, collector: Collector) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))
    lines = tmp_path / "access.jsonl"
    tensor = {"name": "input", "datatype": "FP64", "shape": [1, 3]}
    asked = pb.ModelInferRequest(
        model_name="numbers", inputs=[tensor], raw_input_contents=[np.array([0.5, -1.0, 0.25]).tobytes()]
    )
    told = (("traceparent", f"00-{TRACE}-{PARENT}-01"), ("x-request-id", "r-2"))
    path = "/inference.GRPCInferenceService/ModelInfer"

    with start_server(
        serving, grpc_port=0, arguments=("--access-log", str(lines), "--otlp-endpoint", collector.url)
    ) as server:
        address = server.process.grpc_address
        assert address is not None
        with grpc.insecure_channel(address) as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            stub.ModelInfer(asked, metadata=told)
            with pytest.raises(grpc.RpcError):
                stub.ModelInfer(pb.ModelInferRequest(model_name="nobody"), metadata=told)

    written = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [(one["path"], one["status"], one["request_id"]) for one in written] == [
        (path, 200, "r-2"),
        (path, 404, "r-2"),
    ]
    answered, refused = [span for span in collector.spans() if span["parentSpanId"] == PARENT]
    below = [span["name"] for span in collector.spans() if span["parentSpanId"] == answered["spanId"]]
    assert below == ["model", "prediction log"]
    assert facts(refused)["http.response.status_code"] == "404"


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (f"00-{TRACE}-{PARENT}-01", (TRACE, PARENT, True)),
        (f"00-{TRACE}-{PARENT}-00", (TRACE, PARENT, False)),
        (f"01-{TRACE}-{PARENT}-03-more", (TRACE, PARENT, True)),
        (f"00-{TRACE}-{PARENT}-01-more", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        ("", None),
    ],
)
def test_a_trace_is_the_callers_where_its_header_is_right(header: str, wanted: Any) -> None:
    found = context_of(header.encode(), 1.0, random.Random(1))

    if wanted is None:
        assert (found.parent, found.is_sampled) == ("", True)
        assert len(found.trace) == 32
        assert found.trace != TRACE
    else:
        assert found == TraceContext(*wanted)


def test_a_share_of_what_went_well_is_written_and_all_that_did_not() -> None:
    file = BytesIO()
    log = AccessLog(file, 0.25, random.Random(3))

    for at in range(400):
        log.write({"status": 200 if at % 4 else 503})

    statuses = [json.loads(line)["status"] for line in file.getvalue().splitlines()]
    assert statuses.count(503) == 100
    assert 50 < statuses.count(200) < 100


def test_a_collector_that_refuses_costs_spans_and_nothing_else(collector: Collector) -> None:
    collector.status = 503
    tracer = Tracer(collector.url, headers={"x-key": "k"})

    tracer.put(TraceContext(TRACE, "", True), Span("a", 1, 2), [Span("b", 1, 2)], failed=True)
    tracer.put(TraceContext(TRACE, "", False), Span("a", 1, 2), [])
    tracer.close()

    assert (tracer.figures.sent, tracer.figures.dropped) == (0, 2)
    assert [span["status"] for span in collector.spans()] == [{"code": 2}, {}]


def test_a_place_that_is_no_address_of_a_collector_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be sent to 'file:///etc/passwd'"):
        Tracer("file:///etc/passwd")


def test_every_metric_is_in_the_how_to(serving: Path) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))
    page = (Path(__file__).resolve().parents[3] / "docs" / "how-to" / "watch-a-server.md").read_text()

    with start_server(serving) as server:
        exposition = server.http.get("/metrics").text

    named = {line.split()[2] for line in exposition.splitlines() if line.startswith("# TYPE")}
    assert named - set(re.findall(r"`(treadle_\w+)`", page)) == set()
