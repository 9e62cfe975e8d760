"""Traces: summaries, spans, search, tags, links, numbers for charts, deletion."""

from __future__ import annotations

from typing import Any

import msgspec

from treadle.faces.api.mlflow.assessments import recorded
from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.files.names import checked_path, joined
from treadle.systems.train.traces.measuring import Aggregation, MeasureTraces
from treadle.systems.train.traces.records import STATES, Trace
from treadle.systems.train.traces.requests import (
    CorrelateTraces,
    DeleteTraces,
    GetSpans,
    LinkPrompts,
    LinkTraces,
    SearchTraces,
    StartTrace,
    TagTrace,
    TraceNamed,
    TracesNamed,
    UntagTrace,
)
from treadle.wire.mlflow import assessments as wire_assessments
from treadle.wire.mlflow.errors import ProtocolError, missing, wrong_type
from treadle.wire.mlflow.traces import Location, duration_of, millis_of, span_of, trace_info

_MOST_ON_A_PAGE = 500


class _Info(msgspec.Struct):
    trace_id: str = ""
    client_request_id: str | None = None
    trace_location: Location = msgspec.field(default_factory=Location)
    request_preview: str | None = None
    response_preview: str | None = None
    request_time: str = "1970-01-01T00:00:00Z"
    execution_duration: str | None = None
    state: Any = None
    trace_metadata: dict[str, str] = msgspec.field(default_factory=dict)
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    assessments: list[wire_assessments.Assessment] = msgspec.field(default_factory=list)


class _Trace(msgspec.Struct):
    trace_info: _Info = msgspec.field(default_factory=_Info)


class _Start(msgspec.Struct):
    trace: _Trace


def start(exchange: Exchange) -> Answer:
    info = exchange.read(_Start).trace.trace_info
    if info.trace_location.mlflow_experiment is None:
        raise missing("trace.trace_info.trace_location.mlflow_experiment")
    trace = Trace(
        id=info.trace_id,
        experiment=info.trace_location.mlflow_experiment.experiment_id,
        start_ms=millis_of(info.request_time, "request_time"),
        duration_ms=_duration(info.execution_duration),
        status=state_of(info.state),
        client_request_id=info.client_request_id,
        request_preview=info.request_preview,
        response_preview=info.response_preview,
        tags=info.tags,
        metadata=info.trace_metadata,
        assessments=[recorded(given, info.trace_id) for given in info.assessments],
    )
    return answered(
        {
            "trace": {
                "trace_info": _info(exchange.workspace.tracking.traces.start(exchange.caller, StartTrace(trace=trace)))
            }
        }
    )


def _duration(text: str | None) -> int | None:
    return None if text is None else duration_of(text, "execution_duration")


def state_of(given: Any) -> str:
    """The state of a trace as a request names it; one that nobody knows is unspecified."""
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= 3:
        return ("STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS")[given]
    return given if given in STATES else "STATE_UNSPECIFIED"


def _info(trace: Trace) -> dict[str, Any]:
    return trace_info(trace, [wire_assessments.assessment_of(one) for one in trace.assessments])


def get_info(exchange: Exchange) -> Answer:
    trace = exchange.workspace.tracking.traces.get(exchange.caller, TraceNamed(trace=exchange.parameters["trace_id"]))
    return answered({"trace": {"trace_info": _info(trace)}})


class _Get(msgspec.Struct):
    trace_id: str
    allow_partial: bool = False


def get(exchange: Exchange) -> Answer:
    asked = exchange.read(_Get)
    request = GetSpans(trace=asked.trace_id, allow_partial=asked.allow_partial)
    found = exchange.workspace.tracking.traces.spans(exchange.caller, request)
    return answered({"trace": _whole(found.trace, found.spans)})


def _whole(trace: Trace, spans: list[str]) -> dict[str, Any]:
    whole: dict[str, Any] = {"trace_info": _info(trace)}
    if spans:
        whole["spans"] = [span_of(content) for content in spans]
    return whole


class _Batch(msgspec.Struct):
    trace_ids: list[str]
    experiment_ids: list[str] | None = None


def batch_get(exchange: Exchange) -> Answer:
    asked = exchange.read(_Batch)
    request = TracesNamed(traces=asked.trace_ids, experiments=asked.experiment_ids)
    found = exchange.workspace.tracking.traces.batch_spans(exchange.caller, request)
    return answered({"traces": [_whole(one.trace, one.spans) for one in found]} if found else {})


def batch_get_infos(exchange: Exchange) -> Answer:
    asked = exchange.read(_Batch)
    request = TracesNamed(traces=asked.trace_ids, experiments=asked.experiment_ids)
    found = exchange.workspace.tracking.traces.batch(exchange.caller, request)
    return answered({"trace_infos": [_info(trace) for trace in found]} if found else {})


class _Search(msgspec.Struct):
    locations: list[Location]
    filter: str | None = None
    max_results: int = 100
    order_by: list[str] = msgspec.field(default_factory=list)
    page_token: str | None = None


def search(exchange: Exchange) -> Answer:
    asked = exchange.read(_Search)
    check_page(asked.max_results)
    experiments = [one.mlflow_experiment.experiment_id for one in asked.locations if one.mlflow_experiment is not None]
    request = SearchTraces(
        experiments=experiments,
        filter=asked.filter,
        order_by=asked.order_by,
        limit=asked.max_results,
        page_token=asked.page_token or None,
    )
    page = exchange.workspace.tracking.traces.search(exchange.caller, request)
    return answered(page_of([_info(trace) for trace in page.traces], page.next_page_token))


def check_page(limit: int) -> None:
    """A page holds at most 500 traces. Raises ProtocolError."""
    if limit > _MOST_ON_A_PAGE:
        raise wrong_type("max_results", limit)


def page_of(traces: list[dict[str, Any]], token: str | None) -> dict[str, Any]:
    """Traces as a search answers them."""
    page: dict[str, Any] = {"traces": traces} if traces else {}
    return page | ({"next_page_token": token} if token else {})


class _Tag(msgspec.Struct):
    key: str
    value: str = ""


def set_tag(exchange: Exchange) -> Answer:
    asked = exchange.read(_Tag)
    request = TagTrace(trace=exchange.parameters["trace_id"], key=asked.key, value=asked.value)
    exchange.workspace.tracking.traces.tag(exchange.caller, request)
    return Answer()


def delete_tag(exchange: Exchange) -> Answer:
    asked = exchange.read(_Tag)
    exchange.workspace.tracking.traces.untag(
        exchange.caller, UntagTrace(trace=exchange.parameters["trace_id"], key=asked.key)
    )
    return Answer()


class _Delete(msgspec.Struct):
    experiment_id: str
    max_timestamp_millis: int | None = None
    max_traces: int | None = None
    request_ids: list[str] = msgspec.field(default_factory=list)


def delete(exchange: Exchange) -> Answer:
    asked = exchange.read(_Delete)
    request = DeleteTraces(
        experiment=asked.experiment_id,
        until_ms=asked.max_timestamp_millis,
        at_most=asked.max_traces,
        traces=asked.request_ids,
    )
    return answered({"traces_deleted": exchange.workspace.tracking.traces.delete(exchange.caller, request)})


class _LinkRun(msgspec.Struct):
    trace_ids: list[str]
    run_id: str


def link_to_run(exchange: Exchange) -> Answer:
    asked = exchange.read(_LinkRun)
    exchange.workspace.tracking.traces.link(exchange.caller, LinkTraces(traces=asked.trace_ids, run=asked.run_id))
    return Answer()


class _Prompt(msgspec.Struct):
    name: str = ""
    version: str = ""


class _LinkPrompts(msgspec.Struct):
    trace_id: str
    prompt_versions: list[_Prompt]


def link_prompts(exchange: Exchange) -> Answer:
    asked = exchange.read(_LinkPrompts)
    prompts = [f"{prompt.name}/{_whole_number(prompt.version)}" for prompt in asked.prompt_versions]
    exchange.workspace.tracking.traces.link_prompts(exchange.caller, LinkPrompts(trace=asked.trace_id, prompts=prompts))
    return Answer()


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ProtocolError("INVALID_PARAMETER_VALUE", f"The version {text!r} of a prompt is no number.") from None


class _Correlate(msgspec.Struct):
    experiment_ids: list[str]
    filter_string1: str
    filter_string2: str
    base_filter: str | None = None


def correlate(exchange: Exchange) -> Answer:
    asked = exchange.read(_Correlate)
    request = CorrelateTraces(
        experiments=asked.experiment_ids,
        first=asked.filter_string1,
        second=asked.filter_string2,
        base=asked.base_filter,
    )
    found = exchange.workspace.tracking.traces.correlate(exchange.caller, request)
    told = {"npmi": found.npmi, "npmi_smoothed": found.npmi_smoothed}
    return answered(
        {name: value for name, value in told.items() if value is not None}
        | {
            "filter1_count": found.first_count,
            "filter2_count": found.second_count,
            "joint_count": found.joint_count,
            "total_count": found.total_count,
        }
    )


class _Aggregation(msgspec.Struct):
    aggregation_type: Any = None
    percentile_value: float | None = None


class _Metrics(msgspec.Struct):
    experiment_ids: list[str]
    view_type: Any
    metric_name: str
    aggregations: list[_Aggregation]
    dimensions: list[str] = msgspec.field(default_factory=list)
    filters: list[str] = msgspec.field(default_factory=list)
    time_interval_seconds: int | None = None
    start_time_ms: int | None = None
    end_time_ms: int | None = None
    max_results: int = 1000


def metrics(exchange: Exchange) -> Answer:
    asked = exchange.read(_Metrics)
    request = MeasureTraces(
        experiments=asked.experiment_ids,
        view=_named(asked.view_type, _VIEWS),
        metric=asked.metric_name,
        aggregations=[
            Aggregation(kind=_named(one.aggregation_type, _KINDS), percentile=one.percentile_value)
            for one in asked.aggregations
        ],
        dimensions=asked.dimensions,
        filters=asked.filters,
        interval_s=asked.time_interval_seconds,
        start_ms=asked.start_time_ms,
        end_ms=asked.end_time_ms,
        limit=asked.max_results,
    )
    points = exchange.workspace.tracking.traces.measure(exchange.caller, request)
    told = [
        {"metric_name": one.metric, **({"dimensions": one.dimensions} if one.dimensions else {}), "values": one.values}
        for one in points
    ]
    return answered({"data_points": told} if told else {})


_VIEWS = ("METRIC_VIEW_TYPE_UNSPECIFIED", "TRACES", "SPANS", "ASSESSMENTS")
_KINDS = ("AGGREGATION_TYPE_UNSPECIFIED", "COUNT", "SUM", "AVG", "PERCENTILE", "MIN", "MAX")


def _named(given: Any, names: tuple[str, ...]) -> str:
    """An enumeration's value, which may come as a number."""
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given < len(names):
        return names[given]
    return str(given)


def get_artifact(exchange: Exchange) -> Answer:
    """The spans of a trace as a file, as they are kept; what MLflow's pages show of a trace."""
    trace = next(iter(exchange.query.get("request_id", ())), "")
    if not trace:
        raise ProtocolError("BAD_REQUEST", 'Request must include the "request_id" query parameter.')
    attachment = next(iter(exchange.query.get("path", ())), "")
    found = exchange.workspace.tracking.traces.spans(exchange.caller, GetSpans(trace=trace, allow_partial=True))
    if attachment or not found.spans:
        return _file(exchange, trace, f"attachments/{attachment}" if attachment else "traces.json")
    body = '{"spans":[' + ",".join(found.spans) + "]}"
    return Answer(body=body.encode(), media_type="application/octet-stream", filename="traces.json")


def _file(exchange: Exchange, trace: str, path: str) -> Answer:
    """A file that a client put beside the trace: what older ones did with the spans, and with attachments."""
    folder = exchange.workspace.tracking.traces.folder(exchange.caller, trace)
    if folder is None:
        raise ProtocolError("RESOURCE_DOES_NOT_EXIST", f"The files of the trace {trace} are not kept by this server.")
    opened = exchange.workspace.tracking.files.open(exchange.caller, joined(folder, checked_path(path)))
    return Answer(
        file=opened.stream,
        size_bytes=opened.file.size_bytes,
        filename=opened.file.name,
        media_type="application/octet-stream",
    )


ROUTES = [
    Route("POST", "3.0/mlflow/traces", start),
    Route("GET", "3.0/mlflow/traces/get", get, "slow"),
    Route("GET", "3.0/mlflow/traces/batchGet", batch_get, "slow"),
    Route("POST", "3.0/mlflow/traces/batchGetInfos", batch_get_infos, "slow"),
    Route("POST", "3.0/mlflow/traces/search", search, "slow"),
    Route("POST", "3.0/mlflow/traces/calculate-filter-correlation", correlate, "slow"),
    Route("POST", "3.0/mlflow/traces/metrics", metrics, "slow"),
    Route("GET", "3.0/mlflow/traces/{trace_id}", get_info),
    Route("PATCH", "3.0/mlflow/traces/{trace_id}/tags", set_tag),
    Route("DELETE", "3.0/mlflow/traces/{trace_id}/tags", delete_tag),
    Route("PATCH", "2.0/mlflow/traces/{trace_id}/tags", set_tag),
    Route("DELETE", "2.0/mlflow/traces/{trace_id}/tags", delete_tag),
    Route("POST", "3.0/mlflow/traces/delete-traces", delete, "slow"),
    Route("POST", "2.0/mlflow/traces/delete-traces", delete, "slow"),
    Route("POST", "2.0/mlflow/traces/link-to-run", link_to_run),
    Route("POST", "2.0/mlflow/traces/link-prompts", link_prompts),
    Route("GET", "3.0/mlflow/get-trace-artifact", get_artifact, "slow"),
    Route("GET", "2.0/mlflow/get-trace-artifact", get_artifact, "slow"),
]
