"""Every blob store of ours keeps the promises of the port."""

from __future__ import annotations

import itertools
import logging
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest
from moto.server import ThreadedMotoServer

from treadle.backends.obstore import ObstoreBlobs
from treadle.kernel.artifacts import BlobCorrupt, BlobStore, LocalBlobs, StorageUnavailable
from treadle.testing.blobs import BlobStoreConformance

KEYS = {"access_key_id": "test", "secret_access_key": "test", "region": "us-east-1"}
bucket_names = (f"treadle-{number}" for number in itertools.count())


class TestLocalBlobs(BlobStoreConformance):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> BlobStore:
        return LocalBlobs(tmp_path / "blobs")

    def damage(self, blobs: BlobStore, digest: str) -> None:
        file = blobs.path(digest)
        file.chmod(0o644)
        file.write_bytes(b"X" + file.read_bytes()[1:])


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server on a free port of this host."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3: str) -> str:
    name = next(bucket_names)
    urllib.request.urlopen(urllib.request.Request(f"{s3}/{name}", method="PUT")).close()
    return name


def connect(s3: str, bucket: str, cache: Path, **settings: Any) -> ObstoreBlobs:
    return ObstoreBlobs.from_url(
        f"s3://{bucket}/team/blobs", cache, endpoint=s3, client_options={"allow_http": True}, **KEYS, **settings
    )


class TestS3Blobs(BlobStoreConformance):
    @pytest.fixture
    def blobs(self, s3: str, bucket: str, tmp_path: Path) -> BlobStore:
        return connect(s3, bucket, tmp_path / "cache")

    def damage(self, blobs: BlobStore, digest: str) -> None:
        assert isinstance(blobs, ObstoreBlobs)
        key = f"{digest[7:9]}/{digest[9:]}"
        whole = bytes(obstore.get(blobs._store, key).bytes())
        obstore.put(blobs._store, key, b"X" + whole[1:])

    def test_another_host_reads_what_this_one_put(self, blobs: BlobStore, s3: str, bucket: str, tmp_path: Path) -> None:
        digest = blobs.put_bytes(b"shared" * 1000)
        other = connect(s3, bucket, tmp_path / "elsewhere")

        assert other.path(digest).read_bytes() == b"shared" * 1000

    def test_large_blobs_go_up_in_parts(self, blobs: BlobStore, s3: str, bucket: str, tmp_path: Path) -> None:
        with blobs.create() as writer:
            for place in range(13):
                writer.write(bytes([place]) * (1 << 20))
            info = writer.commit()

        assert connect(s3, bucket, tmp_path / "elsewhere").path(info.digest).stat().st_size == 13 << 20

    def test_damaged_bytes_never_enter_the_cache(self, blobs: BlobStore, s3: str, bucket: str, tmp_path: Path) -> None:
        digest = blobs.put_bytes(b"precious" * 1000)
        self.damage(blobs, digest)
        other = connect(s3, bucket, tmp_path / "elsewhere")

        for _ in range(2):
            with pytest.raises(BlobCorrupt):
                other.path(digest)
        with pytest.raises(BlobCorrupt):
            other.get(digest)
        assert list(other._cache.list()) == []

    def test_the_cache_lets_the_oldest_go_and_fetches_them_again(self, s3: str, bucket: str, tmp_path: Path) -> None:
        blobs = connect(s3, bucket, tmp_path / "small", cache_max_bytes=250_000)
        found = [blobs.put_bytes(bytes([place]) * 100_000) for place in range(5)]

        for digest in found:
            assert blobs.path(digest).stat().st_size == 100_000

        assert sum(info.size_bytes for info in blobs._cache.list()) <= 250_000
        assert blobs.path(found[0]).read_bytes()[:1] == b"\x00"

    def test_files_of_others_in_the_bucket_are_not_blobs(self, blobs: BlobStore) -> None:
        assert isinstance(blobs, ObstoreBlobs)
        obstore.put(blobs._store, "readme.txt", b"hello")
        assert list(blobs.list()) == []


def test_a_server_that_does_not_answer_is_named(tmp_path: Path) -> None:
    blobs = ObstoreBlobs.from_url(
        "s3://nowhere/x",
        tmp_path,
        endpoint="http://127.0.0.1:9",
        client_options={"allow_http": True},
        retry_timeout_s=0.1,
        **KEYS,
    )
    with pytest.raises(StorageUnavailable, match="s3://nowhere/x does not answer"):
        blobs.put_bytes(b"a")


def test_an_address_of_a_bucket_gives_the_bytes_to_whoever_has_it(s3: str, bucket: str, tmp_path: Path) -> None:
    blobs = connect(s3, bucket, tmp_path / "cache")
    digest = blobs.put_bytes(b"for a while")

    address = blobs.address(digest, valid_for=timedelta(minutes=5))

    assert address is not None
    with urllib.request.urlopen(address) as answer:
        assert answer.read() == b"for a while"
    assert LocalBlobs(tmp_path / "local").address(digest, valid_for=timedelta(minutes=5)) is None
