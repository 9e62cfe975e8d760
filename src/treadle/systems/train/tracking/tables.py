"""The tables of tracking.

Search and charts read two kinds of row: what stands now (`metric_latest`, `run_param`, `run_tag`, each with its
experiment, so that one index answers a filter or an order), and the history of metrics. A history is append-only:
each call leaves one `metric_chunk`, written as it came; now and then the chunks of a run are sorted into
`metric_segment` rows, one key each, without exact duplicates. Times in `_ms` are the client's own milliseconds.
"""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import blob, metadata, project, real, text, whole

experiment = Table(
    "experiment",
    metadata,
    project(),
    whole("number", key=True),
    text("name"),
    text("artifact_location"),
    text("lifecycle"),
    whole("created_ms"),
    whole("updated_ms"),
    Index("uq_experiment_name", "project", "name", unique=True),
    sqlite_with_rowid=False,
    comment="A group of runs. Number 0 is Default; a deleted one keeps its name.",
)

experiment_tag = Table(
    "experiment_tag",
    metadata,
    project(),
    whole("experiment", key=True),
    text("key", key=True),
    text("value"),
    sqlite_with_rowid=False,
)

tracking_counter = Table(
    "tracking_counter",
    metadata,
    project(),
    text("noun", key=True),
    whole("next"),
    sqlite_with_rowid=False,
    comment="The next free number of a noun; processes take numbers in blocks.",
)

tracked_run = Table(
    "tracked_run",
    metadata,
    project(),
    whole("number", key=True),
    text("run"),
    whole("experiment"),
    text("name"),
    text("status"),
    text("user_id"),
    text("origin"),
    whole("start_ms", optional=True),
    whole("end_ms", optional=True),
    text("lifecycle"),
    whole("deleted_ms", optional=True),
    text("artifact_uri"),
    Index("uq_tracked_run_run", "project", "run", unique=True),
    Index("ix_tracked_run_start", "project", "experiment", "lifecycle", "start_ms", "run"),
    sqlite_with_rowid=False,
    comment="A run as tracking clients see it: `run` is 32 hex digits, the same bits as the id of the run in `run`. "
    "origin `client`: its row in `run` is kept by tracking; `step`: by the engine.",
)

run_param = Table(
    "run_param",
    metadata,
    project(),
    whole("run_number", key=True),
    text("key", key=True),
    text("value"),
    whole("experiment"),
    Index(
        "ix_run_param_value",
        "project",
        "experiment",
        "key",
        sql_text("substr(value, 1, 250)"),
        "run_number",
    ),
    sqlite_with_rowid=False,
    comment="Written once. The index holds the first 250 characters of the value: compare those and the value.",
)

run_tag = Table(
    "run_tag",
    metadata,
    project(),
    whole("run_number", key=True),
    text("key", key=True),
    text("value"),
    whole("experiment"),
    Index(
        "ix_run_tag_value",
        "project",
        "experiment",
        "key",
        sql_text("substr(value, 1, 250)"),
        "run_number",
    ),
    sqlite_with_rowid=False,
)

metric_key = Table(
    "metric_key",
    metadata,
    project(),
    whole("number", key=True),
    text("name"),
    Index("uq_metric_key_name", "project", "name", unique=True),
    sqlite_with_rowid=False,
    comment="The names of metrics, numbered. A number never changes its name.",
)

metric_latest = Table(
    "metric_latest",
    metadata,
    project(),
    whole("run_number", key=True),
    whole("key", key=True),
    real("value"),
    whole("is_nan"),
    whole("step"),
    whole("at_ms"),
    real("low", optional=True),
    real("high", optional=True),
    whole("first_step"),
    whole("last_step"),
    whole("experiment"),
    Index("ix_metric_latest_value", "project", "experiment", "key", "is_nan", "value", "run_number"),
    sqlite_with_rowid=False,
    comment="The latest point of a run and key: the greatest (step, at_ms, value). A NaN is is_nan 1 with value 0; "
    "infinities are the greatest floats. low and high leave NaN out; null where there was nothing else.",
)

metric_chunk = Table(
    "metric_chunk",
    metadata,
    project(),
    whole("run_number", key=True),
    whole("id", key=True),
    whole("count"),
    blob("points", optional=False),
    comment="The points of one call, packed, in the order in which they came.",
)

metric_segment = Table(
    "metric_segment",
    metadata,
    project(),
    whole("run_number", key=True),
    whole("key", key=True),
    whole("id", key=True),
    whole("count"),
    whole("first_step"),
    whole("last_step"),
    whole("first_ms"),
    whole("last_ms"),
    real("low", optional=True),
    real("high", optional=True),
    blob("points", optional=False),
    comment="Points of one key of a run, packed and sorted, each once.",
)

tracked_dataset = Table(
    "tracked_dataset",
    metadata,
    project(),
    whole("experiment", key=True),
    text("name", key=True),
    text("digest", key=True),
    text("id"),
    text("source_type"),
    text("source"),
    text("schema", optional=True),
    text("profile", optional=True),
    Index("uq_tracked_dataset_id", "project", "id", unique=True),
    sqlite_with_rowid=False,
    comment="A data set as a client described it: one for each experiment, name and digest.",
)

run_input = Table(
    "run_input",
    metadata,
    project(),
    whole("run_number", key=True),
    text("kind", key=True),
    text("source", key=True),
    whole("ordinal"),
    Index("ix_run_input_source", "project", "kind", "source", "run_number"),
    sqlite_with_rowid=False,
    comment="What a run read: kind `dataset` (the id of a tracked_dataset) or `model` (the id of a logged model).",
)

run_input_tag = Table(
    "run_input_tag",
    metadata,
    project(),
    whole("run_number", key=True),
    text("source", key=True),
    text("name", key=True),
    text("value"),
    sqlite_with_rowid=False,
)

run_output = Table(
    "run_output",
    metadata,
    project(),
    whole("run_number", key=True),
    text("model", key=True),
    whole("step"),
    whole("ordinal"),
    Index("ix_run_output_model", "project", "model", "run_number"),
    sqlite_with_rowid=False,
    comment="The logged models that a run made.",
)

logged_model = Table(
    "logged_model",
    metadata,
    project(),
    text("model", key=True),
    whole("experiment"),
    text("name"),
    text("artifact_location"),
    whole("created_ms"),
    whole("updated_ms"),
    whole("status"),
    text("lifecycle"),
    text("model_type", optional=True),
    text("source_run", optional=True),
    text("status_message", optional=True),
    Index("ix_logged_model_created", "project", "experiment", "lifecycle", "created_ms", "model"),
    Index("ix_logged_model_run", "project", "source_run", "model"),
    sqlite_with_rowid=False,
    comment="A model that a client logged. status: 1 pending, 2 ready, 3 failed.",
)

logged_model_param = Table(
    "logged_model_param",
    metadata,
    project(),
    text("model", key=True),
    text("key", key=True),
    text("value"),
    whole("experiment"),
    sqlite_with_rowid=False,
)

logged_model_tag = Table(
    "logged_model_tag",
    metadata,
    project(),
    text("model", key=True),
    text("key", key=True),
    text("value"),
    whole("experiment"),
    sqlite_with_rowid=False,
)

logged_model_metric = Table(
    "logged_model_metric",
    metadata,
    project(),
    text("model", key=True),
    text("name", key=True),
    whole("at_ms", key=True),
    whole("step", key=True),
    text("run", key=True),
    real("value"),
    whole("is_nan"),
    text("dataset", optional=True),
    text("dataset_name", optional=True),
    text("dataset_digest", optional=True),
    whole("experiment"),
    Index("ix_logged_model_metric_value", "project", "experiment", "name", "is_nan", "value", "model"),
    sqlite_with_rowid=False,
    comment="Metric points that name a logged model, and the data set on which they were measured.",
)
