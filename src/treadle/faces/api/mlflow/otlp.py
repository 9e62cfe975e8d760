"""Spans by OpenTelemetry's own protocol, from MLflow's clients and from every other exporter."""

from __future__ import annotations

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.traces.spans import received
from treadle.wire.mlflow.errors import ProtocolError
from treadle.wire.otlp import BadOtlp, decode_json, decode_protobuf, encode_partial_success

PROTOBUF, JSON = "application/x-protobuf", "application/json"


def export(exchange: Exchange) -> Answer:
    """POST /v1/traces: an ExportTraceServiceRequest; the experiment stands in a header, and may be a run."""
    experiment = exchange.headers.get("x-mlflow-experiment-id")
    if experiment is None:
        raise _refused(
            "Spans come with the header x-mlflow-experiment-id, which says whose they are; an OpenTelemetry exporter "
            "sends it with OTEL_EXPORTER_OTLP_HEADERS=x-mlflow-experiment-id=0.",
            status=422,
        )
    given = exchange.headers.get("content-type")
    media = (given or "").partition(";")[0].strip()
    if media not in (PROTOBUF, JSON):
        raise _refused(f"Invalid Content-Type: {given}. Expected: {PROTOBUF} or {JSON}")
    try:
        resources = decode_json(exchange.body) if media == JSON else decode_protobuf(exchange.body)
    except BadOtlp as error:
        raise _refused(error.what) from error
    if not resources:
        raise _refused("Invalid OpenTelemetry format - no spans found")
    found = received(resources)
    if found.rejected and not found.batches:
        raise _refused("Cannot convert OpenTelemetry span to MLflow span", status=422)
    if found.batches:
        run = exchange.headers.get("x-mlflow-run-id")
        exchange.workspace.tracking.traces.receive(exchange.caller, experiment, found, run=run)
    return _accepted(media, found.rejected)


def _accepted(media: str, rejected: int) -> Answer:
    message = "Spans without a trace id and a span id were left out."
    if media == PROTOBUF:
        return Answer(body=encode_partial_success(rejected, message), media_type=PROTOBUF)
    return answered({"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": message}} if rejected else {})


def _refused(message: str, *, status: int = 400) -> ProtocolError:
    return ProtocolError("INVALID_PARAMETER_VALUE", message, status=status)


ROUTES = [
    Route("POST", "/v1/traces", export, "slow"),
]
