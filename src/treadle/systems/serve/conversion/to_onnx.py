"""A form as an ONNX graph of float32 or float64: one matrix `input` in, one tensor `scores` out.

The graphs are ours because skl2onnx has none for HistGradientBoosting (1.20 fails on it), none in float64 for boosted
trees, and because its float64 forests compare unrounded inputs where scikit-learn rounds them (its float32 ones compare
with thresholds rounded to the nearest). Here a float32 threshold is rounded down, so that a float32 value stays on its
side of it. Source: ONNX operators `ai.onnx.ml.TreeEnsemble` 5, `TreeEnsembleRegressor` 3, `ai.onnx` 18.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from treadle.ground.errors import MissingExtra
from treadle.systems.serve.conversion.forms import ForestForm, Form, LinearForm, Tree

Precision = Literal["float32", "float64"]
_OPSET, _ML_OPSET, _IR = 18, 5, 10
_LEQ = 0


def onnx_graph(form: Form, precision: Precision) -> bytes | None:
    """The model's file, None for a forest with sets of categories, which no operator takes exactly.

    Raises MissingExtra without the package `onnx`. Cost: O(nodes) time and memory.
    """
    if isinstance(form, ForestForm) and form.has_categories:
        return None
    try:
        import onnx
    except ImportError:
        raise MissingExtra.of("onnx", "onnx", "Converting a model to ONNX") from None
    graph = _Graph(onnx, precision)
    raw = _linear(graph, form) if isinstance(form, LinearForm) else _forest(graph, form)
    _link(graph, form, raw)
    width = form.weights.shape[1] if isinstance(form, LinearForm) else form.width
    columns = len(form.weights) if isinstance(form, LinearForm) else form.columns
    return graph.bytes(columns, width)


class _Graph:
    """Nodes and constants, gathered in order."""

    def __init__(self, onnx: Any, precision: Precision) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.dtype: Any = np.float32 if precision == "float32" else np.float64
        self.type = onnx.TensorProto.FLOAT if precision == "float32" else onnx.TensorProto.DOUBLE

    def add(self, operator: str, *inputs: str, domain: str = "", name: str = "", **attributes: Any) -> str:
        """The name of the output of one more node."""
        output = name or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(
            self.onnx.helper.make_node(operator, list(inputs), [output], domain=domain, name=output, **attributes)
        )
        return output

    def constant(self, name: str, values: Any) -> str:
        """The name of an array in the graph's own precision."""
        array = np.ascontiguousarray(values, dtype=self.dtype)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def bytes(self, columns: int, width: int) -> bytes:
        helper = self.onnx.helper
        graph = helper.make_graph(
            self.nodes,
            "treadle",
            [helper.make_tensor_value_info("input", self.type, [None, columns])],
            [helper.make_tensor_value_info("scores", self.type, [None, width])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR, producer_name="treadle")
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def _linear(graph: _Graph, form: LinearForm) -> str:
    value = "input"
    if form.fill is not None:
        value = graph.add("Where", graph.add("IsNaN", value), graph.constant("fill", form.fill), value)
    if form.shift is not None:
        value = graph.add("Sub", value, graph.constant("shift", form.shift))
    if form.scale is not None:
        value = graph.add("Div", value, graph.constant("scale", form.scale))
    value = graph.add("MatMul", value, graph.constant("weights", form.weights))
    return graph.add("Add", value, graph.constant("intercept", form.intercept))


def _forest(graph: _Graph, form: ForestForm) -> str:
    value = "input"
    if form.rounds_inputs and graph.dtype is np.float64:
        value = graph.add("Cast", value, to=graph.onnx.TensorProto.FLOAT)
        value = graph.add("Cast", value, to=graph.onnx.TensorProto.DOUBLE)
    times = form.width / len(form.trees) if form.is_mean else 1.0
    value = graph.add("TreeEnsemble", value, domain="ai.onnx.ml", **_Ensemble(graph, form, times).attributes())
    return graph.add("Add", value, graph.constant("base", form.base)) if form.base.any() else value


def _link(graph: _Graph, form: Form, raw: str) -> None:
    if form.link == "logistic":
        graph.add("Sigmoid", raw, name="scores")
    elif form.link == "softmax":
        graph.add("Softmax", raw, name="scores", axis=1)
    else:
        graph.add("Exp" if form.link == "exp" else "Identity", raw, name="scores")


class _Ensemble:
    """The attributes of `TreeEnsemble`: inner nodes and leaves of all trees in two flat lists."""

    def __init__(self, graph: _Graph, form: ForestForm, times: float) -> None:
        self.graph, self.form, self.times = graph, form, times
        self.roots: list[int] = []
        self.parts: dict[str, list[np.ndarray[Any, Any]]] = {}
        self.inner = self.leaves = 0
        for at, tree in enumerate(form.trees):
            self._add(tree, at % form.width)

    def _add(self, tree: Tree, output: int) -> None:
        inner, leaves = tree.inner, np.flatnonzero(tree.left < 0)
        if not len(inner):  # a node whose sides are one leaf: the operator knows no tree without a split
            self._gather("features", np.zeros(1))
            self._gather("splits", np.zeros(1))
            self._gather("missing", np.zeros(1))
            for side in ("true", "false"):
                self._gather(f"{side}_ids", np.full(1, self.leaves))
                self._gather(f"{side}_leafs", np.ones(1))
        else:
            place = np.empty(len(tree.left), dtype=np.int64)
            place[inner] = self.inner + np.arange(len(inner))
            place[leaves] = self.leaves + np.arange(len(leaves))
            self._gather("features", tree.feature[inner])
            self._gather("splits", _rounded_down(tree.threshold[inner], self.graph.dtype))
            self._gather("missing", tree.missing_left[inner])
            for side, child in (("true", tree.left[inner]), ("false", tree.right[inner])):
                self._gather(f"{side}_ids", place[child])
                self._gather(f"{side}_leafs", tree.left[child] < 0)
        self._gather("weights", tree.value[leaves] * self.times)
        self._gather("targets", np.full(len(leaves), output))
        self.roots.append(self.inner)
        self.inner += max(1, len(inner))
        self.leaves += len(leaves)

    def _gather(self, name: str, values: np.ndarray[Any, Any]) -> None:
        self.parts.setdefault(name, []).append(values)

    def attributes(self) -> dict[str, Any]:
        joined = {name: np.concatenate(parts) for name, parts in self.parts.items()}
        numbers = {name: joined[name].astype(np.int64).tolist() for name in joined if name not in ("splits", "weights")}
        tensor = self.graph.onnx.numpy_helper.from_array
        return {
            "aggregate_function": 1,
            "n_targets": self.form.width,
            "post_transform": 0,
            "tree_roots": self.roots,
            "nodes_featureids": numbers["features"],
            "nodes_splits": tensor(joined["splits"].astype(self.graph.dtype), "splits"),
            "nodes_modes": tensor(np.full(self.inner, _LEQ, dtype=np.uint8), "modes"),
            "nodes_missing_value_tracks_true": numbers["missing"],
            "nodes_truenodeids": numbers["true_ids"],
            "nodes_trueleafs": numbers["true_leafs"],
            "nodes_falsenodeids": numbers["false_ids"],
            "nodes_falseleafs": numbers["false_leafs"],
            "leaf_targetids": numbers["targets"],
            "leaf_weights": tensor(joined["weights"].astype(self.graph.dtype), "weights"),
        }


def _rounded_down(thresholds: np.ndarray[Any, Any], dtype: Any) -> np.ndarray[Any, Any]:
    """The largest number of that type which is not above each threshold."""
    given = thresholds.astype(dtype)
    return np.where(given > thresholds, np.nextafter(given, dtype(-np.inf)), given)
