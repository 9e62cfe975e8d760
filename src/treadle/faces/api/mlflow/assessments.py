"""Assessments: feedback, expectations and references to issues, on a trace or one of its spans."""

from __future__ import annotations

from typing import Any

import msgspec

from treadle.faces.api.mlflow.exchange import Answer, Exchange, Route, answered
from treadle.systems.train.traces.assessing import AssessmentNamed, CreateAssessment, UpdateAssessment
from treadle.systems.train.traces.records import Assessment
from treadle.wire.mlflow import assessments as wire
from treadle.wire.mlflow.errors import invalid


class _Create(msgspec.Struct):
    assessment: wire.Assessment


class _Update(msgspec.Struct):
    assessment: wire.Assessment
    update_mask: Any


def recorded(given: wire.Assessment, trace: str) -> Assessment:
    """An assessment of a trace as a request gives it."""
    kind, value, error = wire.kind_and_value(given)
    source_type, source_id = wire.source_of(given.source)
    return Assessment(
        trace=trace,
        id=given.assessment_id,
        name=given.assessment_name,
        kind=kind,
        value=value,
        error=error,
        source_type=source_type,
        source_id=source_id,
        run=given.metadata.get(wire.RUN_METADATUM),
        span=given.span_id or None,
        rationale=None if kind == "expectation" else given.rationale or None,
        overrides=given.overrides or None if kind == "feedback" else None,
        metadata=given.metadata or None,
        created_ms=wire.time_of(given.create_time, "create_time"),
        updated_ms=wire.time_of(given.last_update_time, "last_update_time"),
    )


def create(exchange: Exchange) -> Answer:
    given = recorded(exchange.read(_Create).assessment, exchange.parameters["trace_id"])
    return _answered(
        exchange.workspace.tracking.assessments.create(exchange.caller, CreateAssessment(assessment=given))
    )


def get(exchange: Exchange) -> Answer:
    return _answered(exchange.workspace.tracking.assessments.get(exchange.caller, _named(exchange)))


def update(exchange: Exchange) -> Answer:
    asked = exchange.read(_Update)
    given, paths = asked.assessment, wire.paths_of(asked.update_mask)
    kind, value, error = None, None, None
    if "expectation" in paths and "feedback" in paths:
        raise invalid("Cannot specify both `expectation` and `feedback` parameters.")
    if "expectation" in paths or "feedback" in paths:
        kind, value, error = wire.kind_and_value(given)
    named = _named(exchange)
    request = UpdateAssessment(
        trace=named.trace,
        assessment=named.assessment,
        name=given.assessment_name if "assessment_name" in paths else None,
        kind=kind,
        value=value,
        error=error,
        rationale=given.rationale if "rationale" in paths else None,
        metadata=given.metadata if "metadata" in paths else None,
    )
    return _answered(exchange.workspace.tracking.assessments.update(exchange.caller, request))


def delete(exchange: Exchange) -> Answer:
    exchange.workspace.tracking.assessments.delete(exchange.caller, _named(exchange))
    return Answer()


def _named(exchange: Exchange) -> AssessmentNamed:
    return AssessmentNamed(trace=exchange.parameters["trace_id"], assessment=exchange.parameters["assessment_id"])


def _answered(assessment: Assessment) -> Answer:
    return answered({"assessment": wire.assessment_of(assessment)})


ROUTES = [
    Route("POST", "3.0/mlflow/traces/{trace_id}/assessments", create),
    Route("GET", "3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", get),
    Route("PATCH", "3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", update),
    Route("DELETE", "3.0/mlflow/traces/{trace_id}/assessments/{assessment_id}", delete),
]
