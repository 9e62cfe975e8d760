"""Requests of the Open Inference Protocol become arrays, in JSON and in binary, or an error that names the mistake."""

from __future__ import annotations

import contextlib
import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.wire.oip import (
    DATATYPES,
    OutputTensor,
    ProtocolError,
    encode_infer_answer,
    parse_infer_request,
)


def tensor(
    name: str = "x", shape: Any = (2,), datatype: str = "FP64", data: Any = (1.0, 2.0), **more: Any
) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data, **more}


def body(*tensors: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"inputs": tensors, **more}).encode()


def binary_request(tensors: list[tuple[dict[str, Any], bytes]], **more: Any) -> tuple[bytes, int]:
    header = json.dumps(
        {"inputs": [{**head, "parameters": {"binary_data_size": len(data)}} for head, data in tensors], **more}
    ).encode()
    return header + b"".join(data for _, data in tensors), len(header)


class TestJson:
    def test_flat_and_nested_data_are_the_same_tensor(self) -> None:
        flat = parse_infer_request(body(tensor(shape=[2, 3], data=[1, 2, 3, 4, 5, 6])))
        nested = parse_infer_request(body(tensor(shape=[2, 3], data=[[1, 2, 3], [4, 5, 6]])))

        assert flat.inputs[0].values.tolist() == nested.inputs[0].values.tolist() == [1, 2, 3, 4, 5, 6]
        assert flat.inputs[0].shape == nested.inputs[0].shape == (2, 3)

    def test_null_is_nan_in_floats_and_masked_in_whole_numbers(self) -> None:
        request = parse_infer_request(body(tensor(data=[None, 2.5]), tensor("n", datatype="INT32", data=[7, None])))

        assert np.isnan(request.inputs[0].values[0])
        assert request.inputs[1].nulls.tolist() == [False, True]

    def test_id_parameters_and_requested_outputs_are_kept(self) -> None:
        request = parse_infer_request(
            body(
                tensor(),
                id="42",
                parameters={"unit": "u1"},
                outputs=[{"name": "y", "parameters": {"binary_data": True}}],
            )
        )

        assert (request.id, request.parameters) == ("42", {"unit": "u1"})
        assert request.outputs is not None
        assert [(output.name, output.binary) for output in request.outputs] == [("y", True)]

    @pytest.mark.parametrize(
        ("sent", "says"),
        [
            (b"{", "not JSON"),
            (b"[]", "no inference request"),
            (b'{"inputs": [{"name": "x"}]}', "missing required field"),
            (body(tensor(data=[1.0])), "shape [2] means 2 values, but data has 1"),
            (body(tensor(data=[1.0, "two"])), "FP64 wants numbers, but data[1] is str"),
            (body(tensor(datatype="INT8", data=[1, 300])), "outside of INT8"),
            (body(tensor(datatype="INT8", data=[1, 2.5])), "INT8 wants whole numbers, but data[1] is float"),
            (body(tensor(datatype="BOOL", data=[True, 1])), "BOOL wants true or false, but data[1] is int"),
            (body(tensor(datatype="BYTES", data=["a", 1])), "BYTES wants strings"),
            (body(tensor(datatype="FP23")), "no datatype 'FP23'. Did you mean 'FP32'"),
            (body(tensor(datatype="FP16")), "FP16 has no JSON form"),
            (body(tensor(shape=[])), "[] is no shape"),
            (body(tensor(shape=[-1])), "[-1] is no shape"),
            (body(tensor(shape=[2, 2], data=[[1, 2], [3]])), "wants 2 elements in data[1], found 1"),
            (body(tensor(shape=[2**40, 2**40], data=[])), "values, but data has 0"),
            (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64"}]}', "has no data"),
            (body(tensor(parameters={"binary_data_size": 16})), "both `data` and binary data"),
            (b"\xff\xfe", "not JSON"),
        ],
    )
    def test_a_mistake_is_named(self, sent: bytes, says: str) -> None:
        with pytest.raises(ProtocolError) as caught:
            parse_infer_request(sent)

        assert says in " ".join(caught.value.sentences())


class TestBinary:
    def test_tensors_follow_the_header_in_the_order_of_the_inputs(self) -> None:
        numbers, flags = struct.pack("<3f", 1.5, -2, 0), b"\x01\x00"
        texts = struct.pack("<I", 2) + b"UA" + struct.pack("<I", 0)
        sent, header = binary_request(
            [
                ({"name": "a", "shape": [3], "datatype": "FP32"}, numbers),
                ({"name": "b", "shape": [2], "datatype": "BOOL"}, flags),
                ({"name": "c", "shape": [2], "datatype": "BYTES"}, texts),
            ],
            parameters={"binary_data_output": True},
        )

        request = parse_infer_request(sent, header)

        assert [list(one.values) for one in request.inputs] == [[1.5, -2, 0], [True, False], [b"UA", b""]]
        assert request.binary_output

    def test_binary_and_json_tensors_mix(self) -> None:
        head = {"name": "a", "shape": [1], "datatype": "INT16", "parameters": {"binary_data_size": 2}}
        header = json.dumps({"inputs": [head, tensor("b")]}).encode()

        request = parse_infer_request(header + struct.pack("<h", -7), len(header))

        assert request.inputs[0].values.tolist() == [-7]
        assert request.inputs[1].values.tolist() == [1.0, 2.0]

    def test_brain_floats_are_the_upper_half_of_a_float32(self) -> None:
        sent, header = binary_request([({"name": "a", "shape": [2], "datatype": "BF16"}, b"\x80\x3f\x20\xc0")])

        assert parse_infer_request(sent, header).inputs[0].values.tolist() == [1.0, -2.5]

    @pytest.mark.parametrize(
        ("head", "data", "says"),
        [
            ({"name": "a", "shape": [2], "datatype": "FP32"}, b"1234", "means 8 bytes, but binary_data_size is 4"),
            ({"name": "a", "shape": [1], "datatype": "BYTES"}, b"\x05\x00\x00\x00ab", "says it has 5 bytes"),
            ({"name": "a", "shape": [1], "datatype": "BYTES"}, b"\x05\x00", "ends within the length"),
            ({"name": "a", "shape": [2], "datatype": "BYTES"}, b"\x00\x00\x00\x00", "means 2 elements"),
        ],
    )
    def test_bytes_that_break_their_promise_are_named(self, head: dict[str, Any], data: bytes, says: str) -> None:
        sent, header = binary_request([(head, data)])

        with pytest.raises(ProtocolError, match=says):
            parse_infer_request(sent, header)

    def test_sizes_must_add_up(self) -> None:
        sent, header = binary_request([({"name": "a", "shape": [1], "datatype": "INT8"}, b"\x01")])

        with pytest.raises(ProtocolError, match="1 bytes follow"):
            parse_infer_request(sent + b"!", header)
        with pytest.raises(ProtocolError, match="0 bytes are left"):
            parse_infer_request(sent[:-1], header)
        for wrong in (0, len(sent) + 1):
            with pytest.raises(ProtocolError, match="Inference-Header-Content-Length"):
                parse_infer_request(sent, wrong)


FIXED = [name for name, datatype in DATATYPES.items() if datatype.dtype is not None and name != "BF16"]


@st.composite
def arrays(draw: st.DrawFn) -> tuple[str, np.ndarray[Any, Any]]:
    datatype = draw(st.sampled_from(FIXED))
    dtype = DATATYPES[datatype].dtype
    assert dtype is not None
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    raw = draw(st.binary(min_size=int(np.prod(shape)) * dtype.itemsize, max_size=int(np.prod(shape)) * dtype.itemsize))
    values = np.frombuffer(raw, dtype=np.uint8) % 2 == 1 if datatype == "BOOL" else np.frombuffer(raw, dtype)
    return datatype, values.reshape(shape)


@given(arrays())
def test_what_is_encoded_in_binary_is_read_back_bit_for_bit(case: tuple[str, np.ndarray[Any, Any]]) -> None:
    datatype, values = case
    answer, header = encode_infer_answer(
        model_name="m", model_version="1", request_id=None, parameters={},
        outputs=[OutputTensor("x", datatype, values.shape, values, binary=True)],
    )  # fmt: skip
    assert header is not None
    as_request = answer[:header].replace(b'"outputs"', b'"inputs"')

    back = parse_infer_request(as_request + answer[header:], len(as_request)).inputs[0]

    assert back.values.tobytes() == values.tobytes()
    assert back.shape == values.shape


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8))
def test_float64_survives_json_exactly(values: list[float]) -> None:
    answer, _ = encode_infer_answer(
        model_name="m", model_version=None, request_id="7", parameters={},
        outputs=[OutputTensor("x", "FP64", (len(values),), np.array(values))],
    )  # fmt: skip

    back = parse_infer_request(answer.replace(b'"outputs"', b'"inputs"'))

    assert back.inputs[0].values.tolist() == values


@given(st.lists(st.text(), max_size=6))
def test_texts_survive_both_forms(texts: list[str]) -> None:
    for binary in (False, True):
        answer, header = encode_infer_answer(
            model_name="m", model_version=None, request_id=None, parameters={},
            outputs=[OutputTensor("x", "BYTES", (len(texts),), texts, binary)],
        )  # fmt: skip
        split = len(answer) if header is None else header
        as_request = answer[:split].replace(b'"outputs":[', b'"inputs":[', 1)
        back = parse_infer_request(as_request + answer[split:], len(as_request) if binary else None)
        assert [one if isinstance(one, str) else one.decode() for one in back.inputs[0].values] == texts


@given(st.binary(max_size=200), st.none() | st.integers(-5, 300))
def test_no_bytes_do_more_than_raise_a_protocol_error(sent: bytes, header: int | None) -> None:
    with contextlib.suppress(ProtocolError):
        parse_infer_request(sent, header)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=3), max_leaves=6), st.sampled_from(sorted(DATATYPES)), st.lists(st.integers(-1, 3), max_size=3))  # fmt: skip
def test_no_tensor_does_more_than_raise_a_protocol_error(data: Any, datatype: str, shape: list[int]) -> None:
    with contextlib.suppress(ProtocolError):
        parse_infer_request(body(tensor(shape=shape, datatype=datatype, data=data)))
