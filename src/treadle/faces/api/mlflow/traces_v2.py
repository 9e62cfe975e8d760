"""Traces as clients before 3.0 write and read them: started, ended, looked up and searched in the older form."""

from __future__ import annotations

from typing import Any

import msgspec

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.faces.api.mlflow.traces import check_page, page_of, state_of
from treadle.systems.train.traces.records import Trace
from treadle.systems.train.traces.requests import EndTrace, SearchTraces, StartTrace, TraceNamed
from treadle.wire.mlflow.traces import trace_info_v2


class _Pair(msgspec.Struct):
    key: str = ""
    value: str = ""


class _StartV2(msgspec.Struct):
    experiment_id: str = ""
    timestamp_ms: int = 0
    request_metadata: list[_Pair] = msgspec.field(default_factory=list)
    tags: list[_Pair] = msgspec.field(default_factory=list)


class _EndV2(msgspec.Struct):
    timestamp_ms: int = 0
    status: Any = None
    request_metadata: list[_Pair] = msgspec.field(default_factory=list)
    tags: list[_Pair] = msgspec.field(default_factory=list)


class _SearchV2(msgspec.Struct):
    experiment_ids: list[str]
    filter: str | None = None
    max_results: int = 100
    order_by: list[str] = msgspec.field(default_factory=list)
    page_token: str | None = None


def start_v2(exchange: Exchange) -> Answer:
    asked = exchange.read(_StartV2)
    trace = Trace(
        id=f"tr-{exchange.workspace.tracking.traces.fresh_id()}",
        experiment=asked.experiment_id,
        start_ms=asked.timestamp_ms,
        status="IN_PROGRESS",
        tags=_dictionary(asked.tags),
        metadata=_dictionary(asked.request_metadata),
    )
    request = StartTrace(trace=trace, is_final=False)
    return answered({"trace_info": trace_info_v2(exchange.workspace.tracking.traces.start(exchange.caller, request))})


def end_v2(exchange: Exchange) -> Answer:
    asked = exchange.read(_EndV2)
    request = EndTrace(
        trace=exchange.parameters["trace_id"],
        end_ms=asked.timestamp_ms,
        status=state_of(asked.status),
        metadata=_dictionary(asked.request_metadata),
        tags=_dictionary(asked.tags),
    )
    return answered({"trace_info": trace_info_v2(exchange.workspace.tracking.traces.end(exchange.caller, request))})


def get_info_v2(exchange: Exchange) -> Answer:
    trace = exchange.workspace.tracking.traces.get(exchange.caller, TraceNamed(trace=exchange.parameters["trace_id"]))
    return answered({"trace_info": trace_info_v2(trace)})


def search_v2(exchange: Exchange) -> Answer:
    asked = exchange.read(_SearchV2)
    check_page(asked.max_results)
    request = SearchTraces(
        experiments=asked.experiment_ids,
        filter=asked.filter,
        order_by=asked.order_by,
        limit=asked.max_results,
        page_token=asked.page_token or None,
    )
    page = exchange.workspace.tracking.traces.search(exchange.caller, request)
    return answered(page_of([trace_info_v2(trace) for trace in page.traces], page.next_page_token))


def _dictionary(pairs: list[_Pair]) -> dict[str, str]:
    return {pair.key: pair.value for pair in pairs}


ROUTES = [
    Route("POST", "2.0/mlflow/traces", start_v2),
    Route("PATCH", "2.0/mlflow/traces/{trace_id}", end_v2),
    Route("GET", "2.0/mlflow/traces/{trace_id}/info", get_info_v2),
    Route("GET", "2.0/mlflow/traces", search_v2, "slow"),
]
