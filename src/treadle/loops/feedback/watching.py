"""What monitoring watches: references by digest, predictions of a window, and the truth about them as far as it is known.

Satisfies monitoring's ports `ReferenceReader`, `PredictionReader` and `TruthReader` with artifacts and datasets.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import ArtifactRows
from treadle.kernel.store import Store
from treadle.loops.feedback.archive import dataset_of
from treadle.loops.feedback.records import TruthRule
from treadle.loops.feedback.resolving import answers_of, holding
from treadle.loops.feedback.rules import TruthRules
from treadle.systems.collect import Datasets

if TYPE_CHECKING:
    import pyarrow as pa


NO_LABELS = pl.DataFrame(
    schema={
        "entity": pl.String,
        "value": pl.Float64,
        "known_at": pl.Datetime("us", "UTC"),
        "source": pl.String,
    }
)

FEW = 1000
"""So many predictions are looked up by what they are about; for more, everything that is known is joined."""
TRIALS = ("treadle-bench", "treadle-try")
"""How the request ids of trials begin: nobody acts on what `treadle endpoints try` and `bench` are answered."""


def in_earnest(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Logged predictions without those of trials."""
    if "request_id" not in rows.collect_schema():
        return rows
    asked_by = pl.col("request_id").cast(pl.String)
    is_trial = pl.any_horizontal(asked_by.str.starts_with(trial) for trial in TRIALS)
    return rows.filter(~is_trial.fill_null(False))


class Observed:
    """Predictions and truth of one store."""

    def __init__(self, store: Store, artifacts: Artifacts, datasets: Datasets, rules: TruthRules) -> None:
        self._store, self._artifacts, self._datasets, self._rules = store, artifacts, datasets, rules

    def reference(self, project: str, address: str) -> pa.Table:
        """The frame of a digest."""
        import pyarrow as pa

        with self._store.read() as reader:
            artifact = ArtifactRows().get(reader, project, address)
        return self._artifacts.load(artifact, pa.Table)

    def predictions(self, project: str, endpoint: str, starts_at: datetime, ends_at: datetime) -> pa.Table:
        """The predictions of a window, with their inputs by name and their score; those of trials are left out."""
        return _watched(in_earnest(self.rows(project, endpoint, starts_at, ends_at).lazy()).collect()).to_arrow()

    def next_at(self, project: str, endpoint: str, since: datetime) -> datetime | None:
        """When the first prediction from a moment on was for; None where there is none. Those of trials are left out."""
        found = self.scan(project, endpoint)
        if found is None:
            return None
        later = in_earnest(found).filter(pl.col("event_at") >= _utc(since))
        first: datetime | None = later.select(pl.col("event_at").min()).collect().item()
        return first

    def rows(self, project: str, endpoint: str, starts_at: datetime, ends_at: datetime) -> pl.DataFrame:
        """The landed predictions with `starts_at <= event_at < ends_at`, as they were logged."""
        found = self.scan(project, endpoint)
        if found is None:
            return pl.DataFrame()
        within = pl.col("event_at").is_between(_utc(starts_at), _utc(ends_at), closed="left")
        return found.filter(within).collect()

    def scan(self, project: str, endpoint: str) -> pl.LazyFrame | None:
        """All landed predictions of an endpoint as they were logged, not read yet; None where none has landed."""
        return self.rows_of(project, dataset_of(endpoint))

    def rows_of(self, project: str, dataset: str) -> pl.LazyFrame | None:
        """The rows of a dataset, not read yet; None where it does not exist."""
        snapshot = self._datasets.find_snapshot(project, dataset)
        return None if snapshot is None else self._datasets.scan(project, snapshot)

    def truth(self, project: str, endpoint: str, predictions: pa.Table) -> pa.Table:
        """The outcome of each prediction whose outcome is known."""
        asked: Any = pl.from_arrow(predictions.select(["prediction", "entity"]))
        return self.outcomes(project, endpoint, asked).to_arrow()

    def answers(self, project: str, rule: TruthRule, known_by: datetime | None = None) -> pl.DataFrame:
        """Every label that a rule finds; see `resolving.answers_of`."""
        snapshot = self._datasets.find_snapshot(project, rule.dataset)
        rows = NO_LABELS.lazy().select(_named(rule)) if snapshot is None else self._datasets.scan(project, snapshot)
        return answers_of(rows, rule, known_by).collect()

    def predicted(self, project: str, rule: TruthRule) -> pl.Series:
        """What the predictions of an endpoint are about, as its rule joins them: entities, or their own ids."""
        snapshot = self._datasets.find_snapshot(project, dataset_of(rule.endpoint))
        column = "prediction_id" if rule.by == "prediction" else "entity"
        if snapshot is None:
            return pl.Series(column, [], dtype=pl.String)
        return self._datasets.scan(project, snapshot).select(column).unique().collect()[column]

    def outcomes(
        self, project: str, endpoint: str, asked: pl.DataFrame, *, known_by: datetime | None = None
    ) -> pl.DataFrame:
        """Columns `prediction`, `truth` and `known_at`. asked: `prediction` and `entity`. known_by: leave out what came later.

        Of several answers about one thing the rule says which one holds.
        """
        empty = pl.DataFrame(
            schema={"prediction": pl.String, "truth": pl.Float64, "known_at": pl.Datetime("us", "UTC")}
        )
        rule = self._rules.find(project, endpoint)
        if rule is None or asked.is_empty():
            return empty
        snapshot = self._datasets.find_snapshot(project, rule.dataset)
        if snapshot is None:
            return empty
        answers = answers_of(self._datasets.scan(project, snapshot), rule, known_by)
        if asked.height <= FEW:
            answers = answers.filter(pl.col("entity").is_in(asked[rule.by].implode()))
        joined = asked.lazy().join(holding(answers, rule), left_on=rule.by, right_on="entity", how="inner")
        return joined.select("prediction", "truth", "known_at").collect()


def _named(rule: TruthRule) -> list[pl.Expr]:
    """The columns of `NO_LABELS` under the names that a rule knows them by."""
    names = {rule.entity: "entity", rule.value: "value", rule.known_at: "known_at"}
    if rule.said_by is not None:
        names[rule.said_by] = "source"
    return [pl.col(column).alias(name) for name, column in names.items()]


def _watched(rows: pl.DataFrame) -> pl.DataFrame:
    if rows.is_empty():
        return pl.DataFrame(
            schema={
                "prediction": pl.String,
                "entity": pl.String,
                "model_version": pl.String,
                "event_at": pl.Datetime("us", "UTC"),
                "score": pl.Float64,
            }
        )
    inputs = [name for name in rows.columns if name.startswith("in_")]
    return rows.select(
        pl.col("prediction_id").alias("prediction"),
        "entity",
        "model_version",
        "event_at",
        pl.col("output").alias("score"),
        *(pl.col(name).alias(name.removeprefix("in_")) for name in inputs),
    )


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
