"""The store of a team: the same tables and statements on PostgreSQL 15 or newer, by psycopg 3.

Each write is a transaction of its own on a pooled connection (the server groups commits by itself), at READ COMMITTED:
moves that must happen once say so in their `where epoch =`. A deadlock or a serialisation failure runs the work again.
Readers see one snapshot (REPEATABLE READ, read only). Statements are prepared by psycopg after their fifth use.
"""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

from treadle.ground.errors import MissingExtra, TreadleError
from treadle.kernel.store import (
    DiskFull,
    Parameters,
    ReadOnlyStore,
    Row,
    SchemaTooNew,
    Statement,
    StoreError,
    StoreUnreachable,
    UniqueViolation,
    Work,
)
from treadle.kernel.store.ports import NOTHING
from treadle.kernel.store.schema import Schema

try:
    import psycopg
    from psycopg import errors as pg
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("psycopg", "postgres", "A store on PostgreSQL") from error

T = TypeVar("T")

_ATTEMPTS = 8
_IDLE_CONNECTIONS = 16
_CURSOR_ROWS = 2000
_TRUSTED_S = 10.0
"""A connection that has been idle for longer is asked whether it still stands: servers restart."""
_SCHEMA_LOCK = 7_310_845_127
"""The advisory lock under which one process makes or migrates the tables; any number that nobody else uses."""


class _View:
    """A reader over one connection."""

    dialect = "postgresql"
    __slots__ = ("_connection",)

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def find(self, statement: Statement, parameters: Parameters = NOTHING) -> Row | None:
        return self._connection.execute(statement.postgresql, parameters).fetchone()

    def all(self, statement: Statement, parameters: Parameters = NOTHING) -> list[Row]:
        return self._connection.execute(statement.postgresql, parameters).fetchall()

    def each(self, statement: Statement, parameters: Parameters = NOTHING) -> Iterator[Row]:
        with self._connection.cursor(name=f"each_{statement.name}") as cursor:
            cursor.itersize = _CURSOR_ROWS
            cursor.execute(statement.postgresql, parameters)
            yield from cursor


class _Transaction(_View):
    """A write in progress."""

    __slots__ = ()

    def execute(self, statement: Statement, parameters: Parameters = NOTHING) -> int:
        try:
            return self._connection.execute(statement.postgresql, parameters).rowcount
        except pg.UniqueViolation as error:
            raise _taken(error, statement) from error

    def execute_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        try:
            with self._connection.cursor() as cursor:
                cursor.executemany(statement.postgresql, rows)
        except pg.UniqueViolation as error:
            raise _taken(error, statement) from error


class PostgresStore:
    """See the module. Open it with `open_postgres`."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url
        self.url = without_password(url)
        self._pid = os.getpid()
        self._idle: deque[tuple[psycopg.Connection[Row], float]] = deque()
        self._is_closed = False

    @contextlib.contextmanager
    def read(self) -> Iterator[_View]:
        with self._connection() as connection:
            connection.execute("begin isolation level repeatable read read only")
            try:
                yield _View(connection)
            finally:
                if not connection.closed:
                    connection.execute("rollback")

    def write(self, work: Work[T], *, durable: bool = False) -> T:
        """As the port says. Every commit waits for the server's log on disk, so `durable` asks for nothing more."""
        for attempt in range(_ATTEMPTS):
            try:
                with self._connection() as connection, connection.transaction():
                    return work(_Transaction(connection))
            except (pg.SerializationFailure, pg.DeadlockDetected) as error:
                if attempt == _ATTEMPTS - 1:
                    raise StoreError(
                        "A write was refused again and again by concurrent ones.", why=str(error), fix="Try again."
                    ) from error
                time.sleep(random.uniform(0, 0.002 * 2**attempt))  # noqa: S311 -- fairness, not secrecy
        raise AssertionError("unreachable")

    def close(self) -> None:
        self._is_closed = True
        if os.getpid() == self._pid:
            while self._idle:
                self._idle.pop()[0].close()

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Row]]:
        connection = self._take()
        try:
            with _translated(self.url):
                yield connection
        finally:
            self._give_back(connection)

    def _take(self) -> psycopg.Connection[Row]:
        if os.getpid() != self._pid:
            raise StoreError(
                "This store was opened before the process forked.",
                why="A connection must not be shared between two processes.",
                fix="Open the store again in the child, or let a pool worker speak to its driver instead.",
            )
        if self._is_closed:
            raise StoreError("This store is closed.", fix="Open it again.")
        while True:
            try:
                connection, idle_since = self._idle.pop()
            except IndexError:
                with _translated(self.url):
                    return psycopg.connect(self._url, autocommit=True, connect_timeout=10)
            if time.monotonic() - idle_since < _TRUSTED_S or _answers(connection):
                return connection
            connection.close()

    def _give_back(self, connection: psycopg.Connection[Row]) -> None:
        healthy = not connection.closed and connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
        if healthy and not self._is_closed and len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append((connection, time.monotonic()))
        else:
            connection.close()


def _answers(connection: psycopg.Connection[Row]) -> bool:
    try:
        connection.execute("select 1")
    except psycopg.Error:
        return False
    return True


def open_postgres(url: str, schema: Schema) -> PostgresStore:
    """The store at a `postgresql://` URL, its tables made or brought up to date as needed.

    Raises StoreUnreachable, ReadOnlyStore, SchemaTooNew.
    """
    store = PostgresStore(url)
    try:
        with store._connection() as connection:
            connection.execute("select pg_advisory_lock(%s)", (_SCHEMA_LOCK,))
            try:
                _bring_up_to_date(connection, store, schema)
            finally:
                connection.execute("select pg_advisory_unlock(%s)", (_SCHEMA_LOCK,))
    except BaseException:
        store.close()
        raise
    return store


def _bring_up_to_date(connection: psycopg.Connection[Row], store: PostgresStore, schema: Schema) -> None:
    row = connection.execute("select to_regclass('alembic_version')").fetchone()
    if row is None or row[0] is None:
        with connection.transaction():
            for statement in schema.statements("postgresql"):
                connection.execute(statement)
        return
    version = connection.execute("select version_num from alembic_version").fetchone()
    found = version[0] if version else None
    if found == schema.version:
        return
    if found not in schema.known:
        raise SchemaTooNew(
            f"The store at {store.url} was written by a newer Treadle (schema {found}).",
            why=f"This Treadle knows the schemas up to {schema.version}.",
            fix="Upgrade with: pip install --upgrade treadle",
        )
    schema.upgrade(store._url.replace("postgresql://", "postgresql+psycopg://", 1))


def without_password(url: str) -> str:
    """The URL as it may stand in messages and logs."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = parts.netloc.replace(f":{parts.password}@", "@")
    return urlunsplit(parts._replace(netloc=place))


def _taken(error: Exception, statement: Statement) -> UniqueViolation:
    why = f"{str(error).strip()} (in {statement.name})"
    return UniqueViolation("A row with this key is already there.", why=why, statement=statement.name)


@contextlib.contextmanager
def _translated(url: str) -> Iterator[None]:
    """The driver's errors leave as errors of ours; those that ask for another attempt stay as they are."""
    try:
        yield
    except (pg.SerializationFailure, pg.DeadlockDetected):
        raise
    except psycopg.Error as error:
        raise _translate(error, url) from error


def _translate(error: psycopg.Error, url: str) -> TreadleError:
    why: Any = str(error).strip()
    if isinstance(error, pg.DiskFull):
        return DiskFull(f"The disk of the database at {url} is full.", why=why, fix="Free some space, then resume.")
    if isinstance(error, pg.ReadOnlySqlTransaction | pg.InsufficientPrivilege):
        return ReadOnlyStore(
            f"The database at {url} does not let this user write.",
            why=why,
            fix="Grant the right, or name another server with TREADLE_STORE.",
        )
    if isinstance(error, psycopg.OperationalError):
        return StoreUnreachable(
            f"The database at {url} does not answer.",
            why=why,
            fix="Check that the server runs and that TREADLE_STORE names it; what was acknowledged is safe.",
        )
    return StoreError(f"The database at {url} refused a statement.", why=why)
