"""What a server and its models say of themselves: metadata, the repository's index, and Triton's model configuration."""

from __future__ import annotations

from typing import Literal

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


class ModelReadiness(msgspec.Struct, frozen=True):
    """The answer to `GET /v2/models/{name}/ready`."""

    name: str
    ready: bool = True


class IndexEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model of the repository: with its version where it is served, with a reason where it is not."""

    name: str
    state: Literal["READY", "UNAVAILABLE"]
    version: str = ""
    reason: str = ""


class IndexRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v2/repository/index`, which may be empty."""

    ready: bool = False
    """Whether only what answers requests is listed."""


class UnloadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v2/repository/models/{name}/unload` or `load`, which may be empty."""

    parameters: dict[str, Parameter] = {}


class TensorConfig(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output of a `ModelConfig`; dims as in the metadata's shape."""

    name: str
    data_type: str
    dims: tuple[int, ...]


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `GET /v2/models/{name}/config`, as much of Triton's ModelConfig as an endpoint has.

    max_batch_size is 0, which in Triton's words means that the shapes say the rows themselves.
    """

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: tuple[TensorConfig, ...]
    output: tuple[TensorConfig, ...]


def config_of(metadata: ModelMetadata, backend: str) -> ModelConfig:
    """The configuration that says what the metadata says."""
    return ModelConfig(
        name=metadata.name,
        platform=metadata.platform,
        backend=backend,
        max_batch_size=0,
        input=tuple(_tensor_config(tensor) for tensor in metadata.inputs),
        output=tuple(_tensor_config(tensor) for tensor in metadata.outputs),
    )


def _tensor_config(tensor: TensorMetadata) -> TensorConfig:
    datatype = "STRING" if tensor.datatype == "BYTES" else tensor.datatype
    return TensorConfig(name=tensor.name, data_type=f"TYPE_{datatype}", dims=tensor.shape)
