"""Numbers over many traces for charts: counts, latencies, tokens, cost and feedback, by time and by name.

What can be asked is a table: for each view the rows, for each metric its value and what may be asked of it. A percentile
is interpolated between its neighbours (Hyndman and Fan's method 7), on both databases alike.
"""

# ruff: noqa: S608 -- statements are put together of fragments of ours; every value is bound

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from treadle.kernel.store import Reader
from treadle.kernel.store.sql import composed
from treadle.systems.train.search.entities import Binder
from treadle.systems.train.traces.errors import TraceInvalid
from treadle.systems.train.traces.searching import among

BUCKET = "time_bucket"
_SHAPE = ("AVG", "MIN", "MAX", "PERCENTILE")
_SUMS = ("SUM", *_SHAPE)
_FILTER = re.compile(
    r"\s*(?P<view>trace|span|assessment)\.(?P<entity>\w+)(?:\.(?P<key>`[^`]+`|\"[^\"]+\"|[^\s=]+))?\s*=\s*"
    r"(?:'(?P<text>[^']*)'|\"(?P<quoted>[^\"]*)\")\s*"
)
_BUCKETS_MOST = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregation:
    """What is made of the values of a group. kind: COUNT, SUM, AVG, MIN, MAX, or PERCENTILE with its percentile."""

    kind: str
    percentile: float | None = None

    @property
    def label(self) -> str:
        return self.kind if self.percentile is None else f"P{self.percentile}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureTraces:
    """view: TRACES, SPANS or ASSESSMENTS. Times are milliseconds since 1970 UTC, both ends included."""

    experiments: list[str]
    view: str
    metric: str
    aggregations: list[Aggregation]
    dimensions: list[str] = field(default_factory=list)
    filters: list[str] = field(default_factory=list)
    interval_s: int | None = None
    start_ms: int | None = None
    end_ms: int | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPoint:
    """One group: what its rows share, and what was made of their values."""

    metric: str
    dimensions: dict[str, str]
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class _Metric:
    value: str
    kinds: tuple[str, ...]
    dimensions: tuple[str, ...]
    at: str = ""


@dataclass(frozen=True, slots=True)
class _View:
    rows: str
    at: str
    dimensions: Mapping[str, str]
    filters: Mapping[str, str]
    metrics: Mapping[str, _Metric]


_SPAN_NAMES = ("span_name", "span_type", "span_status", "span_model_name", "span_model_provider")
_MODELS = _SPAN_NAMES[3:]
_VIEWS = {
    "TRACES": _View(
        rows="trace t where t.project = :project",
        at="t.start_ms",
        dimensions={"trace_name": "t.name", "trace_status": "t.status"},
        filters={},
        metrics={
            "trace_count": _Metric("t.trace", ("COUNT",), ("trace_name", "trace_status")),
            "session_count": _Metric("t.session", ("COUNT",), ()),
            "latency": _Metric("t.duration_ms", _SHAPE, ("trace_name",)),
            **{
                name: _Metric(f"t.{name}", _SUMS, ("trace_name",))
                for name in (
                    "input_tokens",
                    "output_tokens",
                    "total_tokens",
                    "cache_read_input_tokens",
                    "cache_creation_input_tokens",
                )
            },
        },
    ),
    "SPANS": _View(
        rows="trace t join span s on s.project = t.project and s.trace = t.trace where t.project = :project",
        at="(s.start_ns / 1000000)",
        dimensions={
            "span_name": "s.name",
            "span_type": "s.type",
            "span_status": "s.status",
            "span_model_name": "s.model",
            "span_model_provider": "s.provider",
        },
        filters={"name": "s.name", "status": "s.status", "type": "s.type"},
        metrics={
            "span_count": _Metric("s.span", ("COUNT",), _SPAN_NAMES, "t.start_ms"),
            "latency": _Metric(
                "((s.end_ns - s.start_ns) / 1000000)", _SHAPE, ("span_name", "span_status"), "t.start_ms"
            ),
            **{name: _Metric(f"s.{name}", _SUMS, _MODELS) for name in ("input_cost", "output_cost", "total_cost")},
        },
    ),
    "ASSESSMENTS": _View(
        rows="trace t join assessment a on a.project = t.project and a.trace = t.trace and a.is_valid = 1"
        " where t.project = :project",
        at="t.start_ms",
        dimensions={"assessment_name": "a.name", "assessment_value": "a.value"},
        filters={"name": "a.name", "type": "a.kind"},
        metrics={
            "assessment_count": _Metric("a.assessment", ("COUNT",), ("assessment_name", "assessment_value")),
            "assessment_value": _Metric("a.number", _SHAPE, ("assessment_name",)),
        },
    ),
}
_OF_VIEW = {"span": "SPANS", "assessment": "ASSESSMENTS"}


def measured(reader: Reader, project: str, experiments: Sequence[int], request: MeasureTraces) -> list[DataPoint]:
    """The groups in order of time and dimensions. Raises TraceInvalid for what cannot be asked."""
    view, metric = _checked(request)
    bind = Binder(reader.dialect, {"project": project})
    listed, bound = among(reader.dialect, "t.experiment", "experiments", list(experiments))
    bind.parameters["experiments"] = bound
    where = [listed, f"{metric.value} is not null", *_range(request, metric.at or view.at, bind)]
    where += [_filter(text, request.view, view, bind) for text in request.filters]
    groups = [view.dimensions[name] for name in request.dimensions]
    where += [f"{group} is not null" for group in groups]
    names = list(request.dimensions)
    if request.interval_s:
        size = bind(min(request.interval_s * 1000, _BUCKETS_MOST))
        groups, names = [f"(({view.at}) / {size} * {size})", *groups], [BUCKET, *names]
    rows = f"{view.rows} and {' and '.join(where)}"
    return [
        DataPoint(metric=request.metric, dimensions=_told(names, key), values=values)
        for key, values in _grouped(reader, bind, rows, groups, metric.value, request)
        if values
    ]


_Group = tuple[tuple[Any, ...], dict[str, float]]


def _grouped(
    reader: Reader, bind: Binder, rows: str, groups: list[str], value: str, request: MeasureTraces
) -> list[_Group]:
    """The first groups with their values, those of the database first."""
    plain = [one for one in request.aggregations if one.kind != "PERCENTILE"]
    made = [_sql(one, value, request.metric) for one in plain]
    numbers = ", ".join(str(place + 1) for place in range(len(groups)))
    order = f" group by {numbers} order by {numbers}" if groups else ""
    text = f"select {', '.join([*groups, *made, 'count(*)'])} from {rows}{order} limit {bind(request.limit)}"
    found: list[_Group] = []
    for row in reader.all(composed("measure_traces", text), bind.parameters):
        if row[-1]:
            values = zip(plain, row[len(groups) :], strict=False)
            found.append((tuple(row[: len(groups)]), {one.label: float(got) for one, got in values if got is not None}))
    if len(plain) < len(request.aggregations):
        _add_percentiles(reader, bind, rows, groups, value, found, request)
    return found


def _add_percentiles(
    reader: Reader, bind: Binder, rows: str, groups: list[str], value: str, found: list[_Group], request: MeasureTraces
) -> None:
    wanted = [one for one in request.aggregations if one.percentile is not None]
    text = f"select {', '.join([*groups, value])} from {rows} order by {', '.join([*groups, value])}"
    known = dict(found)
    for key, of_group in groupby(
        reader.each(composed("values_of_traces", text), bind.parameters), lambda row: row[:-1]
    ):
        values = [float(row[-1]) for row in of_group]
        if tuple(key) in known:
            known[tuple(key)] |= {one.label: _percentile(values, one.percentile or 0.0) for one in wanted}


def _percentile(values: Sequence[float], percentile: float) -> float:
    """Of sorted values, the one below which so many percent lie, interpolated between its neighbours."""
    place = percentile / 100 * (len(values) - 1)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def _sql(aggregation: Aggregation, value: str, metric: str) -> str:
    if metric == "session_count":
        return f"count(distinct {value})"
    return f"{aggregation.kind.lower()}({value})"


def _range(request: MeasureTraces, at: str, bind: Binder) -> list[str]:
    parts = []
    if request.start_ms is not None:
        parts.append(f"{at} >= {bind(request.start_ms)}")
    if request.end_ms is not None:
        parts.append(f"{at} <= {bind(request.end_ms)}")
    return parts


def _filter(text: str, name: str, view: _View, bind: Binder) -> str:
    found = _FILTER.fullmatch(text)
    if found is None:
        raise TraceInvalid(
            f"Invalid filter: '{text}'. Expected one filter clause.",
            fix="Write it as trace.status = 'OK', trace.tag.<key> = '…', span.name = '…' or assessment.name = '…'.",
        )
    value = bind(found["text"] if found["text"] is not None else found["quoted"])
    entity, key = found["entity"], (found["key"] or "").strip('`"')
    if found["view"] == "trace":
        return _trace_filter(entity, key, value, bind)
    if _OF_VIEW[found["view"]] != name:
        raise TraceInvalid(f"Filtering by {found['view']} is only supported for {_OF_VIEW[found['view']]} view type.")
    if entity not in view.filters or key:
        raise TraceInvalid(f"Invalid entity '{entity}' specified for view type '{found['view']}'.")
    return f"{view.filters[entity]} = {value}"


def _trace_filter(entity: str, key: str, value: str, bind: Binder) -> str:
    if entity == "status" and not key:
        return f"t.status = {value}"
    if entity not in ("tag", "metadata") or not key:
        raise TraceInvalid(f"Invalid entity '{entity}' specified for view type 'trace', or a key too many or too few.")
    column = {("tag", "mlflow.traceName"): "t.name", ("metadata", "mlflow.trace.session"): "t.session"}.get(
        (entity, key)
    )
    if column is not None:
        return f"{column} = {value}"
    own = "x.project = t.project and x.trace = t.trace"
    if (entity, key) == ("metadata", "mlflow.sourceRun"):
        return f"exists (select 1 from trace_link x where {own} and x.kind in ('source', 'run') and x.target = {value})"
    return f"exists (select 1 from trace_{entity} x where {own} and x.key = {bind(key)} and x.value = {value})"


def _told(names: Sequence[str], key: Sequence[Any]) -> dict[str, str]:
    told = {name: str(value) for name, value in zip(names, key, strict=True)}
    if BUCKET in told:
        told[BUCKET] = datetime.fromtimestamp(int(told[BUCKET]) / 1000, tz=UTC).isoformat()
    return told


def _checked(request: MeasureTraces) -> tuple[_View, _Metric]:
    view = _VIEWS.get(request.view)
    if view is None:
        raise TraceInvalid(f"view_type must be one of {list(_VIEWS)}, got '{request.view}'")
    metric = view.metrics.get(request.metric)
    if metric is None:
        raise TraceInvalid(f"metric_name must be one of {list(view.metrics)}, got '{request.metric}'")
    wrong = sorted({one.kind for one in request.aggregations} - set(metric.kinds))
    if wrong:
        raise TraceInvalid(
            f"Found invalid aggregation_type(s): {wrong}. Supported aggregation types: {sorted(metric.kinds)}"
        )
    unknown = sorted(set(request.dimensions) - set(metric.dimensions))
    if unknown:
        raise TraceInvalid(f"Found invalid dimension(s): {unknown}. Supported dimensions: {sorted(metric.dimensions)}")
    for one in request.aggregations:
        if (one.kind == "PERCENTILE") != (one.percentile is not None) or not 0 <= (one.percentile or 0) <= 100:
            raise TraceInvalid("A PERCENTILE, and nothing else, needs a percentile_value between 0 and 100.")
    if request.interval_s and (request.start_ms is None or request.end_ms is None):
        raise TraceInvalid("start_time_ms and end_time_ms are required if time_interval_seconds is set")
    if request.limit < 1 or (request.interval_s or 1) < 1:
        raise TraceInvalid("max_results and time_interval_seconds must be positive.")
    return view, metric
