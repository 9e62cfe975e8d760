"""The tables of the registry."""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import metadata, project, text, whole

model_version = Table(
    "model_version",
    metadata,
    project(),
    text("model", key=True),
    whole("number", key=True),
    text("digest"),
    text("signature"),
    text("probe", optional=True),
    text("card", optional=True),
    text("metrics"),
    text("data"),
    text("reference"),
    text("description"),
    text("run", optional=True),
    text("root", optional=True),
    text("actor"),
    whole("recorded_at"),
    Index("ix_model_version_digest", "project", "digest"),
    Index(
        "uq_model_version_root",
        "project",
        "model",
        "root",
        "digest",
        unique=True,
        sqlite_where=sql_text("root is not null"),
        postgresql_where=sql_text("root is not null"),
    ),
    comment="What was registered, numbered from 1 within its model. One run registers the same bytes once.",
)
