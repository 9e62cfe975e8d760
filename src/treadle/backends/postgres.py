"""The store of a team: the same tables and statements on PostgreSQL 15 or newer, by psycopg 3.

Each write is a transaction of its own on a pooled connection (the server groups commits by itself), at READ COMMITTED:
moves that must happen once say so in their `where epoch =`. A deadlock or a serialisation failure runs the work again.
Readers see one snapshot (REPEATABLE READ, read only). Statements travel several at a time, see `postgres_line`.

**Durability** is that of the embedded store. A write survives the death of this process, at any moment, once it is
acknowledged; should PostgreSQL itself crash, the commits of its last half second may be missing, in order
(`synchronous_commit = off`). A durable write waits for the disk, and makes all the earlier ones durable as well. Who
wants every commit to wait says so in the URL: `?options=-csynchronous_commit%3Don`.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
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
    StoreBusy,
    StoreError,
    StoreUnreachable,
    UnfitValue,
    Work,
)
from treadle.kernel.store.ports import NOTHING
from treadle.kernel.store.schema import Schema

try:
    import psycopg
    from psycopg import errors as pg
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("psycopg", "postgres", "A store on PostgreSQL") from error

from treadle.backends.postgres_line import Line

T = TypeVar("T")

_ATTEMPTS = 8
_IDLE_CONNECTIONS = 16
_PATIENCE_MS = 20
"""How long a write waits for another's rows where waiting would hold up an event loop."""
_TRUSTED_S = 10.0
"""A connection that has been idle for longer is asked whether it still stands: servers restart."""
_SCHEMA_LOCK = 7_310_845_127
"""The advisory lock under which one process makes or migrates the tables; any number that nobody else uses."""


_BEGIN = Statement("begin", "", "begin")
_BEGIN_READ = Statement("begin", "", "begin isolation level repeatable read read only")
_WAIT_FOR_DISK = Statement("wait_for_disk", "", "set local synchronous_commit = on")
_AT_ONCE = Statement("at_once", "", f"set local lock_timeout = {_PATIENCE_MS}")
_COMMIT, _ROLLBACK = Statement("commit", "", "commit"), Statement("rollback", "", "rollback")


class _View:
    """A reader over one connection."""

    dialect = "postgresql"
    __slots__ = ("_line",)

    def __init__(self, line: Line) -> None:
        self._line = line

    def find(self, statement: Statement, parameters: Parameters = NOTHING) -> Row | None:
        return self._line.first(statement, parameters)

    def all(self, statement: Statement, parameters: Parameters = NOTHING) -> list[Row]:
        return self._line.rows(statement, parameters)

    def each(self, statement: Statement, parameters: Parameters = NOTHING) -> Iterator[Row]:
        return self._line.each(statement, parameters)


class _Transaction(_View):
    """A write in progress."""

    __slots__ = ()

    def execute(self, statement: Statement, parameters: Parameters = NOTHING) -> int:
        return self._line.count(statement, parameters)

    def execute_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        self.put_many(statement, rows)
        self._line.flush()

    def put(self, statement: Statement, parameters: Parameters = NOTHING) -> None:
        self._line.put(statement, parameters)

    def put_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        for row in rows:
            self._line.put(statement, row)


class PostgresStore:
    """See the module. Open it with `open_postgres`."""

    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url
        self._options: dict[str, Any] = (
            {} if "options=" in urlsplit(url).query else {"options": "-c synchronous_commit=off"}
        )
        self.url = without_password(url)
        self._pid = os.getpid()
        self._idle: deque[tuple[Line, float]] = deque()
        self._is_closed = False
        self._hurry = threading.local()

    @property
    def is_near(self) -> bool:
        """Whether the server is reached without a network: by a socket of the file system, or over the loopback."""
        with self._open() as line:
            return is_beside(line.connection.pgconn.host, line.connection.pgconn.hostaddr)

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        self._hurry.is_on = True
        try:
            yield
        finally:
            self._hurry.is_on = False

    @property
    def is_writing(self) -> bool:
        return False  # each write has a connection of its own

    @contextlib.contextmanager
    def read(self) -> Iterator[_View]:
        with self._open() as line:
            line.begin(_BEGIN_READ)
            try:
                yield _View(line)
            finally:
                line.abandon(_ROLLBACK)

    def write(self, work: Work[T], *, durable: bool = False) -> T:
        is_hurried = getattr(self._hurry, "is_on", False)
        for attempt in range(_ATTEMPTS):
            try:
                with self._open() as line:
                    return _committed(line, work, durable=durable, at_once=is_hurried)
            except pg.LockNotAvailable as error:
                raise _busy("Another transaction holds the row.") from error
            except (pg.SerializationFailure, pg.DeadlockDetected) as error:
                if is_hurried:
                    raise _busy("A concurrent write came in between.") from error
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
                self._idle.pop()[0].connection.close()

    @contextlib.contextmanager
    def _open(self) -> Iterator[Line]:
        line = self._take()
        try:
            with _translated(self.url):
                yield line
        finally:
            self._give_back(line)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Row]]:
        with self._open() as line:
            yield line.connection

    def _take(self) -> Line:
        if os.getpid() != self._pid:
            raise StoreError(
                "This store was opened before the process forked.",
                why="A connection must not be shared between two processes.",
                fix="Open the store again in the child, or let a pool worker speak to its driver instead.",
            )
        if self._is_closed:
            raise StoreError("This store is closed.", fix="Open it again.")
        is_hurried = getattr(self._hurry, "is_on", False)
        self._hurry.is_on = False  # what has been written stands: from here on it is waited for
        while True:
            try:
                line, idle_since = self._idle.pop()
            except IndexError:
                if is_hurried:
                    raise _busy("No connection is open and idle.") from None
                return self._connect()
            is_trusted = time.monotonic() - idle_since < _TRUSTED_S
            if is_hurried and not is_trusted:
                self._idle.append((line, idle_since))
                raise _busy("The connection has been idle for long, and may be gone.")
            if is_trusted or _answers(line.connection):
                return line
            line.connection.close()

    def _connect(self) -> Line:
        with _translated(self.url):
            connection = psycopg.connect(
                self._url, autocommit=True, connect_timeout=10, prepare_threshold=None, **self._options
            )
        return Line(connection)

    def _give_back(self, line: Line) -> None:
        if line.is_idle and not self._is_closed and len(self._idle) < _IDLE_CONNECTIONS:
            self._idle.append((line, time.monotonic()))
        else:
            line.connection.close()


def _committed(line: Line, work: Work[T], *, durable: bool, at_once: bool) -> T:
    """What a work answers, once its transaction stands."""
    line.begin(_BEGIN)
    if durable:
        line.put(_WAIT_FOR_DISK)
    if at_once:
        line.put(_AT_ONCE)
    try:
        answer = work(_Transaction(line))
        line.end(_COMMIT)
    except BaseException:
        with contextlib.suppress(psycopg.Error):  # a lost connection: what went wrong first says more
            line.abandon(_ROLLBACK)
        raise
    return answer


def _busy(why: str) -> StoreBusy:
    return StoreBusy("The store is busy.", why=why, fix="Try again.")


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


def is_beside(host: bytes, address: bytes) -> bool:
    """Whether a host is this one: a folder with a socket, or an address of the loopback."""
    return host.startswith(b"/") or address.startswith(b"127.") or address == b"::1"


def without_password(url: str) -> str:
    """The URL as it may stand in messages and logs."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = parts.netloc.replace(f":{parts.password}@", "@")
    return urlunsplit(parts._replace(netloc=place))


@contextlib.contextmanager
def _translated(url: str) -> Iterator[None]:
    """The driver's errors leave as errors of ours; those that ask for another attempt stay as they are."""
    try:
        yield
    except (pg.SerializationFailure, pg.DeadlockDetected, pg.LockNotAvailable):
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
    if isinstance(error, psycopg.DataError):
        return UnfitValue(
            "A value does not fit into the database.",
            why=why,
            fix="Leave out characters and numbers that PostgreSQL does not hold, such as NUL in a text.",
        )
    return StoreError(f"The database at {url} refused a statement.", why=why)
