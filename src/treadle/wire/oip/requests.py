"""An inference request: the body of `POST /v2/models/{name}/infer`, in JSON or with binary tensors behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from treadle.wire.oip.binary_tensors import decode_binary
from treadle.wire.oip.datatypes import DATATYPES, datatype_of
from treadle.wire.oip.errors import UNREADABLE, ProtocolError
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


class RequestInput(msgspec.Struct):
    """One input as the JSON part has it: with its data, or with `parameters.binary_data_size`."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    parameters: dict[str, Parameter] = {}
    data: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class RequestOutput(msgspec.Struct):
    """One output that is asked for."""

    name: str
    parameters: dict[str, Parameter] = {}


class InferenceRequest(msgspec.Struct):
    """The JSON part of an inference request."""

    inputs: list[RequestInput]
    id: str | None = None
    parameters: dict[str, Parameter] = {}
    outputs: list[RequestOutput] | None = None


_decode_body = msgspec.json.Decoder(InferenceRequest).decode


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
    except UNREADABLE as error:
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


def raw_infer_request(body: bytes, name: str, datatype: str, width: int | None) -> InferRequest:
    """The request that a body without a JSON part means (`Inference-Header-Content-Length: 0`): one tensor, all outputs.

    width: the columns of the tensor [rows, width], None for a tensor of one dimension. Whole BYTES are one element, with
    no length before it. Raises ProtocolError when the bytes are no whole number of rows.
    """
    kind = DATATYPES[datatype]
    if kind.dtype is None:
        return InferRequest([Tensor(name, datatype, (1,), [body])], None, binary_output=True)
    row_bytes = kind.wire_bytes * (width or 1)
    rows, rest = divmod(len(body), row_bytes)
    if rest:
        raise ProtocolError(
            f"The raw body has {len(body)} bytes, which is no multiple of the {row_bytes} bytes of a row.",
            fix=f"Send rows of {width or 1} {datatype}, little-endian and without padding.",
        )
    shape = (rows,) if width is None else (rows, width)
    values = decode_binary(memoryview(body), name, kind, shape)
    return InferRequest([Tensor(name, datatype, shape, values)], None, binary_output=True)


def _request(parsed: InferenceRequest, inputs: list[Tensor]) -> InferRequest:
    binary_output = parsed.parameters.get("binary_data_output") is True
    outputs = None
    if parsed.outputs:
        outputs = [
            RequestedOutput(output.name, output.parameters.get("binary_data", binary_output) is True)
            for output in parsed.outputs
        ]
    return InferRequest(inputs, outputs, parsed.id, parsed.parameters, binary_output)


def _tensor(given: RequestInput, binary: memoryview) -> tuple[Tensor, memoryview]:
    datatype = datatype_of(given.datatype)
    shape = checked_shape(given.name, given.shape)
    size = given.parameters.get("binary_data_size")
    data = memoryview(b"" if given.data is msgspec.UNSET else given.data)
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


def checked_shape(name: str, shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of an input. Raises ProtocolError for one that no tensor has."""
    if not shape or len(shape) > MAX_DIMENSIONS or min(shape) < 0:
        raise ProtocolError(
            f"Input {name!r}: {list(shape[:20])} is no shape.",
            fix=f"Send 1 to {MAX_DIMENSIONS} dimensions, none of them negative; the first one counts the rows.",
        )
    return tuple(shape)


def _malformed(error: Exception) -> ProtocolError:
    if isinstance(error, msgspec.ValidationError):
        return ProtocolError(
            f"The body is no inference request: {error}.",
            fix='Send {"inputs": [{"name": ..., "shape": [...], "datatype": ..., "data": [...]}]}.',
        )
    return ProtocolError(f"The body is not JSON: {error}.", fix="Check it with a JSON parser; UTF-8 is expected.")
