"""An endpoint that names a feature service: keys come in, the vector is read, logged, replayed and explained."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from lightgbm import LGBMRegressor
from tritonclient.grpc import service_pb2 as pb

import treadle as td
from tests.systems.serve.in_process import Reply, Request, faces
from treadle import assembly, features
from treadle.assembly import Workspace
from treadle.assembly.online_stores import OnlineStores, ProjectReader
from treadle.ground import settings
from treadle.ground.errors import TreadleError, Unavailable
from treadle.loops.provenance.records import Node, ReplayRequest, WhyRequest
from treadle.loops.skew import CheckSkew
from treadle.systems.features.online.service import PushRows
from treadle.systems.serve import DeployEndpoint, PredictionNamed
from treadle.systems.serve.errors import BadDeployment
from treadle.systems.serve.runtime.keyed import FeatureReader

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)


def spending() -> features.FeatureView:
    return features.FeatureView(
        name="spending",
        keys=["who"],
        dataset="payments",
        event_time="at",
        known_at="at",
        owner="ada",
        features={"last": "amount", "total": features.total("amount", days=4000)},
    )


def service(name: str = "risk", **more: Any) -> features.FeatureService:
    times = features.OnDemandView(
        name="times", inputs=["amount"], features={"ratio": pl.col("amount") / pl.col("total")}, owner="ada"
    )
    return features.FeatureService(
        name=name, views=[spending(), times], **{"features": ["last", "total", "ratio"], **more}
    )


@td.step
def numbers() -> pl.DataFrame:
    last = [None if n % 10 == 9 else float(n % 7) for n in range(60)]
    total = [float(n % 11) * 100 for n in range(60)]
    return pl.DataFrame({"last": last, "total": total, "ratio": [n / 30 for n in range(60)], "y": total})


@td.step
def fit(rows: pl.DataFrame) -> LGBMRegressor:
    matrix = rows.select("last", "total", "ratio").to_numpy()
    return LGBMRegressor(n_estimators=9, min_child_samples=2, n_jobs=1, verbose=-1).fit(matrix, rows["y"].to_numpy())


@td.step
def describe(rows: pl.DataFrame) -> dict[str, Any]:
    return td.signature(rows, features=["last", "total", "ratio"], task="regression")


@td.pipeline
def train() -> None:
    rows = numbers()
    td.register("spender", fit(rows), signature=describe(rows), probe=td.load(rows).head(12))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    found = settings.load({"home": tmp_path_factory.mktemp("keyed") / "home", "served_share": 1.0})
    with Workspace(found) as workspace, assembly.use(workspace):
        rows = pl.DataFrame({"who": ["ada", "bob", "ada"], "at": [AT] * 3, "amount": [12.5, 3.25, 7.5]})
        workspace.datasets.land(workspace.caller, "payments", rows)
        workspace.features.register(workspace.caller, service())
        features.materialize("risk")
        assert train().status == "done"
        yield workspace


@pytest.fixture
def served(workspace: Workspace) -> Iterator[Served]:
    workspace.endpoints.deploy(
        workspace.caller, DeployEndpoint(endpoint="spender", model="spender", version="newest", features="risk")
    )
    with Served(workspace) as one:
        yield one
    workspace.shipper.ship()


class Served:
    """The server's faces over the workspace's serving area, with the reader that a server opens, or another."""

    def __init__(self, workspace: Workspace, reader: FeatureReader | None = None) -> None:
        self._workspace, self._reader, self._stack = workspace, reader, ExitStack()

    def open_reader(self, project: str, timeout_s: float) -> FeatureReader:
        folder = Path(self._workspace.home) / "online"
        stores = OnlineStores("", folder, 1.0, read_only=True, timeout_s=timeout_s)
        return self._reader or ProjectReader(stores, project, timeout_s)

    def __enter__(self) -> Served:
        area = self._workspace.serving_area(self._workspace.project)
        self.faces = self._stack.enter_context(faces(area, self.open_reader))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def post(self, path: str, body: Any) -> Reply:
        return asyncio.run(self.faces.ask(Request("POST", path, (), msgspec.json.encode(body))))

    def get(self, path: str) -> Any:
        return msgspec.json.decode(asyncio.run(self.faces.ask(Request("GET", path))).body)

    def predict(self, *rows: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        reply = self.post("/predict/spender", {"rows": rows, **more})
        assert reply.status == 200, reply.body
        found: list[dict[str, Any]] = msgspec.json.decode(reply.body)["predictions"]
        return found


def test_a_request_brings_keys_and_its_vector_is_what_the_service_says(workspace: Workspace, served: Served) -> None:
    (given,) = served.predict({"who": "ada", "amount": 40.0})

    record = workspace.predictions.get(workspace.caller, PredictionNamed(prediction_id=given["prediction_id"]))
    (view,) = record.keyed.views
    assert record.inputs == {"last": 7.5, "total": 20.0, "ratio": 2.0}
    assert record.entity == "ada"
    assert record.keyed.asked == {"who": "ada", "amount": 40.0}
    assert (view.view, view.status, view.version) == ("spending", "found", 1)
    assert record.feature_as_of == view.as_of


def test_the_protocol_asks_for_the_keys_and_takes_them(served: Served) -> None:
    said = served.get("/v2/models/spender")
    inputs = [{"name": "who", "datatype": "BYTES", "shape": [2], "data": ["bob", "ada"]},
              {"name": "amount", "datatype": "FP64", "shape": [2], "data": [3.25, 40.0]}]  # fmt: skip

    reply = served.post("/v2/models/spender/infer", {"id": "a", "inputs": inputs})

    assert [(one["name"], one["datatype"]) for one in said["inputs"]] == [("who", "BYTES"), ("amount", "FP64")]
    assert said["parameters"]["feature_service"] == "risk"
    answer = {one["name"]: one["data"] for one in msgspec.json.decode(reply.body)["outputs"]}
    plain = served.predict({"who": "bob", "amount": 3.25}, {"who": "ada", "amount": 40.0})
    assert answer["prediction"] == [one["prediction"] for one in plain]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"who": "ada"}, "'amount' is missing"),
        ({"who": "ada", "amount": 1.0, "total": 3.0}, "reads its features by key"),
        ({"who": ["x"], "amount": 1.0}, "who"),
    ],
)
def test_a_request_without_what_is_asked_for_is_refused_in_words(
    served: Served, row: dict[str, Any], said: str
) -> None:
    reply = served.post("/predict/spender", {"rows": [row]})

    assert reply.status == 400
    assert said in msgspec.json.decode(reply.body)["error"]


def test_an_unknown_entity_is_answered_from_what_nobody_has_and_counted(workspace: Workspace, served: Served) -> None:
    (given,) = served.predict({"who": "nobody", "amount": 1.0})

    record = workspace.predictions.get(workspace.caller, PredictionNamed(prediction_id=given["prediction_id"]))
    metrics = asyncio.run(served.faces.ask(Request("GET", "/metrics"))).body.decode()
    assert record.inputs["last"] is None
    assert [view.status for view in record.keyed.views] == ["missing"]
    assert 'treadle_feature_views_read_total{endpoint="spender",status="missing"} 1' in metrics


class Silent:
    """A store of another host that does not answer."""

    is_local = False

    def read(self, service: str, entities: Any) -> Any:
        raise Unavailable("The online store is away.")

    def close(self) -> None: ...


def test_over_grpc_the_same_keys_give_the_same_prediction(served: Served) -> None:
    request = pb.ModelInferRequest(
        model_name="spender",
        inputs=[
            pb.ModelInferRequest.InferInputTensor(
                name="who", datatype="BYTES", shape=[1], contents=pb.InferTensorContents(bytes_contents=[b"ada"])
            ),
            pb.ModelInferRequest.InferInputTensor(
                name="amount", datatype="FP64", shape=[1], contents=pb.InferTensorContents(fp64_contents=[40.0])
            ),
        ],
    )

    answer = pb.ModelInferResponse.FromString(
        asyncio.run(served.faces.grpc.infer(request.SerializeToString(), lambda: b"me"))
    )

    values = {one.name: one.contents.fp64_contents for one in answer.outputs}
    assert list(values["prediction"]) == [served.predict({"who": "ada", "amount": 40.0})[0]["prediction"]]


def test_a_store_that_does_not_answer_refuses_or_gives_nulls_as_the_endpoint_says(workspace: Workspace) -> None:
    deploy = DeployEndpoint(endpoint="spender", model="spender", version="newest", features="risk")
    answers = []
    for way in ("refuse", "null"):
        workspace.endpoints.deploy(workspace.caller, replace(deploy, features_on_timeout=way))
        with Served(workspace, Silent()) as served:
            answers.append(served.post("/predict/spender", {"rows": [{"who": "ada", "amount": 1.0}]}))
    workspace.endpoints.deploy(workspace.caller, replace(deploy, features_on_timeout="refuse"))

    refused, nulls = answers
    assert refused.status == 503
    assert refused.headers[b"retry-after"] == b"1"
    assert "did not answer" in msgspec.json.decode(refused.body)["error"]
    assert nulls.status == 200, nulls.body


def test_a_landed_prediction_is_replayed_as_of_the_moment_that_was_logged(workspace: Workspace, served: Served) -> None:
    (given,) = served.predict({"who": "bob", "amount": 6.5})
    workspace.shipper.ship()
    later = {"who": "bob", "at": "2026-03-02T00:00:00+00:00", "amount": 1000.0}
    workspace.online_features.push(workspace.caller, PushRows(dataset="payments", rows=[later]))

    replayed = workspace.provenance.replay(workspace.caller, ReplayRequest(prediction=given["prediction_id"]))

    assert (replayed.model.verdict, replayed.features.verdict) == ("identical", "identical"), replayed
    (now,) = served.predict({"who": "bob", "amount": 6.5})
    assert now["prediction"] != given["prediction"]


def test_why_leads_from_a_keyed_prediction_to_its_raw_rows(workspace: Workspace, served: Served) -> None:
    (given,) = served.predict({"who": "ada", "amount": 40.0})

    told = workspace.provenance.why(workspace.caller, WhyRequest(id=given["prediction_id"], rows=5))

    view = next(node for node in _all(told) if node.kind == "feature view")
    assert view.facts["total"] == 20.0
    assert sorted(node.facts["amount"] for node in _all(view) if node.kind == "row") == [7.5, 12.5]


def test_what_a_server_reads_is_held_against_training(workspace: Workspace, served: Served) -> None:
    served.predict({"who": "ada", "amount": 40.0})

    report = workspace.skew.check(workspace.caller, CheckSkew(service="risk"))

    assert report.vectors
    assert {one.feature for one in report.features} == {"last", "total", "ratio"}


def test_a_service_that_lacks_a_column_is_refused_at_deployment(workspace: Workspace) -> None:
    workspace.features.register(workspace.caller, service("less", features=["last", "total"]))
    features.materialize("less")

    with pytest.raises(BadDeployment, match="takes 'ratio', which the feature service 'less' does not give"):
        workspace.endpoints.deploy(
            workspace.caller, DeployEndpoint(endpoint="other", model="spender", version="newest", features="less")
        )
    with pytest.raises(TreadleError, match="'none' is not online"):
        workspace.endpoints.deploy(
            workspace.caller, DeployEndpoint(endpoint="other", model="spender", version="newest", features="none")
        )


def _all(node: Node) -> list[Node]:
    return [node, *(found for child in node.children for found in _all(child))]
