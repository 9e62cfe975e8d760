"""Taking the form out of a fitted scikit-learn estimator, or out of a pipeline that ends in a linear one.

What is not known here for certain has no form: None is the answer, and the estimator serves as it is, or as skl2onnx
converts it. Read against scikit-learn 1.7 to 1.9; the comparison on real rows guards what a later version may change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from treadle.systems.serve.conversion.forms import Floats, ForestForm, Form, LinearForm, Link, Tree


def form_of(model: Any, *, task: str) -> Form | None:
    """The form of an estimator, None where it has none that is known here. task: binary, multiclass or regression."""
    if not type(model).__module__.startswith("sklearn."):
        return None
    steps = [model]
    if type(model).__name__ == "Pipeline":
        steps = [step for _, step in model.steps if step is not None and step != "passthrough"]
        if not steps:
            return None
    *before, last = steps
    name = type(last).__name__
    if name in _FORESTS:
        return None if before else _FORESTS[name](last, task)
    return _linear(before, last, task)


# -- linear models ----------------------------------------------------------------------------------------------------


def _linear(before: list[Any], last: Any, task: str) -> LinearForm | None:
    name = type(last).__name__
    if name == "LogisticRegression" and task != "regression":
        is_binary = len(last.classes_) == 2
        if is_binary != (task == "binary") or getattr(last, "multi_class", "auto") == "ovr":
            return None
        link: Link = "logistic" if is_binary else "softmax"
    elif name in _REGRESSIONS and task == "regression":
        link = _REGRESSIONS[name]
    else:
        return None
    weights = np.atleast_2d(np.asarray(last.coef_, dtype=np.float64)).T
    intercept = np.broadcast_to(np.asarray(last.intercept_, dtype=np.float64).ravel(), weights.shape[1:]).copy()
    prepared = _prepared(before, len(weights))
    if prepared is None:
        return None
    fill, shift, scale = prepared
    return LinearForm(np.ascontiguousarray(weights), intercept, link, shift=shift, scale=scale, fill=fill)


_REGRESSIONS: dict[str, Link] = {
    **dict.fromkeys(
        ("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "BayesianRidge",
         "HuberRegressor", "Lars", "LinearSVR", "SGDRegressor", "TheilSenRegressor", "QuantileRegressor"),
        "identity",
    ),
    **dict.fromkeys(("PoissonRegressor", "GammaRegressor"), "exp"),
}  # fmt: skip


def _prepared(before: list[Any], columns: int) -> tuple[Floats | None, Floats | None, Floats | None] | None:
    """(fill, shift, scale) of at most one imputer and one scaler, in this order; None where there is more."""
    fill = shift = scale = None
    rest = list(before)
    if rest and type(rest[0]).__name__ == "SimpleImputer":
        fill = _fill(rest.pop(0), columns)
        if fill is None:
            return None
    if rest:
        found = _shift_and_scale(rest.pop(0))
        if found is None:
            return None
        shift, scale = found
    return None if rest else (fill, shift, scale)


def _fill(imputer: Any, columns: int) -> Floats | None:
    statistics = np.asarray(imputer.statistics_)
    plain = not imputer.add_indicator and isinstance(imputer.missing_values, float)
    if not plain or statistics.dtype.kind != "f" or len(statistics) != columns or np.isnan(statistics).any():
        return None
    return statistics.astype(np.float64)


def _shift_and_scale(scaler: Any) -> tuple[Floats | None, Floats | None] | None:
    names = {
        "StandardScaler": ("mean_", "scale_"),
        "RobustScaler": ("center_", "scale_"),
        "MaxAbsScaler": ("", "scale_"),
    }.get(type(scaler).__name__)
    if names is None:
        return None
    shift, scale = (getattr(scaler, name, None) if name else None for name in names)
    return _floats(shift), _floats(scale)


def _floats(values: Any) -> Floats | None:
    return None if values is None else np.ascontiguousarray(values, dtype=np.float64)


# -- trees ------------------------------------------------------------------------------------------------------------


def _single_tree(model: Any, task: str) -> ForestForm | None:
    return _averaged([model], model, task)


def _forest(model: Any, task: str) -> ForestForm | None:
    return _averaged(model.estimators_, model, task)


def _averaged(estimators: Iterable[Any], model: Any, task: str) -> ForestForm | None:
    """Trees whose leaves hold shares of classes or means, averaged."""
    if model.n_outputs_ != 1 or (task != "regression") != hasattr(model, "classes_"):
        return None
    outputs = _outputs(model, task)
    if outputs is None:
        return None
    trees = [_sklearn_tree(one.tree_, output) for one in estimators for output in outputs]
    width = len(outputs)
    return ForestForm(
        tuple(trees), width, model.n_features_in_, np.zeros(width), "identity", is_mean=True, rounds_inputs=True
    )


def _outputs(model: Any, task: str) -> list[int] | None:
    if task == "regression":
        return [0]
    classes = len(model.classes_)
    if (task == "binary") != (classes == 2):
        return None
    return [1] if task == "binary" else list(range(classes))


def _sklearn_tree(tree: Any, output: int, times: float = 1.0) -> Tree:
    missing = getattr(tree, "missing_go_to_left", None)
    return Tree(
        feature=np.asarray(tree.feature, dtype=np.int64),
        threshold=np.asarray(tree.threshold, dtype=np.float64),
        left=np.asarray(tree.children_left, dtype=np.int64),
        right=np.asarray(tree.children_right, dtype=np.int64),
        missing_left=np.zeros(tree.node_count, dtype=bool) if missing is None else np.asarray(missing, dtype=bool),
        value=np.asarray(tree.value[:, 0, output], dtype=np.float64) * times,
        count=np.asarray(tree.weighted_n_node_samples, dtype=np.float64),
    )


def _gradient_boosting(model: Any, task: str) -> ForestForm | None:
    """Each stage adds its trees times the learning rate to the first guess, which must be the same for every row."""
    is_classifier = hasattr(model, "classes_")
    if model.loss not in ("log_loss", "squared_error", "absolute_error", "huber", "quantile"):
        return None
    if is_classifier != (task != "regression") or (is_classifier and _outputs(model, task) is None):
        return None
    rows = np.zeros((2, model.n_features_in_))
    rows[1] = 1.0
    guesses = np.asarray(model._raw_predict_init(rows), dtype=np.float64)
    if type(model.init_).__name__ not in ("DummyClassifier", "DummyRegressor") and model.init_ != "zero":
        return None
    link: Link = "identity" if not is_classifier else "logistic" if task == "binary" else "softmax"
    trees = [_sklearn_tree(one.tree_, 0, model.learning_rate) for stage in model.estimators_ for one in stage]
    return ForestForm(tuple(trees), guesses.shape[1], model.n_features_in_, guesses[0], link, rounds_inputs=True)


def _histogram_boosting(model: Any, task: str) -> ForestForm | None:
    is_classifier = hasattr(model, "classes_")
    if is_classifier != (task != "regression") or (is_classifier and _outputs(model, task) is None):
        return None
    links: dict[str, Link] = {"poisson": "exp", "gamma": "exp"}
    link: Link = links.get(model.loss, "identity")
    if is_classifier:
        link = "logistic" if task == "binary" else "softmax"
    places = _places(model)
    if places is None:
        return None
    features, codes = places
    trees = [_histogram_tree(one, features, codes) for stage in model._predictors for one in stage]
    base = np.asarray(model._baseline_prediction, dtype=np.float64).ravel()
    return ForestForm(tuple(trees), len(base), model.n_features_in_, base, link)


def _places(model: Any) -> tuple[np.ndarray[Any, Any], dict[int, list[int]]] | None:
    """The column behind each of the model's features, and behind each category the code that a caller sends.

    Where there are categories, the model puts their columns first and numbers them anew.
    """
    columns = model.n_features_in_
    if model.is_categorical_ is None:
        return np.arange(columns), {}
    is_categorical = np.asarray(model.is_categorical_, dtype=bool)
    first = model._preprocessor.named_transformers_["encoder"].categories_
    places = np.concatenate([np.flatnonzero(is_categorical), np.flatnonzero(~is_categorical)])
    codes: dict[int, list[int]] = {}
    for feature, categories in enumerate(first):
        known = [one for one in np.asarray(categories).tolist() if not (isinstance(one, float) and np.isnan(one))]
        if any(not isinstance(one, int | float) or one != int(one) or not 0 <= one < 1 << 16 for one in known):
            return None
        codes[feature] = [int(one) for one in known]
    return places, codes


def _histogram_tree(predictor: Any, places: np.ndarray[Any, Any], codes: dict[int, list[int]]) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    right = np.where(leaf, -1, nodes["right"].astype(np.int64))
    missing_left = nodes["missing_go_to_left"].astype(bool)
    categories: dict[int, tuple[int, ...]] = {}
    for at in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf).tolist():
        bits = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][at]]
        known = codes[int(nodes["feature_idx"][at])]
        goes_left = [bool(bits[n // 32] >> (n % 32) & 1) for n in range(len(known))]
        if missing_left[at]:  # then the known codes of the other side are named, and the sides change places
            left[at], right[at], missing_left[at] = right[at], left[at], False
            goes_left = [not one for one in goes_left]
        categories[at] = tuple(code for code, goes in zip(known, goes_left, strict=True) if goes)
    return Tree(
        feature=places[nodes["feature_idx"].astype(np.int64)],
        threshold=nodes["num_threshold"].astype(np.float64),
        left=left,
        right=right,
        missing_left=missing_left,
        value=nodes["value"].astype(np.float64),
        count=nodes["count"].astype(np.float64),
        categories=categories,
    )


_FORESTS: dict[str, Callable[[Any, str], ForestForm | None]] = {
    "DecisionTreeClassifier": _single_tree,
    "DecisionTreeRegressor": _single_tree,
    "ExtraTreeClassifier": _single_tree,
    "ExtraTreeRegressor": _single_tree,
    "RandomForestClassifier": _forest,
    "RandomForestRegressor": _forest,
    "ExtraTreesClassifier": _forest,
    "ExtraTreesRegressor": _forest,
    "GradientBoostingClassifier": _gradient_boosting,
    "GradientBoostingRegressor": _gradient_boosting,
    "HistGradientBoostingClassifier": _histogram_boosting,
    "HistGradientBoostingRegressor": _histogram_boosting,
}
