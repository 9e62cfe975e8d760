"""What every blob store promises, as tests: derive from `BlobStoreConformance` and offer a fixture `blobs`.

class TestMyStore(BlobStoreConformance):
    @pytest.fixture
    def blobs(self, tmp_path): return MyStore(tmp_path)

    def damage(self, blobs, digest): ...     # change a byte of the stored blob, behind the store's back
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from treadle.kernel.artifacts import BlobCorrupt, BlobNotFound, BlobStore
from treadle.kernel.artifacts.blobs import Bytes

ABSENT = "sha256:" + "0" * 64


def named(data: bytes) -> str:
    """The name that a store must give to these bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


class BlobStoreConformance:
    """The promises of the port; see `treadle.kernel.artifacts.blobs`."""

    def damage(self, blobs: BlobStore, digest: str) -> None:
        """Change the stored bytes of a blob without the store's knowledge, keeping their length."""
        raise NotImplementedError

    @pytest.mark.parametrize("data", [b"", b"a", b"\x00\xff" * 3000, b"x" * 70_000], ids=len)
    def test_bytes_come_back_under_their_sha256(self, blobs: BlobStore, data: bytes) -> None:
        digest = blobs.put_bytes(data)

        assert digest == named(data)
        assert blobs.get(digest) == data
        assert blobs.get(digest, verify=True) == data
        assert blobs.size(digest) == len(data)
        assert blobs.has(digest)
        assert blobs.verify(digest) is None

    def test_a_writer_gives_the_same_blob_as_the_bytes_at_once(self, blobs: BlobStore) -> None:
        pieces: list[Bytes] = [b"ab", b"", bytearray(b"cd"), memoryview(b"ef"), b"z" * (3 << 20)]
        with blobs.create() as writer:
            for piece in pieces:
                assert writer.write(piece) == len(piece)
            info = writer.commit()

        whole = b"".join(pieces)
        assert (info.digest, info.size_bytes) == (named(whole), len(whole))
        assert blobs.put_bytes(whole) == info.digest
        assert blobs.get(info.digest) == whole

    def test_a_writer_that_is_not_committed_leaves_nothing(self, blobs: BlobStore) -> None:
        with blobs.create() as writer:
            writer.write(b"forgotten")
        with contextlib.suppress(ZeroDivisionError), blobs.create() as writer:
            writer.write(b"broken off")
            raise ZeroDivisionError

        assert not blobs.has(named(b"forgotten"))
        assert not blobs.has(named(b"broken off"))
        assert list(blobs.list()) == []
        assert blobs.sweep(datetime.now(UTC) + timedelta(days=1)) == 0

    def test_a_file_is_stored_as_its_bytes_and_stays_the_callers(self, blobs: BlobStore, tmp_path: Path) -> None:
        file = tmp_path / "data.bin"
        file.write_bytes(b"line\n" * 5000)

        digest = blobs.put_file(file)
        file.write_bytes(b"changed")

        assert digest == named(b"line\n" * 5000)
        assert blobs.get(digest) == b"line\n" * 5000

    def test_a_path_can_be_memory_mapped(self, blobs: BlobStore) -> None:
        digest = blobs.put_bytes(b"mapped" * 2000)
        with blobs.path(digest).open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert mapped[:6] == b"mapped"

    def test_a_stream_can_seek(self, blobs: BlobStore) -> None:
        digest = blobs.put_bytes(b"0123456789")
        with blobs.open(digest) as stream:
            stream.seek(4)
            assert stream.read(3) == b"456"
            stream.seek(0)
            assert stream.read() == b"0123456789"

    def test_what_is_absent_is_said_to_be(self, blobs: BlobStore) -> None:
        assert blobs.size(ABSENT) is None
        assert not blobs.has(ABSENT)
        assert not blobs.delete(ABSENT)
        assert blobs.verify(ABSENT) is not None
        for ask in (blobs.get, blobs.open, blobs.path):
            with pytest.raises(BlobNotFound):
                ask(ABSENT)

    @pytest.mark.parametrize(
        "name", ["", "sha256:", "../../etc/passwd", "sha256:../" + "a" * 61, "sha256:" + "A" * 64, "md5:" + "0" * 64]
    )
    def test_a_name_that_is_no_digest_reaches_no_file(self, blobs: BlobStore, name: str) -> None:
        asks: list[Callable[[str], object]] = [blobs.get, blobs.open, blobs.path, blobs.has, blobs.delete]
        asks.append(lambda name: blobs.expire(name, datetime.now(UTC)))
        for ask in asks:
            with pytest.raises(BlobNotFound):
                ask(name)

    def test_a_deleted_blob_is_gone_and_can_be_put_again(self, blobs: BlobStore) -> None:
        digest = blobs.put_bytes(b"twice")

        assert blobs.delete(digest)
        assert not blobs.has(digest)
        with pytest.raises(BlobNotFound):
            blobs.get(digest)
        assert not blobs.delete(digest)
        assert blobs.get(blobs.put_bytes(b"twice")) == b"twice"

    def test_a_blob_expires_unless_it_was_put_since(self, blobs: BlobStore) -> None:
        now = datetime.now(UTC)
        digest = blobs.put_bytes(b"aging" * 1000)

        assert not blobs.expire(digest, now - timedelta(hours=1))
        assert blobs.get(digest) == b"aging" * 1000
        assert blobs.expire(digest, now + timedelta(hours=1))
        assert not blobs.has(digest)
        assert not blobs.expire(digest, now + timedelta(hours=1))
        assert not blobs.expire(ABSENT, now)

    def test_the_list_names_every_blob_with_size_and_age(self, blobs: BlobStore) -> None:
        before = datetime.now(UTC) - timedelta(minutes=1)
        stored = {blobs.put_bytes(bytes([place]) * place): place for place in range(20)}

        found = list(blobs.list())

        assert {info.digest: info.size_bytes for info in found} == stored
        assert all(before < info.stored_at < datetime.now(UTC) + timedelta(minutes=1) for info in found)

    def test_damage_is_found(self, blobs: BlobStore) -> None:
        digest = blobs.put_bytes(b"precious" * 1000)

        self.damage(blobs, digest)

        assert "hash" in (blobs.verify(digest) or "")
        with pytest.raises(BlobCorrupt):
            blobs.get(digest, verify=True)

    def test_many_threads_put_the_same_and_different_bytes(self, blobs: BlobStore) -> None:
        values = [bytes([place % 7]) * 50_000 for place in range(40)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(blobs.put_bytes, values))

        assert found == [named(value) for value in values]
        assert all(blobs.verify(digest) is None for digest in found)
        assert len(list(blobs.list())) == 7
