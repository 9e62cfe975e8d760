"""The tables of traces.

A trace has one row with what search and lists read (typed, latest values); its spans have a row each, with the few
columns that search asks for and the whole of the span as JSON. `trace_link` ties a trace to what it belongs with, so the
graph can be walked from either side. Times in `_ms` and `_ns` are the client's own.
"""

from __future__ import annotations

from sqlalchemy import Index, Table

from treadle.kernel.store.metadata import metadata, project, real, text, whole

trace = Table(
    "trace",
    metadata,
    project(),
    text("trace", key=True),
    whole("experiment"),
    whole("start_ms"),
    whole("duration_ms", optional=True),
    text("status"),
    text("name", optional=True),
    text("session", optional=True),
    text("client_request_id", optional=True),
    text("request_preview", optional=True),
    text("response_preview", optional=True),
    whole("input_tokens", optional=True),
    whole("output_tokens", optional=True),
    whole("total_tokens", optional=True),
    whole("cache_read_input_tokens", optional=True),
    whole("cache_creation_input_tokens", optional=True),
    whole("cache_creation_input_tokens_above_1hr", optional=True),
    real("input_cost", optional=True),
    real("output_cost", optional=True),
    real("total_cost", optional=True),
    Index("ix_trace_start", "project", "experiment", "start_ms", "trace"),
    Index("ix_trace_session", "project", "session", "trace"),
    sqlite_with_rowid=False,
    comment="One execution of an application. The id is the client's, `tr-` and the trace id of OpenTelemetry.",
)

trace_tag = Table(
    "trace_tag",
    metadata,
    project(),
    text("trace", key=True),
    text("key", key=True),
    text("value"),
    sqlite_with_rowid=False,
    comment="What may change about a trace.",
)

trace_metadata = Table(
    "trace_metadata",
    metadata,
    project(),
    text("trace", key=True),
    text("key", key=True),
    text("value"),
    sqlite_with_rowid=False,
    comment="What was said about a trace when it was made.",
)

trace_link = Table(
    "trace_link",
    metadata,
    project(),
    text("trace", key=True),
    text("kind", key=True),
    text("target", key=True),
    Index("ix_trace_link_target", "project", "kind", "target", "trace"),
    sqlite_with_rowid=False,
    comment="What a trace belongs with: kind `source` (the run in which it was made), `run` (a run it was linked to "
    "afterwards), `model` (a logged model), `prompt` (name/version).",
)

span = Table(
    "span",
    metadata,
    project(),
    text("trace", key=True),
    text("span", key=True),
    text("parent", optional=True),
    whole("experiment"),
    text("name"),
    text("type", optional=True),
    text("status"),
    whole("start_ns"),
    whole("end_ns", optional=True),
    text("content"),
    text("model", optional=True),
    text("provider", optional=True),
    real("input_cost", optional=True),
    real("output_cost", optional=True),
    real("total_cost", optional=True),
    comment="One unit of work within a trace. content: the whole span as JSON, its attributes each encoded once more.",
)

assessment = Table(
    "assessment",
    metadata,
    project(),
    text("trace", key=True),
    text("assessment", key=True),
    text("name"),
    text("kind"),
    text("value"),
    text("error", optional=True),
    text("source_type"),
    text("source_id", optional=True),
    text("run", optional=True),
    text("span", optional=True),
    text("rationale", optional=True),
    text("overrides", optional=True),
    whole("is_valid"),
    text("metadata", optional=True),
    real("number", optional=True),
    whole("is_number"),
    whole("created_ms"),
    whole("updated_ms"),
    Index("ix_assessment_name", "project", "kind", "name", "trace"),
    sqlite_with_rowid=False,
    comment="What somebody says of a trace: kind `feedback`, `expectation` or `issue`. value: JSON. is_valid 0 once "
    "another has overridden it.",
)

evaluation_dataset = Table(
    "evaluation_dataset",
    metadata,
    project(),
    text("dataset", key=True),
    text("name"),
    text("digest"),
    text("schema", optional=True),
    text("profile", optional=True),
    text("created_by", optional=True),
    text("updated_by", optional=True),
    whole("created_ms"),
    whole("updated_ms"),
    Index("ix_evaluation_dataset_created", "project", "created_ms", "dataset"),
    sqlite_with_rowid=False,
    comment="Questions with their expected answers, for evaluating an application.",
)

evaluation_dataset_tag = Table(
    "evaluation_dataset_tag",
    metadata,
    project(),
    text("dataset", key=True),
    text("key", key=True),
    text("value"),
    sqlite_with_rowid=False,
)

evaluation_dataset_experiment = Table(
    "evaluation_dataset_experiment",
    metadata,
    project(),
    text("dataset", key=True),
    text("experiment", key=True),
    Index("ix_evaluation_dataset_experiment_experiment", "project", "experiment", "dataset"),
    sqlite_with_rowid=False,
)

evaluation_record = Table(
    "evaluation_record",
    metadata,
    project(),
    text("dataset", key=True),
    text("record", key=True),
    text("input_hash"),
    text("inputs"),
    text("outputs", optional=True),
    text("expectations", optional=True),
    text("tags", optional=True),
    text("source", optional=True),
    text("source_id", optional=True),
    text("source_type", optional=True),
    text("created_by", optional=True),
    text("updated_by", optional=True),
    whole("created_ms"),
    whole("updated_ms"),
    Index("uq_evaluation_record_input", "project", "dataset", "input_hash", unique=True),
    Index("ix_evaluation_record_created", "project", "dataset", "created_ms", "record"),
    comment="One question of an evaluation dataset; the same inputs are one record.",
)

scorer = Table(
    "scorer",
    metadata,
    project(),
    whole("experiment", key=True),
    text("name", key=True),
    text("scorer"),
    sqlite_with_rowid=False,
    comment="A named judge of an experiment's traces.",
)

scorer_version = Table(
    "scorer_version",
    metadata,
    project(),
    text("scorer", key=True),
    whole("version", key=True),
    text("serialized"),
    whole("created_ms"),
    sqlite_with_rowid=False,
)
