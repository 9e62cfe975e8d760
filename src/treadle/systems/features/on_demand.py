"""Features that are computed when they are asked for: from what a request brings, and from other features.

"How many times her usual amount is this payment?" needs the payment, which only the request holds, and her usual
amount, which a view holds. In training the entities' columns stand for the request. It is one function for both
(`OnDemandView.compute`), on a frame of one row or of a million.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import polars as pl

from treadle.systems.features.columns import require
from treadle.systems.features.errors import InvalidFeatureView
from treadle.systems.features.expressions import check_row_wise, digest_of_description, expression_from, plain
from treadle.systems.features.names import check_feature_names, check_view_name
from treadle.systems.features.sql_rows import RowQuery, row_query

REQUEST = "request"
"""The name under which a query finds the request's columns and the features."""


@dataclass(frozen=True, kw_only=True)
class OnDemandView:
    """Features from request inputs and other features.

    inputs: the columns that a request brings (in training, columns of the entities). features: name -> row-wise Polars
    expression over inputs and features of other views; or sql: `select amount / usual as times_usual from request`.
    Raises InvalidFeatureView, LooksAcrossRows.
    """

    name: str
    inputs: Sequence[str]
    features: Mapping[str, pl.Expr] = field(default_factory=dict)
    sql: str | None = None
    description: str = ""
    owner: str = ""
    units: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_view_name(self.name)
        if (self.sql is None) == (not self.features):
            raise InvalidFeatureView(
                f"On-demand view {self.name!r} needs features as expressions, or as one query.",
                fix='Give features={"ratio": pl.col("a") / pl.col("b")} or sql="select a / b as ratio from request".',
            )
        if self.query is not None and self.query.has_filter:
            raise InvalidFeatureView(f"The query of {self.name!r} drops rows.", fix="Leave out the where clause.")
        check_feature_names(self.name, self.names, self.units)
        for feature, expression in self.features.items():
            check_row_wise(self.name, feature, expression)

    @cached_property
    def query(self) -> RowQuery | None:
        """The query, if that is what defines the features."""
        return None if self.sql is None else row_query(self.sql, REQUEST, f"on-demand view {self.name!r}")

    @property
    def names(self) -> list[str]:
        """The features, in order."""
        return list(self.features) if self.query is None else list(self.query.outputs)

    @cached_property
    def reads(self) -> list[str]:
        """The columns that are read: inputs, and features of other views."""
        if self.query is not None:
            return list(self.query.reads)
        return sorted({name for expression in self.features.values() for name in expression.meta.root_names()})

    @property
    def needs(self) -> list[str]:
        """The features of other views that are read."""
        return [name for name in self.reads if name not in self.inputs]

    def compute(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The features of each row, in order. frame: with the inputs and the features that are read.

        Raises MissingColumn, and InvalidFeatureView where a value cannot be computed.
        """
        require(frame, self.reads, f"the request (on-demand view {self.name!r})")
        if self.query is not None:
            return self.query.apply(frame.select(self.query.reads))
        try:
            return frame.with_columns(**self.features).select(self.names)
        except pl.exceptions.PolarsError as error:
            raise InvalidFeatureView(
                f"A feature of on-demand view {self.name!r} cannot be computed.",
                why=str(error).splitlines()[0],
                fix="Mend the expression; strict=False in a cast gives null for what does not fit.",
                view=self.name,
            ) from error

    def describe(self) -> dict[str, object]:
        """The definition as JSON-able data: the same for the same definition."""
        return {
            "name": self.name,
            "inputs": list(self.inputs),
            "on_demand": {name: {"expression": plain(each), "text": str(each)} for name, each in self.features.items()},
            "sql": self.sql,
            "description": self.description,
            "owner": self.owner,
            "units": dict(self.units),
        }

    @property
    def digest(self) -> str:
        """The digest of what the view computes."""
        return digest_of_description(self.describe())


def on_demand_from_description(described: Mapping[str, Any]) -> OnDemandView:
    """The view that `describe` described; it has the same digest."""
    return OnDemandView(
        name=described["name"],
        inputs=tuple(described["inputs"]),
        features={name: expression_from(each["expression"]) for name, each in described["on_demand"].items()},
        sql=described["sql"],
        description=described["description"],
        owner=described["owner"],
        units=described["units"],
    )
