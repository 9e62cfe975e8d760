"""A forest as LightGBM's text, which its C library evaluates in float64: exact where ONNX's operators are not.

The base is a tree of one leaf that comes first, so the sum runs in the same order as scikit-learn's and gives the same
bits. Source: LightGBM `src/io/tree.cpp` and `gbdt_model_text.cpp`, format v4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from treadle.systems.serve.conversion.forms import ForestForm, Link, Tree

_CATEGORICAL, _DEFAULT_LEFT, _MISSING_IS_NAN = 1, 2, 8
_LARGEST = np.finfo(np.float64).max


def lightgbm_text(form: ForestForm) -> bytes:
    """The model's file. Rows must be rounded to float32 before, where the form says so.

    A threshold of infinity, which parts the missing from the rest, becomes the largest float64.
    """
    trees = [] if form.is_mean and not form.base.any() else [_leaf(value) for value in form.base]
    written = [_tree(at, tree) for at, tree in enumerate((*trees, *form.trees))]
    header = [
        "tree",
        "version=v4",
        f"num_class={form.width}",
        f"num_tree_per_iteration={form.width}",
        "label_index=0",
        f"max_feature_idx={form.columns - 1}",
        *_objective(form.link, form.width),
        *(["average_output"] if form.is_mean else []),
        "feature_names=" + " ".join(f"Column_{at}" for at in range(form.columns)),
        "feature_infos=" + " ".join(["none"] * form.columns),
        "tree_sizes=" + " ".join(str(len(text)) for text in written),
    ]
    return ("\n".join(header) + "\n\n" + "".join(written) + "end of trees\n").encode()


def _objective(link: Link, width: int) -> list[str]:
    names = {"logistic": "binary sigmoid:1", "softmax": f"multiclass num_class:{width}", "exp": "poisson"}
    return [f"objective={names[link]}"] if link in names else []


def _leaf(value: float) -> Tree:
    one, none = np.zeros(1, dtype=np.int64), np.full(1, -1, dtype=np.int64)
    return Tree(one, np.zeros(1), none, none, np.zeros(1, dtype=bool), np.array([value]), np.zeros(1))


def _tree(at: int, tree: Tree) -> str:
    inner, leaves = tree.inner, np.flatnonzero(tree.left < 0)
    number = np.empty(len(tree.left), dtype=np.int64)
    number[inner] = np.arange(len(inner))
    number[leaves] = ~np.arange(len(leaves))
    lines = [f"Tree={at}", f"num_leaves={len(leaves)}", f"num_cat={len(tree.categories)}"]
    if len(inner):
        lines += _inner_lines(tree, inner, number)
    lines += [
        _line("leaf_value", tree.value[leaves]),
        _line("leaf_weight", tree.count[leaves]),
        _line("leaf_count", np.rint(tree.count[leaves]).astype(np.int64)),
    ]
    if len(inner):
        lines += [
            _line("internal_value", _means(tree)[inner]),
            _line("internal_weight", tree.count[inner]),
            _line("internal_count", np.rint(tree.count[inner]).astype(np.int64)),
            *_category_lines(tree, inner),
        ]
    return "\n".join([*lines, "is_linear=0", "shrinkage=1", "", "", ""])


def _inner_lines(tree: Tree, inner: np.ndarray[Any, Any], number: np.ndarray[Any, Any]) -> Iterator[str]:
    left, right = tree.left[inner], tree.right[inner]
    kind = _MISSING_IS_NAN | np.where(tree.missing_left[inner], _DEFAULT_LEFT, 0)
    threshold, sets = np.minimum(tree.threshold[inner], _LARGEST), 0
    for place, node in enumerate(inner):
        if int(node) in tree.categories:
            kind[place] = _MISSING_IS_NAN | _CATEGORICAL
            threshold[place] = sets
            sets += 1
    yield _line("split_feature", tree.feature[inner])
    yield _line("split_gain", np.zeros(len(inner), dtype=np.int64))
    yield _line("threshold", threshold)
    yield _line("decision_type", kind)
    yield _line("left_child", number[left])
    yield _line("right_child", number[right])


def _category_lines(tree: Tree, inner: np.ndarray[Any, Any]) -> Iterator[str]:
    """The codes that go left as sets of bits, one behind the other."""
    if not tree.categories:
        return
    words: list[int] = []
    bounds = [0]
    for node in (int(node) for node in inner if int(node) in tree.categories):
        words += _bits(tree.categories[node])
        bounds.append(len(words))
    yield "cat_boundaries=" + " ".join(map(str, bounds))
    yield "cat_threshold=" + " ".join(map(str, words))


def _bits(codes: Iterable[int]) -> list[int]:
    words = [0] * (max(codes, default=0) // 32 + 1)
    for code in codes:
        words[code // 32] |= 1 << (code % 32)
    return words


def _means(tree: Tree) -> np.ndarray[Any, Any]:
    """What a node answers on average over the training rows: explanations start from it."""
    means = np.where(tree.left < 0, tree.value, 0.0)
    for node in _upward(tree):
        left, right = tree.left[node], tree.right[node]
        weight = tree.count[left] + tree.count[right]
        if weight > 0:
            means[node] = (means[left] * tree.count[left] + means[right] * tree.count[right]) / weight
    return means


def _upward(tree: Tree) -> list[int]:
    """The inner nodes, children before their parents."""
    order, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        if tree.left[node] >= 0:
            order.append(node)
            waiting += [int(tree.left[node]), int(tree.right[node])]
    return order[::-1]


def _line(name: str, values: np.ndarray[Any, Any]) -> str:
    return f"{name}=" + " ".join(map(repr, values.tolist()))
