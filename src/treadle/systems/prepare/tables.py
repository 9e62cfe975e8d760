"""The tables of prepare: reports, what each landing put into quarantine, decisions about single rows, incidents.

A row without a decision is held. So a landing writes one row here, however many rows it refuses.
"""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import metadata, project, text, whole

quality_report = Table(
    "quality_report",
    metadata,
    project(),
    text("id", key=True),
    text("dataset"),
    text("contract"),
    text("contract_version"),
    text("snapshot", optional=True),
    text("landing", optional=True),
    text("run", optional=True),
    whole("passed"),
    whole("rows"),
    whole("refused"),
    text("results"),
    whole("recorded_at"),
    Index("ix_quality_report_dataset", "project", "dataset", "id"),
    sqlite_with_rowid=False,
    comment="`passed` is 1 when no rule of severity error failed.",
)

quarantine = Table(
    "quarantine",
    metadata,
    project(),
    text("landing", key=True),
    text("dataset"),
    text("snapshot"),
    text("contract", optional=True),
    text("contract_version", optional=True),
    whole("rows"),
    text("by_rule"),
    text("run", optional=True),
    whole("recorded_at"),
    Index("ix_quarantine_dataset", "project", "dataset", "landing"),
    sqlite_with_rowid=False,
    comment="What one landing refused; the rows are in the sibling dataset, under the ids that they would have had.",
)

quarantine_decision = Table(
    "quarantine_decision",
    metadata,
    project(),
    text("dataset", key=True),
    text("landing", key=True),
    whole("row", key=True),
    text("state"),
    text("release", optional=True),
    text("actor"),
    text("reason"),
    text("event"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="state: released, mended, discarded, cleaned; a row without a decision is held. `release` is the landing back.",
)

cleaning = Table(
    "cleaning",
    metadata,
    project(),
    text("landing", key=True),
    text("dataset"),
    text("source"),
    text("source_snapshot"),
    text("source_content"),
    text("contract"),
    text("log"),
    whole("decisions"),
    text("report"),
    whole("recorded_at"),
    Index("ix_cleaning_dataset", "project", "dataset", "landing"),
    sqlite_with_rowid=False,
    comment="How the rows of a landing were made of a snapshot. `log` is the digest of everything that was changed.",
)

incident = Table(
    "incident",
    metadata,
    project(),
    text("id", key=True),
    text("dataset"),
    text("rule"),
    text("cause"),
    text("contract", optional=True),
    text("severity"),
    text("state"),
    text("title"),
    whole("rows"),
    whole("occurrences"),
    whole("clean_landings"),
    text("first_landing", optional=True),
    text("last_landing", optional=True),
    text("assignee", optional=True),
    text("note", optional=True),
    text("fixing_run", optional=True),
    whole("muted_until", optional=True),
    whole("opened_at"),
    whole("updated_at"),
    whole("resolved_at", optional=True),
    Index(
        "uq_incident_open",
        "project",
        "dataset",
        "rule",
        "cause",
        unique=True,
        sqlite_where=sql_text("state <> 'resolved'"),
        postgresql_where=sql_text("state <> 'resolved'"),
    ),
    sqlite_with_rowid=False,
    comment="state: open, muted, recovered (by itself), resolved (by somebody). `clean_landings` counts those in a row.",
)

incident_occurrence = Table(
    "incident_occurrence",
    metadata,
    project(),
    text("incident", key=True),
    text("landing", key=True),
    text("snapshot", optional=True),
    text("contract", optional=True),
    whole("rows"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="A landing that showed the cause of an incident, and the snapshot that it made.",
)

incident_comment = Table(
    "incident_comment",
    metadata,
    project(),
    text("id", key=True),
    text("incident"),
    text("actor"),
    text("text"),
    whole("recorded_at"),
    Index("ix_incident_comment", "project", "incident", "id"),
    sqlite_with_rowid=False,
)
