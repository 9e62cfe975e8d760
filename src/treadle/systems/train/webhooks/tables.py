"""The table of webhooks. What is on its way to them lies in the outbox."""

from __future__ import annotations

from sqlalchemy import Table

from treadle.kernel.store.metadata import blob, metadata, project, text, whole

webhook = Table(
    "webhook",
    metadata,
    project(),
    text("id", key=True),
    text("name"),
    text("url"),
    text("description", optional=True),
    text("status"),
    text("events"),
    blob("secret"),
    whole("created_ms"),
    whole("updated_ms"),
    sqlite_with_rowid=False,
    comment="Who is told of changes in the registry. The secret is sealed with a key that is not in the store.",
)
