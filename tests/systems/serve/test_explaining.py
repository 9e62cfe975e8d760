"""Explanations add up to what they explain, and are the Shapley values that brute force finds."""

from __future__ import annotations

import json
from itertools import combinations
from math import factorial, log
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from tritonclient.grpc import service_pb2 as pb

from tests.systems.serve.in_process import Faces, Request, faces, run
from tests.systems.serve.models import deploy, flights_model
from tests.systems.serve.processes import start_server
from treadle.systems.serve.conversion.forms import ForestForm, Tree
from treadle.systems.serve.conversion.offering import linear_file
from treadle.systems.serve.conversion.reading import form_of
from treadle.systems.serve.conversion.to_lightgbm import lightgbm_text
from treadle.systems.serve.conversion.to_onnx import onnx_graph
from treadle.systems.serve.runtime.batches import InputPlan
from treadle.systems.serve.runtime.engines import EngineOptions, open_engine
from treadle.systems.serve.runtime.explaining import explain
from treadle.systems.serve.runtime.models import ServedModel, make_manifest
from treadle.systems.serve.runtime.signature import Column, Signature

RNG = np.random.default_rng(6)
X = RNG.normal(size=(300, 4))
Y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)


def expected(tree: Tree, row: Any, known: set[int], node: int = 0) -> float:
    """What the tree answers where some inputs are known; at others its sides count as many training rows as they had."""
    left, right = int(tree.left[node]), int(tree.right[node])
    if left < 0:
        return float(tree.value[node])
    feature = int(tree.feature[node])
    if feature in known:
        return expected(tree, row, known, left if row[feature] <= tree.threshold[node] else right)
    weights = tree.count[left], tree.count[right]
    sides = expected(tree, row, known, left), expected(tree, row, known, right)
    return float((weights[0] * sides[0] + weights[1] * sides[1]) / sum(weights))


def shapley(worth: Any, columns: int) -> list[float]:
    """By the definition, over all sets."""
    found = []
    for one in range(columns):
        others = [other for other in range(columns) if other != one]
        found.append(
            sum(
                factorial(size) * factorial(columns - size - 1) / factorial(columns)
                * (worth({*chosen, one}) - worth(set(chosen)))
                for size in range(columns)
                for chosen in combinations(others, size)
            )
        )  # fmt: skip
    return found


def served(folder: Path, engine: str, content: bytes, options: EngineOptions = EngineOptions()) -> ServedModel:  # noqa: B008
    signature = Signature(inputs=tuple(Column(name=f"f{at}") for at in range(4)), task="binary")
    probe = tuple({f"f{at}": float(value) for at, value in enumerate(row)} for row in X[:64])
    manifest = make_manifest(
        model_digest="",
        engine=engine,
        file="model",
        model=content,
        signature=signature,
        probe_rows=probe,
        options=options,
    )
    (folder / "model").write_bytes(content)
    return ServedModel("", manifest, open_engine(engine, folder / "model", options), InputPlan(signature))


@pytest.mark.parametrize("model", [HistGradientBoostingClassifier(max_iter=3, max_leaf_nodes=6, min_samples_leaf=5),
                                   RandomForestClassifier(3, max_depth=3, random_state=1)])  # fmt: skip
def test_trees_are_explained_as_brute_force_does(tmp_path: Path, model: Any) -> None:
    form = form_of(model.fit(X, Y), task="binary")
    assert isinstance(form, ForestForm)
    native = served(tmp_path, "lightgbm", lightgbm_text(form), EngineOptions(rounds_inputs=form.rounds_inputs))
    rows = np.ascontiguousarray(X[:6])
    scale = 1 / len(form.trees) if form.is_mean else 1.0

    found = explain(native, rows, native.scores(rows))

    assert (found.method, found.scale) == ("tree_shap", "raw")
    for row, parts, base in zip(rows, found.contributions, found.base, strict=True):

        def worth(known: set[int], row: Any = row) -> float:
            return float(form.base[0]) + scale * sum(expected(tree, row, known) for tree in form.trees)

        assert parts == pytest.approx(shapley(worth, 4), abs=1e-9)
        assert base == pytest.approx(worth(set()), abs=1e-9)


def test_xgboost_explains_its_own_sum(tmp_path: Path) -> None:
    import xgboost

    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, xgboost.DMatrix(X, Y), 5)
    model = served(tmp_path, "xgboost", bytes(booster.save_raw("ubj")))

    found = explain(model, X, model.scores(X))

    raw = booster.predict(xgboost.DMatrix(X), output_margin=True)
    assert found.base + found.contributions.sum(axis=1) == pytest.approx(raw, abs=1e-4)
    wanted = booster.predict(xgboost.DMatrix(X), pred_contribs=True)
    assert np.column_stack([found.contributions, found.base]) == pytest.approx(wanted, abs=1e-6)


def test_linear_models_are_explained_from_the_mean_of_the_probe(tmp_path: Path) -> None:
    regression = LogisticRegression().fit(X, Y)
    model = served(tmp_path, "linear", linear_file(form_of(regression, task="binary")))  # type: ignore[arg-type]

    found = explain(model, X, model.scores(X))

    assert found.contributions == pytest.approx((X - X[:64].mean(axis=0)) * regression.coef_[0])
    assert found.base + found.contributions.sum(axis=1) == pytest.approx(regression.decision_function(X))


def test_what_cannot_explain_itself_is_asked_by_permutations(tmp_path: Path) -> None:
    """With one input that decides and three that say nothing, the parts are known without noise."""
    forest = RandomForestClassifier(2, max_depth=1, max_features=None, bootstrap=False, random_state=0)
    form = form_of(forest.fit(X, (X[:, 3] > 0).astype(int)), task="binary")
    graph = onnx_graph(form, "float64")  # type: ignore[arg-type]
    assert graph is not None
    model = served(tmp_path, "onnx", graph)
    rows = np.ascontiguousarray(X[:5])

    found = explain(model, rows, model.scores(rows))

    assert (found.method, found.scale) == ("permutation", "score")
    assert np.array_equal(found.contributions[:, :3], np.zeros((5, 3)))
    assert found.base + found.contributions.sum(axis=1) == pytest.approx(model.scores(rows)[:, 0])
    assert np.array_equal(explain(model, rows, model.scores(rows)).contributions, found.contributions)


def test_a_request_may_ask_why(serving: Path) -> None:
    deploy(serving, "flights", flights_model())
    row = {"distance": 1400.0, "dep_hour": 6, "carrier": "UA", "holiday": False}

    with start_server(serving) as server:
        plain = server.http.post("/predict/flights", json={"rows": [row]}).json()
        answer = server.http.post("/predict/flights", json={"rows": [row, row], "explain": True}).json()
        many = server.http.post("/predict/flights", json={"rows": [row] * 101, "explain": True})

    assert "explanations" not in plain
    first, second = answer["explanations"]
    assert first == second
    assert (first["method"], set(first["contributions"])) == ("tree_shap", set(row))
    probability = answer["predictions"][0]["probability"]
    total = first["base"] + sum(first["contributions"].values())
    assert total == pytest.approx(log(probability / (1 - probability)))
    assert many.status_code == 400
    assert "101 rows are to be explained" in many.json()["error"]


def test_the_protocol_takes_the_same_wish_over_rest_and_grpc(serving: Path) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))
    tensor = {"name": "input", "datatype": "FP64", "shape": [2, 3]}
    rows = [[0.5, -1.0, 0.25], [0.0, 1.0, -2.0]]
    body = {"inputs": [{**tensor, "data": rows}], "parameters": {"explain": True}}
    asked = pb.ModelInferRequest(model_name="numbers", inputs=[tensor], raw_input_contents=[np.array(rows).tobytes()])
    asked.parameters["explain"].bool_param = True

    async def ask(faces: Faces, body: Any) -> Any:
        path = "/v2/models/numbers/infer"
        assert faces.app.answer_now(path, [], json.dumps(body).encode()) is None
        reply = await faces.ask(Request("POST", path, (), json.dumps(body).encode()))
        return json.loads(reply.body)

    with faces(serving) as both:
        rest = run(ask(both, body), 10)
        grpc = pb.ModelInferResponse.FromString(run(both.grpc.infer(asked.SerializeToString(), lambda: b"me"), 10))
        wrong = run(ask(both, {**body, "parameters": {"explain": "yes"}}), 10)

    outputs = {one["name"]: one for one in rest["outputs"]}
    added, base = np.array(outputs["attributions"]["data"]).reshape(2, 3), np.array(outputs["attribution_base"]["data"])
    odds = [log(one / (1 - one)) for one in outputs["probability"]["data"]]
    assert added.sum(axis=1) + base == pytest.approx(odds, abs=1e-9)
    assert rest["parameters"]["attribution_inputs"] == "a,b,c"
    assert rest["parameters"]["attribution_scale"] == "raw"
    raw = dict(zip([one.name for one in grpc.outputs], grpc.raw_output_contents, strict=True))
    assert np.array_equal(np.frombuffer(raw["attributions"]).reshape(2, 3), added)
    assert "'explain' is true or false" in wrong["error"]
