"""The verbs of business value: say what a prediction is worth, and ask what predictions were worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from treadle.ground.clock import Clock
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import Refs
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store
from treadle.loops.feedback import Observed
from treadle.loops.feedback.rules import Declarations
from treadle.loops.feedback.watching import in_earnest
from treadle.loops.value.costing import COLUMNS, POWER_USAGE_EFFECTIVENESS, WATTS, costs, energy_formula
from treadle.loops.value.errors import NoValueRule, UnfitValueRule, UnfitValueWindow
from treadle.loops.value.records import ValueReport, ValueRule
from treadle.loops.value.valuing import (
    MOMENT,
    amounts,
    by_revision,
    by_window,
    columns_for,
    expression_schema,
    figure,
    require_sense,
    valued,
)
from treadle.systems.monitor.requests import MONDAY, WEEK_S
from treadle.systems.prepare.row_sql import expression

_NAMING = ("prediction_id", "entity", "event_at", "revision", "model", "model_version")


class ValueRules(Declarations[ValueRule]):
    """What the predictions of endpoints are worth."""

    def __init__(self, store: Store, artifacts: Artifacts, refs: Refs, clock: Clock) -> None:
        super().__init__(ValueRule, "value", store, artifacts, refs, clock)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueOf:
    """The predictions with `since <= event_at < until`; without them, all. known_by: what was known by then alone.

    window_s: the length of a window in seconds, from Mondays on. watts: what a busy core takes, and
    power_usage_effectiveness what its data centre takes for each watt: the energy is estimated from the two.
    """

    endpoint: str
    since: datetime | None = None
    until: datetime | None = None
    known_by: datetime | None = None
    window_s: int = WEEK_S
    watts: float = WATTS
    power_usage_effectiveness: float = POWER_USAGE_EFFECTIVENESS


class Value:
    """Joins predictions with what they turned out to be worth."""

    def __init__(self, rules: ValueRules, observed: Observed) -> None:
        self._rules, self._observed = rules, observed

    @verb("value.declare", permission="endpoint.write", event="ref.moved")
    def declare(self, caller: Caller, request: ValueRule) -> ValueRule:
        """Says what a prediction of an endpoint is worth, from now on and of those that were made.

        Raises UnfitValueRule; for an expression also where it names what the landed predictions do not have.
        """
        require_sense(request)
        landed = self._observed.scan(caller.project, request.endpoint)
        if request.expression is not None and landed is not None:
            schema = expression_schema(landed.collect_schema())
            expression(request.expression, schema, pl.Float64(), refusal=UnfitValueRule)
        return self._rules.put(caller, request)

    @verb("value.show", permission="prediction.read")
    def show(self, caller: Caller, request: ValueOf) -> ValueReport:
        """What predictions were worth: in all, by revision, window by window; and what a thousand cost to make.

        Raises NoValueRule, UnfitValueWindow, UnfitValueRule. Cost: one pass over the window's predictions.
        """
        _require_window(request)
        rule = self._rules.find(caller.project, request.endpoint)
        if rule is None:
            raise NoValueRule(
                f"Nobody has said what predictions of {request.endpoint!r} are worth.",
                fix=f"Say it: treadle value declare {request.endpoint} --matrix '[[0, -1], [-5, 4]]'",
                endpoint=request.endpoint,
            )
        rows = self._valued(caller.project, rule, request)
        return ValueReport(
            endpoint=request.endpoint,
            rule=rule,
            overall=figure(rows, "all"),
            revisions=by_revision(rows),
            windows=by_window(rows, request.window_s, MONDAY),
            costs=costs(rows, request.watts, request.power_usage_effectiveness),
            energy_formula=energy_formula(request.watts, request.power_usage_effectiveness),
        )

    def _valued(self, project: str, rule: ValueRule, request: ValueOf) -> pl.DataFrame:
        landed = self._observed.scan(project, request.endpoint)
        if landed is None:
            return _nothing()
        landed = in_earnest(landed)
        if request.since is not None:
            landed = landed.filter(pl.col("event_at") >= request.since.astimezone(UTC))
        if request.until is not None:
            landed = landed.filter(pl.col("event_at") < request.until.astimezone(UTC))
        names = landed.collect_schema().names()
        rows = landed.select(*_NAMING, *COLUMNS, *columns_for(rule, names)).collect()
        known_by = None if request.known_by is None else request.known_by.astimezone(UTC)
        asked = rows.select(pl.col("prediction_id").alias("prediction"), "entity")
        truth = self._observed.outcomes(project, request.endpoint, asked, known_by=known_by)
        rows = rows.join(truth, left_on="prediction_id", right_on="prediction", how="left", maintain_order="left")
        if rule.dataset is None:
            return rows.with_columns(value=valued(rows, rule))
        return self._with_outcomes(project, rows, rule, rule.dataset, known_by)

    def _with_outcomes(
        self, project: str, rows: pl.DataFrame, rule: ValueRule, dataset: str, known_by: datetime | None
    ) -> pl.DataFrame:
        stream = self._observed.rows_of(project, dataset)
        if stream is None:
            return rows.with_columns(value=pl.lit(None, pl.Float64))
        missing = [name for name in (rule.key, rule.amount, rule.known_at) if name not in stream.collect_schema()]
        if missing:
            raise UnfitValueRule(
                f"The dataset {dataset!r} has no column {', '.join(missing)}.",
                fix=f"Name its columns: treadle value declare {rule.endpoint} --dataset {dataset} --key … --amount …",
            )
        key = "prediction_id" if rule.joined_by == "prediction" else "entity"
        found = amounts(stream, rule, known_by)
        return rows.join(found, left_on=key, right_on="key", how="left", maintain_order="left")


def _require_window(request: ValueOf) -> None:
    moments = [one for one in (request.since, request.until, request.known_by) if one is not None]
    if any(one.tzinfo is None for one in moments):
        raise UnfitValueWindow("A time has no time zone.", fix="Write it like 2013-04-08T00:00:00Z.")
    if request.window_s <= 0:
        raise UnfitValueWindow(f"A window of {request.window_s} seconds holds nothing.")
    if request.since is not None and request.until is not None and request.since >= request.until:
        raise UnfitValueWindow("The window ends before it begins.")
    if not (request.watts >= 0 and request.power_usage_effectiveness >= 1):
        raise UnfitValueWindow("A core takes 0 watts or more, and its data centre at least as much as the core.")


def _nothing() -> pl.DataFrame:
    texts = dict.fromkeys(("prediction_id", "entity", "model", "model_version", "call_id"), pl.String)
    numbers = dict.fromkeys(("revision", "call_rows", "latency_us", "model_us", "threads"), pl.Int64)
    floats = dict.fromkeys(("value", "truth"), pl.Float64)
    return pl.DataFrame(schema={**texts, **numbers, **floats, "event_at": MOMENT, "known_at": MOMENT})
