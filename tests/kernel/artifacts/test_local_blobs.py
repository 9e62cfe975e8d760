"""A local blob is whole or absent: through full disks, races and `kill -9`."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from treadle.ground import digests
from treadle.kernel.artifacts import Artifacts, BlobCorrupt, LocalBlobs, StorageFull, StorageReadOnly


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def leftovers(blobs: LocalBlobs) -> list[str]:
    return sorted(path.name for path in (blobs.root / "tmp").glob("*"))


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs the code."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_blobs_fan_out_and_are_read_only(blobs: LocalBlobs) -> None:
    digest = blobs.put_bytes(b"abc")
    file = blobs.path(digest)

    assert file.relative_to(blobs.root).as_posix() == f"{digest[7:9]}/{digest[9:]}"
    assert file.stat().st_mode & 0o222 == 0
    assert leftovers(blobs) == []


def test_existing_bytes_are_not_written_again_but_their_age_is_renewed(blobs: LocalBlobs) -> None:
    digest = blobs.put_bytes(b"abc")
    file = blobs.path(digest)
    inode = file.stat().st_ino
    os.utime(file, (0, 0))

    blobs.put_bytes(b"abc")
    with blobs.create() as writer:
        writer.write(b"abc")
        writer.commit()

    assert file.stat().st_ino == inode
    assert next(blobs.list()).stored_at > datetime.now(UTC) - timedelta(minutes=1)


def test_a_truncated_blob_is_healed_by_the_next_put_and_refused_until_then(blobs: LocalBlobs) -> None:
    artifacts = Artifacts(blobs)
    artifact = artifacts.put(b"x" * 10_000)
    assert artifact.blob is not None
    file = blobs.path(artifact.blob)
    file.chmod(0o644)
    file.write_bytes(b"x" * 9_999)

    with pytest.raises(BlobCorrupt, match="9,999 of 10,000"):
        artifacts.load(artifact)
    assert artifacts.verify(artifact) is not None
    artifacts.put(b"x" * 10_000)

    assert artifacts.load(artifact) == b"x" * 10_000


def test_an_untrusted_folder_is_verified_on_every_read(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path, verify_reads=True)
    digest = blobs.put_bytes(b"x" * 100)
    file = blobs.path(digest)
    file.chmod(0o644)
    file.write_bytes(b"y" * 100)

    with pytest.raises(BlobCorrupt):
        blobs.get(digest)


@pytest.mark.parametrize(
    ("code", "expected"), [(errno.ENOSPC, StorageFull), (errno.EDQUOT, StorageFull), (errno.EROFS, StorageReadOnly)]
)
def test_a_full_or_read_only_disk_is_named_and_leaves_nothing(
    tmp_path: Path, code: int, expected: type[Exception]
) -> None:
    written = 0

    def failing_write(fd: int, data: Any) -> int:
        nonlocal written
        if written > 5_000_000:
            raise OSError(code, os.strerror(code))
        written += os.write(fd, data[: 1 << 20])
        return min(len(data), 1 << 20)

    blobs = LocalBlobs(tmp_path, write=failing_write)
    with pytest.raises(expected) as failure:
        blobs.put_bytes(b"x" * (20 << 20))

    assert str(tmp_path) in str(failure.value)
    assert failure.value.fix  # type: ignore[attr-defined]
    assert leftovers(blobs) == []
    assert list(blobs.list()) == []


def test_a_real_limit_of_the_system_is_a_full_disk(tmp_path: Path) -> None:
    process = python(
        """
        import resource, sys
        from pathlib import Path
        import pyarrow as pa
        from treadle.kernel.artifacts import Artifacts, LocalBlobs, StorageFull
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))
        blobs = LocalBlobs(Path(sys.argv[1]))
        for value in (b"x" * 9_000_000, pa.table({"x": range(1_000_000)})):
            try:
                Artifacts(blobs).put(value)
            except StorageFull as full:
                print(full.code, len(list(blobs.list())), len(list((blobs.root / "tmp").iterdir())))
        """,
        tmp_path,
    )
    out, problem = process.communicate(timeout=60)
    assert out.split("\n")[:2] == ["artifact.storage_full 0 0"] * 2, problem


def test_a_place_that_cannot_be_written_is_named() -> None:
    """Not even root makes folders there."""
    with pytest.raises(StorageReadOnly, match="cannot be written") as failure:
        LocalBlobs(Path("/sys/kernel/treadle")).put_bytes(b"abc")
    assert "TREADLE_HOME" in failure.value.fix


def test_old_leftovers_are_swept_and_young_ones_stay(blobs: LocalBlobs) -> None:
    young, old = blobs.create(), blobs.create()
    young.write(b"young")
    old.write(b"old")
    os.utime(old._spool.path, (0, 0))
    old._spool.release()  # as the end of its process does

    assert blobs.sweep(datetime.now(UTC) - timedelta(hours=1)) == 1
    assert young.commit().digest == digests.of_bytes(b"young")


PUT_FOREVER = """
    import sys, itertools
    from pathlib import Path
    from treadle.kernel.artifacts import LocalBlobs
    blobs = LocalBlobs(Path(sys.argv[1]))
    for number in itertools.count():
        digest = blobs.put_bytes(b"%d" % number * 200_000)
        print(digest, flush=True)
"""


def test_kill_9_leaves_no_torn_blob_and_loses_none_that_was_acknowledged(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path)
    acknowledged = set()
    for attempt in range(6):
        process = python(PUT_FOREVER, tmp_path)
        assert process.stdout is not None
        for _ in range(2 + attempt):
            acknowledged.add(process.stdout.readline().strip())
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
        acknowledged |= {line for line in rest.split("\n")[:-1] if digests.is_digest(line)}

    stored = [info.digest for info in blobs.list()]
    assert acknowledged <= set(stored)
    assert [blobs.verify(digest) for digest in stored] == [None] * len(stored)
    blobs.sweep(datetime.now(UTC) + timedelta(days=1))
    assert leftovers(blobs) == []


def test_a_write_that_rests_is_not_swept_away_however_old_it_is(blobs: LocalBlobs) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with blobs.create() as writer:
        writer.write(b"the first half, ")
        assert blobs.sweep(tomorrow) == 0
        writer.write(b"and the second a day later")
        info = writer.commit()

    assert blobs.get(info.digest) == b"the first half, and the second a day later"


def test_two_processes_put_the_same_value_at_once(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        import numpy as np
        from treadle.kernel.artifacts import Artifacts, LocalBlobs
        artifacts = Artifacts(LocalBlobs(Path(sys.argv[1])))
        print("ready", flush=True)
        sys.stdin.readline()
        for number in range(30):
            print(artifacts.put(np.full(200_000, number)).blob)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for racer in racers:
        assert racer.stdout is not None
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    one, other = (racer.communicate(timeout=60)[0].split() for racer in racers)

    blobs = LocalBlobs(tmp_path)
    assert one == other
    assert len(set(one)) == 30
    assert all(blobs.verify(digest) is None for digest in one)
    assert leftovers(blobs) == []
