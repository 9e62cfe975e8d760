"""Baselines: the simplest thing that knows something, so that a model's worth can be told.

They are fitted on the training part like a model, predict from a frame, and are plain data: their JSON is the whole
model, readable without this code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from treadle.ground.errors import did_you_mean
from treadle.systems.design.errors import InvalidBaseline
from treadle.systems.design.spec import Baseline

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class FittedBaseline(Protocol):
    """What can be judged on a leaderboard."""

    def predict(self, rows: pl.DataFrame) -> Floats:
        """A rate (binary) or a mean (regression) for each row; float64, never NaN."""

    def to_json(self) -> dict[str, Any]:
        """The whole baseline as data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRate:
    """The mean of the target in the row's group, drawn towards the overall mean where the group is small.

    rate = (sum + weight * overall) / (n + weight). Groups that training has not seen get the overall mean; a null is a
    group like any other. Without groups it is the overall mean.
    """

    by: tuple[str, ...]
    weight: float
    overall: float
    groups: tuple[tuple[tuple[str | None, ...], float], ...]
    """Group values as text -> rate."""

    @classmethod
    def fit(cls, rows: pl.DataFrame, target: str, by: Sequence[str] = (), weight: float = 20.0) -> BaseRate:
        """The rates of the rows. Raises InvalidBaseline without rows or for a missing column."""
        import polars as pl

        overall = _overall(rows, target, by)
        if not by:
            return cls(by=(), weight=weight, overall=overall, groups=())
        sums = (
            _grouped(rows, by)
            .with_columns(__target=rows[target].cast(pl.Float64))
            .group_by(by, maintain_order=True)
            .agg(n=pl.len(), total=pl.col("__target").sum())
            .sort(by)
        )
        groups = tuple(
            (tuple(row[: len(by)]), (row[-1] + weight * overall) / (row[-2] + weight)) for row in sums.iter_rows()
        )
        return cls(by=tuple(by), weight=weight, overall=overall, groups=groups)

    def predict(self, rows: pl.DataFrame) -> Floats:
        import polars as pl

        if not self.by:
            return pl.repeat(self.overall, len(rows), dtype=pl.Float64, eager=True).to_numpy()
        _require(rows, self.by)
        known = pl.DataFrame(
            [(*key, rate) for key, rate in self.groups],
            schema={**dict.fromkeys(self.by, pl.String), "__rate": pl.Float64},
            orient="row",
        )
        found = _grouped(rows, self.by).join(known, on=self.by, how="left", nulls_equal=True, maintain_order="left")
        return found["__rate"].fill_null(self.overall).to_numpy()

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "base_rate",
            "by": list(self.by),
            "weight": self.weight,
            "overall": self.overall,
            "groups": [[list(key), rate] for key, rate in self.groups],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRate:
    """A rate that history already gives as a feature ("this carrier's late rate of last week"), taken as it is.

    With a count of the outcomes behind it, it is drawn towards the overall mean where they are few, as a base rate is.
    Rows without a history get the overall mean.
    """

    column: str
    count: str | None
    weight: float
    overall: float

    @classmethod
    def fit(
        cls, rows: pl.DataFrame, target: str, column: str, count: str | None = None, weight: float = 20.0
    ) -> HistoryRate:
        """The history with the overall mean of the rows. Raises InvalidBaseline without rows or for a missing column."""
        wanted = [column] if count is None else [column, count]
        return cls(column=column, count=count, weight=weight, overall=_overall(rows, target, wanted))

    def predict(self, rows: pl.DataFrame) -> Floats:
        import polars as pl

        _require(rows, [self.column] if self.count is None else [self.column, self.count])
        rate = pl.col(self.column).cast(pl.Float64).fill_nan(None)
        if self.count is not None:
            n = pl.col(self.count).cast(pl.Float64).fill_null(0.0)
            rate = (rate * n + self.weight * self.overall) / (n + self.weight)
        answers = rows.lazy().select(rate=rate.fill_nan(None).fill_null(self.overall)).collect()
        return answers["rate"].to_numpy()

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "history_rate",
            "column": self.column,
            "count": self.count,
            "weight": self.weight,
            "overall": self.overall,
        }


def fit(baseline: Baseline, rows: pl.DataFrame, target: str) -> BaseRate | HistoryRate:
    """The baseline of a specification, fitted."""
    if baseline.kind == "base_rate":
        return BaseRate.fit(rows, target, baseline.by, baseline.weight)
    assert baseline.column is not None
    return HistoryRate.fit(rows, target, baseline.column, baseline.count, baseline.weight)


def from_json(content: Mapping[str, Any]) -> BaseRate | HistoryRate:
    """The baseline that `to_json` wrote. Raises InvalidBaseline."""
    try:
        if content["kind"] == "base_rate":
            groups = tuple((tuple(key), float(rate)) for key, rate in content["groups"])
            return BaseRate(
                by=tuple(content["by"]), weight=content["weight"], overall=content["overall"], groups=groups
            )
        if content["kind"] == "history_rate":
            return HistoryRate(**{key: content[key] for key in ("column", "count", "weight", "overall")})
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidBaseline("This is no baseline.", why=f"{type(error).__name__}: {error}") from error
    raise InvalidBaseline(f"There is no baseline of the kind {content['kind']!r}.")


def _overall(rows: pl.DataFrame, target: str, columns: Sequence[str]) -> float:
    import polars as pl

    _require(rows, [target, *columns])
    values = rows[target].cast(pl.Float64)
    if not len(values) or values.null_count():
        raise InvalidBaseline(
            f"A baseline needs rows that all have {target!r}; {values.null_count()} of {len(values)} have none.",
            fix="Fit it on the training part of a split.",
        )
    overall = values.mean()
    assert isinstance(overall, float)
    return overall


def _grouped(rows: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """The group columns as text, so that the JSON of a baseline finds its groups again whatever their type was."""
    import polars as pl

    return rows.select(pl.col(column).cast(pl.String) for column in by)


def _require(rows: pl.DataFrame, columns: Sequence[str]) -> None:
    for column in columns:
        if column not in rows.columns:
            raise InvalidBaseline(f"The rows have no column {column!r}.", fix=did_you_mean(column, rows.columns))
