"""Every engine gives bit for bit what its own library gives, and refuses files that are not its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from treadle.systems.serve.runtime.engines import EngineOptions, open_engine
from treadle.systems.serve.runtime.errors import BadModel

RNG = np.random.default_rng(3)
X = RNG.normal(size=(300, 5))
X[RNG.random(X.shape) < 0.1] = np.nan
Y = (np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1]) * np.nan_to_num(X[:, 2]) > 0).astype(int)
THREE = np.clip(np.digitize(np.nan_to_num(X[:, 0]), [-0.5, 0.5]), 0, 2)


def check(engine: Any, wanted: Any) -> None:
    wanted = np.asarray(wanted, dtype=np.float64).reshape(len(X), -1)
    assert np.array_equal(engine.predict(X), wanted)
    for row in range(5):
        assert engine.predict(np.ascontiguousarray(X[row : row + 1])).shape == (1, wanted.shape[1])


@pytest.mark.parametrize("objective", ["binary", "regression", "multiclass"])
def test_lightgbm(tmp_path: Path, objective: str) -> None:
    import lightgbm

    more = {"num_class": 3} if objective == "multiclass" else {}
    parameters = {"objective": objective, "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5, **more}
    booster = lightgbm.train(parameters, lightgbm.Dataset(X, THREE if more else Y), 8)
    booster.save_model(tmp_path / "model.txt")

    engine = open_engine("lightgbm", tmp_path / "model.txt", EngineOptions())

    check(engine, booster.predict(X, num_threads=1))
    one = np.ascontiguousarray(X[:1])
    assert np.array_equal(engine.predict(one).ravel(), np.ravel(booster.predict(one, num_threads=1)))
    assert engine.version == lightgbm.__version__


@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror", "multi:softprob"])
def test_xgboost(tmp_path: Path, objective: str) -> None:
    import xgboost

    more = {"num_class": 3} if "softprob" in objective else {}
    matrix = xgboost.DMatrix(X, THREE if more else Y)
    booster = xgboost.train({"objective": objective, "nthread": 1, "max_depth": 3, **more}, matrix, 8)
    booster.save_model(tmp_path / "model.ubj")

    check(open_engine("xgboost", tmp_path / "model.ubj", EngineOptions()), booster.inplace_predict(X))


def test_scikit_learn(tmp_path: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from skops.io import dump, get_untrusted_types

    estimator = HistGradientBoostingClassifier(max_iter=8).fit(X, Y)
    path = tmp_path / "model.skops"
    dump(estimator, path)
    trusted = tuple(get_untrusted_types(file=path))

    check(open_engine("sklearn", path, EngineOptions(trusted=trusted)), estimator.predict_proba(X))
    check(open_engine("sklearn", path, EngineOptions(trusted=trusted, method="predict")), estimator.predict(X))


def test_a_call_leaves_the_threads_of_its_process_as_they_were(tmp_path: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from skops.io import dump, get_untrusted_types
    from threadpoolctl import threadpool_info, threadpool_limits

    dump(HistGradientBoostingClassifier(max_iter=2).fit(X, Y), tmp_path / "model.skops")
    trusted = tuple(get_untrusted_types(file=tmp_path / "model.skops"))

    with threadpool_limits(2):
        before = threadpool_info()
        open_engine("sklearn", tmp_path / "model.skops", EngineOptions(trusted=trusted)).predict(X)
        after = threadpool_info()

    assert after == before


def test_scikit_learn_loads_no_type_that_nobody_trusts(tmp_path: Path) -> None:
    from sklearn.preprocessing import FunctionTransformer
    from skops.io import dump

    dump(FunctionTransformer(func=check), tmp_path / "model.skops")

    with pytest.raises(BadModel, match="which nobody has trusted"):
        open_engine("sklearn", tmp_path / "model.skops", EngineOptions())


def onnx_model(path: Path, *, outputs: int = 1) -> None:
    """y = x @ w + 1, in float32."""
    from onnx import TensorProto, helper, numpy_helper, save

    weights = numpy_helper.from_array(np.arange(5, dtype=np.float32).reshape(5, 1), "w")
    bias = numpy_helper.from_array(np.ones(1, dtype=np.float32), "b")
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y0"])]
    nodes += [helper.make_node("Neg", ["y0"], [f"y{at}"]) for at in range(1, outputs)]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 5])],
        [helper.make_tensor_value_info(f"y{at}", TensorProto.FLOAT, [None, 1]) for at in range(outputs)], [weights, bias],
    )  # fmt: skip
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def test_onnx(tmp_path: Path) -> None:
    onnx_model(tmp_path / "model.onnx")
    matrix = np.arange(10.0).reshape(2, 5)

    engine = open_engine("onnx", tmp_path / "model.onnx", EngineOptions())

    assert engine.predict(matrix).tolist() == [[31.0], [81.0]]
    assert engine.threads == 1


def test_onnx_wants_to_know_which_output_holds_the_scores(tmp_path: Path) -> None:
    onnx_model(tmp_path / "model.onnx", outputs=2)

    with pytest.raises(BadModel, match=r"\['y0', 'y1'\]"):
        open_engine("onnx", tmp_path / "model.onnx", EngineOptions())
    named = open_engine("onnx", tmp_path / "model.onnx", EngineOptions(output="y1"))
    assert named.predict(np.zeros((1, 5))).tolist() == [[-1.0]]


@pytest.mark.parametrize("engine", ["lightgbm", "xgboost"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, engine: str) -> None:
    (tmp_path / "model").write_bytes(b"this is no model at all")

    with pytest.raises(BadModel):
        open_engine(engine, tmp_path / "model", EngineOptions())


def test_a_matrix_of_another_width_never_reaches_the_library(tmp_path: Path) -> None:
    import lightgbm

    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, lightgbm.Dataset(X, Y), 2)
    booster.save_model(tmp_path / "model.txt")

    with pytest.raises(BadModel, match="has 5 features, the signature 4 inputs"):
        open_engine("lightgbm", tmp_path / "model.txt", EngineOptions()).predict(np.zeros((1, 4)))
