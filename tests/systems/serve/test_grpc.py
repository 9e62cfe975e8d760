"""A real server over real gRPC: what it shares with REST, what it refuses and how, health that is watched, streams."""

from __future__ import annotations

import gzip
import queue
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

from tests.systems.serve.models import ROWS, Deployed, deploy, flights_model
from tests.systems.serve.processes import Server, start_server
from tests.systems.serve.test_protocol import columns, numbers, output

Shared = tuple[Server, Deployed]
HEALTH = "/grpc.health.v1.Health"


@contextmanager
def channel_to(server: Server) -> Iterator[grpc.Channel]:
    address = server.process.grpc_address
    assert address is not None
    with grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield channel


@pytest.fixture
def channel(shared_server: Shared) -> Iterator[grpc.Channel]:
    with channel_to(shared_server[0]) as channel:
        yield channel


@pytest.fixture
def stub(channel: grpc.Channel) -> Any:
    return service_pb2_grpc.GRPCInferenceServiceStub(channel)


def matrix(rows: int = 2, *, model: str = "numbers", **more: Any) -> pb.ModelInferRequest:
    values = np.array([[0.5, -1.0, 0.25], [0.0, 1.0, -2.0]] * rows)[:rows]
    tensor = {"name": "input", "datatype": "FP64", "shape": [rows, 3]}
    return pb.ModelInferRequest(model_name=model, inputs=[tensor], raw_input_contents=[values.tobytes()], **more)


def flights() -> pb.ModelInferRequest:
    """The three rows of the probe, typed; a category that is null has no form here, so it is one that nobody knows."""
    return pb.ModelInferRequest(
        model_name="flights",
        inputs=[
            {
                "name": "distance",
                "datatype": "FP64",
                "shape": [3],
                "contents": {"fp64_contents": [1400.0, np.nan, 229.0]},
            },
            {"name": "dep_hour", "datatype": "INT64", "shape": [3, 1], "contents": {"int64_contents": [6, 17, 22]}},
            {
                "name": "carrier",
                "datatype": "BYTES",
                "shape": [3],
                "contents": {"bytes_contents": [b"UA", b"9E", b"??"]},
            },
            {"name": "holiday", "datatype": "BOOL", "shape": [3], "contents": {"bool_contents": [False, True, False]}},
        ],
    )


def test_typed_columns_get_the_answer_that_rest_gives_in_the_form_they_came(stub: Any, shared_server: Shared) -> None:
    wanted = shared_server[0].infer("flights", columns()).json()

    answer = stub.ModelInfer(flights())

    by_name = {one.name: one.contents for one in answer.outputs}
    assert len(answer.raw_output_contents) == 0
    assert list(by_name["probability"].fp64_contents) == output(wanted, "probability")
    assert list(by_name["decision"].bool_contents) == output(wanted, "decision")
    assert len(set(by_name["prediction_id"].bytes_contents)) == len(ROWS)


def test_raw_contents_get_the_answer_that_rest_gives_and_its_id(stub: Any, shared_server: Shared) -> None:
    answer = stub.ModelInfer(matrix(id="q-9", outputs=[{"name": "revision"}, {"name": "probability"}]))

    assert (answer.model_name, answer.model_version, answer.id) == ("numbers", "1", "q-9")
    assert answer.parameters["prediction_id"].string_param.startswith("pred_")
    assert [one.name for one in answer.outputs] == ["revision", "probability"]
    assert np.frombuffer(answer.raw_output_contents[1], "<f8").tolist() == output(
        shared_server[0].infer("numbers", numbers()).json(), "probability"
    )


def test_both_transports_are_logged_and_counted_alike(stub: Any, shared_server: Shared) -> None:
    def figures() -> dict[str, float]:
        lines = shared_server[0].http.get("/metrics").text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    before = figures()
    stub.ModelInfer(matrix(rows=2))
    with pytest.raises(grpc.RpcError):
        stub.ModelInfer(matrix(parameters={"event_at": {"int64_param": 1}}))
    after = figures()

    def gained(name: str) -> float:
        return after[name] - before.get(name, 0)

    assert gained("treadle_prediction_log_rows_total") == 2
    assert gained('treadle_requests_total{endpoint="numbers",status="200"}') == 1
    assert gained('treadle_requests_total{endpoint="numbers",status="400"}') == 1
    assert gained('treadle_inference_seconds_count{endpoint="numbers"}') == 1


@pytest.mark.parametrize(
    ("request_", "code", "says"),
    [
        (matrix(model="numbrs"), "NOT_FOUND", "Did you mean 'numbers'?"),
        (matrix(model_version="9"), "NOT_FOUND", "does not serve version '9'"),
        (matrix(outputs=[{"name": "probabilty"}]), "INVALID_ARGUMENT", "Did you mean 'probability'"),
        (pb.ModelInferRequest(model_name="numbers"), "INVALID_ARGUMENT", "Input 'a' (FP64) is missing."),
        (matrix(rows=9000), "RESOURCE_EXHAUSTED", "larger than 200000 bytes"),
        (matrix(parameters={"event_at": {"int64_param": 1}}), "INVALID_ARGUMENT", "does not allow 'event_at'"),
    ],
)
def test_a_mistake_has_a_code_and_words(stub: Any, request_: pb.ModelInferRequest, code: str, says: str) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        stub.ModelInfer(request_)

    assert (refusal.value.code().name, says in refusal.value.details()) == (code, True)


def test_bytes_that_are_no_message_are_refused_and_a_method_that_is_not_there_too(channel: grpc.Channel) -> None:
    for path, data, code in (
        ("/inference.GRPCInferenceService/ModelInfer", b"\xff\xff", "INVALID_ARGUMENT"),
        ("/inference.GRPCInferenceService/TraceSetting", b"", "UNIMPLEMENTED"),
        ("/inference.GRPCInferenceService/Nothing", b"", "UNIMPLEMENTED"),
        (f"{HEALTH}/Check", b"\x0a\x04nope", "NOT_FOUND"),
    ):
        with pytest.raises(grpc.RpcError) as refusal:
            channel.unary_unary(path)(data)
        assert refusal.value.code().name == code, path


def test_a_packed_message_is_unpacked_and_a_bomb_is_not(channel: grpc.Channel) -> None:
    """What unpacks to more than any message may have is refused, however small it came."""
    infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")

    small = infer(matrix().SerializeToString(), compression=grpc.Compression.Gzip)
    with pytest.raises(grpc.RpcError) as refusal:
        infer(bytes(70 << 20), compression=grpc.Compression.Gzip)

    assert pb.ModelInferResponse.FromString(small).model_name == "numbers"
    assert len(gzip.compress(bytes(70 << 20), 1)) < 1 << 20
    assert refusal.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_stream_goes_on_after_a_mistake_and_keeps_the_order(stub: Any) -> None:
    asked = [matrix(id="1"), matrix(id="2", model="numbrs"), matrix(rows=1, id="3")]

    answers = list(stub.ModelStreamInfer(iter(asked)))

    assert [(one.infer_response.id, bool(one.error_message)) for one in answers] == [
        ("1", False), ("", True), ("3", False),
    ]  # fmt: skip
    assert "No endpoint 'numbrs'" in answers[1].error_message
    assert answers[2].infer_response.parameters["triton_final_response"].bool_param


def test_a_model_that_is_not_served_is_not_ready(stub: Any) -> None:
    def ready(name: str, version: str = "") -> bool:
        return bool(stub.ModelReady(pb.ModelReadyRequest(name=name, version=version)).ready)

    assert (ready("numbers"), ready("numbers", "1"), ready("numbers", "2"), ready("none")) == (True, True, False, False)


def test_health_is_told_by_service_and_to_those_who_watch(tmp_path: Path) -> None:
    deploy(tmp_path, "numbers", flights_model(numeric=True))
    with start_server(tmp_path, grpc_port=0) as server, channel_to(server) as channel:
        unload = service_pb2_grpc.GRPCInferenceServiceStub(channel).RepositoryModelUnload
        watching = channel.unary_stream(f"{HEALTH}/Watch")(b"", timeout=20)

        assert next(watching) == b"\x08\x01"
        unload(pb.RepositoryModelUnloadRequest(model_name="numbers"))
        assert next(watching) == b"\x08\x02"
        assert channel.unary_unary(f"{HEALTH}/Check")(b"") == b"\x08\x02"
        listed = channel.unary_unary(f"{HEALTH}/List")(b"")
        assert listed == b"\n\x04\x12\x02\x08\x02\n$\n\x1einference.GRPCInferenceService\x12\x02\x08\x02"
        unknown = channel.unary_stream(f"{HEALTH}/Watch")(b"\x0a\x04nope", timeout=20)
        assert next(unknown) == b"\x08\x03"
        for call in (watching, unknown):
            call.cancel()


def test_beyond_loopback_a_call_wants_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(tmp_path, "numbers", flights_model(numeric=True))
    monkeypatch.setenv("TREADLE_SERVE_TOKEN", "secret")
    with start_server(tmp_path, host="0.0.0.0", grpc_port=0) as server:
        port = server.process.announcement.grpc_port
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
            infer, health = stub.ModelInfer, channel.unary_stream(f"{HEALTH}/Watch")
            for metadata in ((), (("authorization", "Bearer other"),)):
                with pytest.raises(grpc.RpcError) as refused:
                    infer(matrix(), metadata=metadata)
                with pytest.raises(grpc.RpcError) as refused_stream:
                    next(health(b"", metadata=metadata))
                assert refused.value.code() == refused_stream.value.code() == grpc.StatusCode.UNAUTHENTICATED

            assert stub.ModelInfer(matrix(), metadata=(("authorization", "Bearer secret"),)).model_name == "numbers"


def test_a_rate_counts_the_calls_of_both_transports(tmp_path: Path) -> None:
    deploy(tmp_path, "numbers", flights_model(numeric=True), requests_per_s=0.001, burst=2)
    with start_server(tmp_path, grpc_port=0) as server, channel_to(server) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        server.infer("numbers", numbers()).raise_for_status()
        answers = list(stub.ModelStreamInfer(iter([matrix(id="1"), matrix(id="2")])))
        with pytest.raises(grpc.RpcError) as refusal:
            stub.ModelInfer(matrix())

    assert [bool(one.error_message) for one in answers] == [False, True]
    assert refusal.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_full_log_is_unavailable_and_says_when_to_come_again(tmp_path: Path) -> None:
    deploy(tmp_path, "numbers", flights_model(numeric=True))
    with (
        start_server(tmp_path, grpc_port=0, arguments=("--log-budget-bytes", "4000")) as server,
        channel_to(server) as channel,
    ):
        infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        asked = (infer(matrix(rows=10)) for _ in range(200))
        with pytest.raises(grpc.RpcError) as refusal:
            list(asked)

    assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
    assert ("grpc-retry-pushback-ms", "1000") in [tuple(one) for one in refusal.value.trailing_metadata()]


def test_a_stop_is_not_held_up_by_streams_that_wait(tmp_path: Path) -> None:
    deploy(tmp_path, "numbers", flights_model(numeric=True))
    asked: queue.Queue[pb.ModelInferRequest | None] = queue.Queue()
    with start_server(tmp_path, grpc_port=0, arguments=("--drain-s", "600")) as server, channel_to(server) as channel:
        stream = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelStreamInfer(iter(asked.get, None))
        watching = channel.unary_stream(f"{HEALTH}/Watch")(b"")
        asked.put(matrix(id="1"))
        assert next(stream).infer_response.id == "1"
        assert next(watching) == b"\x08\x01"

        assert server.process.stop(timeout_s=60) == 0  # a server that takes longer is killed, and says so

        assert list(watching) == [b"\x08\x02"]
        with pytest.raises(grpc.RpcError) as refusal:
            next(stream)
        assert refusal.value.code() == grpc.StatusCode.UNAVAILABLE
        asked.put(None)


def test_a_port_that_is_taken_is_said_so(shared_server: Shared, tmp_path: Path) -> None:
    taken = shared_server[0].process.announcement.grpc_port
    command = [
        sys.executable,
        "-m",
        "treadle.systems.serve.runtime",
        "--serving",
        str(tmp_path),
        "--grpc-port",
        str(taken),
    ]

    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 2
    assert f"Port {taken} on 127.0.0.1 cannot be listened on for gRPC." in done.stderr


def test_without_grpcio_the_server_says_how_to_get_it(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['grpc'] = None\n"
        "from treadle.systems.serve.runtime.__main__ import main\n"
        f"sys.argv = ['treadle-server', '--serving', {str(tmp_path)!r}, '--grpc-port', '0']\n"
        "sys.exit(main())"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 2
    assert 'pip install "treadle[grpc]"' in done.stderr


def test_a_server_that_answers_no_grpc_imports_none(tmp_path: Path) -> None:
    deploy(tmp_path, "numbers", flights_model(numeric=True))
    with start_server(tmp_path) as server:
        maps = Path(f"/proc/{server.process.announcement.pid}/maps").read_text()
        assert httpx.get(f"{server.process.url}/v2", trust_env=False).status_code == 200

    assert server.process.grpc_address is None
    assert "cygrpc" not in maps
