"""The verbs of the feedback loop: say where the truth comes from, and ask how much of it is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from treadle.ground.clock import Clock
from treadle.ground.errors import InvalidInput, NotFound
from treadle.ground.ids import NewId
from treadle.kernel.governance import Caller, verb
from treadle.loops.feedback.records import Cohort, Coverage, Held, LabelCounts, TruthRule
from treadle.loops.feedback.resolving import counts_of, history_of
from treadle.loops.feedback.rules import TruthRules
from treadle.loops.feedback.watching import Observed
from treadle.systems.collect import Datasets

MOST_COHORTS = 1000


class NoTruthRule(NotFound):
    code = "feedback.no_rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageOf:
    """The window is `starts_at <= event_at < ends_at`. known_by: count only what was known by then.

    cohort_s: the window in parts of so many seconds, by when predictions were made; None leaves them out.
    """

    endpoint: str
    starts_at: datetime
    ends_at: datetime
    known_by: datetime | None = None
    cohort_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What turned out. about: the entity that was predicted, or the prediction's id, as the endpoint's rule says.

    value: 0, 1, or a number; None says that there is none and never will be. known_at: the present when None.
    """

    about: str
    value: float | None
    known_at: datetime | None = None
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveTruth:
    """Labels for the predictions of an endpoint. key: names the batch for good: given again, it lands once."""

    endpoint: str
    labels: Sequence[Label]
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Where labels landed, and how many; what became of them is counted by `feedback.counts`."""

    dataset: str
    landing: str
    labels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsOf:
    """All labels of an endpoint. known_by: only those known by then."""

    endpoint: str
    known_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TruthAbout:
    """One predicted thing of an endpoint: an entity, or a prediction's id, as its rule says."""

    endpoint: str
    about: str


class Feedback:
    """Joins predictions with their truth."""

    def __init__(self, rules: TruthRules, observed: Observed, datasets: Datasets, clock: Clock, new_id: NewId) -> None:
        self._rules, self._observed, self._datasets = rules, observed, datasets
        self._clock, self._new_id = clock, new_id

    @verb("feedback.connect", permission="endpoint.write", event="ref.moved")
    def connect(self, caller: Caller, request: TruthRule) -> TruthRule:
        """Says from which dataset the truth about an endpoint's predictions comes."""
        if request.holds == "priority" and (request.said_by is None or not request.priority):
            raise InvalidInput(
                f"The truth about {request.endpoint!r} goes by the priority of sources, and none are named.",
                fix="Say in which column a label's source stands, and which source goes first.",
            )
        return self._rules.put(caller, request)

    @verb("feedback.give", permission="dataset.write", event="dataset.landed")
    def give(self, caller: Caller, request: GiveTruth) -> Given:
        """Lands labels in the dataset of the endpoint's rule. Labels without a prediction land, and are counted.

        An endpoint without a rule gets one: the last answer about an entity holds, in the dataset `truth.<endpoint>`.
        Raises InvalidInput for no labels, and SchemaMismatch where the dataset has other columns than the rule's.
        """
        if not request.labels:
            raise InvalidInput("No labels were given.", fix="Give one at least: about, value.")
        rule = self._rules.find(caller.project, request.endpoint)
        if rule is None:
            caller.require("endpoint.write")
            rule = self._rules.put(caller, given_rule(request.endpoint))
        now = self._clock()
        columns: dict[str, pl.Series] = {
            rule.entity: pl.Series([one.about for one in request.labels], dtype=pl.String),
            rule.value: pl.Series([one.value for one in request.labels], dtype=pl.Float64),
            rule.known_at: pl.Series(
                [(one.known_at or now).astimezone(UTC) for one in request.labels], dtype=pl.Datetime("us", "UTC")
            ),
        }
        if rule.said_by is not None:
            columns[rule.said_by] = pl.Series([one.source or "" for one in request.labels], dtype=pl.String)
        key = request.key or self._new_id("truth")
        (landing,) = self._datasets.land(caller, rule.dataset, pl.DataFrame(columns), key=key)
        return Given(dataset=rule.dataset, landing=landing.id, labels=len(request.labels))

    @verb("feedback.counts", permission="prediction.read")
    def counts(self, caller: Caller, request: LabelsOf) -> LabelCounts:
        """What became of all labels of an endpoint: none is lost. Raises NoTruthRule."""
        rule = self._rule(caller, request.endpoint)
        answers = self._observed.answers(caller.project, rule, request.known_by)
        return counts_of(answers, self._observed.predicted(caller.project, rule), rule)

    @verb("feedback.history", permission="prediction.read")
    def history(self, caller: Caller, request: TruthAbout) -> Sequence[Held]:
        """What was held to be true about one thing, and since when. Raises NoTruthRule."""
        rule = self._rule(caller, request.endpoint)
        answers = self._observed.answers(caller.project, rule)
        return history_of(answers.filter(pl.col("entity") == request.about), rule)

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
            cohorts=[] if request.cohort_s is None else cohorts_of(joined, request),
        )

    def _rule(self, caller: Caller, endpoint: str) -> TruthRule:
        rule = self._rules.find(caller.project, endpoint)
        if rule is None:
            raise NoTruthRule(
                f"Nothing says where the truth about {endpoint!r} comes from.",
                fix=f"Say so with: treadle truth connect {endpoint} DATASET, or give labels: treadle truth give {endpoint}",
            )
        return rule

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


def given_rule(endpoint: str) -> TruthRule:
    """The rule of an endpoint whose labels are given to it, and of which nobody has said anything else."""
    return TruthRule(
        endpoint=endpoint,
        dataset=f"truth.{endpoint}",
        entity="entity",
        value="value",
        known_at="known_at",
        said_by="source",
    )


def cohorts_of(joined: pl.DataFrame, request: CoverageOf) -> list[Cohort]:
    """The parts of a window with what is known of each; the last one may be shorter. joined: of `Feedback.joined`."""
    size = timedelta(seconds=request.cohort_s or 0)
    if size <= timedelta(0) or (request.ends_at - request.starts_at) / size > MOST_COHORTS:
        raise InvalidInput(
            f"A window is cut into parts of {request.cohort_s:g} s at most {MOST_COHORTS} times.",
            fix="Give a longer cohort, or a shorter window.",
        )
    cohorts, at = [], request.starts_at
    while at < request.ends_at:
        end = min(at + size, request.ends_at)
        if joined.is_empty():
            part = joined
        else:
            part = joined.filter(pl.col("event_at").is_between(at.astimezone(UTC), end.astimezone(UTC), closed="left"))
        settled = part.filter(pl.col("known_at").is_not_null())
        delay: Any = None
        if not settled.is_empty():
            delay = (settled["known_at"] - settled["event_at"]).dt.total_microseconds().median()
        cohort = Cohort(
            starts_at=at,
            ends_at=end,
            predictions=part.height,
            known=settled.height - settled["truth"].null_count(),
            without=settled["truth"].null_count(),
            median_delay_s=None if delay is None else delay / 1_000_000,
        )
        cohorts.append(cohort)
        at = end
    return cohorts
