"""The tables of the engine: logs, checkpoints, code parts, schedules, triggers, firings, waits, slots, publications.

Runs, edges and metrics stand in the catalog, since every system reads them; what only the engine asks stands here.
"""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import metadata, project, real, text, whole

code_parts = Table(
    "code_parts",
    metadata,
    project(),
    text("digest", key=True),
    text("parts"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="What a code digest is made of, so that `plan` can say which part changed.",
)

log_chunk = Table(
    "log_chunk",
    metadata,
    project(),
    text("run", key=True),
    whole("ordinal", key=True),
    text("stream"),
    text("content"),
    whole("at"),
    sqlite_with_rowid=False,
    comment="What a step printed, in the order in which it came; `stream` is stdout or stderr.",
)

checkpoint = Table(
    "checkpoint",
    metadata,
    project(),
    text("root", key=True),
    text("path", key=True),
    text("name", key=True),
    text("digest"),
    text("run"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="The newest saved state of a step that is not finished; survives its attempts.",
)

slot = Table(
    "slot",
    metadata,
    project(),
    text("name", key=True),
    whole("number", key=True),
    text("run"),
    text("root"),
    whole("epoch"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="A place of a concurrency limit and who holds it; the holder's lease tells whether it still does.",
)

waiting = Table(
    "waiting",
    metadata,
    project(),
    text("run", key=True),
    text("root"),
    text("kind"),
    text("subject"),
    text("request"),
    whole("due_at", optional=True),
    whole("position", optional=True),
    text("answer", optional=True),
    text("actor", optional=True),
    whole("recorded_at"),
    whole("answered_at", optional=True),
    whole("claimed_at", optional=True),
    Index(
        "ix_waiting_open",
        "project",
        "kind",
        "subject",
        sqlite_where=sql_text("answered_at is null"),
        postgresql_where=sql_text("answered_at is null"),
    ),
    comment="A run that waits for a time, an event or an approval; `run` is the step that waits, no process does.",
)

publication = Table(
    "publication",
    metadata,
    project(),
    text("id", key=True),
    text("bundle"),
    text("environment", optional=True),
    text("interpreter"),
    text("targets"),
    text("actor"),
    whole("recorded_at"),
    comment="A version of a project that runs unattended: code bundle, interpreter, entry points by pipeline name.",
)

schedule = Table(
    "schedule",
    metadata,
    project(),
    text("pipeline", key=True),
    text("cron", key=True),
    text("timezone", key=True),
    text("publication"),
    text("params"),
    whole("since_at"),
    whole("next_at"),
    whole("paused_at", optional=True),
    Index("ix_schedule_due", "next_at"),
    comment="When a published pipeline is started; `next_at` is the firing that nobody has claimed yet.",
)

trigger = Table(
    "trigger",
    metadata,
    project(),
    text("pipeline", key=True),
    text("kind", key=True),
    text("subject", key=True),
    text("publication"),
    text("params"),
    whole("position"),
    whole("paused_at", optional=True),
    text("counts", optional=True),
    whole("at_least", optional=True),
    real("share", optional=True),
    whole("counted"),
    whole("total"),
    comment="Which events start a published pipeline; `position` is the last event of the chain that was looked at.",
)

start_policy = Table(
    "start_policy",
    metadata,
    project(),
    text("pipeline", key=True),
    text("limits", optional=True),
    text("data_window", optional=True),
    whole("claims"),
    comment="Cool-down, budget and data window of a published pipeline; who claims a firing of it writes here first.",
)

firing = Table(
    "firing",
    metadata,
    project(),
    text("source", key=True),
    whole("fire_at", key=True),
    text("id"),
    text("pipeline"),
    text("publication"),
    text("params"),
    text("state"),
    text("caused_by", optional=True),
    text("run", optional=True),
    text("claimed_by", optional=True),
    whole("claimed_at", optional=True),
    whole("moment_at"),
    text("reason", optional=True),
    whole("recorded_at"),
    Index("ix_firing_id", "project", "id", unique=True),
    Index("ix_firing_state", "project", "state"),
    Index("ix_firing_run", "project", "run"),
    Index("ix_firing_pipeline", "project", "pipeline", "moment_at"),
    comment="One start of one schedule or trigger. The key makes it one, however many schedulers live.",
)
