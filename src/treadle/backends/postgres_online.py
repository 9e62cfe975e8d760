"""The online store of a team on PostgreSQL 15 or newer, by psycopg 3: one table beside or apart from the metadata.

A read is one primary-key lookup, or one for many keys; a write is an upsert that only a newer record passes, one statement
for thousands. Commits do not wait for the disk: should the server crash, the last half second is missing, in order, and
the next materialisation writes it anew.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from treadle.ground.errors import MissingExtra
from treadle.systems.features.online.errors import OnlineStoreRefused, OnlineStoreSlow, OnlineStoreUnavailable
from treadle.systems.features.online.ports import FOREVER, Capabilities, Entry, newest_of_each

try:
    import psycopg
    from psycopg import errors as pg
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("psycopg", "postgres", "Features online in PostgreSQL") from error

_LOCK = 7_310_845_128
_TABLES = (
    """create table if not exists online_features (
        project text collate "C" not null, space text collate "C" not null, key bytea not null, due bigint,
        record bytea not null, primary key (project, space, key)
    )""",
    """create index if not exists online_features_due on online_features (project, space, due) where due is not null""",
)
_ONE = "select record from online_features where project = %s and space = %s and key = %s"
_SOME = "select key, record from online_features where project = %s and space = %s and key = any(%s)"
_PUT = """
insert into online_features as known (project, space, key, due, record)
select %s, %s, key, due, record from unnest(%s::bytea[], %s::bigint[], %s::bytea[]) as given (key, due, record)
on conflict (project, space, key) do update set due = excluded.due, record = excluded.record
where substring(known.record from 1 for 16) <= substring(excluded.record from 1 for 16)
"""
_AT_ONCE = 5_000


class PostgresOnlineStore:
    """See the module. Each thread has a connection of its own."""

    capabilities = Capabilities(name="postgresql", is_shared=True, max_key_bytes=2_000, max_record_bytes=1 << 28)

    def __init__(self, url: str, project: str, *, timeout_s: float = 30.0) -> None:
        self._url, self._project, self._timeout_s = url, project, timeout_s
        self._local = threading.local()
        self._opened: list[psycopg.Connection[Any]] = []
        self._pid = os.getpid()
        try:
            with self._cursor() as cursor, cursor.connection.transaction():
                cursor.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
                for statement in _TABLES:
                    cursor.execute(statement)
        except BaseException:
            self.close()
            raise

    def read(self, space: str, keys: Sequence[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        with self._cursor() as cursor:
            if len(keys) == 1:
                row = cursor.execute(_ONE, (self._project, space, keys[0])).fetchone()
                return [row[0] if row is not None else None]
            found: dict[bytes, bytes] = dict(cursor.execute(_SOME, (self._project, space, list(keys))).fetchall())
        return [found.get(key) for key in keys]

    def write(self, space: str, entries: Sequence[Entry]) -> int:
        rows = newest_of_each(entries)  # in order of keys, so that two writers never wait for each other in a circle
        kept = 0
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            keys, records = [one.key for one in some], [one.record for one in some]
            due = [None if one.due >= FOREVER else one.due for one in some]
            with self._cursor() as cursor:
                cursor.execute(_PUT, (self._project, space, keys, due, records))
                kept += cursor.rowcount
        return kept

    def due(self, space: str, until: int) -> list[bytes]:
        text = "select key from online_features where project = %s and space = %s and due <= %s"
        with self._cursor() as cursor:
            return [row[0] for row in cursor.execute(text, (self._project, space, until)).fetchall()]

    def changes(self, space: str, since: int | None) -> tuple[int | None, Sequence[bytes] | None]:
        return None, None

    def scan(self, space: str) -> Iterator[tuple[bytes, bytes]]:
        first = "select key, record from online_features where project = %s and space = %s and key >= %s"
        text, after = first, b""
        while True:
            with self._cursor() as cursor:
                rows = cursor.execute(f"{text} order by key limit 1000", (self._project, space, after)).fetchall()
            yield from rows
            if len(rows) < 1000:
                return
            text, after = first.replace(">=", ">"), rows[-1][0]

    def remove(self, space: str, keys: Sequence[bytes]) -> None:
        text = "delete from online_features where project = %s and space = %s and key = any(%s)"
        with self._cursor() as cursor:
            cursor.execute(text, (self._project, space, sorted(keys)))

    def drop(self, space: str) -> None:
        with self._cursor() as cursor:
            cursor.execute("delete from online_features where project = %s and space = %s", (self._project, space))

    def spaces(self) -> list[str]:
        with self._cursor() as cursor:
            text = "select distinct space from online_features where project = %s order by space"
            return [row[0] for row in cursor.execute(text, (self._project,)).fetchall()]

    def close(self) -> None:
        if self._pid == os.getpid():
            for connection in self._opened:
                connection.close()
        self._opened.clear()
        self._local = threading.local()

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[psycopg.Cursor[Any]]:
        """A cursor that reads and writes bytes as they are; lost connections are made again by the next call."""
        with self._errors():
            connection = self._connection()
            try:
                with connection.cursor(binary=True) as cursor:
                    yield cursor
            except psycopg.OperationalError:
                self._local.connection = None
                connection.close()
                with contextlib.suppress(ValueError):
                    self._opened.remove(connection)
                raise

    def _connection(self) -> psycopg.Connection[Any]:
        if self._pid != os.getpid():  # forked: the connections are the parent's
            self._local, self._opened, self._pid = threading.local(), [], os.getpid()
        found: psycopg.Connection[Any] | None = getattr(self._local, "connection", None)
        if found is not None and not found.closed:
            idle_s = time.monotonic() - self._local.used_at
            self._local.used_at = time.monotonic()
            if idle_s < 10 or _answers(found):
                return found
        made = psycopg.connect(
            self._url,
            autocommit=True,
            connect_timeout=max(1, round(self._timeout_s)),
            options=f"-c synchronous_commit=off -c statement_timeout={round(self._timeout_s * 1000)}",
        )
        self._opened.append(made)
        self._local.connection, self._local.used_at = made, time.monotonic()
        return made

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except pg.QueryCanceled as error:
            raise OnlineStoreSlow(
                f"PostgreSQL did not answer within {self._timeout_s:g} s.", why=str(error).strip(), fix="Try again."
            ) from error
        except psycopg.OperationalError as error:
            raise OnlineStoreUnavailable(
                "PostgreSQL does not answer.",
                why=str(error).strip(),
                fix="Check that it runs, and TREADLE_ONLINE_STORE.",
            ) from error
        except psycopg.Error as error:
            raise OnlineStoreRefused("PostgreSQL refused a statement.", why=str(error).strip()) from error


def _answers(connection: psycopg.Connection[Any]) -> bool:
    try:
        connection.execute("select 1")
    except psycopg.Error:
        return False
    return True
