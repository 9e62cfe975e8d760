"""The tables of the event log: the events, the head of each project's chain, and what still has to follow from them."""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import metadata, project, text, whole

event = Table(
    "event",
    metadata,
    project(),
    text("id", key=True),
    text("kind"),
    text("subject"),
    text("actor"),
    text("body"),
    whole("recorded_at"),
    whole("event_at", optional=True),
    whole("position", optional=True),
    text("hash", optional=True),
    Index("ix_event_position", "project", "position", unique=True),
    Index(
        "ix_event_unsealed",
        "project",
        "id",
        sqlite_where=sql_text("position is null"),
        postgresql_where=sql_text("position is null"),
    ),
    Index("ix_event_subject", "project", "subject", "position"),
    sqlite_with_rowid=False,
    comment="One act each. `position` and `hash` are given by the sealer; readers follow positions.",
)

chain = Table(
    "chain",
    metadata,
    project(),
    whole("position"),
    text("hash"),
    sqlite_with_rowid=False,
    comment="The head of each project's chain.",
)

anchor = Table(
    "anchor",
    metadata,
    project(),
    whole("position", key=True),
    text("hash"),
    text("place"),
    text("signature", optional=True),
    whole("recorded_at"),
    comment="Where the head of the chain was made known outside this store.",
)

outbox = Table(
    "outbox",
    metadata,
    project(),
    text("id", key=True),
    text("event"),
    text("kind"),
    text("payload"),
    whole("attempts"),
    whole("next_at"),
    text("lease_owner", optional=True),
    whole("lease_until", optional=True),
    text("problem", optional=True),
    whole("recorded_at"),
    whole("done_at", optional=True),
    Index(
        "ix_outbox_due",
        "next_at",
        sqlite_where=sql_text("done_at is null"),
        postgresql_where=sql_text("done_at is null"),
    ),
    comment="Acts on the world that follow from a commit, at least once, with the event as their idempotency key.",
)
