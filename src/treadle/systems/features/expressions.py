"""Polars expressions in definitions: whether they work row by row, and as plain data."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from treadle.ground import digests
from treadle.systems.features.errors import InvalidFeatureView, LooksAcrossRows

_WORDS = ("description", "owner", "units")
"""What a description says for people; no part of what a view computes."""


def check_row_wise(view: str, feature: str, expression: pl.Expr) -> None:
    """Nothing, or LooksAcrossRows."""
    if not _is_row_wise(expression):
        raise LooksAcrossRows(
            f"Feature {feature!r} of view {view!r} looks across rows, or inside a Python function: {expression}",
            why="A value made from several rows can hold what was not yet known, and changes with the batch.",
            fix="Use a window (count, total, mean, rate) for history, or compute the column in a step before landing.",
            view=view,
            feature=feature,
        )


def _is_row_wise(expression: pl.Expr) -> bool:
    """Whether each value depends on its own row alone, in every part of the expression.

    Polars calls `a - a.min()` row separable, since it looks at the outermost part only; so each part is asked.
    """
    try:
        return expression.meta.is_row_separable() and all(_is_row_wise(part) for part in expression.meta.pop())
    except pl.exceptions.PolarsError:  # a Python function inside: nobody can tell what it looks at
        return False


def plain(expression: pl.Expr) -> object:
    """The expression's tree as Polars writes it: with the literals, types and options that its text leaves out.

    Polars may write it otherwise in another version; then the digest changes and says so, rather than not.
    """
    return json.loads(expression.meta.serialize(format="json"))


def expression_from(described: object) -> pl.Expr:
    """The expression that `plain` described. Raises InvalidFeatureView where this version of Polars cannot read it."""
    try:
        return pl.Expr.deserialize(io.BytesIO(json.dumps(described).encode()), format="json")
    except pl.exceptions.PolarsError as error:
        raise InvalidFeatureView(
            "A recorded feature cannot be read.",
            why=f"Polars {pl.__version__} says: {str(error).splitlines()[0]}",
            fix="Use the version of Polars with which it was registered.",
        ) from error


def digest_of_description(described: Mapping[str, Any]) -> str:
    """The digest of the view that was described so: its words may change without a new version."""
    return digests.of_json({k: v for k, v in described.items() if k not in _WORDS})
