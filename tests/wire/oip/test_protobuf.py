"""The gRPC messages as the protobuf library of Triton's client writes and reads them: ours say the same."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as pb

from treadle.ground.protobuf import fields, signed, varint, varints
from treadle.wire.oip import (
    DATATYPES,
    BatchDurations,
    Duration,
    IndexEntry,
    InferenceDurations,
    ModelMetadata,
    ModelStatistics,
    OutputTensor,
    ProtocolError,
    TensorMetadata,
    config_of,
)
from treadle.wire.oip import protobuf_answers as answers
from treadle.wire.oip import protobuf_requests as requests

FIELD_OF = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents", "INT32": "int_contents",
    "INT64": "int64_contents", "UINT8": "uint_contents", "UINT16": "uint_contents", "UINT32": "uint_contents",
    "UINT64": "uint64_contents", "FP32": "fp32_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents",
}  # fmt: skip


def elements(datatype: str) -> st.SearchStrategy[Any]:
    kind = DATATYPES[datatype]
    if kind.dtype is None:
        return st.binary(max_size=12)
    if kind.kind == "bool":
        return st.booleans()
    if kind.kind == "float":
        return st.floats(width=32 if datatype == "FP32" else 64, allow_nan=False)
    limits = np.iinfo(kind.dtype)
    return st.integers(int(limits.min), int(limits.max))


@st.composite
def typed_inputs(draw: st.DrawFn) -> tuple[str, list[Any]]:
    datatype = draw(st.sampled_from(sorted(FIELD_OF)))
    return datatype, draw(st.lists(elements(datatype), min_size=1, max_size=40))


def message(datatype: str, values: list[Any], shape: list[int] | None = None, **more: Any) -> pb.ModelInferRequest:
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype=datatype, shape=shape or [len(values)])
    getattr(tensor.contents, FIELD_OF[datatype]).extend(values)
    return pb.ModelInferRequest(model_name="m", inputs=[tensor], **more)


@given(typed_inputs())
def test_typed_contents_are_the_values_that_the_library_wrote(given_input: tuple[str, list[Any]]) -> None:
    datatype, values = given_input

    (tensor,) = requests.decode_infer_request(message(datatype, values).SerializeToString()).request.inputs

    assert (tensor.name, tensor.datatype, tensor.shape) == ("x", datatype, (len(values),))
    assert list(tensor.values) == values


def test_raw_contents_names_parameters_and_outputs_are_read() -> None:
    sent = message("FP64", [], [2, 3], model_version="2", id="q", raw_input_contents=[np.arange(6.0).tobytes()])
    sent.parameters["unit"].string_param = "u1"
    sent.parameters["rows"].int64_param = -7
    sent.parameters["flag"].bool_param = True
    sent.parameters["share"].double_param = 0.5
    sent.parameters["large"].uint64_param = 2**63
    sent.outputs.add(name="probability")

    found = requests.decode_infer_request(sent.SerializeToString())

    assert (found.name, found.version, found.request.id, found.is_raw) == ("m", "2", "q", True)
    assert found.request.parameters == {"unit": "u1", "rows": -7, "flag": True, "share": 0.5, "large": 2**63}
    assert found.request.inputs[0].values.tolist() == [0, 1, 2, 3, 4, 5]
    assert [one.name for one in found.request.outputs or []] == ["probability"]


def test_the_head_of_a_raw_input_is_remembered_and_its_contents_are_not() -> None:
    for start in (0.0, 10.0):
        sent = message("FP64", [], [2], raw_input_contents=[np.array([start, start + 1]).tobytes()])
        (tensor,) = requests.decode_infer_request(sent.SerializeToString()).request.inputs
        assert tensor.values.tolist() == [start, start + 1]


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        (message("INT8", [300]), "outside of INT8"),
        (message("UINT8", [256]), "outside of UINT8"),
        (message("FP64", [1.0, 2.0], [3]), "the shape means 3 values, but fp64_contents has 2"),
        (message("FP64", [1.0], [-1]), "is no shape"),
        (message("FP64", [1.0], [1], raw_input_contents=[b"12345678"]), "both contents and raw_input_contents"),
        (message("FP64", [], [1], raw_input_contents=[b"1234"]), "means 8 bytes"),
        (message("FP64", [], [1], raw_input_contents=[b"12345678"] * 2), "1 inputs, but 2 raw_input_contents"),
        (pb.ModelInferRequest(inputs=[{"name": "x", "datatype": "FP16", "shape": [1]}]), "FP16 has no typed contents"),
        (pb.ModelInferRequest(inputs=[{"name": "x", "datatype": "FP46", "shape": [1]}]), "no datatype 'FP46'"),
        (
            pb.ModelInferRequest(
                inputs=[{"name": "x", "datatype": "FP64", "shape": [1], "contents": {"fp32_contents": [1.0]}}]
            ),
            "FP64 belongs into fp64_contents, not into fp32_contents",
        ),
    ],
)
def test_a_mistake_in_a_message_is_told_in_words(sent: pb.ModelInferRequest, says: str) -> None:
    with pytest.raises(ProtocolError, match=says):
        requests.decode_infer_request(sent.SerializeToString())


@settings(max_examples=300)
@given(st.binary(max_size=200), st.data())
def test_bytes_that_are_no_message_are_refused_and_nothing_else(noise: bytes, data: st.DataObject) -> None:
    whole = message("INT64", [1, -2, 3], id="q").SerializeToString()
    at = data.draw(st.integers(0, len(whole)))

    for broken in (noise, whole[:at], whole[:at] + noise + whole[at:]):
        for read in (requests.decode_infer_request, requests.decode_control_request, requests.decode_health_request):
            with contextlib.suppress(ProtocolError):
                read(broken)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=200))
def test_whole_numbers_survive_packing_one_by_one_and_as_an_array(values: list[int]) -> None:
    packed = b"".join(map(varint, values))

    assert [signed(value) for value in varints(packed)] == values
    if values:
        assert requests._packed_varints(packed).view(np.int64).tolist() == values


def test_fields_of_every_kind_are_read_in_their_order() -> None:
    parsed = list(fields(b"\x08\x96\x01" + b"\x12\x02hi" + b"\x1d\x01\x00\x00\x00" + b"\x21" + b"\x02" + b"\0" * 7))

    assert parsed == [(1, 0, 150), (2, 2, b"hi"), (3, 5, 1), (4, 1, 2)]
    with pytest.raises(ValueError, match="no wire type 3"):
        list(fields(b"\x0b"))
    with pytest.raises(ValueError, match="longer than its message"):
        list(fields(b"\x12\x05hi"))


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_raw", [True, False])
def test_an_answer_is_read_by_the_library_as_it_was_meant(is_raw: bool) -> None:
    outputs = [
        OutputTensor("probability", "FP64", (2,), np.array([0.25, 0.5])),
        OutputTensor("decision", "BOOL", (2,), np.array([True, False])),
        OutputTensor("revision", "INT64", (2,), np.array([-1, 2])),
        OutputTensor("id", "BYTES", (2,), ["a", "ü"]),
    ]

    read = pb.ModelInferResponse.FromString(
        answers.encode_infer_response(
            model_name="m", model_version="1", request_id="q", parameters={"a": True, "b": -3, "c": "x", "d": 0.5},
            outputs=outputs, is_raw=is_raw,
        )
    )  # fmt: skip

    assert (read.model_name, read.model_version, read.id) == ("m", "1", "q")
    assert {key: getattr(value, value.WhichOneof("parameter_choice")) for key, value in read.parameters.items()} == {
        "a": True, "b": -3, "c": "x", "d": 0.5,
    }  # fmt: skip
    assert [(one.name, one.datatype, list(one.shape)) for one in read.outputs] == [
        (one.name, one.datatype, [2]) for one in outputs
    ]
    if is_raw:
        assert np.frombuffer(read.raw_output_contents[0], "<f8").tolist() == [0.25, 0.5]
        assert read.raw_output_contents[3] == b"\x01\0\0\0a\x02\0\0\0\xc3\xbc"
    else:
        contents = [one.contents for one in read.outputs]
        assert list(contents[0].fp64_contents) == [0.25, 0.5]
        assert list(contents[1].bool_contents) == [True, False]
        assert list(contents[2].int64_contents) == [-1, 2]
        assert list(contents[3].bytes_contents) == [b"a", "ü".encode()]


def test_what_a_model_says_of_itself_is_read_by_the_library() -> None:
    metadata = ModelMetadata(
        name="m", versions=("1", "2"), platform="treadle_onnx",
        inputs=(TensorMetadata(name="x", datatype="BYTES", shape=(-1,)),),
        outputs=(TensorMetadata(name="p", datatype="FP64", shape=(-1, 3)),), parameters={"max_rows": 7},
    )  # fmt: skip

    read = pb.ModelMetadataResponse.FromString(answers.encode_model_metadata(metadata))
    config = pb.ModelConfigResponse.FromString(answers.encode_config(config_of(metadata, "onnx"))).config

    assert (read.name, list(read.versions), read.platform) == ("m", ["1", "2"], "treadle_onnx")
    assert [(one.name, one.datatype, list(one.shape)) for one in (*read.inputs, *read.outputs)] == [
        ("x", "BYTES", [-1]), ("p", "FP64", [-1, 3]),
    ]  # fmt: skip
    assert MessageToDict(config, preserving_proto_field_name=True) == {
        "name": "m", "platform": "treadle_onnx", "backend": "onnx",
        "input": [{"name": "x", "data_type": "TYPE_STRING", "dims": ["-1"]}],
        "output": [{"name": "p", "data_type": "TYPE_FP64", "dims": ["-1", "3"]}],
    }  # fmt: skip


def test_index_and_statistics_are_read_by_the_library() -> None:
    entries = [IndexEntry(name="m", version="1", state="READY"), IndexEntry(name="n", state="UNAVAILABLE", reason="r")]
    spent = {name: Duration(at, at * 1000) for at, name in enumerate(
        ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"), 1
    )}  # fmt: skip
    batch = BatchDurations(
        batch_size=8, compute_input=Duration(1, 2), compute_infer=Duration(3, 4), compute_output=Duration(5, 6)
    )
    model = ModelStatistics(
        name="m", version="1", last_inference=2**41, inference_count=9, execution_count=3,
        inference_stats=InferenceDurations(**spent), batch_stats=[batch],
    )  # fmt: skip

    index = pb.RepositoryIndexResponse.FromString(answers.encode_index(entries))
    (read,) = pb.ModelStatisticsResponse.FromString(answers.encode_statistics([model])).model_stats

    assert [(one.name, one.version, one.state, one.reason) for one in index.models] == [
        ("m", "1", "READY", ""), ("n", "", "UNAVAILABLE", "r"),
    ]  # fmt: skip
    assert (read.last_inference, read.inference_count, read.execution_count) == (2**41, 9, 3)
    assert (read.inference_stats.fail.count, read.inference_stats.compute_output.ns) == (2, 6000)
    assert (read.batch_stats[0].batch_size, read.batch_stats[0].compute_output.ns) == (8, 6)
