"""The tables of the catalog: projects, artifacts, runs and the edges between them, refs and their moves, evidence.

Every table begins with `project`. Times are microseconds since 1970 UTC; `recorded_at` is the system's clock and nobody
can set it, `event_at` is when it happened in the world. Tables whose rows are found by their key alone are stored in
key order (`WITHOUT ROWID`), which saves SQLite a second tree for each.
"""

from __future__ import annotations

from sqlalchemy import Index, Table
from sqlalchemy import text as sql_text

from treadle.kernel.store.metadata import blob, metadata, project, real, text, whole

projects = Table(
    "project",
    metadata,
    project(),
    text("title"),
    whole("recorded_at"),
)

artifact = Table(
    "artifact",
    metadata,
    project(),
    text("digest", key=True),
    text("kind"),
    text("codec"),
    whole("size_bytes"),
    text("blob", optional=True),
    blob("inline"),
    text("meta"),
    whole("recorded_at"),
    whole("condemned_at", optional=True),
    Index(
        "ix_artifact_blob",
        "blob",
        sqlite_where=sql_text("blob is not null"),
        postgresql_where=sql_text("blob is not null"),
    ),
    sqlite_with_rowid=False,
    comment="Immutable content under the digest of its logical identity; the bytes are inline or in the blob of that name.",
)

run = Table(
    "run",
    metadata,
    project(),
    text("id", key=True),
    text("kind"),
    text("name"),
    text("path"),
    text("parent", optional=True),
    text("root"),
    text("status"),
    whole("attempt"),
    whole("epoch"),
    text("lease_owner", optional=True),
    whole("lease_until", optional=True),
    text("key", optional=True),
    text("key_parts", optional=True),
    text("code_digest", optional=True),
    text("bundle_digest", optional=True),
    text("environment_digest", optional=True),
    text("params"),
    whole("seed", optional=True),
    whole("now_at", optional=True),
    text("actor"),
    text("host"),
    whole("pid", optional=True),
    text("caused_by", optional=True),
    text("reused_from", optional=True),
    text("notes", optional=True),
    text("error", optional=True),
    whole("event_at", optional=True),
    whole("recorded_at"),
    whole("started_at", optional=True),
    whole("ended_at", optional=True),
    Index(
        "ix_run_pipeline",
        "project",
        "name",
        sqlite_where=sql_text("kind = 'pipeline' and parent is null"),
        postgresql_where=sql_text("kind = 'pipeline' and parent is null"),
    ),
    Index(
        "ix_run_key",
        "project",
        "key",
        sqlite_where=sql_text("status = 'done' and key is not null"),
        postgresql_where=sql_text("status = 'done' and key is not null"),
    ),
    Index("ix_run_root_path", "project", "root", "path"),
    Index(
        "ix_run_kind",
        "project",
        "kind",
        "id",
        sqlite_where=sql_text("parent is null"),
        postgresql_where=sql_text("parent is null"),
    ),
    Index(
        "ix_run_lease",
        "project",
        "lease_until",
        sqlite_where=sql_text("lease_until is not null"),
        postgresql_where=sql_text("lease_until is not null"),
    ),
    Index(
        "ix_run_caused_by",
        "project",
        "caused_by",
        sqlite_where=sql_text("caused_by is not null"),
        postgresql_where=sql_text("caused_by is not null"),
    ),
    sqlite_with_rowid=False,
    comment="One execution: a pipeline, a step, a trial, or a foreign client's run. `caused_by` is the event that started it.",
)

edge = Table(
    "edge",
    metadata,
    project(),
    text("run", key=True),
    text("direction", key=True),
    text("role", key=True),
    text("digest"),
    text("producer", optional=True),
    Index("ix_edge_digest", "project", "digest"),
    sqlite_with_rowid=False,
    comment="(run, in|out, role, artifact, producing run): a use has one maker, content may have many.",
)

metric = Table(
    "metric",
    metadata,
    project(),
    text("run", key=True),
    text("key", key=True),
    whole("ordinal", key=True),
    real("value"),
    whole("step"),
    whole("at"),
    sqlite_with_rowid=False,
    comment="Metric points in the order in which they were logged.",
)

tag = Table(
    "tag",
    metadata,
    project(),
    text("subject", key=True),
    text("key", key=True),
    text("value"),
    text("actor"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
)

ref = Table(
    "ref",
    metadata,
    project(),
    text("name", key=True),
    text("target"),
    whole("epoch"),
    text("protection", optional=True),
    whole("updated_at"),
    sqlite_with_rowid=False,
    comment="A name that points at an artifact or a record, and moves.",
)

ref_move = Table(
    "ref_move",
    metadata,
    project(),
    text("name", key=True),
    whole("epoch", key=True),
    text("previous", optional=True),
    text("target", optional=True),
    text("actor"),
    text("reason"),
    text("evidence", optional=True),
    text("event"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="Every move of a ref: who, when, from, to, why, on what evidence. No target: the ref was deleted.",
)

evidence = Table(
    "evidence",
    metadata,
    project(),
    text("id", key=True),
    text("subject"),
    text("digest", optional=True),
    text("kind"),
    text("verdict"),
    text("body"),
    text("run", optional=True),
    text("actor"),
    whole("recorded_at"),
    Index("ix_evidence_subject", "project", "subject", "id"),
    comment="What was found about a thing: gates, verifications, approvals; bound to the digest it was found on.",
)
