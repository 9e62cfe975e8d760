"""The tables of collect: datasets, landings (first of all their intents), snapshots, the files that they hold, cursors.

A snapshot's file list is the rows of `data_file` that were added at or before its version and not removed by then; so a
landing writes its own files' rows and nothing that grows with the table. A branch begins with its base's list, without a copy.
"""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import metadata, project, text, whole

dataset = Table(
    "dataset",
    metadata,
    project(),
    text("name", key=True),
    text("id"),
    text("folder"),
    text("description"),
    text("event_column", optional=True),
    whole("head_version"),
    text("head_snapshot", optional=True),
    whole("head_delta_version"),
    text("turn", optional=True),
    text("turn_owner", optional=True),
    whole("turn_until", optional=True),
    whole("recorded_at"),
    text("branch_of", optional=True),
    text("base", optional=True),
    whole("depth"),
    Index(
        "ix_dataset_branch_of",
        "project",
        "branch_of",
        sqlite_where=sql_text("branch_of is not null"),
        postgresql_where=sql_text("branch_of is not null"),
    ),
    sqlite_with_rowid=False,
    comment="`turn` is the landing that is being committed now: one at a time for a dataset and its quarantine. A branch is "
    "a row named `dataset@branch`: `base` is the snapshot that it began at, `depth` how many branches lie between it and main.",
)

landing = Table(
    "landing",
    metadata,
    project(),
    text("id", key=True),
    text("dataset"),
    text("kind"),
    text("state"),
    text("key", optional=True),
    text("source"),
    text("cursor_before", optional=True),
    text("cursor_after", optional=True),
    text("origin"),
    text("plan", optional=True),
    text("content", optional=True),
    text("snapshot", optional=True),
    whole("version", optional=True),
    whole("rows_in"),
    whole("rows_kept"),
    whole("rows_refused"),
    whole("bytes"),
    text("refused_by"),
    text("run", optional=True),
    text("actor"),
    text("owner"),
    whole("lease_until"),
    whole("started_at"),
    whole("ended_at", optional=True),
    text("error", optional=True),
    Index("ix_landing_dataset", "project", "dataset", "id"),
    Index(
        "ix_landing_intent",
        "project",
        "dataset",
        sqlite_where=sql_text("state = 'intent'"),
        postgresql_where=sql_text("state = 'intent'"),
    ),
    Index(
        "uq_landing_key",
        "project",
        "dataset",
        "key",
        unique=True,
        sqlite_where=sql_text("state <> 'abandoned' and key is not null"),
        postgresql_where=sql_text("state <> 'abandoned' and key is not null"),
    ),
    sqlite_with_rowid=False,
    comment="state: intent, committed, abandoned. `plan` is what recovery needs to bring an intent to its end.",
)

snapshot = Table(
    "snapshot",
    metadata,
    project(),
    text("id", key=True),
    text("dataset"),
    whole("version"),
    whole("delta_version"),
    text("parent", optional=True),
    text("landing", optional=True),
    text("content_id"),
    text("layout_digest"),
    text("columns"),
    whole("rows"),
    whole("bytes"),
    text("run", optional=True),
    whole("recorded_at"),
    whole("event_from_at", optional=True),
    whole("event_to_at", optional=True),
    text("origin", optional=True),
    Index("uq_snapshot_version", "project", "dataset", "version", unique=True),
    Index("ix_snapshot_origin", "project", "origin"),
    sqlite_with_rowid=False,
)

data_file = Table(
    "data_file",
    metadata,
    project(),
    text("dataset", key=True),
    text("path", key=True),
    whole("added_version", key=True),
    whole("removed_version", optional=True),
    text("sha256"),
    whole("size"),
    whole("rows"),
    text("stats"),
    text("place"),
    whole("condemned_at", optional=True),
    whole("deleted_at", optional=True),
    Index("ix_data_file_path", "project", "path"),
    Index(
        "ix_data_file_condemned",
        "project",
        "condemned_at",
        sqlite_where=sql_text("condemned_at is not null and deleted_at is null"),
        postgresql_where=sql_text("condemned_at is not null and deleted_at is null"),
    ),
    sqlite_with_rowid=False,
    comment="`place` orders the files of a snapshot. A row of a branch with added_version 0 takes a file of its base away.",
)

source_cursor = Table(
    "source_cursor",
    metadata,
    project(),
    text("dataset", key=True),
    text("source", key=True),
    text("cursor"),
    text("landing"),
    whole("updated_at"),
    sqlite_with_rowid=False,
)

manifest_blob = Table(
    "manifest_blob",
    metadata,
    project(),
    text("path", key=True),
    text("blob", key=True),
    text("dataset"),
    whole("size"),
    Index("ix_manifest_blob_blob", "blob"),
    sqlite_with_rowid=False,
    comment="The blobs that the rows of a data file name: of a dataset of files, whose bytes are kept for as long as it.",
)
