"""The table of what is remembered of landings: their figures, and what was said of them."""

from __future__ import annotations

from sqlalchemy import Table

from treadle.kernel.store.metadata import metadata, project, text, whole

landing_figures = Table(
    "landing_figures",
    metadata,
    project(),
    text("dataset", key=True),
    text("landing", key=True),
    text("figures"),
    text("verdict", optional=True),
    whole("overdue_at", optional=True),
    whole("recorded_at"),
    sqlite_with_rowid=False,
    comment="`verdict` is null until the landing was judged; `overdue_at` when somebody was told that the next is late.",
)
