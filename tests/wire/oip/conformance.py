"""Does a server speak the Open Inference Protocol v2? Thirty-nine questions, asked from outside.

    python -m tests.wire.oip.conformance --http http://127.0.0.1:8080 --grpc 127.0.0.1:8081 --model NAME --width 3

There is no official suite: the protocol's repository holds the specification alone. This one asks by plain HTTP and by
Triton's clients, of any server with a model that takes one matrix of numbers. Some checks go beyond the specification on
purpose: mistakes are named with a 4xx and `{"error": ...}`, and what stock clients expect (the binary extension,
statistics, the repository's index, gRPC's health) is there.
"""

from __future__ import annotations

import argparse
import json
import queue
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc

TIME_LIMIT_S = 10.0


@dataclass(frozen=True)
class Target:
    """A server, and its model of one matrix [-1, width]."""

    http: str
    grpc: str
    model: str
    input: str = "input"
    datatype: str = "FP64"
    width: int = 3

    # -- plain HTTP --

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.http}{path}", timeout=TIME_LIMIT_S, trust_env=False)

    def infer(self, body: Any, *, model: str | None = None, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.post(
            f"{self.http}/v2/models/{model or self.model}/infer",
            content=content,
            headers={"content-type": "application/json", **headers},
            timeout=TIME_LIMIT_S,
            trust_env=False,
        )

    def rows(self, count: int = 2) -> np.ndarray:
        dtype = np.float32 if self.datatype == "FP32" else np.float64
        return np.linspace(-1, 1, count * self.width).reshape(count, self.width).astype(dtype)

    def tensor(self, **replaced: Any) -> dict[str, Any]:
        values = self.rows()
        given = {"name": self.input, "shape": list(values.shape), "datatype": self.datatype, "data": values.tolist()}
        return {**given, **replaced}

    def body(self, **more: Any) -> dict[str, Any]:
        return {"inputs": [self.tensor()], **more}

    def numbers(self) -> list[float]:
        """The first output of the two rows, as plain JSON says it."""
        answer = self.infer(self.body())
        answer.raise_for_status()
        return [float(value) for value in np.ravel(answer.json()["outputs"][0]["data"])]

    def first_output(self) -> str:
        return str(self.infer(self.body()).json()["outputs"][0]["name"])

    # -- Triton's clients --

    def http_client(self) -> Any:
        return triton_http.InferenceServerClient(self.http.partition("//")[2], network_timeout=TIME_LIMIT_S)

    def http_input(self, *, binary: bool) -> Any:
        values = self.rows()
        tensor = triton_http.InferInput(self.input, list(values.shape), self.datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        return tensor

    def grpc_client(self) -> Any:
        return triton_grpc.InferenceServerClient(self.grpc)

    def grpc_input(self) -> Any:
        values = self.rows()
        tensor = triton_grpc.InferInput(self.input, list(values.shape), self.datatype)
        tensor.set_data_from_numpy(values)
        return tensor


Check = Callable[[Target], None]
CHECKS: dict[str, Check] = {}


def check(name: str) -> Callable[[Check], Check]:
    def register(function: Check) -> Check:
        assert name not in CHECKS
        CHECKS[name] = function
        return function

    return register


# -- REST: what is there ----------------------------------------------------------------------------------------------


@check("rest: the server is live")
def _(target: Target) -> None:
    assert target.get("/v2/health/live").status_code == 200


@check("rest: the server is ready")
def _(target: Target) -> None:
    assert target.get("/v2/health/ready").status_code == 200


@check("rest: server metadata has name, version and extensions")
def _(target: Target) -> None:
    assert {"name", "version", "extensions"} <= target.get("/v2").json().keys()


@check("rest: the model is ready")
def _(target: Target) -> None:
    assert target.get(f"/v2/models/{target.model}/ready").status_code == 200


@check("rest: model metadata has name and platform")
def _(target: Target) -> None:
    metadata = target.get(f"/v2/models/{target.model}").json()
    assert metadata["name"] == target.model
    assert isinstance(metadata["platform"], str)


@check("rest: model metadata has an input schema")
def _(target: Target) -> None:
    inputs = target.get(f"/v2/models/{target.model}").json()["inputs"]
    assert inputs
    assert all({"name", "datatype", "shape"} <= one.keys() for one in inputs)


@check("rest: model metadata has an output schema")
def _(target: Target) -> None:
    outputs = target.get(f"/v2/models/{target.model}").json()["outputs"]
    assert outputs
    assert all({"name", "datatype", "shape"} <= one.keys() for one in outputs)


# -- REST: inference --------------------------------------------------------------------------------------------------


@check("rest: infer with flat data")
def _(target: Target) -> None:
    answer = target.infer({"inputs": [target.tensor(data=target.rows().ravel().tolist())]})
    assert answer.status_code == 200
    assert answer.json()["model_name"] == target.model


@check("rest: infer with nested data says the same")
def _(target: Target) -> None:
    flat = target.infer({"inputs": [target.tensor(data=target.rows().ravel().tolist())]}).json()
    assert np.ravel(flat["outputs"][0]["data"]).tolist() == target.numbers()


@check("rest: an output has name, datatype, and data of its shape")
def _(target: Target) -> None:
    for output in target.infer(target.body()).json()["outputs"]:
        assert {"name", "shape", "datatype", "data"} <= output.keys()
        assert np.size(output["data"]) == np.prod(output["shape"])


@check("rest: the id is echoed")
def _(target: Target) -> None:
    assert target.infer(target.body(id="q-7")).json()["id"] == "q-7"


@check("rest: a request without an id is answered")
def _(target: Target) -> None:
    assert target.infer(target.body()).status_code == 200


@check("rest: only the outputs asked for come back")
def _(target: Target) -> None:
    name = target.first_output()
    answer = target.infer(target.body(outputs=[{"name": name}])).json()
    assert [one["name"] for one in answer["outputs"]] == [name]


# -- REST: mistakes ---------------------------------------------------------------------------------------------------


def refused(answer: httpx.Response) -> None:
    """A mistake of the client's is said to be one, in the protocol's form, and without the server's insides."""
    assert 400 <= answer.status_code < 500, f"status {answer.status_code}"
    message = answer.json().get("error")
    assert isinstance(message, str), f"no error in {answer.text[:80]!r}"
    assert message
    assert "Traceback" not in message


@check("rest, 4xx and error: malformed JSON")
def _(target: Target) -> None:
    refused(target.infer(b'{"inputs": ['))


@check("rest, 4xx and error: missing inputs")
def _(target: Target) -> None:
    refused(target.infer({}))


@check("rest, 4xx and error: data is not of its shape")
def _(target: Target) -> None:
    refused(target.infer({"inputs": [target.tensor(shape=[5, target.width])]}))


@check("rest, 4xx and error: wrong number of columns")
def _(target: Target) -> None:
    wide = np.zeros((1, target.width + 1))
    refused(target.infer({"inputs": [target.tensor(shape=[1, target.width + 1], data=wide.tolist())]}))


@check("rest, 4xx and error: unknown datatype")
def _(target: Target) -> None:
    refused(target.infer({"inputs": [target.tensor(datatype="FP46")]}))


@check("rest, 4xx and error: a string among numbers")
def _(target: Target) -> None:
    values: list[Any] = target.rows().ravel().tolist()
    refused(target.infer({"inputs": [target.tensor(data=["far", *values[1:]])]}))


@check("rest, 4xx and error: unknown input")
def _(target: Target) -> None:
    refused(target.infer({"inputs": [target.tensor(name="no-such-input")]}))


@check("rest, 4xx and error: unknown model")
def _(target: Target) -> None:
    refused(target.infer(target.body(), model="no-such-model"))


@check("rest, 4xx and error: unknown version")
def _(target: Target) -> None:
    refused(target.infer(target.body(), model=f"{target.model}/versions/987654"))


# -- Triton's HTTP client ---------------------------------------------------------------------------------------------


@check("tritonclient.http: health and metadata")
def _(target: Target) -> None:
    with target.http_client() as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(target.model)
        assert client.get_model_metadata(target.model)["name"] == target.model


def http_infer(target: Target, *, binary_in: bool, outputs: list[Any] | None, **keywords: Any) -> None:
    with target.http_client() as client:
        result = client.infer(target.model, [target.http_input(binary=binary_in)], outputs=outputs, **keywords)
    assert np.ravel(result.as_numpy(target.first_output())).tolist() == target.numbers()


def asked(target: Target, *, binary: bool) -> list[Any]:
    return [triton_http.InferRequestedOutput(target.first_output(), binary_data=binary)]


@check("tritonclient.http: JSON in and out")
def _(target: Target) -> None:
    http_infer(target, binary_in=False, outputs=asked(target, binary=False))


@check("tritonclient.http: binary in")
def _(target: Target) -> None:
    http_infer(target, binary_in=True, outputs=asked(target, binary=False))


@check("tritonclient.http: binary out")
def _(target: Target) -> None:
    http_infer(target, binary_in=False, outputs=asked(target, binary=True))


@check("tritonclient.http: binary in and out, its default")
def _(target: Target) -> None:
    http_infer(target, binary_in=True, outputs=asked(target, binary=True))


@check("tritonclient.http: no outputs named, its other default")
def _(target: Target) -> None:
    http_infer(target, binary_in=True, outputs=None)


@check("tritonclient.http: a packed request")
def _(target: Target) -> None:
    http_infer(target, binary_in=True, outputs=None, request_compression_algorithm="gzip")


@check("tritonclient.http: a packed answer")
def _(target: Target) -> None:
    http_infer(target, binary_in=True, outputs=None, response_compression_algorithm="gzip")


@check("tritonclient.http: the repository's index")
def _(target: Target) -> None:
    with target.http_client() as client:
        assert target.model in [one["name"] for one in client.get_model_repository_index()]


@check("tritonclient.http: statistics")
def _(target: Target) -> None:
    with target.http_client() as client:
        (found, *_) = client.get_inference_statistics(target.model)["model_stats"]
    assert found["name"] == target.model
    assert found["inference_stats"]["success"].keys() >= {"count", "ns"}


# -- gRPC -------------------------------------------------------------------------------------------------------------


@check("grpc.health.v1: the server serves")
def _(target: Target) -> None:
    with grpc.insecure_channel(target.grpc) as channel:
        asking = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert asking(b"", timeout=TIME_LIMIT_S) == b"\x08\x01"


@check("tritonclient.grpc: health and metadata")
def _(target: Target) -> None:
    with target.grpc_client() as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(target.model)
        assert client.get_server_metadata().name
        assert client.get_model_metadata(target.model).name == target.model


@check("tritonclient.grpc: infer with raw contents")
def _(target: Target) -> None:
    with target.grpc_client() as client:
        result = client.infer(target.model, [target.grpc_input()], request_id="q-8", client_timeout=TIME_LIMIT_S)
    assert result.get_response().id == "q-8"
    assert np.ravel(result.as_numpy(target.first_output())).tolist() == target.numbers()


@check("grpc: infer with typed contents")
def _(target: Target) -> None:
    values = target.rows()
    request = pb.ModelInferRequest(model_name=target.model)
    tensor = request.inputs.add(name=target.input, datatype=target.datatype, shape=values.shape)
    getattr(tensor.contents, f"{target.datatype.lower()}_contents").extend(values.ravel().tolist())
    with grpc.insecure_channel(target.grpc) as channel:
        answer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request, timeout=TIME_LIMIT_S)
    assert answer.model_name == target.model
    assert answer.outputs


@check("tritonclient.grpc: a mistake has a code of the client's and words")
def _(target: Target) -> None:
    tensor = triton_grpc.InferInput("no-such-input", [1, target.width], target.datatype)
    tensor.set_data_from_numpy(target.rows(1))
    with target.grpc_client() as client, pytest.raises(triton_grpc.InferenceServerException) as refusal:
        client.infer(target.model, [tensor], client_timeout=TIME_LIMIT_S)
    assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"
    assert refusal.value.message()


@check("tritonclient.grpc: the repository's index")
def _(target: Target) -> None:
    with target.grpc_client() as client:
        assert target.model in [one.name for one in client.get_model_repository_index().models]


@check("tritonclient.grpc: a stream of inferences")
def _(target: Target) -> None:
    answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
    with target.grpc_client() as client:
        client.start_stream(lambda result, error: answers.put((result, error)), stream_timeout=TIME_LIMIT_S)
        for at in range(3):
            client.async_stream_infer(target.model, [target.grpc_input()], request_id=f"s-{at}")
        found = [answers.get(timeout=TIME_LIMIT_S) for _ in range(3)]
        client.stop_stream()
    assert [error for _, error in found if error is not None] == []
    assert [result.get_response().id for result, _ in found] == ["s-0", "s-1", "s-2"]


# -- as a program -----------------------------------------------------------------------------------------------------


def outcome(one: Check, target: Target) -> str:
    """Empty when a check holds, else why not. A server that keeps a client hanging costs the time limit, not more."""
    found: queue.Queue[str] = queue.Queue()

    def run() -> None:
        try:
            one(target)
            found.put("")
        except Exception as error:
            found.put(f"{type(error).__name__}: {error}".splitlines()[0][:120])

    threading.Thread(target=run, daemon=True).start()
    try:
        return found.get(timeout=2 * TIME_LIMIT_S)
    except queue.Empty:
        return "no answer in time"


def main() -> int:
    """Answers 0 when every check holds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--http", required=True, help="such as http://127.0.0.1:8080")
    parser.add_argument("--grpc", required=True, help="such as 127.0.0.1:8081")
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", default="input", help="the name of its one input")
    parser.add_argument("--datatype", default="FP64", choices=["FP32", "FP64"])
    parser.add_argument("--width", type=int, required=True, help="how many columns the input has")
    parser.add_argument("--json", action="store_true")
    given = vars(parser.parse_args())
    as_json = given.pop("json")
    target = Target(**given)
    outcomes = {name: outcome(one, target) for name, one in CHECKS.items()}
    failed = sum(map(bool, outcomes.values()))
    if as_json:
        print(
            json.dumps(
                {
                    "held": len(outcomes) - failed,
                    "of": len(outcomes),
                    "failed": {k: v for k, v in outcomes.items() if v},
                }
            )
        )
    else:
        for name, why in outcomes.items():
            print(f"{'no ' if why else 'yes'}  {name}{f'  ({why})' if why else ''}")
        print(f"{len(outcomes) - failed} of {len(outcomes)}")
    sys.stdout.flush()
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
