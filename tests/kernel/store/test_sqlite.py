"""The embedded store under trouble: full disks, damaged files, locks, forks, other processes, sudden death."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from treadle.kernel.store import (
    DiskFull,
    NetworkFileSystem,
    SchemaTooNew,
    StoreCorrupt,
    StoreError,
    Transaction,
    file_systems,
)
from treadle.kernel.store.sql import parse
from treadle.kernel.store.sqlite import SqliteStore, open_sqlite
from treadle.migrations import schema
from treadle.testing import embedded_store

SQL = parse(
    """
-- name: put
insert into tag (project, subject, key, value, actor, recorded_at) values ('p', :subject, :key, :value, 'a', 0)
-- name: count
select count(*) from tag
-- name: page_limit
pragma max_page_count = 60
"""
)


def put(tx: Transaction, key: str, value: str = "v") -> int:
    return tx.execute(SQL["put"], {"subject": "s", "key": key, "value": value})


def count(store: SqliteStore) -> int:
    with store.read() as reader:
        return reader.all(SQL["count"])[0][0]


def test_opening_again_gives_the_same_rows(tmp_path: Path) -> None:
    first = embedded_store(tmp_path)
    first.write(lambda tx: put(tx, "k"))
    first.close()

    again = embedded_store(tmp_path)

    assert count(again) == 1
    again.close()


def test_two_that_open_a_fresh_store_at_once_make_it_once(tmp_path: Path) -> None:
    barrier = threading.Barrier(6)
    stores: list[SqliteStore] = []

    def first_opening() -> None:
        barrier.wait()
        stores.append(embedded_store(tmp_path))

    threads = [threading.Thread(target=first_opening) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [count(store) for store in stores] == [0] * 6
    for store in stores:
        store.close()


def test_a_write_inside_a_write_is_refused_instead_of_hanging(sqlite_store: SqliteStore) -> None:
    with pytest.raises(StoreError, match="inside another write"):
        sqlite_store.write(lambda tx: sqlite_store.write(lambda inner: put(inner, "k")))


def test_a_full_disk_is_said_and_loses_nothing(sqlite_store: SqliteStore) -> None:
    sqlite_store.write(lambda tx: put(tx, "kept"))
    pages = sqlite_store._writer.execute("pragma page_count").fetchone()[0]
    sqlite_store._writer.execute(f"pragma max_page_count = {pages + 2}")

    with pytest.raises(DiskFull) as refused:
        sqlite_store.write(lambda tx: put(tx, "big", "x" * 1_000_000))
    sqlite_store._writer.execute("pragma max_page_count = 1000000")
    sqlite_store.write(lambda tx: put(tx, "after"))

    assert "treadle gc" in refused.value.fix
    assert count(sqlite_store) == 2


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "treadle.db").write_bytes(b"this is no database at all, but text" * 100)

    with pytest.raises(StoreCorrupt) as refused:
        embedded_store(tmp_path)

    assert "treadle doctor" in refused.value.fix


_OPEN_AS_NOBODY = """
import os
from pathlib import Path
from treadle.kernel.store import ReadOnlyStore
from treadle.testing import embedded_store
if os.getuid() == 0:
    os.setgid(65534), os.setuid(65534)
try:
    embedded_store(Path("."))
except ReadOnlyStore as error:
    print(error.fix)
"""


def test_a_home_that_cannot_be_written_is_said_to_be_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)

    done = subprocess.run(
        [sys.executable, "-c", _OPEN_AS_NOBODY], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert "TREADLE_HOME" in done.stdout, done.stderr


def test_a_network_file_system_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_systems, "_linux_mounts", lambda: [("/", "ext4"), (str(tmp_path), "nfs4")])
    monkeypatch.setattr(file_systems, "_other_mounts", lambda: [("/", "apfs"), (str(tmp_path), "nfs4")])

    with pytest.raises(NetworkFileSystem, match="nfs4"):
        embedded_store(tmp_path)


def test_the_file_system_of_a_folder_is_that_of_the_nearest_mount(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [("/", "ext4"), ("/data", "nfs"), ("/data/local", "xfs")]
    monkeypatch.setattr(file_systems, "_linux_mounts", lambda: mounts)
    monkeypatch.setattr(file_systems, "_other_mounts", lambda: mounts)

    found = [file_systems.file_system_of(Path(p)) for p in ("/home", "/data/x", "/data/local/x", "/database")]

    assert found == ["ext4", "nfs", "xfs", "ext4"]


def test_a_store_of_a_newer_treadle_is_left_alone(tmp_path: Path) -> None:
    embedded_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "treadle.db") as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()

    with pytest.raises(SchemaTooNew) as refused:
        open_sqlite(tmp_path / "treadle.db", schema())

    assert "pip install --upgrade" in refused.value.fix


def test_a_store_is_not_carried_across_a_fork(sqlite_store: SqliteStore) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child's side
        try:
            sqlite_store.write(lambda tx: put(tx, "k"))
            os.write(writer, b"wrote")
        except StoreError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)

    assert b"before the process forked" in os.read(reader, 1000)


_HAMMER = """
import sys
from pathlib import Path
from treadle.testing import embedded_store
from treadle.kernel.store.sql import parse
put = parse("-- name: put\\ninsert into tag (project, subject, key, value, actor, recorded_at) values ('p', :subject, :key, 'v', 'a', 0)")["put"]
store = embedded_store(Path(sys.argv[1]))
for n in range(int(sys.argv[3])):
    store.write(lambda tx: tx.execute(put, {"subject": sys.argv[2], "key": str(n)}))
    print(n, flush=True)
"""


def test_several_processes_write_side_by_side_without_a_lock_error(tmp_path: Path) -> None:
    embedded_store(tmp_path).close()
    command = [sys.executable, "-c", _HAMMER, str(tmp_path)]

    writers = [
        subprocess.Popen([*command, f"w{n}", "150"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for n in range(3)
    ]
    errors = [writer.communicate()[1].decode() for writer in writers]

    assert errors == [""] * 3
    store = embedded_store(tmp_path)
    assert count(store) == 450
    store.close()


def test_what_was_acknowledged_survives_kill_nine(tmp_path: Path) -> None:
    embedded_store(tmp_path).close()
    acknowledged = 0
    for round in range(5):
        child = subprocess.Popen(
            [sys.executable, "-c", _HAMMER, str(tmp_path), f"round{round}", "1000000"], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        seen = [child.stdout.readline() for _ in range(20 + 17 * round)]
        child.send_signal(signal.SIGKILL)
        acknowledged += len(seen) + len(child.stdout.read().splitlines())
        child.wait()
        child.stdout.close()

    store = embedded_store(tmp_path)
    assert acknowledged <= count(store) <= acknowledged + 5
    store.close()
