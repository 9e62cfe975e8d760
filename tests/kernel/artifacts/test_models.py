"""Models come back with equal predictions, and two fits of one model have one digest."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import onnx
import onnx.helper
import pytest
import xgboost
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from treadle.kernel.artifacts import Artifacts, LocalBlobs, NotStorable, PickleNotAllowed

X = np.random.default_rng(0).normal(size=(240, 5))
Y = (X[:, 0] + X[:, 1] ** 2 > 0.5).astype(int)
WORDS = np.array(["no", "yes"])[Y]


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(LocalBlobs(tmp_path / "blobs"))


def estimators(jobs: int, seed: int | None = 0) -> dict[str, Any]:
    """One of each family, to be fitted; `jobs` changes nothing that they learn."""
    return {
        "hist": HistGradientBoostingClassifier(max_iter=4, random_state=seed),
        "hist without a seed": HistGradientBoostingRegressor(max_iter=3),
        "forest": RandomForestClassifier(4, random_state=seed, n_jobs=jobs),
        "logistic": LogisticRegression(verbose=0),
        "pipeline": make_pipeline(StandardScaler(), FunctionTransformer(np.abs), SVC(random_state=seed)),
        "neighbours": KNeighborsClassifier(n_jobs=jobs),
        "grid": GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, n_jobs=None, cv=3),
        "lightgbm in a pipeline": make_pipeline(
            StandardScaler(), lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=jobs)
        ),
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=4, verbose=-jobs, n_jobs=jobs),
        "lightgbm regressor": lightgbm.LGBMRegressor(n_estimators=4, verbose=-1, n_jobs=jobs, random_state=seed),
        "xgboost": xgboost.XGBClassifier(n_estimators=4, n_jobs=jobs, random_state=seed),
        "xgboost regressor": xgboost.XGBRegressor(n_estimators=4, n_jobs=jobs),
    }


@cache
def fitted(name: str, jobs: int = 1) -> Any:
    target = WORDS if name in ("lightgbm", "forest", "hist") else Y
    return estimators(jobs)[name].fit(X, target)


def predictions(model: Any) -> np.ndarray[Any, Any]:
    return np.asarray(model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X))


@pytest.mark.parametrize("name", estimators(1))
def test_a_model_comes_back_with_equal_predictions(artifacts: Artifacts, name: str) -> None:
    model = fitted(name)

    artifact = artifacts.put(model)
    back = artifacts.load(artifact)

    assert artifact.kind == "model"
    assert type(back) is type(model)
    np.testing.assert_array_equal(predictions(back), predictions(model))
    np.testing.assert_array_equal(back.predict(X), model.predict(X))
    assert back.get_params().keys() == model.get_params().keys()
    assert artifacts.verify(artifact, deep=True) is None


@pytest.mark.parametrize("name", estimators(1))
def test_threads_and_verbosity_are_no_part_of_a_model(artifacts: Artifacts, name: str) -> None:
    assert artifacts.digest(fitted(name, jobs=2)) == artifacts.digest(fitted(name))


@pytest.mark.parametrize("name", estimators(1))
def test_other_data_gives_another_digest(artifacts: Artifacts, name: str) -> None:
    other = estimators(1)[name].fit(X[:200] * 2, (WORDS if name in ("lightgbm", "forest", "hist") else Y)[:200])
    assert artifacts.digest(other) != artifacts.digest(fitted(name))


def test_parameters_count(artifacts: Artifacts) -> None:
    assert artifacts.digest(Ridge(alpha=1.0).fit(X, Y)) != artifacts.digest(
        Ridge(alpha=1.0, positive=False, tol=0.5).fit(X, Y)
    )
    assert artifacts.digest(Ridge()) != artifacts.digest(Ridge().fit(X, Y))


def test_a_digest_is_the_same_in_another_process() -> None:
    code = """
from pathlib import Path
from tests.kernel.artifacts.test_models import fitted
from treadle.kernel.artifacts import Artifacts, LocalBlobs
artifacts = Artifacts(LocalBlobs(Path("unused")))
print(*[artifacts.digest(fitted(name)) for name in ("hist", "forest", "lightgbm", "xgboost")])
"""
    artifacts = Artifacts(LocalBlobs(Path("unused")))
    environment = {
        "PYTHONHASHSEED": "7",
        "OMP_NUM_THREADS": "1",
        "PATH": "",
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.split() == [artifacts.digest(fitted(name)) for name in ("hist", "forest", "lightgbm", "xgboost")]


def test_boosters_come_back_with_their_best_iteration(artifacts: Artifacts) -> None:
    booster = lightgbm.train({"verbose": -1, "num_threads": 1, "objective": "binary"}, lightgbm.Dataset(X, Y), 8)
    digest = artifacts.digest(booster)
    booster.best_iteration = 3  # as early stopping leaves it: predictions then use three trees of eight
    back = artifacts.load(artifacts.put(booster))

    assert (back.best_iteration, back.num_trees()) == (3, 8)
    assert artifacts.digest(booster) != digest
    np.testing.assert_array_equal(back.predict(X), booster.predict(X))

    matrix = xgboost.DMatrix(X, Y)
    trees = xgboost.train({"nthread": 1}, matrix, 4)
    np.testing.assert_array_equal(artifacts.load(artifacts.put(trees)).predict(matrix), trees.predict(matrix))
    assert artifacts.digest(trees) == artifacts.digest(xgboost.train({"nthread": 2}, matrix, 4))


def onnx_model(graph_name: str, weight: float) -> onnx.ModelProto:
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Mul", ["x", "w"], ["y"])],
        graph_name,
        [value("x", onnx.TensorProto.FLOAT, [None])],
        [value("y", onnx.TensorProto.FLOAT, [None])],
        [onnx.helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [weight])],
    )
    return onnx.helper.make_model(graph)


def test_the_name_of_an_onnx_graph_is_no_part_of_it(artifacts: Artifacts) -> None:
    artifact = artifacts.put(onnx_model("drawn-at-random-1", 2.0))

    assert artifacts.digest(onnx_model("drawn-at-random-2", 2.0)) == artifact.digest
    assert artifacts.digest(onnx_model("drawn-at-random-1", 3.0)) != artifact.digest
    assert artifacts.load(artifact) == onnx_model("drawn-at-random-1", 2.0)
    assert artifact.meta["inputs"] == ["x"]
    assert artifacts.verify(artifact, deep=True) is None


def double(rows: Any) -> Any:
    return rows * 2


def test_code_of_the_user_inside_a_model_needs_the_operators_leave(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(double), Ridge()).fit(X, Y)
    blobs = LocalBlobs(tmp_path)

    with pytest.raises(PickleNotAllowed, match="double"):
        Artifacts(blobs).put(model)
    artifact = Artifacts(blobs, allow_pickle=True).put(model)
    np.testing.assert_array_equal(Artifacts(blobs, allow_pickle=True).load(artifact).predict(X), model.predict(X))
    with pytest.raises(PickleNotAllowed):
        Artifacts(blobs).load(artifact)


def custom_loss(truth: Any, guess: Any) -> Any:
    return guess - truth, np.ones_like(guess)


def test_a_function_beside_the_trees_is_refused_with_a_way_out(artifacts: Artifacts) -> None:
    model = lightgbm.LGBMRegressor(n_estimators=2, verbose=-1, objective=custom_loss).fit(X, Y)
    with pytest.raises(NotStorable) as refusal:
        artifacts.put(model)
    assert "booster_" in refusal.value.fix
    assert artifacts.put(model.booster_).kind == "model"


class Plain:
    """An object that only pickle knows."""

    def __init__(self, weights: Any, n_jobs: int = 1) -> None:
        self.weights, self.n_jobs = weights, n_jobs


def test_pickle_is_used_only_with_leave_and_never_for_identity(tmp_path: Path) -> None:
    careful, trusting = Artifacts(LocalBlobs(tmp_path)), Artifacts(LocalBlobs(tmp_path), allow_pickle=True)
    with pytest.raises(NotStorable, match="Plain"):
        careful.put(Plain([1]))

    artifact = trusting.put(Plain({"a": np.arange(3), "b": [1]}))

    assert trusting.load(artifact).weights["b"] == [1]
    assert trusting.digest(Plain({"b": [1], "a": np.arange(3)}, n_jobs=4)) == artifact.digest
    assert trusting.digest(Plain({"b": [2], "a": np.arange(3)})) != artifact.digest
    with pytest.raises(PickleNotAllowed):
        careful.load(artifact)


def test_functions_without_a_name_have_no_digest(tmp_path: Path) -> None:
    with pytest.raises(NotStorable, match="no name"):
        Artifacts(LocalBlobs(tmp_path), allow_pickle=True).put(Plain(lambda: 1))
