"""The table of profiles: which artifact holds the profile of which rows."""

from __future__ import annotations

from sqlalchemy import Table

from treadle.kernel.store.metadata import metadata, project, text, whole

column_profile = Table(
    "column_profile",
    metadata,
    project(),
    text("about", key=True),
    text("digest"),
    whole("rows"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="`about` is the digest of a data file, or the content id of a snapshot: same rows, same profile.",
)
