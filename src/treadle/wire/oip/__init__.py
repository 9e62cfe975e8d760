"""The Open Inference Protocol, version 2: bytes to records and back, and nothing else.

Pure codecs: no socket, no model, no file. JSON bodies (flat and nested `data`) and the binary tensor extension
(`binary_tensor_data`) both become the same `InferRequest` of NumPy arrays; an answer is encoded in whichever form the
client asked for. Sources: kserve/open-inference-protocol `inference_rest.md`; triton-inference-server
`extension_binary_data.md`.
"""

from treadle.wire.oip.answers import OutputTensor, encode_error, encode_infer_answer
from treadle.wire.oip.datatypes import DATATYPES, Datatype, datatype_of
from treadle.wire.oip.errors import UNREADABLE, BodyTooLarge, ProtocolError
from treadle.wire.oip.metadata import (
    IndexEntry,
    IndexRequest,
    ModelConfig,
    ModelMetadata,
    ModelReadiness,
    ServerMetadata,
    TensorConfig,
    TensorMetadata,
    UnloadRequest,
    config_of,
)
from treadle.wire.oip.openapi import openapi
from treadle.wire.oip.requests import (
    InferRequest,
    Parameter,
    RequestedOutput,
    Tensor,
    parse_infer_request,
    raw_infer_request,
)
from treadle.wire.oip.statistics import (
    BatchDurations,
    Duration,
    InferenceDurations,
    ModelStatistics,
    StatisticsAnswer,
)

__all__ = [
    "DATATYPES",
    "UNREADABLE",
    "BatchDurations",
    "BodyTooLarge",
    "Datatype",
    "Duration",
    "IndexEntry",
    "IndexRequest",
    "InferRequest",
    "InferenceDurations",
    "ModelConfig",
    "ModelMetadata",
    "ModelReadiness",
    "ModelStatistics",
    "OutputTensor",
    "Parameter",
    "ProtocolError",
    "RequestedOutput",
    "ServerMetadata",
    "StatisticsAnswer",
    "Tensor",
    "TensorConfig",
    "TensorMetadata",
    "UnloadRequest",
    "config_of",
    "datatype_of",
    "encode_error",
    "encode_infer_answer",
    "openapi",
    "parse_infer_request",
    "raw_infer_request",
]
