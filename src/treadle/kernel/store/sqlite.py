"""The embedded store: one SQLite file in WAL mode, for several threads and several processes of one host.

**Group commit without a writer thread.** Whoever wants to write puts the work into a queue and takes the lock; the one
who gets it commits everything that is waiting, each in a savepoint of its own, and the others find their answer ready.
A lone writer therefore pays for no hand-over between threads, and a crowd shares one commit.

**Durability.** `synchronous=NORMAL` survives the death of the process at any moment; a power cut may take the last
commits, in order. A durable write commits under `FULL`, which makes all the earlier ones durable as well.

**Several processes** take turns by `BEGIN IMMEDIATE` with a retry of our own: SQLite's own back-off grows to 100 ms and
starves the unlucky, ours stays short and random. Readers use their own connections and wait for no writer: only while
another process puts the log in order, just after the file was made or left by one that died.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from treadle.ground.errors import TreadleError
from treadle.ground.patterns import found_in
from treadle.kernel.store.errors import (
    DiskFull,
    ReadOnlyStore,
    SchemaTooNew,
    StoreCorrupt,
    StoreError,
    StoreUnreachable,
    UniqueViolation,
)
from treadle.kernel.store.file_systems import refuse_network_file_system
from treadle.kernel.store.planner import inform_planner
from treadle.kernel.store.ports import NOTHING, Parameters, Row, Work
from treadle.kernel.store.schema import Schema
from treadle.kernel.store.sql import Statement

T = TypeVar("T")

_BATCH = 256
"""At most so many waiting writes share one commit."""
_LOCK_TIMEOUT_S = 60.0
"""How long a write waits for another process to finish its own."""
_CHECKPOINT_PAGES = 4000
"""The log is brought into the file when it has so many pages (16 MB). A step writes 20 of them, many the same ones again:
waiting longer writes each once, and the two flushes of a checkpoint come a quarter as often."""
_PAGES_BYTES = 1 << 20  # a commit may well write so much at once
_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID}


class _View:
    """A reader over one connection."""

    dialect = "sqlite"
    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def find(self, statement: Statement, parameters: Parameters = NOTHING) -> Row | None:
        return cast("Row | None", self._connection.execute(statement.sqlite, parameters).fetchone())

    def all(self, statement: Statement, parameters: Parameters = NOTHING) -> list[Row]:
        return self._connection.execute(statement.sqlite, parameters).fetchall()

    def each(self, statement: Statement, parameters: Parameters = NOTHING) -> Iterator[Row]:
        yield from self._connection.execute(statement.sqlite, parameters)


class _Transaction(_View):
    """The write that a batch has open on the one writing connection."""

    __slots__ = ()

    def execute(self, statement: Statement, parameters: Parameters = NOTHING) -> int:
        try:
            return self._connection.execute(statement.sqlite, parameters).rowcount
        except sqlite3.IntegrityError as error:
            raise _integrity(error, statement) from error

    def execute_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        try:
            self._connection.executemany(statement.sqlite, rows)
        except sqlite3.IntegrityError as error:
            raise _integrity(error, statement) from error

    def put(self, statement: Statement, parameters: Parameters = NOTHING) -> None:
        self.execute(statement, parameters)

    def put_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        self.execute_many(statement, rows)


class _Request(Generic[T]):
    """A write that waits for its commit; `answer` and `error` are valid once `done` is set."""

    __slots__ = ("answer", "done", "durable", "error", "work")

    def __init__(self, work: Work[T], durable: bool) -> None:
        self.work, self.durable = work, durable
        self.done = False
        self.answer: T | None = None
        self.error: BaseException | None = None

    def outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return cast("T", self.answer)


class SqliteStore:
    """See the module. Open it with `open_sqlite`."""

    dialect, is_near = "sqlite", True

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"
        self._pid = os.getpid()
        self._waiting: deque[_Request[Any]] = deque()
        self._commit_lock = threading.Lock()
        self._committer: int | None = None
        self._writer = _connect(path)
        self._transaction = _Transaction(self._writer)
        self._is_full_sync = False
        self._readers: deque[sqlite3.Connection] = deque()
        self._is_closed = False

    @property
    def is_writing(self) -> bool:
        return self._commit_lock.locked()

    def at_once(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def read(self) -> Iterator[_View]:
        self._check_usable()
        try:
            connection = self._readers.pop()
        except IndexError:
            connection = _connect(self.path)
        try:
            with _translated(self.path):
                connection.execute("begin")
                yield _View(connection)
        finally:
            if connection.in_transaction:
                connection.rollback()
            self._readers.append(connection)

    def write(self, work: Work[T], *, durable: bool = False) -> T:
        self._check_usable()
        if self._committer == threading.get_ident():
            raise StoreError(
                "A write was begun inside another write.",
                why="The inner one would wait for the outer one for ever.",
                fix="Use the transaction that the outer write was given.",
            )
        request = _Request(work, durable)
        self._waiting.append(request)
        with self._commit_lock:
            if not request.done:
                self._committer = threading.get_ident()
                try:
                    while not request.done:
                        self._commit_waiting(request)
                finally:
                    self._committer = None
        return request.outcome()

    def close(self) -> None:
        if self._is_closed or os.getpid() != self._pid:
            return
        with self._commit_lock:
            self._is_closed = True
            while self._readers:
                self._readers.pop().close()
            self._writer.close()

    def _check_usable(self) -> None:
        if os.getpid() != self._pid:
            raise StoreError(
                "This store was opened before the process forked.",
                why="SQLite connections must not be carried across a fork: both sides would corrupt the file.",
                fix="Open the store again in the child, or let a pool worker speak to its driver instead.",
            )
        if self._is_closed:
            raise StoreError("This store is closed.", fix="Open it again.")

    def _commit_waiting(self, own: _Request[Any]) -> None:
        """Commits what waits. A request leaves the queue once it is done, so that an interrupted thread loses nobody's."""
        self._forget_done()
        batch = [request for request in list(self._waiting)[:_BATCH] if not request.done]
        is_complete = False
        try:
            with _translated(self.path):
                self._set_full_sync(any(request.durable for request in batch))
                self._begin()
                self._run(batch)
                is_complete = True
                self._writer.execute("commit")
        except Exception as error:
            self._undo()
            for request in batch:
                request.error = request.error or error
        except BaseException:
            # This thread is being interrupted. Python says so after the commit as well: then the others' writes stand;
            # else they wait on, and one of them commits them.
            is_committed = is_complete and not self._writer.in_transaction
            self._undo()
            for request in batch if is_committed else [own]:
                request.done = True
            raise
        for request in batch:
            request.done = True
        self._forget_done()

    def _forget_done(self) -> None:
        while self._waiting and self._waiting[0].done:
            self._waiting.popleft()

    def _run(self, batch: list[_Request[Any]]) -> None:
        """Each request in a savepoint, so that one that fails takes only its own changes with it."""
        if len(batch) == 1:
            batch[0].answer = batch[0].work(self._transaction)
            return
        for request in batch:
            request.error = None  # of a turn that was undone
            self._writer.execute("savepoint one_of_many")
            try:
                request.answer = request.work(self._transaction)
            except Exception as error:
                if not self._writer.in_transaction:
                    raise
                request.error = _translate(error, self.path)
                self._writer.execute("rollback to one_of_many")
            self._writer.execute("release one_of_many")

    def _begin(self) -> None:
        deadline = time.monotonic() + _LOCK_TIMEOUT_S
        pause = 0.0002
        while True:
            try:
                self._writer.execute("begin immediate")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise
                if time.monotonic() > deadline:
                    raise StoreUnreachable(
                        f"The store at {self.path} is locked by another process.",
                        why=f"It has been writing for more than {_LOCK_TIMEOUT_S:.0f} s.",
                        fix="Find the process that holds it (treadle doctor lists them), or try again.",
                    ) from error
            time.sleep(random.uniform(pause / 2, pause))  # noqa: S311 -- fairness, not secrecy
            pause = min(pause * 1.5, 0.01)

    def _undo(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            if self._writer.in_transaction:
                self._writer.execute("rollback")

    def _set_full_sync(self, wanted: bool) -> None:
        if wanted != self._is_full_sync:
            self._writer.execute(f"pragma synchronous={'full' if wanted else 'normal'}")
            self._is_full_sync = wanted


def open_sqlite(path: Path, schema: Schema) -> SqliteStore:
    """The store at `path`, made or brought up to date as needed.

    Raises ReadOnlyStore, DiskFull, StoreUnreachable, StoreCorrupt, NetworkFileSystem, SchemaTooNew.
    """
    with _translated(path):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
        refuse_network_file_system(path.parent)
        store = SqliteStore(path)
    try:
        with _translated(path):
            _bring_up_to_date(store, schema)
    except BaseException:
        store.close()
        raise
    return store


_FIND_VERSION = "select version_num from alembic_version"
_HAS_VERSION = "select 1 from sqlite_master where name = 'alembic_version'"


def _bring_up_to_date(store: SqliteStore, schema: Schema) -> None:
    found = _version(store._writer)
    store._writer.execute("pragma busy_timeout=0")  # from here on it takes turns as `_begin` does
    if found == schema.version:
        return
    if found is None:
        _create(store._writer, schema)
        return
    if found not in schema.known:
        raise SchemaTooNew(
            f"The store at {store.path} was written by a newer Treadle (schema {found}).",
            why=f"This Treadle knows the schemas up to {schema.version}.",
            fix="Upgrade with: pip install --upgrade treadle",
        )
    _back_up(store, found)
    schema.upgrade(store.url)
    with store._writer as connection:
        inform_planner(connection)


def _version(connection: sqlite3.Connection) -> str | None:
    if connection.execute(_HAS_VERSION).fetchone() is None:
        return None
    row = connection.execute(_FIND_VERSION).fetchone()
    return cast("str", row[0]) if row else None


def _create(connection: sqlite3.Connection, schema: Schema) -> None:
    """All tables in one transaction; of two processes that come first, the second finds them made."""
    deadline = time.monotonic() + _LOCK_TIMEOUT_S
    while True:
        try:
            connection.execute("begin immediate")
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.002)
    try:
        if _version(connection) is None:
            for statement in schema.statements("sqlite"):
                connection.execute(statement)
            inform_planner(connection)
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _back_up(store: SqliteStore, version: str) -> None:
    """A copy beside the store before anything is migrated; an earlier copy of the same version is kept."""
    copy = store.path.with_name(f"{store.path.name}.before-{version}")
    if copy.exists():
        return
    unfinished = copy.with_name(copy.name + ".part")
    unfinished.unlink(missing_ok=True)
    target = sqlite3.connect(unfinished)
    try:
        store._writer.backup(target)
    finally:
        target.close()
    unfinished.replace(copy)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False, cached_statements=512)
    try:
        deadline = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                if connection.execute("pragma journal_mode").fetchone()[0] != "wal":
                    connection.execute("pragma journal_mode=wal")
                connection.execute("pragma synchronous=normal")
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.002)
        connection.execute("pragma cache_size=-16384")
        connection.execute("pragma temp_store=memory")
        connection.execute(f"pragma busy_timeout={_LOCK_TIMEOUT_S * 1000:.0f}")
        connection.execute(f"pragma wal_autocheckpoint={_CHECKPOINT_PAGES}")
        connection.create_function("regexp", 2, found_in, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def _integrity(error: sqlite3.IntegrityError, statement: Statement) -> TreadleError:
    if error.sqlite_errorcode in _UNIQUE:
        return UniqueViolation(
            "A row with this key is already there.", why=f"{error} (in {statement.name}).", statement=statement.name
        )
    return StoreError(f"The statement {statement.name} breaks a rule of its table.", why=str(error))


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Errors of the driver and of the system leave as errors of ours."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise _translate(error, path) from error


def _translate(error: Exception, path: Path) -> Exception:
    if isinstance(error, sqlite3.Error):
        return _translate_code(getattr(error, "sqlite_errorcode", 0), error, path)
    if isinstance(error, OSError):
        return _translate_os(error, path)
    return error


def _translate_code(code: int, error: sqlite3.Error, path: Path) -> TreadleError:
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return _disk_full(path, error)
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _read_only(path, error)
    if primary == sqlite3.SQLITE_CANTOPEN:
        if path.parent.exists() and not os.access(path.parent, os.W_OK):
            return _read_only(path, error)
        return StoreUnreachable(f"The store at {path} cannot be opened.", why=str(error), fix="Check the path.")
    if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StoreCorrupt(
            f"The store at {path} is damaged.",
            why=f"{error}.",
            fix="Look at it with: treadle doctor. Restore the newest copy if it cannot be mended.",
        )
    if code == sqlite3.SQLITE_IOERR_WRITE and _is_at_size_limit(path):
        return _disk_full(path, error)
    if primary == sqlite3.SQLITE_IOERR:
        return StoreUnreachable(f"The disk under {path} failed.", why=str(error), fix="Check the disk, then try again.")
    return StoreError(f"The store at {path} refused a statement.", why=str(error))


def _translate_os(error: OSError, path: Path) -> TreadleError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _disk_full(path, error)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return _read_only(path, error)
    return StoreUnreachable(f"The store at {path} cannot be reached.", why=str(error), fix="Check the path.")


def _is_at_size_limit(path: Path) -> bool:
    """Whether the process may not let the file or its log grow any further (`ulimit -f`); SQLite names only full disks."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return False
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    files = [place for place in (path, path.with_name(path.name + "-wal")) if place.exists()]
    return limit != resource.RLIM_INFINITY and any(place.stat().st_size + _PAGES_BYTES > limit for place in files)


def _disk_full(path: Path, error: Exception) -> DiskFull:
    return DiskFull(
        f"The disk under {path} is full.",
        why=f"{error}. Nothing that was acknowledged is lost.",
        fix="Free some space (treadle gc --dry-run shows what could go), then resume.",
    )


def _read_only(path: Path, error: Exception) -> ReadOnlyStore:
    return ReadOnlyStore(
        f"The store at {path} cannot be written.",
        why=str(error),
        fix="Give this user the right to write there, or name another place with TREADLE_HOME.",
    )
