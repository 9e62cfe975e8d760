"""An inference answer, in JSON or with binary tensors behind it, and the protocol's form of an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from treadle.wire.oip.binary_tensors import encode_binary
from treadle.wire.oip.datatypes import DATATYPES
from treadle.wire.oip.requests import Parameter

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class OutputTensor:
    """One output: an array of `shape`, or a list of strings for BYTES."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Any
    binary: bool = False


class ResponseOutput(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One output as the JSON part has it."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, Parameter] = {}
    data: Any = msgspec.UNSET


class InferenceResponse(msgspec.Struct, kw_only=True):
    """The JSON part of an answer."""

    model_name: str
    model_version: str | msgspec.UnsetType = msgspec.UNSET
    id: str | msgspec.UnsetType = msgspec.UNSET
    parameters: dict[str, Parameter]
    outputs: list[ResponseOutput]


class ErrorResponse(msgspec.Struct):
    """Every refusal."""

    error: str


def encode_infer_answer(
    *,
    model_name: str,
    model_version: str | None,
    request_id: str | None,
    parameters: dict[str, Parameter],
    outputs: Sequence[OutputTensor],
) -> tuple[bytes, int | None]:
    """The body of an answer and, when a tensor is binary, the length of its JSON part.

    NaN and infinities have no JSON form and become null there; the binary form keeps them.
    """
    tensors: list[ResponseOutput] = []
    tail: list[bytes] = []
    for output in outputs:
        tensor = ResponseOutput(name=output.name, datatype=output.datatype, shape=output.shape)
        if output.binary:
            data = encode_binary(output.values, DATATYPES[output.datatype])
            tensor.parameters = {"binary_data_size": len(data)}
            tail.append(data)
        else:
            values = output.values
            tensor.data = values.ravel().tolist() if isinstance(values, np.ndarray) else values
        tensors.append(tensor)
    header = _encode(
        InferenceResponse(
            model_name=model_name,
            model_version=msgspec.UNSET if model_version is None else model_version,
            id=msgspec.UNSET if request_id is None else request_id,
            parameters=parameters,
            outputs=tensors,
        )
    )
    if not tail:
        return header, None
    return b"".join((header, *tail)), len(header)


def encode_error(message: str) -> bytes:
    """`{"error": message}`, the protocol's form of every refusal."""
    return _encode(ErrorResponse(message))
