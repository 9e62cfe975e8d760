"""The first schema: everything that the four nouns and the eight systems begin with.

Its text stands beside this file, one for each dialect, as it was when it was released.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes every table and index."""
    dialect = op.get_bind().dialect.name
    text = Path(__file__).with_name(f"r0001_first.{dialect}.sql").read_text(encoding="utf-8")
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    for statement in body.split(";\n"):
        if statement.strip():
            op.execute(statement)
