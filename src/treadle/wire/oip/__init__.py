"""The Open Inference Protocol, version 2, over REST: bytes to records and back, and nothing else.

Pure codecs: no socket, no model, no file. JSON bodies (flat and nested `data`) and the binary tensor extension
(`binary_tensor_data`) both become the same `InferRequest` of NumPy arrays; an answer is encoded in whichever form the
client asked for. Sources: kserve/open-inference-protocol `inference_rest.md`; triton-inference-server
`extension_binary_data.md`.
"""

from treadle.wire.oip.answers import OutputTensor, encode_error, encode_infer_answer
from treadle.wire.oip.datatypes import DATATYPES, Datatype, datatype_of
from treadle.wire.oip.errors import BodyTooLarge, ProtocolError
from treadle.wire.oip.metadata import ModelMetadata, ServerMetadata, TensorMetadata
from treadle.wire.oip.requests import InferRequest, Parameter, RequestedOutput, Tensor, parse_infer_request

__all__ = [
    "DATATYPES",
    "BodyTooLarge",
    "Datatype",
    "InferRequest",
    "ModelMetadata",
    "OutputTensor",
    "Parameter",
    "ProtocolError",
    "RequestedOutput",
    "ServerMetadata",
    "Tensor",
    "TensorMetadata",
    "datatype_of",
    "encode_error",
    "encode_infer_answer",
    "parse_infer_request",
]
