"""The verbs of the feedback loop: say where the truth comes from, and ask how much of it is there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from treadle.kernel.governance import Caller, verb
from treadle.loops.feedback.records import Coverage, TruthRule
from treadle.loops.feedback.rules import TruthRules
from treadle.loops.feedback.watching import Observed


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageOf:
    """The window is `starts_at <= event_at < ends_at`. known_by: count only what was known by then."""

    endpoint: str
    starts_at: datetime
    ends_at: datetime
    known_by: datetime | None = None


class Feedback:
    """Joins predictions with their truth."""

    def __init__(self, rules: TruthRules, observed: Observed) -> None:
        self._rules, self._observed = rules, observed

    @verb("feedback.connect", permission="endpoint.write", event="ref.moved")
    def connect(self, caller: Caller, request: TruthRule) -> TruthRule:
        """Says from which dataset the truth about an endpoint's predictions comes."""
        return self._rules.put(caller, request)

    @verb("feedback.coverage", permission="prediction.read")
    def coverage(self, caller: Caller, request: CoverageOf) -> Coverage:
        """How many predictions of a window have their truth by now."""
        joined = self.joined(caller.project, request.endpoint, request.starts_at, request.ends_at, request.known_by)
        settled = joined.filter(pl.col("known_at").is_not_null())
        return Coverage(
            endpoint=request.endpoint,
            starts_at=request.starts_at,
            ends_at=request.ends_at,
            predictions=joined.height,
            known=settled["truth"].drop_nulls().len(),
            without=settled["truth"].null_count(),
        )

    def joined(
        self, project: str, endpoint: str, starts_at: datetime, ends_at: datetime, known_by: datetime | None = None
    ) -> pl.DataFrame:
        """The predictions of a window as they were logged, with `truth` and `known_at` beside them (null: not known)."""
        rows = self._observed.rows(project, endpoint, starts_at, ends_at)
        if rows.is_empty():
            schema: dict[str, Any] = {
                "prediction_id": pl.String,
                "truth": pl.Float64,
                "known_at": pl.Datetime("us", "UTC"),
            }
            return pl.DataFrame(schema=schema)
        asked = rows.select(pl.col("prediction_id").alias("prediction"), "entity")
        outcomes = self._observed.outcomes(project, endpoint, asked, known_by=known_by)
        return rows.join(outcomes, left_on="prediction_id", right_on="prediction", how="left", maintain_order="left")
