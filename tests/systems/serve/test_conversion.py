"""Forms of a model answer as the original does, or are found out; the fastest of those that do serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from treadle.systems.serve.conversion import Candidate, Choice, compare, offer
from treadle.systems.serve.conversion.comparing import ALIKE, choose
from treadle.systems.serve.conversion.forms import ForestForm
from treadle.systems.serve.conversion.reading import form_of
from treadle.systems.serve.conversion.records import Comparison
from treadle.systems.serve.errors import NoSuchEngine
from treadle.systems.serve.runtime.engines import EngineOptions, open_engine
from treadle.systems.serve.runtime.errors import WrongInput
from treadle.systems.serve.runtime.signature import Column, Signature

RNG = np.random.default_rng(5)
X = RNG.normal(size=(600, 5))
GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
CODES = GAPS.copy()
CODES[:, 2] = np.where(RNG.random(600) < 0.1, np.nan, RNG.integers(0, 40, 600))
TWO = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
THREE = np.digitize(X[:, 0], [-0.5, 0.5])
BY_CODE = (np.nan_to_num(X[:, 0]) + (CODES[:, 2] % 3 == 1) > 0.3).astype(int)
AMOUNT = 3 * X[:, 0] + X[:, 1]
COUNT = np.exp(X[:, 0])

MODELS: dict[str, tuple[Any, Any, Any, str]] = {
    "logistic": (make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), GAPS, TWO, "binary"),
    "softmax": (LogisticRegression(), X, THREE, "multiclass"),
    "ridge": (Ridge(), X, AMOUNT, "regression"),
    "poisson": (PoissonRegressor(), X, COUNT, "regression"),
    "histogram": (HistGradientBoostingClassifier(max_iter=10), GAPS, TWO, "binary"),
    "histogram of three": (HistGradientBoostingClassifier(max_iter=4), GAPS, THREE, "multiclass"),
    "histogram with codes": (HistGradientBoostingClassifier(max_iter=10, categorical_features=[2]), CODES, BY_CODE, "binary"),
    "histogram of rates": (HistGradientBoostingRegressor(max_iter=5, loss="poisson"), GAPS, COUNT, "regression"),
    "one tree": (DecisionTreeClassifier(max_depth=4), GAPS, TWO, "binary"),
    "forest": (RandomForestClassifier(8, random_state=1), X, TWO, "binary"),
    "forest of three": (RandomForestClassifier(4, random_state=1), X, THREE, "multiclass"),
    "extra trees": (ExtraTreesRegressor(4, max_depth=6, random_state=1), X, AMOUNT, "regression"),
    "boosted": (GradientBoostingClassifier(n_estimators=8), X, TWO, "binary"),
    "boosted of three": (GradientBoostingClassifier(n_estimators=4), X, THREE, "multiclass"),
}  # fmt: skip


def scores(model: Any, rows: Any, task: str) -> Any:
    given = model.predict(rows) if task == "regression" else model.predict_proba(rows)
    return (given[:, 1] if task == "binary" else given).reshape(len(rows), -1)


def signature(columns: int, task: str = "binary", classes: tuple[str, ...] = ()) -> Signature:
    return Signature(
        inputs=tuple(Column(name=f"f{at}", nullable=True) for at in range(columns)), task=task, classes=classes
    )  # type: ignore[arg-type]


def offered(model: Any, rows: Any, task: str = "binary") -> list[Candidate]:
    from skops.io import dumps, get_untrusted_types

    content = dumps(model)
    options = EngineOptions(
        method="predict" if task == "regression" else "predict_proba",
        trusted=tuple(get_untrusted_types(data=content)),
    )
    return offer(model, engine="sklearn", content=content, options=options, task=task, columns=rows.shape[1])


def compared(model: Any, rows: Any, task: str = "binary", **how: Any) -> Choice:
    classes = tuple(map(str, model.classes_)) if task == "multiclass" else ()
    return compare(
        offered(model, rows, task), signature(rows.shape[1], task, classes), rows, scores(model, rows, task), **how
    )


def found(choice: Choice, name: str) -> Comparison:
    return next(one for one in choice.comparisons if one.name == name)


@pytest.mark.parametrize("name", MODELS)
def test_native_and_float64_forms_answer_as_the_estimator(name: str) -> None:
    model, rows, target, task = MODELS[name]
    model.fit(rows, target)

    choice = compared(model, rows, task, tolerance=1e-12)

    native, graph = found(choice, "native"), found(choice, "onnx-float64")
    assert native.largest_difference is not None
    assert native.largest_difference <= 1e-14
    form = form_of(model, task=task)
    if isinstance(form, ForestForm) and form.has_categories:
        assert graph.verdict == "failed"
        assert "sets of categories" in graph.reason
    else:
        assert graph.largest_difference is not None
        assert graph.largest_difference <= 1e-12
    assert found(choice, "original").largest_difference == 0.0
    assert choice.serves is not None
    assert found(choice, choice.serves).verdict == "serves"


def test_rows_asked_one_by_one_get_the_same(tmp_path: Path) -> None:
    for model, rows, target, task in (MODELS["logistic"], MODELS["forest"], MODELS["histogram with codes"]):
        model.fit(rows, target)
        native = offered(model, rows, task)[0]
        assert native.content is not None
        (tmp_path / "model").write_bytes(native.content)
        engine = open_engine(native.engine, tmp_path / "model", native.options)

        alone = [engine.predict(np.ascontiguousarray(rows[at : at + 1])) for at in range(40)]

        assert np.abs(np.concatenate(alone) - scores(model, rows[:40], task)).max() < 1e-14


def test_codes_that_were_never_seen_go_where_missing_ones_go(tmp_path: Path) -> None:
    model, rows, target, task = MODELS["histogram with codes"]
    model.fit(rows, target)
    native = offered(model, rows, task)[0]
    assert native.content is not None
    (tmp_path / "model").write_bytes(native.content)
    strange = rows[:50].copy()
    strange[:, 2] = 77

    given = open_engine(native.engine, tmp_path / "model", native.options).predict(strange)

    assert np.array_equal(given, scores(model, strange, task))


def test_a_feature_that_holds_unix_time_keeps_float32_from_serving() -> None:
    """float32 tells times of 2026 apart by 128 s; the loss is seen on real rows, never guessed."""
    rows = X[:, :3].copy()
    rows[:, 0] = 1_780_000_000 + RNG.integers(0, 100_000, len(rows))
    target = ((rows[:, 0] // 600) % 2).astype(int)
    model = HistGradientBoostingClassifier(max_iter=20).fit(rows, target)

    choice = compared(model, rows, engine="fastest")

    single = found(choice, "onnx-float32")
    assert single.verdict == "outside"
    assert single.largest_difference is not None
    assert single.largest_difference > 0.01
    assert single.label_flips
    assert f"{single.label_flips} of 600 labels flip" in single.reason
    assert choice.serves in ("native", "onnx-float64")
    with pytest.raises(NoSuchEngine, match="onnx-float32"):
        compared(model, rows, engine="onnx-float32")


def test_what_is_rounded_by_scikit_learn_itself_is_rounded_by_its_forms() -> None:
    """Its own trees compare float32; a form in float64 that did not would be the one that is wrong."""
    rows = X[:, :3].copy()
    rows[:, 0] = 1_780_000_000 + RNG.integers(0, 100_000, len(rows))
    target = ((rows[:, 0] // 600) % 2).astype(int)
    model = RandomForestClassifier(4, random_state=2).fit(rows, target)

    choice = compared(model, rows)

    assert {one.name for one in choice.comparisons if one.verdict != "outside"} == {
        "native", "onnx-float64", "onnx-float32", "original",
    }  # fmt: skip
    assert found(choice, "native").largest_difference == 0.0


def test_what_has_no_form_of_ours_is_converted_by_skl2onnx_or_serves_as_it_is() -> None:
    naive = compared(GaussianNB().fit(X, TWO), X)
    polynomial = make_pipeline(PolynomialFeatures(2), LogisticRegression(max_iter=300)).fit(X, TWO)

    assert [one.name for one in naive.comparisons] == ["onnx-float64", "onnx-float32", "original"]
    assert found(naive, "onnx-float64").largest_difference is not None
    assert found(compared(polynomial, X), "original").verdict in ("serves", "within tolerance")


def test_without_skl2onnx_the_table_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle.systems.serve.conversion.offering.find_spec", lambda name: None)

    choice = compared(GaussianNB().fit(X, TWO), X)

    assert choice.serves == "original"
    assert "treadle[convert]" in found(choice, "onnx-float64").reason


def test_a_file_that_no_engine_opens_is_a_finding() -> None:
    broken = Candidate(name="broken", engine="onnx", content=b"no graph")
    wanted = np.zeros((4, 1))

    choice = compare([broken], signature(2), np.zeros((4, 2)), wanted)

    assert choice.serves is None
    assert found(choice, "broken").verdict == "failed"
    assert found(choice, "broken").reason


def test_the_first_of_those_that_are_as_fast_serves() -> None:
    def one(name: str, us: float, verdict: Any = "within tolerance") -> Comparison:
        return Comparison(name=name, engine="onnx", verdict=verdict, call_us={"1": us})

    assert choose([one("native", 5.0), one("onnx-float64", 4.5), one("original", 90.0)]) == "native"
    assert choose([one("native", 5.0 * ALIKE), one("onnx-float64", 4.5), one("original", 90.0)]) == "onnx-float64"
    assert choose([one("native", 1.0, "outside"), one("original", 90.0)]) == "original"
    assert choose([one("native", 1.0), one("original", 90.0)], "original") == "original"
    assert choose([one("native", 1.0, "failed")]) is None


def test_a_name_that_no_form_has_is_refused_with_those_that_there_are() -> None:
    model = LogisticRegression().fit(X, TWO)

    with pytest.raises(NoSuchEngine) as caught:
        compared(model, X, engine="nativ")

    assert "native" in " ".join(caught.value.sentences())


@pytest.mark.parametrize("change", [lambda c: replace(c, content=b"{}"), lambda c: replace(c, content=b"\xff")])
def test_linear_weights_that_are_none_are_refused(change: Callable[[Candidate], Candidate]) -> None:
    native = offered(LogisticRegression().fit(X, TWO), X)[0]

    choice = compare([change(native)], signature(5), X, np.zeros((600, 1)))

    assert "no file of linear weights" in found(choice, "native").reason


def test_a_linear_model_takes_no_missing_value_unless_it_fills_them(tmp_path: Path) -> None:
    native = offered(LogisticRegression().fit(X, TWO), X)[0]
    assert native.content is not None
    (tmp_path / "model").write_bytes(native.content)
    engine = open_engine("linear", tmp_path / "model", EngineOptions())

    for rows in (GAPS[:1] * np.nan, np.vstack([X[:1], np.full((1, 5), np.nan)])):
        with pytest.raises(WrongInput, match="missing"):
            engine.predict(rows)
