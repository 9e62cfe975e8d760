"""Metrics over the protocol: one point at a time, and their histories."""

from __future__ import annotations

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.faces.api.mlflow.runs import model_point
from treadle.systems.train.tracking import rules
from treadle.systems.train.tracking.metrics import numbers
from treadle.systems.train.tracking.requests import LogBatch
from treadle.wire.mlflow import metrics as wire
from treadle.wire.mlflow.errors import SEE_DOCS, invalid, missing

MAX_RUNS = 100
MAX_BULK = 25_000
MAX_SAMPLED = 2_500


def log_metric(exchange: Exchange) -> Answer:
    """POST runs/log-metric"""
    asked = exchange.read(wire.LogMetricAsked)
    run, key = asked.run_id or asked.run_uuid or _required("run_id"), asked.key or _required("key")
    if asked.value is None:
        raise missing("value")
    if asked.timestamp is None:
        raise missing("timestamp")
    rules.check_metric_name(key)
    rules.check_time(asked.timestamp, key, asked.value)
    point = wire.PointSent(
        key, asked.value, asked.timestamp, asked.step, asked.model_id, asked.dataset_name, asked.dataset_digest
    )
    request = LogBatch(
        run=run,
        keys=[key],
        values=[point.value],
        steps=[point.step],
        times_ms=[point.timestamp],
        model_points=[model_point(run, point)] if point.model_id else [],
    )
    exchange.workspace.tracking.runs.log(exchange.caller, request)
    return Answer()


def history(exchange: Exchange) -> Answer:
    """GET metrics/get-history"""
    asked = exchange.read(wire.HistoryAsked)
    run = asked.run_id or asked.run_uuid or _required("run_id")
    key = asked.metric_key or _required("metric_key")
    if asked.max_results is not None and asked.max_results <= 0:
        raise invalid(
            f"Invalid value {asked.max_results} for parameter 'max_results' supplied. It must be a positive integer."
        )
    begin = wire.offset_of(asked.page_token)
    points = exchange.workspace.tracking.metrics.columns(exchange.caller, run, key)
    if points is None or begin >= len(points):
        return Answer()
    end = len(points) if asked.max_results is None else min(begin + asked.max_results, len(points))
    page = points.take(slice(begin, end))
    written: dict[str, object] = {"metrics": wire.columns(key, numbers(page), page.times.tolist(), page.steps.tolist())}
    if end < len(points):
        written["next_page_token"] = wire.token_of(end)
    return answered(written)


def bulk(exchange: Exchange) -> Answer:
    """GET metrics/get-history-bulk"""
    asked = exchange.read(wire.BulkAsked)
    if not asked.run_id:
        raise invalid("GetMetricHistoryBulk request must specify at least one run_id.")
    if len(asked.run_id) > MAX_RUNS:
        raise invalid(
            f"GetMetricHistoryBulk request cannot specify more than {MAX_RUNS} run_ids. "
            f"Received {len(asked.run_id)} run_ids."
        )
    if asked.metric_key is None:
        raise invalid("GetMetricHistoryBulk request must specify a metric_key.")
    most = MAX_BULK if asked.max_results is None else min(asked.max_results, MAX_BULK)
    found: list[wire.MetricOfRun] = []
    for run in sorted(set(asked.run_id)):
        points = exchange.workspace.tracking.metrics.columns(exchange.caller, run, asked.metric_key)
        if points is not None and len(found) < most:
            shown = points.take(slice(0, most - len(found)))
            values, times, steps = numbers(shown), shown.times.tolist(), shown.steps.tolist()
            found += wire.columns_of_run(run, asked.metric_key, values, times, steps)
    return answered({"metrics": found})


def interval(exchange: Exchange) -> Answer:
    """GET metrics/get-history-bulk-interval"""
    asked = exchange.read(wire.IntervalAsked)
    if not asked.run_ids:
        raise missing("run_ids")
    if len(asked.run_ids) > MAX_RUNS:
        raise invalid(
            f"GetMetricHistoryBulkInterval request must specify at most {MAX_RUNS} run_ids. "
            f"Received {len(asked.run_ids)} run_ids.{SEE_DOCS}"
        )
    key = asked.metric_key or _required("metric_key")
    most = MAX_SAMPLED if asked.max_results is None else asked.max_results
    if not 1 <= most <= MAX_SAMPLED:
        raise invalid(f"max_results must be between 1 and {MAX_SAMPLED}.{SEE_DOCS}")
    steps = _steps(asked)
    found: list[wire.MetricOfRun] = []
    for run, points in exchange.workspace.tracking.metrics.sampled(
        exchange.caller, asked.run_ids, key, most, steps=steps
    ):
        found += wire.columns_of_run(run, key, numbers(points), points.times.tolist(), points.steps.tolist())
    return answered({"metrics": found}) if found else Answer()


def _steps(asked: wire.IntervalAsked) -> tuple[int, int] | None:
    first, last = asked.start_step, asked.end_step
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise invalid("If either start step or end step are specified, both must be specified.")
    if first > last:
        raise invalid(f"end_step must be greater than start_step. Found start_step={first} and end_step={last}.")
    return first, last


def _required(name: str) -> str:
    raise missing(name)


ROUTES = [
    Route("POST", "2.0/mlflow/runs/log-metric", log_metric),
    Route("GET", "2.0/mlflow/metrics/get-history", history, "slow"),
    Route("GET", "2.0/mlflow/metrics/get-history-bulk", bulk, "slow"),
    Route("GET", "2.0/mlflow/metrics/get-history-bulk-interval", interval, "slow"),
]
