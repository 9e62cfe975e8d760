"""The answers of `inference.GRPCInferenceService` and `grpc.health.v1`, from records to protobuf.

Source: as `protobuf_requests`; model_config.proto of Triton for the configuration; grpc/grpc-proto `health.proto`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from treadle.ground.protobuf import bytes_field, double_field, text_field, varint, whole_field
from treadle.wire.oip.answers import OutputTensor
from treadle.wire.oip.binary_tensors import encode_binary
from treadle.wire.oip.datatypes import DATATYPES
from treadle.wire.oip.metadata import (
    IndexEntry,
    ModelConfig,
    ModelMetadata,
    ServerMetadata,
    TensorConfig,
    TensorMetadata,
)
from treadle.wire.oip.protobuf_requests import CONTENT_FIELDS
from treadle.wire.oip.requests import Parameter
from treadle.wire.oip.statistics import BatchDurations, Duration, InferenceDurations, ModelStatistics

_CONFIG_TYPES = (
    "TYPE_INVALID", "TYPE_BOOL", "TYPE_UINT8", "TYPE_UINT16", "TYPE_UINT32", "TYPE_UINT64", "TYPE_INT8", "TYPE_INT16",
    "TYPE_INT32", "TYPE_INT64", "TYPE_FP16", "TYPE_FP32", "TYPE_FP64", "TYPE_STRING", "TYPE_BF16",
)  # fmt: skip
"""Triton's DataType in the order of its numbers."""
SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
"""What `grpc.health.v1` calls the states of a service."""


def encode_claim(is_so: bool) -> bytes:
    """A ServerLive-, ServerReady- or ModelReadyResponse."""
    return whole_field(1, is_so) if is_so else b""


def encode_health(status: int) -> bytes:
    """A HealthCheckResponse."""
    return whole_field(1, status)


def encode_health_list(statuses: Mapping[str, int]) -> bytes:
    """A HealthListResponse: the status of each service by its name."""
    return b"".join(
        bytes_field(1, text_field(1, service) + bytes_field(2, encode_health(status)))
        for service, status in statuses.items()
    )


def encode_server_metadata(server: ServerMetadata) -> bytes:
    """A ServerMetadataResponse."""
    return text_field(1, server.name) + text_field(2, server.version) + _texts(3, server.extensions)


def encode_model_metadata(model: ModelMetadata) -> bytes:
    """A ModelMetadataResponse; its parameters are the properties of the protocol."""
    properties = (
        bytes_field(6, text_field(1, key) + text_field(2, str(value))) for key, value in model.parameters.items()
    )
    return b"".join(
        (
            text_field(1, model.name),
            _texts(2, model.versions),
            text_field(3, model.platform),
            *(bytes_field(4, _tensor_metadata(tensor)) for tensor in model.inputs),
            *(bytes_field(5, _tensor_metadata(tensor)) for tensor in model.outputs),
            *properties,
        )
    )


def encode_index(entries: Iterable[IndexEntry]) -> bytes:
    """A RepositoryIndexResponse."""
    return b"".join(
        bytes_field(
            1,
            text_field(1, entry.name)
            + text_field(2, entry.version)
            + text_field(3, entry.state)
            + text_field(4, entry.reason),
        )
        for entry in entries
    )


def encode_config(config: ModelConfig) -> bytes:
    """A ModelConfigResponse."""
    inside = (
        text_field(1, config.name),
        text_field(2, config.platform),
        whole_field(4, config.max_batch_size),
        *(bytes_field(5, _tensor_config(tensor, dims=4)) for tensor in config.input),
        *(bytes_field(6, _tensor_config(tensor, dims=3)) for tensor in config.output),
        text_field(17, config.backend),
    )
    return bytes_field(1, b"".join(inside))


def encode_statistics(models: Iterable[ModelStatistics]) -> bytes:
    """A ModelStatisticsResponse."""
    return b"".join(bytes_field(1, _model_statistics(model)) for model in models)


def encode_infer_response(
    *,
    model_name: str,
    model_version: str | None,
    request_id: str | None,
    parameters: Mapping[str, Parameter],
    outputs: Sequence[OutputTensor],
    is_raw: bool,
) -> bytes:
    """A ModelInferResponse, its tensors raw or typed."""
    parts = [_texts_of(model_name, model_version or "")]
    if request_id:
        parts.append(text_field(3, request_id))
    parts += [
        _text_entry(key, value) if isinstance(value, str) else _entry(key, value) for key, value in parameters.items()
    ]
    if is_raw:
        parts += [_tensor_head(output.name, output.datatype, output.shape) for output in outputs]
        parts += [bytes_field(6, encode_binary(output.values, DATATYPES[output.datatype])) for output in outputs]
    else:
        for output in outputs:
            shape = _packed(3, output.shape)
            tensor = _texts_of(output.name, output.datatype) + shape + bytes_field(5, _contents(output))
            parts.append(bytes_field(5, tensor))
    return b"".join(parts)


def encode_stream_answer(answer: bytes) -> bytes:
    """A ModelStreamInferResponse around a ModelInferResponse."""
    return bytes_field(2, answer)


def encode_stream_error(message: str) -> bytes:
    """A ModelStreamInferResponse that says what was wrong with one of the stream's requests."""
    return bytes_field(1, message.encode())


@lru_cache(maxsize=1024)
def _texts_of(first: str, second: str = "") -> bytes:
    """The fields 1 and 2, for names that answer after answer repeats: looking them up costs a quarter of writing them."""
    return text_field(1, first) + text_field(2, second)


@lru_cache(maxsize=1024)
def _tensor_head(name: str, datatype: str, shape: tuple[int, ...]) -> bytes:
    """The field of an output whose contents are raw."""
    return bytes_field(5, text_field(1, name) + text_field(2, datatype) + _packed(3, shape))


def _text_entry(key: str, value: str) -> bytes:
    return bytes_field(4, _texts_of(key) + bytes_field(2, bytes_field(3, value.encode())))


@lru_cache(maxsize=256, typed=True)
def _entry(key: str, value: bool | int | float) -> bytes:
    """The entry of a parameter, such as a revision's number, that is the same for many answers."""
    return bytes_field(4, text_field(1, key) + bytes_field(2, _number(value)))


def _contents(output: OutputTensor) -> bytes:
    """The InferTensorContents of an output, whose datatype has such."""
    number = CONTENT_FIELDS[output.datatype]
    if output.datatype == "BYTES":
        elements = (value.encode() if isinstance(value, str) else value for value in output.values)
        return b"".join(bytes_field(number, element) for element in elements)
    values: Any = np.ascontiguousarray(output.values, dtype=DATATYPES[output.datatype].dtype).ravel()
    if DATATYPES[output.datatype].kind == "int":
        return _packed(number, values.tolist())
    return bytes_field(number, values.tobytes())  # of floats the bytes, of flags one each: what protobuf packs


def _number(value: bool | int | float) -> bytes:
    if isinstance(value, bool):
        return whole_field(1, value)
    return whole_field(2, value) if isinstance(value, int) else double_field(4, value)


def _packed(number: int, values: Iterable[int]) -> bytes:
    return bytes_field(number, b"".join(map(varint, values)))


def _texts(number: int, values: Iterable[str]) -> bytes:
    return b"".join(bytes_field(number, value.encode()) for value in values)


def _tensor_metadata(tensor: TensorMetadata) -> bytes:
    return text_field(1, tensor.name) + text_field(2, tensor.datatype) + _packed(3, tensor.shape)


def _tensor_config(tensor: TensorConfig, dims: int) -> bytes:
    datatype = whole_field(2, _CONFIG_TYPES.index(tensor.data_type))
    return text_field(1, tensor.name) + datatype + _packed(dims, tensor.dims)


def _model_statistics(model: ModelStatistics) -> bytes:
    return b"".join(
        (
            text_field(1, model.name),
            text_field(2, model.version),
            whole_field(3, model.last_inference),
            whole_field(4, model.inference_count),
            whole_field(5, model.execution_count),
            bytes_field(6, _inference_durations(model.inference_stats)),
            *(bytes_field(7, _batch_durations(batch)) for batch in model.batch_stats),
        )
    )


def _inference_durations(spent: InferenceDurations) -> bytes:
    durations = (
        spent.success, spent.fail, spent.queue, spent.compute_input, spent.compute_infer, spent.compute_output,
        spent.cache_hit, spent.cache_miss,
    )  # fmt: skip
    return _durations(1, durations)


def _batch_durations(batch: BatchDurations) -> bytes:
    return whole_field(1, batch.batch_size) + _durations(
        2, (batch.compute_input, batch.compute_infer, batch.compute_output)
    )


def _durations(first: int, durations: Iterable[Duration]) -> bytes:
    encoded = (whole_field(1, one.count) + whole_field(2, one.ns) for one in durations)
    return b"".join(bytes_field(number, one) for number, one in enumerate(encoded, first))
