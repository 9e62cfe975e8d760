"""Why a score is what it is: what each input adds to it, beside a base, so that base and parts make the whole.

Trees and linear models are explained exactly, on the raw sum before the link: trees by TreeSHAP in the booster's own library,
linear models against the mean of the probe's rows. Everything else is explained on the score itself, by permutations: an input
takes the row's value in the place of a probe row's, one after another in random orders, and what moves is its part.
Source: Lundberg et al., "From local explanations to global understanding with explainable AI for trees", 2020; Castro, Gómez
and Tejada, "Polynomial calculation of the Shapley value based on sampling", 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np

from treadle.systems.serve.runtime.engines.opening import Matrix
from treadle.systems.serve.runtime.models import ServedModel

Method = Literal["tree_shap", "linear_shap", "permutation"]
MOST_ROWS = 100
"""Rows of one request that are explained; by permutations, each costs some thousand rows of the model."""

_ORDERS = 32


@dataclass(frozen=True, slots=True)
class Explanation:
    """base: what the sum is without inputs, (n,). contributions: what each input adds, (n, k).

    scale: `raw` is the sum before the link (log-odds, for a probability), `score` what is answered.
    """

    method: Method
    scale: Literal["raw", "score"]
    base: Matrix
    contributions: Matrix


class Explains(Protocol):
    """An engine that explains itself."""

    explains: Method

    def contributions(self, matrix: Matrix, background: Matrix) -> Matrix:
        """(n, w, k + 1): for each output what the k inputs add to its raw sum, then the base. background: rows (m, k)."""
        ...


def explain(model: ServedModel, matrix: Matrix, scores: Matrix) -> Explanation:
    """What each input adds: for a binary task to the positive class, of several classes to the likeliest."""
    signature = model.signature
    background = model.plan.from_rows(model.manifest.probe.rows).matrix
    at = scores.argmax(axis=1) if signature.task == "multiclass" else np.zeros(len(matrix), dtype=np.int64)
    if hasattr(model.engine, "contributions"):
        engine = cast("Explains", model.engine)
        parts = engine.contributions(matrix, background)[np.arange(len(matrix)), at]
        if signature.task == "binary" and signature.positive_index == 0:
            parts = -parts
        return Explanation(engine.explains, "raw", parts[:, -1], parts[:, :-1])
    rows = [_permuted(model, row, background, int(output)) for row, output in zip(matrix, at, strict=True)]
    base, contributions = zip(*rows, strict=True)
    return Explanation("permutation", "score", np.array(base), np.array(contributions))


def _permuted(model: ServedModel, row: Matrix, background: Matrix, output: int) -> tuple[float, Matrix]:
    """(base, contributions (k,)) of one row; the same row always gets the same ones.

    Orders come in pairs, one the other backwards, which halves the noise of additive parts.
    """
    columns = len(row)
    chance = np.random.default_rng(0)
    orders = [chance.permutation(columns) for _ in range(_ORDERS // 2)]
    orders += [order[::-1] for order in orders]
    starts = background[np.arange(len(orders)) % len(background)]
    walks = np.repeat(starts[:, None, :], columns + 1, axis=1)
    for walk, order in zip(walks, orders, strict=True):
        for step, column in enumerate(order, start=1):
            walk[step:, column] = row[column]
    scores = model.scores(np.ascontiguousarray(walks.reshape(-1, columns)))[:, output].reshape(len(orders), -1)
    added = np.zeros(columns)
    for order, moves in zip(orders, np.diff(scores, axis=1), strict=True):
        added[order] += moves
    return float(scores[:, 0].mean()), added / len(orders)
