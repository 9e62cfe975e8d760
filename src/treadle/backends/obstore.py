"""Blobs in S3, Google Cloud Storage or Azure, by obstore: one Rust core for all of them.

A blob lies under `ab/cdef…` below the URL's path, as in a local folder. Its bytes are hashed on their way in and on their way out,
since others can write to a bucket. What is to be memory-mapped comes into a cache folder on this host first, and stays
there up to `cache_max_bytes`.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from treadle.ground import digests
from treadle.ground.errors import MissingExtra
from treadle.kernel.artifacts import BlobInfo, LocalBlobs, StorageReadOnly, StorageUnavailable
from treadle.kernel.artifacts.blobs import Bytes
from treadle.kernel.artifacts.local import corrupt, not_found
from treadle.kernel.artifacts.spool import Spool, copy_into

try:
    import obstore
    from obstore import exceptions
    from obstore.store import AzureStore, GCSStore, S3Store, from_url
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("obstore", "s3", "Artifacts in an object store") from error

_RENEW_AFTER = timedelta(hours=1)
_CHUNK_BYTES = 8 << 20
_SIGNING = (S3Store, GCSStore, AzureStore)
_REFUSED = (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)


class ObstoreBlobs:
    """Blobs in a bucket, with a cache on this host.

    store: an obstore store, whose prefix is ours alone. where: its name in messages.
    cache: a folder for copies; cache_max_bytes: when it holds more, the oldest copies go.
    """

    def __init__(
        self, store: Any, cache: Path, *, where: str = "the object store", cache_max_bytes: int = 20 << 30
    ) -> None:
        self._store, self._where = store, where
        self._cache = LocalBlobs(cache)
        self._cache_max_bytes = cache_max_bytes
        self._cached_bytes: int | None = None

    @classmethod
    def from_url(
        cls, url: str, cache: Path, *, cache_max_bytes: int = 20 << 30, retry_timeout_s: float = 60, **settings: Any
    ) -> ObstoreBlobs:
        """Blobs below a URL such as `s3://bucket/path`; `settings` are obstore's own (endpoint, region, access_key_id, …).

        Credentials that are not given are taken from the environment, as the cloud's own tools do.
        """
        retries = {"retry_timeout": timedelta(seconds=retry_timeout_s)}
        store = from_url(url, retry_config=retries, **settings)
        return cls(store, cache, where=url, cache_max_bytes=cache_max_bytes)

    def put_bytes(self, data: Bytes) -> str:
        digest = digests.of_bytes(data)
        self._upload(digest, memoryview(data).nbytes, bytes(data))
        return digest

    def put_file(self, path: Path) -> str:
        with self.create() as writer, Path(path).open("rb", buffering=0) as stream:
            copy_into(stream, writer.write)
            return writer.commit().digest

    def create(self) -> ObstoreWriter:
        return ObstoreWriter(self, Spool(self._cache.root / "tmp"))

    def get(self, digest: str, *, verify: bool | None = None) -> bytes:
        if self._cache.has(digest):
            return self._cache.get(digest, verify=verify)
        with self._errors(digest):
            data = bytes(obstore.get(self._store, self._key(digest)).bytes())
        if verify is not False and digests.of_bytes(data) != digest:
            raise corrupt(digest, f"{self._where}/{self._key(digest)}")
        return data

    def open(self, digest: str) -> BinaryIO:
        return self.path(digest).open("rb")

    def path(self, digest: str) -> Path:
        if not self._cache.has(digest):
            self._download(digest)
        return self._cache.path(digest)

    def address(self, digest: str, *, valid_for: timedelta) -> str | None:
        """A signed URL, where the store can sign: S3, Google Cloud Storage and Azure can."""
        if not isinstance(self._store, _SIGNING):
            return None
        with self._errors(digest):
            return str(obstore.sign(self._store, "GET", self._key(digest), valid_for))

    def size(self, digest: str) -> int | None:
        facts = self._head(digest)
        return None if facts is None else int(facts["size"])

    def has(self, digest: str) -> bool:
        return self._head(digest) is not None

    def verify(self, digest: str) -> str | None:
        state = hashlib.sha256()
        try:
            with self._errors(digest):
                for chunk in obstore.get(self._store, self._key(digest)).stream(min_chunk_size=_CHUNK_BYTES):
                    state.update(chunk)
        except type(not_found(digest, self._where)):
            return "The object is gone."
        found = state.hexdigest()
        return None if found == digest.removeprefix("sha256:") else f"The bytes hash to sha256:{found[:12]}…."

    def delete(self, digest: str) -> bool:
        self._cache.delete(digest)
        if not self.has(digest):
            return False
        with self._errors(digest):
            obstore.delete(self._store, self._key(digest))
        return True

    def expire(self, digest: str, before: datetime) -> bool:
        """As the port says, but for the moment between look and removal: a bucket has no conditional one.

        Puts of objects older than an hour send them again, so the bytes can only be missed by who put them just then.
        """
        facts = self._head(digest)
        if facts is None or facts["last_modified"] >= before:
            return False
        return self.delete(digest)

    def list(self) -> Iterator[BlobInfo]:
        with self._errors(""):
            for page in obstore.list(self._store):
                for entry in page:
                    digest = f"sha256:{entry['path'].replace('/', '', 1)}"
                    if digests.is_digest(digest) and entry["path"] == self._key(digest):
                        yield BlobInfo(digest=digest, size_bytes=entry["size"], stored_at=entry["last_modified"])

    def sweep(self, before: datetime) -> int:
        """Removes what unfinished writes left on this host; parts of uploads are the bucket's own lifecycle rule."""
        return self._cache.sweep(before)

    def send(self, spool: Spool) -> BlobInfo:
        """Upload a finished temporary file; it then becomes the cached copy."""
        digest = spool.seal()
        self._upload(digest, spool.size_bytes, spool.path)
        self._cache.adopt(spool, digest)
        self._trim(spool.size_bytes)
        return BlobInfo(digest=digest, size_bytes=spool.size_bytes, stored_at=datetime.now(UTC))

    def _upload(self, digest: str, size_bytes: int, source: bytes | Path) -> None:
        """Send the bytes, unless they are there and were put within the hour: putting again renews their age."""
        facts = self._head(digest)
        if (
            facts is not None
            and facts["size"] == size_bytes
            and facts["last_modified"] > datetime.now(UTC) - _RENEW_AFTER
        ):
            return
        with self._errors(digest):
            obstore.put(self._store, self._key(digest), source)

    def _download(self, digest: str) -> None:
        with self._cache.create() as writer:
            with self._errors(digest):
                for chunk in obstore.get(self._store, self._key(digest)).stream(min_chunk_size=_CHUNK_BYTES):
                    writer.write(memoryview(chunk))
            found = writer.commit()
        if found.digest != digest:
            self._cache.delete(found.digest)
            raise corrupt(digest, f"{self._where}/{self._key(digest)}")
        self._trim(found.size_bytes)

    def _trim(self, added_bytes: int) -> None:
        """Let the oldest copies go when the cache has grown too large. What is mapped stays readable by who has mapped it."""
        if self._cached_bytes is None:
            self._cached_bytes = sum(info.size_bytes for info in self._cache.list())
        else:
            self._cached_bytes += added_bytes
        if self._cached_bytes <= self._cache_max_bytes:
            return
        copies = sorted(self._cache.list(), key=lambda info: info.stored_at)
        self._cached_bytes = sum(info.size_bytes for info in copies)
        for info in copies[:-1]:  # never the newest: it is about to be read
            if self._cached_bytes <= self._cache_max_bytes * 0.8:
                return
            self._cache.delete(info.digest)
            self._cached_bytes -= info.size_bytes

    def _head(self, digest: str) -> dict[str, Any] | None:
        if not digests.is_digest(digest):
            raise not_found(digest, self._where)
        try:
            with self._errors(""):
                return dict(obstore.head(self._store, self._key(digest)))
        except FileNotFoundError:
            return None

    def _key(self, digest: str) -> str:
        if not digests.is_digest(digest):
            raise not_found(digest, self._where)
        return f"{digest[7:9]}/{digest[9:]}"

    @contextlib.contextmanager
    def _errors(self, digest: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            if not digest:
                raise
            raise not_found(digest, self._where) from None
        except _REFUSED as problem:
            raise StorageReadOnly(
                f"{self._where} refuses to be read or written.",
                why=_first_line(problem),
                fix="Check the credentials, and that they allow get, put, list and delete below this URL.",
            ) from problem
        except exceptions.BaseError as problem:
            raise StorageUnavailable(
                f"{self._where} does not answer.",
                why=_first_line(problem),
                fix="Check the URL, the endpoint and the network; what was stored before is not harmed.",
            ) from problem


class ObstoreWriter:
    """One blob being written; see `BlobWriter`."""

    __slots__ = ("_blobs", "_done", "_spool")

    def __init__(self, blobs: ObstoreBlobs, spool: Spool) -> None:
        self._blobs, self._spool, self._done = blobs, spool, False

    def write(self, *pieces: Bytes) -> int:
        return self._spool.write(*pieces)

    def commit(self) -> BlobInfo:
        info = self._blobs.send(self._spool)
        self._done = True
        return info

    def __enter__(self) -> ObstoreWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        if not self._done:
            self._spool.discard()


def _first_line(problem: BaseException) -> str:
    return str(problem).partition("\n")[0]
