"""The requests of `inference.GRPCInferenceService`, from protobuf to the records that REST requests become as well.

Tensors come in one of two forms, the same for all of a request: *raw* (`raw_input_contents`, laid out as in the binary
extension) or *typed* (`contents`, a list of the field that belongs to the datatype; FP16 and BF16 have none). Packed
numbers become arrays without a Python object an element. Source: kserve/open-inference-protocol
`open_inference_grpc.proto`, triton-inference-server `grpc_service.proto`; the encoding is `ground.protobuf`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from treadle.ground.protobuf import BROKEN, BYTES, FIXED32, FIXED64, VARINT, as_double, fields, signed, varints
from treadle.wire.oip.binary_tensors import decode_binary
from treadle.wire.oip.datatypes import Datatype, datatype_of
from treadle.wire.oip.errors import ProtocolError
from treadle.wire.oip.metadata import IndexRequest
from treadle.wire.oip.requests import InferRequest, Parameter, RequestedOutput, Tensor, checked_shape

CONTENT_FIELDS = {
    "BOOL": 1, "INT8": 2, "INT16": 2, "INT32": 2, "INT64": 3, "UINT8": 4, "UINT16": 4, "UINT32": 4, "UINT64": 5,
    "FP32": 6, "FP64": 7, "BYTES": 8,
}  # fmt: skip
"""The field of InferTensorContents that holds a datatype."""
_CONTENT_NAMES = (
    "", "bool_contents", "int_contents", "int64_contents", "uint_contents", "uint64_contents", "fp32_contents",
    "fp64_contents", "bytes_contents",
)  # fmt: skip
_REMEMBERED_BYTES = 256
"""Longer messages are not remembered, so that strangers cannot fill the memory."""
_NARROW = 64
"""Up to so many bytes, reading whole numbers one by one is quicker than as an array."""

_T = TypeVar("_T")


@dataclass(slots=True)
class ModelRequest:
    """A question about a model: its name, and its version where one is named."""

    name: str = ""
    version: str | None = None


@dataclass(slots=True)
class GrpcInferRequest(ModelRequest):
    """An inference with the model that it is for. is_raw: its tensors came raw, so the answer's go raw."""

    request: InferRequest = field(default_factory=lambda: InferRequest([], None))
    is_raw: bool = False


@dataclass(slots=True)
class ControlRequest:
    """A model to load or unload."""

    name: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)


def decode_model_request(data: bytes) -> ModelRequest:
    """A ModelReady-, ModelMetadata-, ModelConfig- or ModelStatisticsRequest. Raises ProtocolError."""
    return _decoded(_model_request, data)


def decode_index_request(data: bytes) -> IndexRequest:
    """A RepositoryIndexRequest. Raises ProtocolError."""
    return _decoded(lambda given: IndexRequest(ready=any(n == 2 and value for n, _, value in fields(given))), data)


def decode_control_request(data: bytes) -> ControlRequest:
    """A RepositoryModelLoad- or UnloadRequest. Raises ProtocolError."""
    return _decoded(_control_request, data)


def decode_health_request(data: bytes) -> str:
    """The service of a HealthCheckRequest, empty for the server. Raises ProtocolError."""
    return _decoded(
        lambda given: "".join(value.decode() for n, kind, value in fields(given) if (n, kind) == (1, BYTES)), data
    )


def decode_infer_request(data: bytes) -> GrpcInferRequest:
    """A ModelInferRequest. Raises ProtocolError, in words for the sender."""
    return _decoded(_infer_request, data)


def _decoded(read: Callable[[bytes], _T], data: bytes) -> _T:
    try:
        return read(data)
    except BROKEN as error:
        raise ProtocolError(f"The message cannot be read: {error}.") from None


def _model_request(data: bytes) -> ModelRequest:
    request = ModelRequest()
    for number, wire_type, value in fields(data):
        if wire_type == BYTES:
            if number == 1:
                request.name = value.decode()
            elif number == 2:
                request.version = value.decode() or None
    return request


def _control_request(data: bytes) -> ControlRequest:
    request = ControlRequest()
    for number, wire_type, value in fields(data):
        if wire_type == BYTES:
            if number == 2:
                request.name = value.decode()
            elif number == 3:
                _read_parameter(value, request.parameters)
    return request


def _infer_request(data: bytes) -> GrpcInferRequest:
    found = GrpcInferRequest()
    request = found.request
    inputs: list[bytes] = []
    raw: list[bytes] = []
    outputs: list[bytes] = []
    for number, wire_type, value in fields(data):
        if wire_type != BYTES:
            continue
        if number == 5:
            inputs.append(value)
        elif number == 7:
            raw.append(value)
        elif number == 1:
            found.name = value.decode()
        elif number == 2:
            found.version = value.decode() or None
        elif number == 3:
            request.id = value.decode() or None
        elif number == 4:
            _read_parameter(value, request.parameters)
        elif number == 6:
            outputs.append(value)
    if raw and len(raw) != len(inputs):
        raise ProtocolError(
            f"There are {len(inputs)} inputs, but {len(raw)} raw_input_contents.",
            fix="Send the contents of all inputs raw, in their order, or of none.",
        )
    found.is_raw = bool(raw) or request.parameters.get("binary_data_output") is True
    request.binary_output = found.is_raw
    request.inputs = [_input(one, raw[at] if raw else None) for at, one in enumerate(inputs)]
    if outputs:
        request.outputs = [RequestedOutput(_output_name(one), found.is_raw) for one in outputs]
    return found


def _output_name(data: bytes) -> str:
    return "".join(value.decode() for number, wire_type, value in fields(data) if (number, wire_type) == (1, BYTES))


def _input(data: bytes, raw: bytes | None) -> Tensor:
    """An input. Beside raw contents its message repeats from request to request, so it is read once."""
    head = _remembered_head(data) if raw is not None and len(data) <= _REMEMBERED_BYTES else _input_head(data)
    name, kind, shape, contents = head
    if raw is None:
        return Tensor(name, kind.name, shape, _typed(contents, name, kind, prod(shape)))
    if contents:
        raise ProtocolError(f"Input {name!r} has both contents and raw_input_contents.", fix="Send one of them.")
    return Tensor(name, kind.name, shape, decode_binary(memoryview(raw), name, kind, shape))


def _input_head(data: bytes) -> tuple[str, Datatype, tuple[int, ...], bytes]:
    """Name, datatype, shape and typed contents of an input."""
    name = datatype = ""
    shape: list[int] = []
    contents: bytes = b""
    for number, wire_type, value in fields(data):
        if number == 3:
            shape += map(signed, varints(value) if wire_type == BYTES else (value,))
        elif wire_type != BYTES:
            continue
        elif number == 1:
            name = value.decode()
        elif number == 2:
            datatype = value.decode()
        elif number == 5:
            contents += value  # two of one message are one, says protobuf
    return name, datatype_of(datatype), checked_shape(name, shape), contents


_remembered_head = lru_cache(maxsize=256)(_input_head)


def _typed(contents: bytes, name: str, kind: Datatype, wanted: int) -> Any:
    """The values of typed contents, (wanted,): an array, or a list of bytes."""
    field_number = CONTENT_FIELDS.get(kind.name)
    if field_number is None:
        raise ProtocolError(f"Input {name!r}: {kind.name} has no typed contents.", fix="Send raw_input_contents.")
    parts: list[tuple[int, Any]] = []
    for number, wire_type, value in fields(contents):
        if number == field_number:
            parts.append((wire_type, value))
        elif 0 < number < len(_CONTENT_NAMES) and value != b"":
            raise ProtocolError(
                f"Input {name!r}: {kind.name} belongs into {_CONTENT_NAMES[field_number]}, not into "
                f"{_CONTENT_NAMES[number]}."
            )
    values = _bytes_elements(parts) if kind.dtype is None else _numbers(parts, name, kind)
    if len(values) != wanted:
        raise ProtocolError(
            f"Input {name!r}: the shape means {wanted} values, but {_CONTENT_NAMES[field_number]} has {len(values)}.",
            fix="Send row-major contents whose count is the product of the shape.",
        )
    return values


def _bytes_elements(parts: list[tuple[int, Any]]) -> list[bytes]:
    if any(wire_type != BYTES for wire_type, _ in parts):
        raise ValueError("an element of bytes_contents is no bytes")
    return [value for _, value in parts]


def _numbers(parts: list[tuple[int, Any]], name: str, kind: Datatype) -> NDArray[Any]:
    """Numbers that came packed, one by one, or both, in their order."""
    assert kind.dtype is not None
    if kind.kind == "float":
        single, code = (FIXED64, "<f8") if kind.name == "FP64" else (FIXED32, "<f4")
        arrays = [_floats(part, single, code) for part in parts]
    else:
        arrays = [_wholes(part, name, kind) for part in parts]
    if len(arrays) == 1:
        return arrays[0]
    return np.concatenate(arrays) if arrays else np.empty(0, kind.dtype)


def _floats(part: tuple[int, Any], single: int, code: str) -> NDArray[Any]:
    wire_type, value = part
    if wire_type == BYTES:
        return np.frombuffer(value, code)
    if wire_type != single:
        raise ValueError("a number has another width than its datatype")
    return np.frombuffer(value.to_bytes(int(code[2]), "little"), code)


def _wholes(part: tuple[int, Any], name: str, kind: Datatype) -> NDArray[Any]:
    wire_type, value = part
    if wire_type not in (BYTES, VARINT):
        raise ValueError("a whole number is none")
    if wire_type == VARINT:
        unsigned = np.array([value], np.uint64)
    elif len(value) <= _NARROW:
        unsigned = np.array(list(varints(value)), np.uint64)
    else:
        unsigned = _packed_varints(value)
    if kind.kind == "bool":
        return unsigned.astype(np.bool_)
    numbers = unsigned if kind.name.startswith("U") else unsigned.view(np.int64)
    narrow: NDArray[Any] = numbers.astype(kind.dtype)
    if not np.array_equal(narrow, numbers):
        raise ProtocolError(f"Input {name!r}: a value lies outside of {kind.name}.")
    return narrow


def _packed_varints(data: bytes) -> NDArray[np.uint64]:
    """Whole numbers that lie behind one another, each in as many bytes as it needs: one pass for each of at most ten."""
    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(octets < 128)
    if not len(ends) or ends[-1] != len(octets) - 1:
        raise ValueError("the last number is cut off")
    starts = np.concatenate(([0], ends[:-1] + 1))
    lengths = ends - starts + 1
    longest = int(lengths.max())
    if longest > 10:
        raise ValueError("a number is longer than ten bytes")
    values: NDArray[np.uint64] = np.zeros(len(ends), np.uint64)
    for place in range(longest):
        reaching = lengths > place
        group = (octets[starts[reaching] + place] & 127).astype(np.uint64)
        values[reaching] |= group << np.uint64(7 * place)
    return values


def _read_parameter(entry: bytes, into: dict[str, Parameter]) -> None:
    """Reads an entry of a map of InferParameter, or of ModelRepositoryParameter, whose bytes are no parameter of ours."""
    key, value = "", b""
    for number, wire_type, part in fields(entry):
        if wire_type == BYTES:
            if number == 1:
                key = part.decode()
            elif number == 2:
                value = part
    found: Parameter = ""
    for number, wire_type, part in fields(value):
        if wire_type == VARINT and number in (1, 2, 5):
            found = part != 0 if number == 1 else signed(part) if number == 2 else part
        elif wire_type == BYTES and number == 3:
            found = part.decode()
        elif wire_type == FIXED64 and number == 4:
            found = as_double(part)
    into[key] = found
