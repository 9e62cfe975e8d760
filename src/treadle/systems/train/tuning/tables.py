"""The tables of tuning: studies, their trials, and every change of both in order.

A study is a journal: `study_change` holds each write under the next number of its study, and whoever has read up to one
number reads on from there. What a write must decide by (does the study stand, has the trial ended) is beside it, in
`study` and `trial`. All writers of one study take turns at its row in `study`, which is what makes the numbers rise in
the order in which they become visible.
"""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import metadata, project, text, whole

study = Table(
    "study",
    metadata,
    project(),
    whole("number", key=True),
    text("name"),
    text("directions"),
    whole("change"),
    whole("trials"),
    text("run", optional=True),
    text("actor"),
    whole("recorded_at"),
    whole("deleted_at", optional=True),
    Index(
        "uq_study_name",
        "project",
        "name",
        unique=True,
        sqlite_where=sql_text("deleted_at is null"),
        postgresql_where=sql_text("deleted_at is null"),
    ),
    sqlite_with_rowid=False,
    comment="A search for good parameters. `change` counts its writes, `trials` its trials. A number is never given twice.",
)

trial = Table(
    "trial",
    metadata,
    project(),
    whole("study", key=True),
    whole("number", key=True),
    text("state"),
    text("run", optional=True),
    whole("beat_at", optional=True),
    Index(
        "ix_trial_running",
        "project",
        "study",
        "number",
        sqlite_where=sql_text("state = 'running'"),
        postgresql_where=sql_text("state = 'running'"),
    ),
    sqlite_with_rowid=False,
    comment="One try of a study, numbered from 0. state: waiting, running, complete, pruned, failed.",
)

study_change = Table(
    "study_change",
    metadata,
    project(),
    whole("study", key=True),
    whole("number", key=True),
    whole("trial", optional=True),
    text("kind"),
    text("key"),
    text("body"),
    sqlite_with_rowid=False,
    comment="What was written to a study, in order. No trial: it is about the study itself.",
)
