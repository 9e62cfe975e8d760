"""The online store of one host on LMDB: a memory-mapped B-tree, about twice as fast to read as the default, SQLite.

Readers take no lock and copy nothing but the record; one writer at a time, also among processes. A commit survives
`kill -9`; with `sync` off, as here, a power cut may take the last ones, or in the worst case the file, which the next
materialisation writes anew.
"""

from __future__ import annotations

import contextlib
import os
import struct
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from treadle.ground.errors import MissingExtra
from treadle.systems.features.online.errors import OnlineStoreRefused, OnlineStoreUnavailable
from treadle.systems.features.online.ports import FOREVER, STAMP_BYTES, Capabilities, Entry, newest_of_each

try:
    import lmdb
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("lmdb", "lmdb", "Features online in LMDB") from error

_FIRST_BYTES = 1 << 28
_NUMBER = struct.Struct(">I")
_DUE = struct.Struct(">Q")
_MIDDLE = 1 << 63
_AT_ONCE = 5_000


class LmdbOnlineStore:
    """See the module. Keys in the file are a space's number and the key; values the due moment and the record."""

    capabilities = Capabilities(
        name="lmdb", is_shared=False, max_key_bytes=490, max_record_bytes=1 << 28, tells_changes=True
    )

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path, self._read_only = Path(path), read_only
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._environment: Any = None
        if not read_only:
            with self._errors():
                self._open()

    def read(self, space: str, keys: Sequence[bytes]) -> list[bytes | None]:
        number = self._numbers.get(space)
        if number is None:
            number = self._find(space)
            if number is None:
                return [None] * len(keys)
        start = _NUMBER.pack(number)
        with self._errors():
            for _ in range(8):
                try:
                    with self._open().begin(db=self._records) as tx:
                        found = [tx.get(start + key) for key in keys]
                    return [None if value is None else value[8:] for value in found]
                except lmdb.MapResizedError:  # another process has made the file larger
                    self._environment.set_mapsize(0)
        raise OnlineStoreUnavailable("The online store grows faster than it can be read.", fix="Try again.")

    def write(self, space: str, entries: Sequence[Entry]) -> int:
        rows, kept = newest_of_each(entries), 0
        start = _NUMBER.pack(self._ensure(space))
        for first in range(0, len(rows), _AT_ONCE):
            kept += self._writing(lambda tx, first=first: self._put(tx, start, rows[first : first + _AT_ONCE]))
        return kept

    def _put(self, tx: Any, start: bytes, rows: Sequence[Entry]) -> int:
        kept = 0
        for entry in rows:
            name = start + entry.key
            known = tx.get(name, db=self._records)
            if known is not None:
                if known[8 : 8 + STAMP_BYTES] > entry.record[:STAMP_BYTES]:
                    continue
                tx.delete(start + known[:8] + entry.key, db=self._dues)
            due = _DUE.pack(entry.due + _MIDDLE)
            tx.put(name, due + entry.record, db=self._records)
            if entry.due < FOREVER:
                tx.put(start + due + entry.key, b"", db=self._dues)
            kept += 1
        return kept

    def due(self, space: str, until: int) -> list[bytes]:
        number = self._find(space)
        if number is None:
            return []
        start, last = _NUMBER.pack(number), _DUE.pack(until + _MIDDLE)
        found = []
        for name, _ in self._from(self._dues, start):
            if name[4:12] > last:
                break
            found.append(name[12:])
        return found

    def changes(self, space: str, since: int | None) -> tuple[int | None, Sequence[bytes] | None]:
        """The mark is the file's last transaction: any write of any space may have changed anything."""
        with self._errors():
            environment = self._open()
            mark = None if environment is None else int(environment.info()["last_txnid"])
        return mark, () if mark is not None and mark == since else None

    def scan(self, space: str) -> Iterator[tuple[bytes, bytes]]:
        number = self._find(space)
        if number is not None:
            for name, value in self._from(self._records, _NUMBER.pack(number)):
                yield name[4:], value[8:]

    def remove(self, space: str, keys: Sequence[bytes]) -> None:
        number = self._find(space)
        if number is not None:
            self._writing(lambda tx: self._take(tx, _NUMBER.pack(number), keys))

    def drop(self, space: str) -> None:
        while keys := [key for (key, _), _ in zip(self.scan(space), range(_AT_ONCE), strict=False)]:
            self.remove(space, keys)

    def spaces(self) -> list[str]:
        with self._errors():
            if self._open() is None:
                return []
            with self._environment.begin(db=self._names) as tx:
                names = [(bytes(name).decode(), number) for name, number in tx.cursor()]
            return sorted(name for name, number in names if next(self._from(self._records, number), None) is not None)

    def close(self) -> None:
        if self._environment is not None and self._pid == os.getpid():
            self._environment.close()
        self._environment = None

    def _take(self, tx: Any, start: bytes, keys: Sequence[bytes]) -> None:
        for key in keys:
            known = tx.pop(start + key, db=self._records)
            if known is not None:
                tx.delete(start + known[:8] + key, db=self._dues)

    def _from(self, database: Any, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The entries whose names begin with a space's number, in order, a page at a time so that no reader stays long."""
        after, is_first = start, True
        while True:
            page: list[tuple[bytes, bytes]] = []
            with self._errors(), self._open().begin(db=database) as tx, tx.cursor() as cursor:
                there = cursor.set_range(after)
                if there and not is_first and cursor.key() == after:
                    there = cursor.next()
                while there and len(page) < 1000 and cursor.key().startswith(start):
                    page.append(cursor.item())
                    there = cursor.next()
            yield from page
            if len(page) < 1000:
                return
            after, is_first = page[-1][0], False

    def _open(self) -> Any:
        """The environment, opened once; None where a reader finds no file yet."""
        if self._pid != os.getpid():
            self._environment, self._pid = None, os.getpid()
        if self._environment is None:
            with self._lock:
                if self._environment is None:
                    if self._read_only and not (self.path / "data.mdb").exists():
                        return None
                    self._environment = self._opened()
        return self._environment

    def _opened(self) -> Any:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        environment = lmdb.open(
            str(self.path), map_size=_FIRST_BYTES, max_dbs=4, readonly=self._read_only, sync=False, max_readers=1024
        )
        make = not self._read_only
        self._names = environment.open_db(b"names", create=make)
        self._records = environment.open_db(b"records", create=make)
        self._dues = environment.open_db(b"dues", create=make)
        return environment

    def _writing(self, work: Any) -> Any:
        """What a transaction answers; the file grows where it has to."""
        with self._errors():
            for _ in range(40):
                environment = self._open()
                try:
                    with environment.begin(write=True) as tx:
                        return work(tx)
                except lmdb.MapFullError:
                    environment.set_mapsize(environment.info()["map_size"] * 2)
                except lmdb.MapResizedError:
                    environment.set_mapsize(0)
        raise OnlineStoreRefused("The online store cannot grow any more.", fix="Free some space on its disk.")

    def _find(self, space: str) -> int | None:
        known = self._numbers.get(space)
        if known is None:
            with self._errors():
                environment = self._open()
                if environment is None:
                    return None
                with environment.begin(db=self._names) as tx:
                    found = tx.get(space.encode())
            if found is not None:
                known = self._numbers[space] = _NUMBER.unpack(found)[0]
        return known

    def _ensure(self, space: str) -> int:
        def name(tx: Any) -> int:
            found = tx.get(space.encode(), db=self._names)
            if found is None:
                found = _NUMBER.pack(tx.stat(self._names)["entries"] + 1)
                tx.put(space.encode(), found, db=self._names)
            return int(_NUMBER.unpack(found)[0])

        known = self._numbers.get(space)
        if known is None:
            known = self._numbers[space] = self._writing(name)
        return known

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (lmdb.ReadonlyError, lmdb.DiskError) as error:
            raise OnlineStoreRefused(
                "The online store cannot be written.", why=str(error), fix="Free some space, or mend the rights of it."
            ) from error
        except (lmdb.Error, OSError) as error:
            raise OnlineStoreUnavailable("The online store cannot be read.", why=str(error)) from error
