"""The tables of monitoring: monitors, their references, their windows, and alerts.

Profiles, drift and performance are JSON of their records: they are read whole or not at all. What queries ask for (rows,
labelled rows, errors, score) stands in columns beside them.
"""

from __future__ import annotations

from sqlalchemy import Index, Table, UniqueConstraint

from treadle.kernel.store.metadata import blob, metadata, project, real, text, whole

monitor = Table(
    "monitor",
    metadata,
    project(),
    text("id", key=True),
    text("name"),
    text("endpoint"),
    whole("window_s"),
    whole("anchor_at"),
    real("false_alarms_per_year"),
    real("decision_threshold"),
    real("loss_increase"),
    text("kinds", optional=True),
    text("task"),
    text("group_column", optional=True),
    whole("judged_until", optional=True),
    whole("recorded_at"),
    UniqueConstraint("project", "name"),
    Index("ix_monitor_endpoint", "project", "endpoint"),
    sqlite_with_rowid=False,
)

monitor_reference = Table(
    "monitor_reference",
    metadata,
    project(),
    text("monitor", key=True),
    text("model_version", key=True),
    text("training"),
    text("validation", optional=True),
    text("profile"),
    text("baseline", optional=True),
    text("impact"),
    text("estimation"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="What windows of a model version are held against. `profile`, `baseline`, `impact` and `estimation` are JSON.",
)

monitor_window = Table(
    "monitor_window",
    metadata,
    project(),
    text("monitor", key=True),
    whole("starts_at", key=True),
    text("model_version", key=True),
    whole("ends_at"),
    whole("row_count"),
    whole("labelled"),
    whole("errors"),
    real("completeness"),
    real("score"),
    text("drift"),
    text("performance"),
    text("counts"),
    text("products"),
    text("quality"),
    whole("reference_at"),
    whole("evaluated_at"),
    sqlite_with_rowid=False,
    comment="One window of one model version; judging it again writes it again. `counts` and `products` add up over windows; `quality` holds estimate, slices, groups.",
)

alert = Table(
    "alert",
    metadata,
    project(),
    text("id", key=True),
    text("monitor"),
    text("endpoint"),
    text("model_version"),
    text("kind"),
    text("state"),
    text("symptoms"),
    real("peak"),
    real("threshold"),
    whole("first_window_at"),
    whole("last_window_at"),
    whole("judged_window_at"),
    whole("windows"),
    whole("quiet"),
    text("event"),
    whole("recorded_at"),
    text("acknowledged_by", optional=True),
    whole("acknowledged_at", optional=True),
    whole("resolved_at", optional=True),
    text("resolution", optional=True),
    Index("ix_alert_monitor", "project", "monitor", "state"),
    sqlite_with_rowid=False,
    comment="One alert a cause: `symptoms` (JSON) names its columns by how far they moved.",
)

alert_route = Table(
    "alert_route",
    metadata,
    project(),
    text("id", key=True),
    text("name"),
    text("kind"),
    text("target"),
    text("endpoint", optional=True),
    text("runbook"),
    blob("secret"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="Where alerts are told. `secret` is sealed.",
)

alert_silence = Table(
    "alert_silence",
    metadata,
    project(),
    text("id", key=True),
    text("endpoint"),
    text("column_name", optional=True),
    whole("until_at"),
    text("reason"),
    text("actor"),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="Until when nobody is told of an endpoint's alerts.",
)
