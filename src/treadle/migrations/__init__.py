"""The schema over time: what a fresh store is made of, and how an older one follows.

`versions/` holds the Alembic revisions, `schema/` the newest state as plain SQL for each dialect. Migrations only go
forward; the embedded store is backed up before they run (`kernel/store/sqlite.py`).
"""

from __future__ import annotations

from importlib import resources

from treadle.kernel.store.schema import Schema

HEAD = "0001"
KNOWN = ("0001",)


def schema() -> Schema:
    """The schema that this Treadle reads and writes."""
    return Schema(version=HEAD, known=KNOWN, statements=statements, upgrade=upgrade)


def statements(dialect: str) -> list[str]:
    """What makes a fresh store on the dialect, the version's own table included."""
    text = resources.files(__package__).joinpath("schema", f"{dialect}.sql").read_text(encoding="utf-8")
    body = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return [
        *(part.strip() for part in body.split(";\n") if part.strip()),
        "create table alembic_version (version_num varchar(32) not null primary key)",
        f"insert into alembic_version (version_num) values ('{HEAD}')",  # noqa: S608 -- a constant of ours
    ]


def upgrade(url: str) -> None:
    """Migrates the store at a SQLAlchemy URL to the newest revision. Alembic is imported only here."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(resources.files(__package__)))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    command.upgrade(config, "head")
