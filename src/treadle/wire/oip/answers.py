"""An inference answer, in JSON or with binary tensors behind it, and the protocol's form of an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


def encode_infer_answer(
    *,
    model_name: str,
    model_version: str | None,
    request_id: str | None,
    parameters: Mapping[str, Parameter],
    outputs: Sequence[OutputTensor],
) -> tuple[bytes, int | None]:
    """The body of an answer and, when a tensor is binary, the length of its JSON part.

    NaN and infinities have no JSON form and become null there; the binary form keeps them.
    """
    tensors: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for output in outputs:
        tensor: dict[str, Any] = {"name": output.name, "datatype": output.datatype, "shape": output.shape}
        if output.binary:
            data = encode_binary(output.values, DATATYPES[output.datatype])
            tensor["parameters"] = {"binary_data_size": len(data)}
            tail.append(data)
        else:
            values = output.values
            tensor["data"] = values.ravel().tolist() if isinstance(values, np.ndarray) else values
        tensors.append(tensor)
    answer: dict[str, Any] = {"model_name": model_name}
    if model_version is not None:
        answer["model_version"] = model_version
    if request_id is not None:
        answer["id"] = request_id
    answer["parameters"] = parameters
    answer["outputs"] = tensors
    header = _encode(answer)
    if not tail:
        return header, None
    return b"".join((header, *tail)), len(header)


def encode_error(message: str) -> bytes:
    """`{"error": message}`, the protocol's form of every refusal."""
    return _encode({"error": message})
