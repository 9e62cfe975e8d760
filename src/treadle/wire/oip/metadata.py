"""What a server and a model say of themselves."""

from __future__ import annotations

import msgspec

from treadle.wire.oip.requests import Parameter


class ServerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v2`."""

    name: str
    version: str
    extensions: tuple[str, ...] = ()


class TensorMetadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input or output; -1 in the shape is a length that the request chooses."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, Parameter] = {}


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v2/models/{name}`, the tensors in the order of the model's columns."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorMetadata, ...]
    outputs: tuple[TensorMetadata, ...]
    parameters: dict[str, Parameter] = {}
