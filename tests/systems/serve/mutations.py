"""Requests that are almost right: whole ones of every form, changed in one place or a few.

Seeded, so that a case is found again by its number. Changing whole requests gets past the first check more often than
noise does, and noise is among the changes.
"""

from __future__ import annotations

import gzip
import json
import random
import zlib
from typing import Any

import numpy as np
from tritonclient.grpc import service_pb2 as pb

from tests.systems.serve.in_process import Request

_STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308, "", "a", "FP64", "BYTES", "\x00", "ü" * 50,
    "../../etc/passwd", [], [[]], [None], [1, [2, [3]]], {}, {"binary_data_size": 8}, {"binary_data_size": -1}, [-1, 3], [0, 3],
    [2**62, 2**62], {"a": {"b": 1}}, "2013-04-01T00:00:00+00:00", ["x"] * 5, "pred_0", float("1e-320"),
)  # fmt: skip
_NAMES = (
    "inputs",
    "outputs",
    "parameters",
    "id",
    "name",
    "shape",
    "datatype",
    "data",
    "rows",
    "binary_data",
    "entity",
    "unit",
)
_DATATYPES = ("BOOL", "UINT8", "INT8", "INT64", "UINT64", "FP16", "BF16", "FP32", "FP64", "BYTES", "STRING", "")
_HEADERS: tuple[tuple[bytes, tuple[bytes, ...]], ...] = (
    (b"inference-header-content-length", (b"0", b"1", b"-1", b"99999999999999999999", b"x", b"", b"17", b"\xff")),
    (b"content-encoding", (b"gzip", b"deflate", b"identity", b"br", b"", b"\xff\xfe", b"gzip, gzip")),
    (b"content-length", (b"0", b"5", b"-5", b"1e3", b"999999999999", b"")),
    (b"accept-encoding", (b"gzip", b"deflate;q=1", b"*", b"gzip;q=0", b";;,,=", b"\xff")),
    (b"host", (b"127.0.0.1:1", b"evil", b"[::1]", b":", b"")),
    (b"origin", (b"null", b"http://evil", b"//", b"\xff")),
    (b"authorization", (b"Bearer x", b"", b"\xff" * 40)),
)
_PATHS = (
    "/v2", "/v2/", "/v2/health/ready", "/v2/health/live", "/v2/models/stats", "/v2/models/numbers", "/v2/models/flights/stats",
    "/v2/models/numbers/versions/1/config", "/v2/models/numbers/versions//infer", "/v2/models//infer", "/v2/models/a/b/c/d/e",
    "/v2/repository/index", "/v2/repository/models/numbers/unload", "/v2/repository/models//load", "/metrics", "/predict/", "//",
    "/predict/numbers/x", "/v2/openapi.json", "/v2/logging", "/\x00", "/v2/models/\udc80", "/v2/models/" + "n" * 5000,
)  # fmt: skip
_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "")


def http_case(number: int) -> Request:
    """The request of that number; every ninth is whole."""
    rng = random.Random(number)
    request = _whole(rng)
    if number % 9 == 0:
        return request
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        request = rng.choice((_other_body, _other_body, _other_body, _other_header, _other_place))(rng, request)
    return request


def grpc_case(number: int) -> bytes:
    """The ModelInferRequest of that number, as bytes."""
    rng = random.Random(number)
    message = _message(rng)
    for _ in range(rng.choice((0, 1, 2))):
        _change_message(rng, message)
    data = message.SerializeToString()
    return data if rng.random() < 0.4 else other_bytes(rng, data)


def other_bytes(rng: random.Random, data: bytes) -> bytes:
    """The bytes with one flipped, some cut out, doubled, or noise put in."""
    at = rng.randrange(len(data) + 1)
    match rng.randrange(5):
        case 0 if data:
            at %= len(data)
            return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[at + rng.randrange(1, 20) :]
        case 3:
            return data[:at] + data[max(0, at - 30) : at] + data[at:]
        case _:
            return data[:at] + rng.randbytes(rng.randrange(1, 12)) + data[at:]


# -- HTTP -------------------------------------------------------------------------------------------------------------


def _whole(rng: random.Random) -> Request:
    rows = rng.choice((1, 2, 3))
    numbers = {"name": "input", "shape": [rows, 3], "datatype": "FP64"}
    values = [[rng.uniform(-2, 2) for _ in range(3)] for _ in range(rows)]
    infer = f"/v2/models/{{}}{rng.choice(('', '/versions/1'))}/infer"
    match rng.randrange(6):
        case 0:
            return _json(
                infer.format("numbers"),
                {"id": "q", "inputs": [{**numbers, "data": values}], "parameters": {"unit": "u"}},
            )
        case 1:
            return _json(infer.format("flights"), {"inputs": _columns(rows), "outputs": [{"name": "probability"}]})
        case 2:
            row = {"distance": 700.0, "dep_hour": 6, "carrier": "UA", "holiday": False}
            return _json("/predict/flights", {"rows": [row] * rows, "entity": [str(at) for at in range(rows)]})
        case 3:
            data = np.array(values).tobytes()
            head = json.dumps({"inputs": [{**numbers, "parameters": {"binary_data_size": len(data)}}]}).encode()
            length = (b"inference-header-content-length", b"%d" % len(head))
            return Request("POST", infer.format("numbers"), (length,), head + data)
        case 4:
            raw = (b"inference-header-content-length", b"0")
            return Request("POST", infer.format("numbers"), (raw,), np.array(values).tobytes())
        case _:
            body = json.dumps({"inputs": [{**numbers, "data": values}]}).encode()
            encoding, packed = rng.choice(((b"gzip", gzip.compress(body)), (b"deflate", zlib.compress(body))))
            return Request("POST", infer.format("numbers"), ((b"content-encoding", encoding),), packed)


def _columns(rows: int) -> list[dict[str, Any]]:
    columns = {
        "distance": ("FP64", 700.5),
        "dep_hour": ("INT64", 6),
        "carrier": ("BYTES", "UA"),
        "holiday": ("BOOL", True),
    }
    return [
        {"name": name, "shape": [rows], "datatype": datatype, "data": [value] * rows}
        for name, (datatype, value) in columns.items()
    ]


def _json(path: str, body: Any) -> Request:
    return Request("POST", path, (), json.dumps(body).encode())


def _other_body(rng: random.Random, request: Request) -> Request:
    body = request.body
    if rng.random() < 0.3:
        changed = other_bytes(rng, body)
    else:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            changed = other_bytes(rng, body)
        else:
            changed = json.dumps(_other_value(rng, document)).encode()
            if rng.random() < 0.02:
                changed = changed.replace(b"1", b"[" * 3000, 1)
    return Request(request.method, request.path, request.headers, changed)


def _other_value(rng: random.Random, value: Any) -> Any:
    """The document with another value, name or length somewhere."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        match rng.randrange(6):
            case 0:
                return {name: one for name, one in value.items() if name != key}
            case 1:
                return {**value, rng.choice(_NAMES): rng.choice(_STRANGE)}
            case _:
                return {**value, key: _other_value(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.9:
        at = rng.randrange(len(value))
        match rng.randrange(5):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return [*value, value[at]]
            case _:
                return [*value[:at], _other_value(rng, value[at]), *value[at + 1 :]]
    return rng.choice(_DATATYPES) if isinstance(value, str) and rng.random() < 0.5 else rng.choice(_STRANGE)


def _other_header(rng: random.Random, request: Request) -> Request:
    name, values = rng.choice(_HEADERS)
    kept = tuple(header for header in request.headers if header[0] != name or rng.random() < 0.3)
    return Request(request.method, request.path, (*kept, (name, rng.choice(values))), request.body)


def _other_place(rng: random.Random, request: Request) -> Request:
    if rng.random() < 0.5:
        return Request(rng.choice(_METHODS), request.path, request.headers, request.body)
    return Request(rng.choice(("GET", "POST")), rng.choice(_PATHS), request.headers, request.body)


# -- gRPC -------------------------------------------------------------------------------------------------------------


def _message(rng: random.Random) -> pb.ModelInferRequest:
    rows = rng.choice((1, 2, 40))
    if rng.random() < 0.5:
        tensor = {"name": "input", "datatype": "FP64", "shape": [rows, 3]}
        raw = [np.linspace(-1, 1, rows * 3).tobytes()]
        return pb.ModelInferRequest(model_name="numbers", id="q", inputs=[tensor], raw_input_contents=raw)
    message = pb.ModelInferRequest(model_name="flights", outputs=[{"name": "probability"}])
    for column in _columns(rows):
        tensor = message.inputs.add(name=column["name"], datatype=column["datatype"], shape=[rows])
        field = {"FP64": "fp64", "INT64": "int64", "BYTES": "bytes", "BOOL": "bool"}[column["datatype"]]
        values = [one.encode() if isinstance(one, str) else one for one in column["data"]]
        getattr(tensor.contents, f"{field}_contents").extend(values)
    return message


def _change_message(rng: random.Random, message: pb.ModelInferRequest) -> None:
    tensor = rng.choice(message.inputs) if message.inputs else message.inputs.add()
    match rng.randrange(9):
        case 0:
            tensor.datatype = rng.choice(_DATATYPES)
        case 1:
            tensor.shape[:] = rng.choice(((), (-1,), (0,), (2**62, 2**62), (1,) * 20, (3, 1), (1, 3)))
        case 2:
            tensor.name = rng.choice(("input", "entity", "event_at", "", "ü"))
        case 3:
            message.model_name = rng.choice(("numbers", "flights", "", "nobody"))
        case 4:
            message.model_version = rng.choice(("1", "2", "x"))
        case 5:
            message.raw_input_contents.append(rng.randbytes(rng.randrange(40)))
        case 6:
            message.outputs.add(name=rng.choice(("decision", "revision", "")))
        case 7:
            message.parameters[rng.choice(("unit", "event_at", "binary_data_output", "features"))].int64_param = -1
        case _:
            tensor.contents.int_contents.append(rng.choice((-1, 2**31 - 1)))
