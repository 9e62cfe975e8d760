"""The tables of the registry.

A model is known by its `line`, which never changes: its first name, with a number behind a colon where a deleted or renamed
model had that name before. So evidence, refs and events of an older model are never taken for those of its namesake.
"""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import metadata, project, text, whole

registered_model = Table(
    "registered_model",
    metadata,
    project(),
    text("line", key=True),
    text("name"),
    text("description", optional=True),
    whole("created_ms"),
    whole("updated_ms"),
    text("actor"),
    whole("deleted_at", optional=True),
    Index(
        "uq_registered_model_name",
        "project",
        "name",
        unique=True,
        sqlite_where=sql_text("deleted_at is null"),
        postgresql_where=sql_text("deleted_at is null"),
    ),
    sqlite_with_rowid=False,
    comment="A named line of versions, or of a prompt's texts. A deleted one keeps its line and frees its name.",
)

model_version = Table(
    "model_version",
    metadata,
    project(),
    text("line", key=True),
    whole("number", key=True),
    text("digest"),
    text("signature"),
    text("probe", optional=True),
    text("card", optional=True),
    text("metrics"),
    text("data"),
    text("reference"),
    text("description", optional=True),
    text("run", optional=True),
    text("root", optional=True),
    text("actor"),
    whole("recorded_at"),
    text("stage"),
    text("source", optional=True),
    text("location", optional=True),
    text("run_id", optional=True),
    text("run_link", optional=True),
    text("logged_model", optional=True),
    whole("size_bytes", optional=True),
    text("facts"),
    whole("created_ms"),
    whole("updated_ms"),
    whole("deleted_at", optional=True),
    Index("ix_model_version_digest", "project", "digest"),
    Index("ix_model_version_run", "project", "run"),
    Index("ix_model_version_run_id", "project", "run_id"),
    Index("ix_model_version_updated", "project", "updated_ms"),
    Index(
        "uq_model_version_root",
        "project",
        "line",
        "root",
        "digest",
        unique=True,
        sqlite_where=sql_text("root is not null"),
        postgresql_where=sql_text("root is not null"),
    ),
    comment="What was registered, numbered from 1 within its line; no number is given twice. What it is never changes, "
    "only its description and its stage.",
)

model_tag = Table(
    "model_tag",
    metadata,
    project(),
    text("line", key=True),
    whole("number", key=True),
    text("key", key=True),
    text("value"),
    Index("ix_model_tag_key", "project", "key", "value"),
    sqlite_with_rowid=False,
    comment="Labels of a model (number 0) and of its versions.",
)
