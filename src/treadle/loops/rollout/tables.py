"""The table of canaries: each rollout with its step; a look takes it up where the last one left it."""

from __future__ import annotations

import sqlalchemy
from sqlalchemy import Index, Table

from treadle.kernel.store.metadata import metadata, project, text, whole

canary = Table(
    "canary",
    metadata,
    project(),
    text("id", key=True),
    text("endpoint"),
    whole("revision"),
    text("model"),
    text("model_version"),
    text("state"),
    whole("step"),
    text("policy"),
    text("promote", optional=True),
    text("baseline"),
    whole("slow_us"),
    text("reason"),
    text("evidence", optional=True),
    text("actor"),
    whole("started_at"),
    whole("step_at"),
    whole("ended_at", optional=True),
    Index("ix_canary_endpoint", "project", "endpoint", "started_at"),
    Index(
        "uq_canary_open",
        "project",
        "endpoint",
        unique=True,
        sqlite_where=sqlalchemy.text("ended_at is null"),
        postgresql_where=sqlalchemy.text("ended_at is null"),
    ),
    comment="Rollouts of revisions by steps. One without an end is under way; an endpoint has at most one such.",
)

model_release = Table(
    "model_release",
    metadata,
    project(),
    text("id", key=True),
    text("endpoint"),
    text("model"),
    text("model_version"),
    text("alias"),
    text("stage"),
    text("policy"),
    text("reason"),
    text("evidence", optional=True),
    text("actor"),
    whole("started_at"),
    whole("stage_at"),
    whole("ended_at", optional=True),
    Index(
        "uq_release_open",
        "project",
        "endpoint",
        unique=True,
        sqlite_where=sqlalchemy.text("ended_at is null"),
        postgresql_where=sqlalchemy.text("ended_at is null"),
    ),
    comment="Versions on their way through gates, shadow and canary to an alias. One without an end is under way.",
)
