"""An inference request: the body of `POST /v2/models/{name}/infer`, in JSON or with binary tensors behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from treadle.wire.oip.binary_tensors import decode_binary
from treadle.wire.oip.datatypes import datatype_of
from treadle.wire.oip.errors import ProtocolError
from treadle.wire.oip.json_tensors import decode_data

Parameter = str | int | float | bool
"""What the protocol lets a parameter be."""

MAX_DIMENSIONS = 8


@dataclass(slots=True)
class Tensor:
    """One input as it came: values row-major and flat, (n,); `nulls` marks the missing ones of whole-number types."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Any
    nulls: Any = None


@dataclass(slots=True)
class RequestedOutput:
    name: str
    binary: bool


@dataclass(slots=True)
class InferRequest:
    """What a client asks: inputs in its own order, the outputs it wants (None: all of them), and its parameters."""

    inputs: list[Tensor]
    outputs: list[RequestedOutput] | None
    id: str | None = None
    parameters: dict[str, Parameter] = field(default_factory=dict)
    binary_output: bool = False
    """Whether outputs go back in binary unless one of them says otherwise."""


class _Input(msgspec.Struct):
    name: str
    shape: tuple[int, ...]
    datatype: str
    parameters: dict[str, Parameter] = {}
    data: msgspec.Raw = msgspec.Raw()


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Parameter] = {}


class _Body(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    parameters: dict[str, Parameter] = {}
    outputs: list[_Output] | None = None


_decode_body = msgspec.json.Decoder(_Body).decode


def parse_infer_request(body: bytes, header_length: int | None = None) -> InferRequest:
    """The request in a body. header_length: the value of `Inference-Header-Content-Length`, None without that header.

    Raises ProtocolError, in words for the sender, for anything that is no request of this protocol.
    """
    binary = memoryview(b"")
    if header_length is not None:
        if not 0 < header_length <= len(body):
            raise ProtocolError(
                f"Inference-Header-Content-Length is {header_length}, but the body has {len(body)} bytes.",
                fix="Set it to the length of the JSON part, which comes first.",
            )
        binary = memoryview(body)[header_length:]
        body = body[:header_length]
    try:
        parsed = _decode_body(body)
    except msgspec.DecodeError as error:
        raise _malformed(error) from None
    inputs, rest = [], binary
    for tensor in parsed.inputs:
        decoded, rest = _tensor(tensor, rest)
        inputs.append(decoded)
    if len(rest):
        raise ProtocolError(
            f"{len(rest)} bytes follow the last binary tensor.",
            fix="The sizes in binary_data_size must add up to what follows the JSON part.",
        )
    return _request(parsed, inputs)


def _request(parsed: _Body, inputs: list[Tensor]) -> InferRequest:
    binary_output = parsed.parameters.get("binary_data_output") is True
    outputs = None
    if parsed.outputs:
        outputs = [
            RequestedOutput(output.name, output.parameters.get("binary_data", binary_output) is True)
            for output in parsed.outputs
        ]
    return InferRequest(inputs, outputs, parsed.id, parsed.parameters, binary_output)


def _tensor(given: _Input, binary: memoryview) -> tuple[Tensor, memoryview]:
    datatype = datatype_of(given.datatype)
    shape = given.shape
    if not shape or len(shape) > MAX_DIMENSIONS or min(shape) < 0:
        raise ProtocolError(
            f"Input {given.name!r}: {list(shape)} is no shape.",
            fix=f"Send 1 to {MAX_DIMENSIONS} dimensions, none of them negative; the first one counts the rows.",
        )
    size = given.parameters.get("binary_data_size")
    data = memoryview(given.data)
    if size is None:
        if not len(data):
            raise ProtocolError(
                f"Input {given.name!r} has no data.", fix="Send `data`, or `parameters.binary_data_size` and its bytes."
            )
        values, nulls = decode_data(data, given.name, datatype, shape)
        return Tensor(given.name, given.datatype, shape, values, nulls), binary
    if len(data):
        raise ProtocolError(f"Input {given.name!r} has both `data` and binary data.", fix="Send one of them.")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= len(binary):
        raise ProtocolError(
            f"Input {given.name!r}: binary_data_size is {size!r}, but {len(binary)} bytes are left in the body.",
            fix="Send the tensors' bytes behind the JSON part, in the order of the inputs, and the header "
            "Inference-Header-Content-Length.",
        )
    values = decode_binary(binary[:size], given.name, datatype, shape)
    return Tensor(given.name, given.datatype, shape, values), binary[size:]


def _malformed(error: msgspec.DecodeError) -> ProtocolError:
    if isinstance(error, msgspec.ValidationError):
        return ProtocolError(
            f"The body is no inference request: {error}.",
            fix='Send {"inputs": [{"name": ..., "shape": [...], "datatype": ..., "data": [...]}]}.',
        )
    return ProtocolError(f"The body is not JSON: {error}.", fix="Check it with a JSON parser; UTF-8 is expected.")
