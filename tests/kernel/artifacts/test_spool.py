"""Bytes on their way in are hashed and written whole, whatever their sizes and wherever they lie in memory."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.kernel.artifacts import spool as spooling
from treadle.kernel.artifacts.blobs import Bytes
from treadle.kernel.artifacts.errors import StorageFull
from treadle.kernel.artifacts.spool import BLOCK_BYTES, DIRECT, Spool, aligned_buffer

MB = 1 << 20

needs_direct = pytest.mark.skipif(not DIRECT, reason="this system has no writes past its page cache")


def filled(size_bytes: int, seed: int = 1) -> memoryview:
    buffer = aligned_buffer(size_bytes)
    pattern = hashlib.sha256(b"%d" % seed).digest()
    buffer[:] = (pattern * (size_bytes // len(pattern) + 1))[:size_bytes]
    return buffer


def sealed(spool: Spool) -> tuple[str, bytes]:
    digest = spool.seal()
    data = spool.path.read_bytes()
    spool.discard()
    return digest, data


class Disk:
    """`os.write` that notes how each piece was written, and can refuse those past the page cache."""

    def __init__(self, refused: int = 0) -> None:
        self.refused, self.written = refused, list[tuple[bool, int]]()

    def write(self, fd: int, data: Bytes) -> int:
        import fcntl

        is_direct = bool(fcntl.fcntl(fd, fcntl.F_GETFL) & DIRECT)
        if is_direct and self.refused:
            raise OSError(self.refused, os.strerror(self.refused))
        count = os.write(fd, data)
        self.written.append((is_direct, count))
        return count


@given(
    sizes=st.lists(
        st.sampled_from([0, 1, 7, BLOCK_BYTES, 3 * BLOCK_BYTES + 5, MB, MB + BLOCK_BYTES, 2 * MB]), max_size=6
    ),
    aligned=st.lists(st.booleans(), min_size=6, max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_pieces_of_any_size_and_place_arrive_whole(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], aligned: list[bool]
) -> None:
    spool = Spool(tmp_path_factory.mktemp("spool"))
    expected = b""
    for at, (size, is_aligned) in enumerate(zip(sizes, aligned, strict=False)):
        piece = filled(max(size, 1), at)[:size]
        expected += bytes(piece)
        assert spool.write(piece if is_aligned else bytes(piece)) == size

    digest, data = sealed(spool)

    assert data == expected
    assert digest == "sha256:" + hashlib.sha256(expected).hexdigest()


@needs_direct
def test_whole_blocks_in_aligned_memory_go_past_the_page_cache_and_the_rest_through_it(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path, write=disk.write)
    spool.write(filled(2 * MB))
    spool.write(filled(MB + 100))

    _, data = sealed(spool)

    if (False, 2 * MB) in disk.written:
        pytest.skip(f"the file system of {tmp_path} cannot be written past its page cache")
    assert disk.written == [(True, 2 * MB), (True, MB), (False, 100)]
    assert len(data) == 3 * MB + 100


@needs_direct
def test_what_follows_an_odd_piece_goes_through_the_page_cache(tmp_path: Path) -> None:
    disk = Disk()
    spool = Spool(tmp_path, write=disk.write)
    spool.write(b"odd")
    spool.write(filled(2 * MB))

    _, data = sealed(spool)

    assert disk.written == [(False, 3), (False, 2 * MB)]
    assert data == b"odd" + bytes(filled(2 * MB))


@needs_direct
def test_a_file_system_that_cannot_is_written_through_its_cache(tmp_path: Path) -> None:
    disk = Disk(refused=errno.EINVAL)
    spool = Spool(tmp_path, write=disk.write)
    spool.write(filled(2 * MB))
    spool.write(filled(MB))

    _, data = sealed(spool)

    assert disk.written == [(False, 2 * MB), (False, MB)]
    assert data == bytes(filled(2 * MB)) + bytes(filled(MB))


@needs_direct
def test_a_full_disk_is_said(tmp_path: Path) -> None:
    spool = Spool(tmp_path, write=Disk(refused=errno.ENOSPC).write)

    with pytest.raises(StorageFull):
        spool.write(filled(2 * MB))

    spool.discard()


def test_nothing_of_this_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "DIRECT", 0)
    spool = Spool(tmp_path)
    spool.write(filled(2 * MB))

    assert sealed(spool)[1] == bytes(filled(2 * MB))
