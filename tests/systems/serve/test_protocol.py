"""A real server over real HTTP: the Open Inference Protocol, the plain form, and what is said to a mistaken client."""

from __future__ import annotations

import gzip
import json
import socket
import struct
from typing import Any

import numpy as np
import pytest

from tests.systems.serve.models import ROWS, Deployed
from tests.systems.serve.processes import Server

MATRIX = [[0.5, -1.0, 0.25], [0.0, 1.0, -2.0]]


def numbers(data: Any = MATRIX, shape: Any = (2, 3), datatype: str = "FP64", **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "input", "shape": shape, "datatype": datatype, "data": data}], **more}


def columns(**replaced: Any) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "distance": ("FP64", [row["distance"] for row in ROWS]),
        "dep_hour": ("INT64", [row["dep_hour"] for row in ROWS]),
        "carrier": ("BYTES", [row["carrier"] for row in ROWS]),
        "holiday": ("BOOL", [row["holiday"] for row in ROWS]),
    }
    inputs |= replaced
    return {
        "inputs": [
            {"name": name, "shape": [len(given[1])], "datatype": given[0], "data": given[1]}
            for name, given in inputs.items()
            if given is not None
        ]
    }


def output(answer: dict[str, Any], name: str) -> Any:
    return next(one["data"] for one in answer["outputs"] if one["name"] == name)


Shared = tuple[Server, Deployed]


def test_a_server_says_what_it_is_and_that_it_is_ready(shared_server: Shared) -> None:
    http = shared_server[0].http

    assert "binary_tensor_data" in http.get("/v2").json()["extensions"]
    assert http.get("/v2/health/live").json() == {"live": True}
    assert http.get("/v2/health/ready").json() == {"ready": True}
    assert http.get("/v2/models/flights/ready").status_code == 200
    assert http.get("/v2/models/flights/versions/1/ready").status_code == 200


def test_metadata_holds_the_real_inputs_and_outputs(shared_server: Shared) -> None:
    answer = shared_server[0].http.get("/v2/models/flights").json()

    assert [(one["name"], one["datatype"], one["shape"]) for one in answer["inputs"]] == [
        ("distance", "FP64", [-1]), ("dep_hour", "INT64", [-1]), ("carrier", "BYTES", [-1]), ("holiday", "BOOL", [-1]),
    ]  # fmt: skip
    assert [one["name"] for one in answer["outputs"]] == ["probability", "decision", "prediction_id"]
    assert answer["versions"] == ["1"]
    assert shared_server[0].http.get("/v2/models/numbers").json()["parameters"]["matrix_input"] == "input:FP64[-1,3]"


def test_columns_and_plain_rows_get_the_same_answer_as_the_model_gave_at_home(shared_server: Shared) -> None:
    server, deployed = shared_server
    wanted = [scores[0] for scores in deployed.model.manifest.probe.scores]

    by_protocol = server.infer("flights", columns()).json()
    plain = server.http.post("/predict/flights", json={"rows": list(ROWS)}).json()

    assert output(by_protocol, "probability") == wanted
    assert [one["probability"] for one in plain["predictions"]] == wanted
    assert output(by_protocol, "decision") == [value >= 0.5 for value in wanted]


def test_a_matrix_and_its_columns_get_the_same_answer(shared_server: Shared) -> None:
    server = shared_server[0]
    flat = [value for row in MATRIX for value in row]
    by_column = {
        "inputs": [
            {"name": name, "shape": [2, 1], "datatype": "FP32", "data": [row[at] for row in MATRIX]}
            for at, name in enumerate("abc")
        ]
    }

    answers = [server.infer("numbers", one).json() for one in (numbers(), numbers(flat), by_column)]

    assert output(answers[0], "probability") == output(answers[1], "probability") == output(answers[2], "probability")


def test_the_id_is_echoed_and_each_row_gets_a_prediction_id_of_its_own(shared_server: Shared) -> None:
    answer = shared_server[0].infer("numbers", numbers(id="req-7")).json()
    ids = output(answer, "prediction_id")

    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("req-7", "numbers", "1")
    assert answer["parameters"] == {"prediction_id": ids[0], "revision": 1}
    assert len(set(ids)) == 2
    assert all(one.startswith("pred_") and len(one) == 31 for one in ids)


def test_only_the_outputs_asked_for_come_back(shared_server: Shared) -> None:
    answer = shared_server[0].infer("numbers", numbers(outputs=[{"name": "probability"}])).json()

    assert [one["name"] for one in answer["outputs"]] == ["probability"]
    assert answer["parameters"]["prediction_id"].startswith("pred_")


def test_binary_in_and_out_is_what_triton_clients_send_by_default(shared_server: Shared) -> None:
    server = shared_server[0]
    data = np.array(MATRIX).astype("<f8").tobytes()
    head = json.dumps(
        {
            "inputs": [
                {"name": "input", "shape": [2, 3], "datatype": "FP64", "parameters": {"binary_data_size": len(data)}}
            ],
            "parameters": {"binary_data_output": True},
        }
    ).encode()

    answer = server.http.post(
        "/v2/models/numbers/infer",
        content=head + data,
        headers={"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"},
    )

    length = int(answer.headers["inference-header-content-length"])
    outputs = json.loads(answer.content[:length])["outputs"]
    sizes = [one["parameters"]["binary_data_size"] for one in outputs]
    assert answer.headers["content-type"] == "application/octet-stream"
    assert length + sum(sizes) == len(answer.content)
    assert [one["name"] for one in outputs] == ["probability", "decision", "prediction_id"]
    scores = np.frombuffer(answer.content[length : length + sizes[0]], "<f8")
    assert scores.tolist() == output(server.infer("numbers", numbers()).json(), "probability")
    first = answer.content[length + sizes[0] + sizes[1] :]
    assert struct.unpack("<I", first[:4]) == (31,)
    assert first[4:9] == b"pred_"


def test_a_binary_category_is_its_text_in_utf8(shared_server: Shared) -> None:
    server = shared_server[0]
    sent = columns(carrier=None)
    data = b"".join(struct.pack("<I", 2) + carrier for carrier in (b"UA", b"9E", b"DL"))
    sent["inputs"].append(
        {"name": "carrier", "shape": [3], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    )
    head = json.dumps(sent).encode()

    answer = server.http.post(
        "/v2/models/flights/infer", content=head + data, headers={"inference-header-content-length": str(len(head))}
    )

    assert output(answer.json(), "probability") == output(
        server.infer("flights", columns(carrier=("BYTES", ["UA", "9E", "DL"]))).json(), "probability"
    )


def test_a_packed_body_is_unpacked_and_a_bomb_is_refused(shared_server: Shared) -> None:
    server = shared_server[0]

    def send(body: bytes, encoding: str) -> Any:
        return server.http.post("/v2/models/numbers/infer", content=body, headers={"content-encoding": encoding})

    assert send(gzip.compress(json.dumps(numbers()).encode()), "gzip").status_code == 200
    assert send(gzip.compress(b" " * 10_000_000), "gzip").status_code == 413
    assert send(b"no gzip", "gzip").status_code == 400
    assert send(b"{}", "br").json()["error"].startswith("The content encoding 'br' is not understood.")


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (columns(distanse=("FP64", [1.0, 1.0, 1.0])), "This model has no input 'distanse'. Did you mean 'distance'?"),
        (columns(distance=None), "Input 'distance' (FP64) is missing."),
        (columns(dep_hour=("FP64", [1.0, 2.0, 3.0])), "Input 'dep_hour' has datatype FP64, but this model takes INT64."),
        (columns(carrier=("INT64", [1, 2, 3])), "Input 'carrier' has datatype INT64, but this model takes BYTES."),
        (columns(dep_hour=("INT64", [1, None, 3])), "Input 'dep_hour', row 1: the value is missing"),
        (columns(dep_hour=("INT64", [1, 2])), "Input 'dep_hour' has 2 rows, the inputs before it 3."),
        (columns(distance=("FP64", ["far", 1, 2])), "FP64 wants numbers, but data[0] is str"),
        (columns(dep_hour=("INT64", [2**60, 1, 2])), "beyond 2^53"),
        ({"inputs": []}, "Input 'distance' (FP64) is missing."),
        ({**columns(), "outputs": [{"name": "probabilty"}]}, "no output 'probabilty'. Did you mean 'probability'"),
        (columns(entity=("BYTES", ["a"])), "'entity' has shape [1], but there are 3 rows"),
        (columns(event_at=("BYTES", ["2013-04-01", "", ""])), "'2013-04-01' is no time"),
    ],
)  # fmt: skip
def test_a_mistake_in_columns_is_answered_in_words(shared_server: Shared, sent: Any, says: str) -> None:
    answer = shared_server[0].infer("flights", sent)

    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    assert says in answer.json()["error"]


@pytest.mark.parametrize(
    ("sent", "status", "says"),
    [
        (numbers([[1, 2], [3, 4]], (2, 2)), 400, "has shape [2, 2], but this model takes [-1, 3]. Send 3 columns in this order: a, b, c."),
        (numbers([1, 2, 3], (3,)), 400, "has shape [3]"),
        (numbers([], (0, 3)), 400, "The request has no rows."),
        (numbers([[1, 2, 3]]), 400, "wants 2 elements in data, found 1"),
        (numbers([[1, None, 3]], (1, 3)), 400, "Input 'b', row 0: the value is missing"),
        (numbers(datatype="BYTES", data=["1"] * 6), 400, "has datatype BYTES, but this model takes FP64"),
        (numbers([[1, 2, 3]] * 10_001, (10_001, 3)), 400, "10001 rows; 10000 are allowed"),
        (numbers([[1.123456789] * 3] * 9_999, (9_999, 3)), 413, "larger than 200000 bytes"),
        (numbers(parameters={"event_at": 1}), 400, "does not allow 'event_at'"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_matrix_is_answered_in_words(shared_server: Shared, sent: Any, status: int, says: str) -> None:
    answer = shared_server[0].infer("numbers", sent)

    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert says in answer.json()["error"]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ({"rows": [{"a": 1, "b": 2, "d": 3}]}, "no input 'd' in row 0. Known: a, b, c."),
        ({"rows": [{"a": 1, "b": 2}]}, "Input 'c' (FP64) is missing in row 0."),
        ({"rows": [{"a": 1, "b": 2, "c": "three"}]}, "Input 'c', row 0: 'three' is no FP64."),
        ({"rows": [{"a": 1, "b": 2, "c": True}]}, "True is no FP64"),
        ({"rows": []}, "The request has no rows."),
        ({"row": []}, "The body cannot be read"),
        ({"rows": [{"a": 1, "b": 2, "c": 3}], "entity": ["x", "y"]}, "'entity' has 2 entries, but there are 1 rows."),
    ],
)
def test_a_mistake_in_plain_rows_is_answered_in_words(shared_server: Shared, sent: Any, says: str) -> None:
    answer = shared_server[0].http.post("/predict/numbers", json=sent)

    assert answer.status_code == 400
    assert says in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "says"),
    [
        ("GET", "/v2/models/flihgts", {}, 404, "No endpoint 'flihgts' is served here. Did you mean 'flights'?"),
        ("GET", "/v2/models/flights/versions/9", {}, 404, "does not serve version '9'"),
        ("GET", "/elsewhere", {}, 404, "Nothing is at '/elsewhere'."),
        ("GET", "/v2/models/flights/infer", {}, 405, "Use POST."),
        ("POST", "/v2", {}, 405, "Use GET."),
        ("POST", "/v2/models/numbers/infer", {"host": "evil.example"}, 421, "on loopback only"),
        ("POST", "/v2/models/numbers/infer", {"origin": "https://evil.example"}, 403, "another origin"),
        ("POST", "/v2/models/numbers/infer", {"origin": "null"}, 403, "another origin"),
        ("POST", "/v2/models/numbers/infer", {"inference-header-content-length": "-1"}, 400, "is no number"),
        ("POST", "/v2/models/numbers/infer", {"inference-header-content-length": "9" * 30}, 400, "is no number"),
    ],
)
def test_a_wrong_address_or_header_is_answered_in_words(
    shared_server: Shared, method: str, path: str, headers: dict[str, str], status: int, says: str
) -> None:
    answer = shared_server[0].http.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)

    assert (answer.status_code, list(answer.json())) == (status, ["error"])
    assert says in answer.json()["error"]


def test_metrics_count_what_happened(shared_server: Shared) -> None:
    server = shared_server[0]
    server.infer("numbers", numbers())

    text = server.http.get("/metrics").text

    assert 'treadle_requests_total{endpoint="numbers",status="200"}' in text
    assert 'treadle_inference_seconds_bucket{endpoint="numbers",le="+Inf"}' in text
    figures = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert int(figures["treadle_prediction_log_rows_total"]) >= 2
    assert int(figures["treadle_prediction_log_refused_total"]) == 0


def test_an_answer_comes_in_one_piece_and_a_head_alone_comes_at_once(shared_server: Shared) -> None:
    """Two packets would wake the client twice; a head held back for a body that never comes would hang it."""
    port = shared_server[0].process.announcement.port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for method, status, body in (("GET", b"200", True), ("HEAD", b"200", False), ("GET", b"200", True)):
            connection.sendall(f"{method} /v2/health/live HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n".encode())
            received = connection.recv(65536)
            head, _, rest = received.partition(b"\r\n\r\n")
            assert head.split()[1] == status
            assert rest == (b'{"live":true}' if body else b"")
        connection.sendall(b"this is no HTTP\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 400")


def test_a_large_body_is_invited_before_it_is_sent(shared_server: Shared) -> None:
    port = shared_server[0].process.announcement.port
    body = json.dumps(numbers()).encode()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        head = f"POST /v2/models/numbers/infer HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\nexpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK")
