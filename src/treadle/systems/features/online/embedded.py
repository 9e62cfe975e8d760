"""The online store of a laptop: one SQLite file a project, in the home.

A record is found by one descent of a B-tree over (space, key). Readers open the file read-only and never wait for the
writer (write-ahead log); writers queue on the file's lock, also those of other processes of this host. A commit survives
`kill -9`; a power cut may take the last ones, in order, so a watermark never stands above values that are lost.

Why SQLite and not LMDB, which `backends/lmdb.py` offers: docs/decisions, with the figures.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from treadle.systems.features.online.errors import OnlineStoreRefused, OnlineStoreSlow, OnlineStoreUnavailable
from treadle.systems.features.online.ports import FOREVER, Capabilities, Entry, newest_of_each

_TABLES = """
create table if not exists spaces (id integer primary key, name text not null unique) strict;
create table if not exists records (
    space integer not null, key blob not null, due integer, record blob not null, primary key (space, key)
) strict, without rowid;
create index if not exists records_due on records (space, due) where due is not null;
create table if not exists changes (
    space integer not null, mark integer not null, keys blob, primary key (space, mark)
) strict, without rowid;
"""
_ONE = "select record from records where space = ? and key = ?"
_PUT = """
insert into records (space, key, due, record) values (?, ?, ?, ?)
on conflict (space, key) do update set due = excluded.due, record = excluded.record
where substr(records.record, 1, 16) <= substr(excluded.record, 1, 16)
"""
_CHANGED = """
insert into changes (space, mark, keys)
values (?1, coalesce((select max(mark) from changes where space = ?1), 0) + 1, ?2)
"""
_CHANGES_SINCE = "select mark, keys from changes where space = ? and mark > ? order by mark"
_LAST_CHANGE = "select mark, null from changes where space = ? order by mark desc limit 1"
_FORGET_CHANGES = (
    "delete from changes where space = ?1 and mark <= (select max(mark) from changes where space = ?1) - 64"
)
_FIRST_PAGE = "select key, record from records where space = ? and key >= ? order by key limit 1000"
_NEXT_PAGE = "select key, record from records where space = ? and key > ? order by key limit 1000"
_SCANNED_AT_ONCE = 1000
_AT_ONCE = 512
_WRITTEN_AT_ONCE = 5_000
_MAPPED_BYTES = 1 << 30
_CHANGE_BYTES = 1 << 18
"""A change of more keys than this says only that anything may have changed."""


class SqliteOnlineStore:
    """See the module.

    path: the file; a reader may be opened before it is there. read_only: opens it only to read. timeout_s: how long a
    writer waits for its turn, and a reader for a file that is being recovered.
    """

    capabilities = Capabilities(
        name="sqlite", is_shared=False, max_key_bytes=1 << 16, max_record_bytes=1 << 28, tells_changes=True
    )

    def __init__(self, path: Path, *, read_only: bool = False, timeout_s: float = 30.0) -> None:
        self.path, self._read_only, self._timeout_s = Path(path), read_only, timeout_s
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._spaces: dict[str, int] = {}
        self._pid = os.getpid()
        if not read_only:
            self._make()

    def read(self, space: str, keys: Sequence[bytes]) -> list[bytes | None]:
        try:
            cursor, number = self._local.cursor, self._spaces[space]
        except (AttributeError, KeyError):
            with self._errors():
                return self._read_first(space, keys)
        if self._pid != os.getpid():
            self._forget()
            return self.read(space, keys)
        try:
            if len(keys) == 1:
                row = cursor.execute(_ONE, (number, keys[0])).fetchone()
                return [row[0] if row is not None else None]
            return self._read_many(cursor, number, keys)
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def write(self, space: str, entries: Sequence[Entry]) -> int:
        kept = 0
        number = self._ensure_space(space)
        rows = [
            (number, entry.key, None if entry.due >= FOREVER else entry.due, entry.record)
            for entry in newest_of_each(entries)
        ]
        for start in range(0, len(rows), _WRITTEN_AT_ONCE):
            with self._transaction() as connection:
                before = connection.total_changes
                some = rows[start : start + _WRITTEN_AT_ONCE]
                connection.executemany(_PUT, some)
                if connection.total_changes > before:
                    kept += connection.total_changes - before
                    _note(connection, number, [key for _, key, _, _ in some])
        return kept

    def due(self, space: str, until: int) -> list[bytes]:
        found = "select key from records where space = ? and due <= ?"
        with self._errors():
            number = self._find_space(space)
            rows = [] if number is None else self._cursor().execute(found, (number, until)).fetchall()
        return [row[0] for row in rows]

    def changes(self, space: str, since: int | None) -> tuple[int | None, Sequence[bytes] | None]:
        if self._pid != os.getpid():
            self._forget()
        try:
            cursor, seen = self._local.cursor, self._local.seen.get(space)
            (version,) = cursor.execute("pragma data_version").fetchone()  # moves with the commits of others
            state = version, cursor.connection.total_changes
            if seen is not None and seen[0] == state and seen[1] == since:
                return since, ()
            number = self._find_space(space)
            rows = None if number is None else _changes(cursor, number, since)
        except AttributeError:  # no connection yet
            if self._read_only and not self.path.exists():
                return None, None
            with self._errors():
                self._cursor()
            return self.changes(space, since)
        except sqlite3.Error as error:
            raise self._translated(error) from error
        if rows is None:
            return None, None
        mark = rows[-1][0] if rows else since or 0
        self._local.seen[space] = state, mark
        if since is None or (rows and rows[0][0] > since + 1):
            return mark, None
        changed: list[bytes] = []
        for _, keys in rows:
            if keys is None:
                return mark, None
            changed += _split(keys)
        return mark, changed

    def scan(self, space: str) -> Iterator[tuple[bytes, bytes]]:
        with self._errors():
            number = self._find_space(space)
        text, after = _FIRST_PAGE, b""
        while number is not None:
            with self._errors():
                rows = self._cursor().execute(text, (number, after)).fetchall()
            yield from rows
            if len(rows) < _SCANNED_AT_ONCE:
                return
            text, after = _NEXT_PAGE, rows[-1][0]

    def remove(self, space: str, keys: Sequence[bytes]) -> None:
        number = self._ensure_space(space)
        with self._transaction() as connection:
            connection.executemany(
                "delete from records where space = ? and key = ?", [(number, key) for key in sorted(keys)]
            )
            _note(connection, number, keys)

    def drop(self, space: str) -> None:
        with self._errors():
            number = self._find_space(space)
        if number is not None:
            with self._transaction() as connection:  # the number stays: readers and writers remember it
                connection.execute("delete from records where space = ?", (number,))
                _note(connection, number, None)

    def spaces(self) -> list[str]:
        text = "select name from spaces where exists (select 1 from records where space = spaces.id) order by name"
        with self._errors():
            if self._read_only and not self.path.exists():
                return []
            return [row[0] for row in self._cursor().execute(text).fetchall()]

    def close(self) -> None:
        if self._pid == os.getpid():
            for connection in self._opened:
                connection.close()
        self._forget()

    # -- connections -------------------------------------------------------------------------------------------------

    def _make(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._errors():
            deadline = time.monotonic() + self._timeout_s
            while True:  # switching to the write-ahead log waits for nobody, so it is tried again
                try:
                    self._cursor().execute("pragma journal_mode = wal").fetchall()
                    break
                except sqlite3.OperationalError as error:
                    if "locked" not in str(error) or time.monotonic() > deadline:
                        raise
                    time.sleep(0.01)
            self._cursor().connection.executescript(_TABLES)

    def _cursor(self) -> sqlite3.Cursor:
        if self._pid != os.getpid():
            self._forget()
        cursor: sqlite3.Cursor | None = getattr(self._local, "cursor", None)
        if cursor is None:
            connection = self._connect()
            self._opened.append(connection)
            cursor = self._local.cursor = connection.cursor()
            self._local.seen = {}
        return cursor

    def _connect(self) -> sqlite3.Connection:
        mode = "ro" if self._read_only else "rwc"
        connection = sqlite3.connect(
            f"file:{quote(str(self.path.absolute()))}?mode={mode}",
            uri=True,
            timeout=self._timeout_s,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute(f"pragma mmap_size = {_MAPPED_BYTES}").fetchall()
        if not self._read_only:
            connection.execute("pragma synchronous = normal")
        return connection

    def _forget(self) -> None:
        """Leaves the connections behind: after a fork they are the parent's."""
        self._local, self._opened, self._pid = threading.local(), [], os.getpid()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            connection = self._cursor().connection
            connection.execute("begin immediate")
            try:
                yield connection
                connection.execute("commit")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("rollback")
                raise

    # -- parts -------------------------------------------------------------------------------------------------------

    def _read_first(self, space: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """As `read`, where the connection or the space is not known yet."""
        if self._read_only and not self.path.exists():
            return [None] * len(keys)
        number = self._find_space(space)
        return [None] * len(keys) if number is None else self.read(space, keys) if keys else []

    def _read_many(self, cursor: sqlite3.Cursor, number: int, keys: Sequence[bytes]) -> list[bytes | None]:
        found: dict[bytes, bytes] = {}
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            places = 1 << (len(some) - 1).bit_length()  # few different statements, so that each stays prepared
            text = _some_text(places)
            found.update(cursor.execute(text, (number, *some, *[some[0]] * (places - len(some)))).fetchall())
        return [found.get(key) for key in keys]

    def _find_space(self, space: str) -> int | None:
        known = self._spaces.get(space)
        cursor = self._cursor()
        if known is None:
            try:
                row = cursor.execute("select id from spaces where name = ?", (space,)).fetchone()
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):  # a writer has made the file and not yet the tables
                    return None
                raise
            known = None if row is None else int(row[0])
            if known is not None:
                self._spaces[space] = known
        return known

    def _ensure_space(self, space: str) -> int:
        with self._errors():
            known = self._find_space(space)
        if known is None:
            with self._transaction() as connection:
                connection.execute("insert into spaces (name) values (?) on conflict do nothing", (space,))
            with self._errors():
                known = self._find_space(space)
        assert known is not None
        return known

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: sqlite3.Error) -> Exception:
        text = str(error)
        where: dict[str, Any] = {"why": f"SQLite says: {text}.", "path": str(self.path)}
        if "locked" in text or "busy" in text:
            return OnlineStoreSlow(
                f"The online store was busy for more than {self._timeout_s:g} s.", fix="Try again.", **where
            )
        if "full" in text or "readonly" in text:
            return OnlineStoreRefused(
                "The online store cannot be written.", fix="Free some space, or mend the rights of the file.", **where
            )
        return OnlineStoreUnavailable("The online store cannot be read.", **where)


# -- changes ---------------------------------------------------------------------------------------------------------


def _note(connection: sqlite3.Connection, space: int, keys: Sequence[bytes] | None) -> None:
    """Says in the same transaction what it changed; the last 64 changes of a space are kept."""
    content = None if keys is None else b"".join(len(key).to_bytes(4, "big") + key for key in keys)
    if content is not None and len(content) > _CHANGE_BYTES:
        content = None
    connection.execute(_CHANGED, (space, content))
    connection.execute(_FORGET_CHANGES, (space,))


def _changes(cursor: sqlite3.Cursor, space: int, since: int | None) -> list[tuple[int, bytes | None]] | None:
    """The changes of a space after a mark, in order; the last one alone without a mark; None in a file without any."""
    try:
        if since is None:
            return cursor.execute(_LAST_CHANGE, (space,)).fetchall()
        return cursor.execute(_CHANGES_SINCE, (space, since)).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):  # its writer knew of none
            return None
        raise


def _split(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        end = at + 4 + int.from_bytes(content[at : at + 4], "big")
        yield content[at + 4 : end]
        at = end


_TEXTS: dict[int, str] = {}


def _some_text(places: int) -> str:
    text = _TEXTS.get(places)
    if text is None:
        marks = ", ".join("?" * places)
        text = f"select key, record from records where space = ? and key in ({marks})"  # noqa: S608 -- question marks
        _TEXTS[places] = text
    return text
