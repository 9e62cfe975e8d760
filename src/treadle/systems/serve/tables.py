"""The tables of serving: revisions, and routes, which say what each endpoint serves."""

from __future__ import annotations

from sqlalchemy import Index, Table

from treadle.kernel.store.metadata import metadata, project, text, whole

endpoint_revision = Table(
    "endpoint_revision",
    metadata,
    project(),
    text("endpoint", key=True),
    whole("number", key=True),
    text("id"),
    text("model"),
    text("model_version"),
    text("model_digest"),
    text("engine"),
    text("bundle"),
    whole("threads"),
    text("actor"),
    whole("recorded_at"),
    Index("uq_endpoint_revision_id", "project", "id", unique=True),
    Index("ix_endpoint_revision_model", "project", "model", "model_version"),
    comment="One model version made ready for an endpoint.",
)

endpoint_route = Table(
    "endpoint_route",
    metadata,
    project(),
    text("endpoint", key=True),
    whole("number", key=True),
    text("digest"),
    text("document"),
    text("kind"),
    whole("restores", optional=True),
    text("reason"),
    text("actor"),
    whole("recorded_at"),
    comment="Route documents. The newest of an endpoint is what its servers should have; the reconciler sees to it.",
)
