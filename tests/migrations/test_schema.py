"""A store that was migrated is the store that was made fresh, on both databases."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import psycopg

from treadle import migrations
from treadle.backends.postgres import open_postgres
from treadle.migrations import schema
from treadle.testing import embedded_store
from treadle.testing.postgres import postgres_database

_POSTGRES_COLUMNS = """
select table_name, column_name, data_type, is_nullable from information_schema.columns
where table_schema = 'public' order by 1, 2
"""
_POSTGRES_INDEXES = "select indexdef from pg_indexes where schemaname = 'public' order by 1"


def sqlite_schema(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as connection:
        rows = connection.execute("select name, sql from sqlite_master where sql is not null order by name").fetchall()
    connection.close()
    foreign = ("alembic_version", "sqlite_stat1")  # Alembic's own, and what the planner is told
    return [(name, " ".join(sql.split()).lower()) for name, sql in rows if name not in foreign]


def test_the_ready_made_schema_is_what_the_tables_say() -> None:
    tool = Path(__file__).parents[2] / "tools" / "compile_schema.py"

    done = subprocess.run([sys.executable, tool, "--check"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def test_migrations_lead_to_the_fresh_schema_on_sqlite(tmp_path: Path) -> None:
    (tmp_path / "fresh").mkdir()
    embedded_store(tmp_path / "fresh").close()
    migrated = tmp_path / "migrated.db"

    migrations.upgrade(f"sqlite:///{migrated}")

    assert sqlite_schema(migrated) == sqlite_schema(tmp_path / "fresh" / "treadle.db")


def test_migrations_lead_to_the_fresh_schema_on_postgres() -> None:
    found = []
    for is_migrated in (False, True):
        with postgres_database() as url:
            if is_migrated:
                migrations.upgrade(url.replace("postgresql://", "postgresql+psycopg://", 1))
            else:
                open_postgres(url, schema()).close()
            with psycopg.connect(url) as connection:
                columns = connection.execute(_POSTGRES_COLUMNS).fetchall()
                indexes = connection.execute(_POSTGRES_INDEXES).fetchall()
            mine = [row for row in columns if row[0] != "alembic_version"]
            found.append((mine, [row for row in indexes if "alembic_version" not in row[0]]))

    assert found[0] == found[1]
    assert len(found[0][0]) > 100


def test_the_newest_revision_is_the_one_that_fresh_stores_carry() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))

    assert ScriptDirectory.from_config(config).get_heads() == [migrations.HEAD]
    assert {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()} == set(migrations.KNOWN)
