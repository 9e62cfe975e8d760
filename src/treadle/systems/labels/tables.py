"""The tables of labels: projects, tasks, leases on tasks, and annotations, which are only ever added."""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import metadata, project, real, text, whole

label_project = Table(
    "label_project",
    metadata,
    project(),
    text("name", key=True),
    text("schema"),
    text("instructions"),
    whole("overlap"),
    whole("lease_s"),
    text("actor"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
)

label_task = Table(
    "label_task",
    metadata,
    project(),
    text("id", key=True),
    text("labels"),
    text("source"),
    text("data"),
    real("priority"),
    whole("answered"),
    whole("closed_at", optional=True),
    text("review", optional=True),
    whole("recorded_at"),
    Index("uq_label_task_source", "project", "labels", "source", unique=True),
    Index("ix_label_task_labels", "project", "labels", "id"),
    Index(
        "ix_label_task_queue",
        "project",
        "labels",
        sql_text("priority desc"),
        "id",
        sqlite_where=sql_text("closed_at is null"),
        postgresql_where=sql_text("closed_at is null"),
    ),
    comment="`answered` counts the annotators who answered; the task closes when they are enough, or by `review`.",
)

label_lease = Table(
    "label_lease",
    metadata,
    project(),
    text("task", key=True),
    text("annotator", key=True),
    whole("until_at"),
    sqlite_with_rowid=False,
    comment="Who has taken a task, and until when it is kept for them.",
)

annotation = Table(
    "annotation",
    metadata,
    project(),
    text("id", key=True),
    text("labels"),
    text("task"),
    text("annotator"),
    text("act"),
    text("value", optional=True),
    text("previous", optional=True),
    real("seconds", optional=True),
    text("note"),
    whole("event_at", optional=True),
    whole("recorded_at"),
    Index("ix_annotation_task", "project", "task", "annotator", "id"),
    Index("ix_annotation_labels", "project", "labels", "id"),
    comment="Acts on tasks, never changed: annotate, skip, review. `previous` is the one that this one replaces.",
)
