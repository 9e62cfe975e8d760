"""What stock clients use beyond plain inference: packed answers, raw bodies, statistics, configuration, the repository."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.systems.serve.models import Deployed, deploy, flights_model
from tests.systems.serve.processes import Server, start_server
from tests.systems.serve.test_protocol import MATRIX, numbers, output
from treadle.systems.serve.runtime.bodies import unpacked, wanted_encoding
from treadle.wire.oip import BodyTooLarge, ProtocolError

Shared = tuple[Server, Deployed]


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server whose endpoints come and go: `numbers`, and `both` with two versions."""
    serving = tmp_path_factory.mktemp("area") / "serving"
    deploy(serving, "numbers", flights_model(numeric=True))
    deploy(serving, "both", flights_model(numeric=True), flights_model(numeric=True, seed=2))
    with start_server(serving) as server:
        yield server, serving


# -- packing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15)])
def test_a_long_answer_is_packed_as_the_client_asks(shared_server: Shared, encoding: str, wbits: int) -> None:
    body = json.dumps(numbers([[1.0, 2.0, 3.0]] * 50, (50, 3)))
    headers = {"accept-encoding": encoding}
    with shared_server[0].http.stream("POST", "/v2/models/numbers/infer", content=body, headers=headers) as answer:
        raw = b"".join(answer.iter_raw())

    assert answer.headers["content-encoding"] == encoding
    assert int(answer.headers["content-length"]) == len(raw)
    assert len(output(json.loads(zlib.decompress(raw, wbits)), "probability")) == 50


def test_a_short_answer_and_one_for_another_encoding_go_as_they_are(shared_server: Shared) -> None:
    http = shared_server[0].http

    short = http.get("/v2/health/live", headers={"accept-encoding": "gzip"})
    other = http.get("/v2/models/flights", headers={"accept-encoding": "br, gzip;q=0"})

    assert "content-encoding" not in short.headers
    assert "content-encoding" not in other.headers


@pytest.mark.parametrize(
    ("accepts", "wanted"),
    [
        (b"gzip, deflate, br", b"gzip"),
        (b"br;q=1.0, deflate;q=0.5", b"deflate"),
        (b"GZIP;q=0, identity", None),
        (b"gzip ; q=0.0,deflate", b"deflate"),
        (b",,;", None),
    ],
)
def test_the_encoding_is_one_that_the_client_allows(accepts: bytes, wanted: bytes | None) -> None:
    assert wanted_encoding(accepts) == wanted


def test_members_of_a_gzip_body_are_one_body_and_share_its_limit() -> None:
    members = gzip.compress(b"a" * 600) + gzip.compress(b"b" * 600)

    assert unpacked(members, b"gzip", 1200) == b"a" * 600 + b"b" * 600
    with pytest.raises(BodyTooLarge):
        unpacked(members, b"gzip", 1199)
    with pytest.raises(ProtocolError, match="no gzip"):
        unpacked(members + b"and more", b"gzip", 5000)
    with pytest.raises(ProtocolError, match="ends too early"):
        unpacked(members[:-1], b"gzip", 5000)


# -- bodies -----------------------------------------------------------------------------------------------------------


def test_a_raw_body_is_the_one_input_and_is_answered_in_binary(shared_server: Shared) -> None:
    server = shared_server[0]
    raw = {"inference-header-content-length": "0"}

    answer = server.http.post("/v2/models/numbers/infer", content=np.array(MATRIX).astype("<f8").tobytes(), headers=raw)
    short = server.http.post("/v2/models/numbers/infer", content=b"\0" * 25, headers=raw)
    several = server.http.post("/v2/models/flights/infer", content=b"\0" * 24, headers=raw)

    length = int(answer.headers["inference-header-content-length"])
    scores = np.frombuffer(answer.content[length : length + 16], "<f8")
    assert scores.tolist() == output(server.infer("numbers", numbers()).json(), "probability")
    assert (short.status_code, several.status_code) == (400, 400)
    assert "25 bytes, which is no multiple of the 24 bytes of a row" in short.json()["error"]
    assert "takes several inputs" in several.json()["error"]


def test_a_body_nested_beyond_reason_is_refused_in_words(shared_server: Shared) -> None:
    deep = b'{"inputs": ' + b"[" * 100_000

    for path in ("/v2/models/numbers/infer", "/predict/numbers", "/v2/repository/index"):
        answer = shared_server[0].http.post(path, content=deep)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_an_output_that_does_not_exist_is_refused_before_anything_is_predicted(shared_server: Shared) -> None:
    server = shared_server[0]

    def logged() -> str:
        return next(line for line in server.http.get("/metrics").text.splitlines() if "log_rows_total " in line)

    before = logged()
    refused = server.infer("numbers", numbers(outputs=[{"name": "score"}]))

    assert refused.status_code == 400
    assert logged() == before


def test_the_revision_of_each_row_is_given_to_whom_asks(shared_server: Shared) -> None:
    answer = shared_server[0].infer("numbers", numbers(outputs=[{"name": "revision"}])).json()

    assert output(answer, "revision") == [1, 1]


# -- what a server says -----------------------------------------------------------------------------------------------


def test_head_is_get_without_the_body_and_a_wrong_method_is_told_the_right_one(shared_server: Shared) -> None:
    http = shared_server[0].http

    got, head = http.get("/v2/models/numbers"), http.head("/v2/models/numbers")
    wrong = http.request("DELETE", "/v2/models/numbers/infer")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(got.content))
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")


def test_the_configuration_has_the_inputs_in_tritons_types(shared_server: Shared) -> None:
    config = shared_server[0].http.get("/v2/models/flights/versions/1/config").json()

    assert (config["name"], config["max_batch_size"], config["backend"]) == ("flights", 0, "lightgbm")
    assert [(one["name"], one["data_type"], one["dims"]) for one in config["input"]] == [
        ("distance", "TYPE_FP64", [-1]), ("dep_hour", "TYPE_INT64", [-1]), ("carrier", "TYPE_STRING", [-1]),
        ("holiday", "TYPE_BOOL", [-1]),
    ]  # fmt: skip


def test_the_statistics_count_calls_rows_failures_and_time(own_server: tuple[Server, Path]) -> None:
    server = own_server[0]
    for rows in (1, 1, 2):
        server.infer("numbers", numbers([[1.0, 2.0, 3.0]] * rows, (rows, 3))).raise_for_status()
    server.infer("numbers", {"inputs": []})

    (found,) = server.http.get("/v2/models/numbers/stats").json()["model_stats"]

    spent = found["inference_stats"]
    assert (found["name"], found["version"], found["inference_count"], found["execution_count"]) == (
        "numbers",
        "1",
        4,
        3,
    )
    assert (spent["success"]["count"], spent["fail"]["count"], spent["queue"]["count"]) == (3, 1, 0)
    parts = [spent[part]["ns"] for part in ("compute_input", "compute_infer", "compute_output")]
    assert min(parts) > 0
    assert abs(spent["success"]["ns"] - sum(parts)) <= 3
    assert [(one["batch_size"], one["compute_infer"]["count"]) for one in found["batch_stats"]] == [(1, 2), (2, 1)]
    assert found["last_inference"] > 1_700_000_000_000


def test_the_statistics_of_an_endpoint_are_those_of_its_versions(own_server: tuple[Server, Path]) -> None:
    http = own_server[0].http

    def named(path: str) -> list[tuple[str, str]]:
        return [(one["name"], one["version"]) for one in http.get(path).json()["model_stats"]]

    assert named("/v2/models/both/stats") == [("both", "1"), ("both", "2")]
    assert named("/v2/models/both/versions/2/stats") == [("both", "2")]
    assert sorted(named("/v2/models/stats")) == [("both", "1"), ("both", "2"), ("numbers", "1")]


def test_the_openapi_document_says_where_a_server_answers(shared_server: Shared) -> None:
    http = shared_server[0].http
    document = http.get("/v2/openapi.json").json()

    for path, operations in document["paths"].items():
        real = path.replace("{model}", "numbers").replace("{version}", "1")
        for method in operations.keys() - {"parameters"}:
            assert http.request(method, real.replace("/numbers/unload", "/none/unload")).status_code != 405, path


@pytest.mark.parametrize("path", ["/v2/logging", "/v2/trace/setting", "/v2/systemsharedmemory/status"])
def test_an_extension_that_is_not_there_is_said_so(shared_server: Shared, path: str) -> None:
    answer = shared_server[0].http.get(path)

    assert answer.status_code == 501
    assert "an extension of Triton's" in answer.json()["error"]


# -- the repository ---------------------------------------------------------------------------------------------------


def index(server: Server, **asked: Any) -> list[tuple[str, str, str]]:
    entries = server.http.post("/v2/repository/index", json=asked).json()
    return [(one["name"], one.get("version", ""), one["state"]) for one in entries]


def test_what_is_unloaded_answers_no_more_until_it_is_loaded(own_server: tuple[Server, Path]) -> None:
    server, _ = own_server
    unload, load = "/v2/repository/models/both/unload", "/v2/repository/models/both/load"

    assert server.http.post(unload, json={"parameters": {"unload_dependents": False}}).json() == {}
    refused = server.infer("both", numbers())
    assert (refused.status_code, "It was unloaded." in refused.json()["error"]) == (404, True)
    assert index(server) == [("both", "", "UNAVAILABLE"), ("numbers", "1", "READY")]
    assert index(server, ready=True) == [("numbers", "1", "READY")]
    assert server.http.post(unload).status_code == 404

    assert server.http.post(load).json() == {}
    assert server.infer("both", numbers()).status_code == 200
    assert index(server) == [("both", "1", "READY"), ("both", "2", "READY"), ("numbers", "1", "READY")]


def test_a_deployment_is_served_whatever_was_unloaded_before(own_server: tuple[Server, Path]) -> None:
    server, serving = own_server
    deploy(serving, "passing", flights_model(numeric=True))
    server.http.post("/v2/repository/models/passing/load").raise_for_status()
    server.http.post("/v2/repository/models/passing/unload").raise_for_status()

    deploy(serving, "passing", flights_model(numeric=True, seed=2), number=2)

    for _ in range(2000):  # the watcher looks every 50 ms, and each round asks for an answer
        if (answer := server.http.get("/v2/models/passing")).status_code == 200:
            break
    assert answer.json()["versions"] == ["2"]
    server.http.post("/v2/repository/models/passing/unload").raise_for_status()


def test_a_document_that_is_refused_stands_in_the_index_with_its_reason(own_server: tuple[Server, Path]) -> None:
    server, serving = own_server
    broken = serving / "routes" / "broken"
    broken.mkdir()
    (broken / "current").write_bytes(b"{}")

    answer = server.http.post("/v2/repository/models/broken/load")

    assert answer.status_code == 409
    assert "The pointer of endpoint 'broken' cannot be read." in answer.json()["error"]
    assert ("broken", "", "UNAVAILABLE") in index(server)
    (broken / "current").unlink()


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("models/nowhere/load", {}, 404, "was ever deployed here"),
        ("models/..%2Fetc/load", {}, 404, "Nothing is at"),
        (
            "models/numbers/load",
            {"parameters": {"config": "{}"}},
            400,
            "A model and its settings come from a deployment.",
        ),
        ("models/numbers/load", {"parameters": 3}, 400, "The body cannot be read"),
        ("models/numbers/drop", {}, 404, "Nothing is at"),
        ("index", {"ready": "yes"}, 400, "The body cannot be read"),
    ],
)
def test_what_a_repository_does_not_take_is_answered_in_words(
    own_server: tuple[Server, Path], path: str, body: Any, status: int, says: str
) -> None:
    answer = own_server[0].http.post(f"/v2/repository/{path}", json=body)

    assert answer.status_code == status
    assert says in answer.json()["error"]


def test_beyond_loopback_nobody_unloads_unless_the_server_was_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(tmp_path, "numbers", flights_model(numeric=True))
    monkeypatch.setenv("TREADLE_SERVE_TOKEN", "secret")

    def unload(*arguments: str) -> int:
        with start_server(tmp_path, host="0.0.0.0", arguments=arguments) as server:
            port = server.process.announcement.port
            return server.http.post(
                f"http://127.0.0.1:{port}/v2/repository/models/numbers/unload",
                headers={"authorization": "Bearer secret"},
            ).status_code

    assert (unload(), unload("--model-control")) == (403, 200)
