"""Objects of a bucket: S3, Google Cloud Storage and Azure by obstore, each object landed once as it was.

An object is known by its key and its etag: one that is written anew lands anew. It is read whole, and an object appears in a
listing only when it is whole, so there is nothing to wait for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from treadle.ground.errors import MissingExtra
from treadle.systems.collect.connectors.credentials import is_reference, redacted, revealed, without_password
from treadle.systems.collect.connectors.errors import SourceDeclarationInvalid, SourceRefused, SourceUnreachable
from treadle.systems.collect.connectors.forms import FileForm
from treadle.systems.collect.connectors.limits import Count, Seconds
from treadle.systems.collect.reading import read_content
from treadle.systems.collect.records import Batch

try:
    import obstore
    from obstore import exceptions
    from obstore.store import from_url
except ImportError as error:  # pragma: no cover - depends on what is installed
    raise MissingExtra.of("obstore", "s3", "Reading from an object store") from error

_SCHEMES = ("s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl", "file", "memory")
_REFUSED = (
    exceptions.PermissionDeniedError,
    exceptions.UnauthenticatedError,
    exceptions.NotFoundError,
    exceptions.InvalidPathError,
)
_REFUSALS = ("NoSuchBucket", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "404 Not Found")
"""What the client library has no class for, and says in its text."""


class ObjectsSource(FileForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a bucket is declared with.

    url: the bucket and a prefix: `s3://bucket/exports`. pattern: which objects below it, `*` within a folder and `**` across.
    config: obstore's own words for the store (endpoint, region, access_key_id, …); credentials are references, and those that are not given are
    taken from the environment as the cloud's own tools do.
    """

    url: str
    pattern: str = "**"
    config: dict[str, str | bool] = msgspec.field(default_factory=dict)
    allow_http: bool = False
    retry_timeout_s: Seconds = 60.0
    max_bytes: Count = 2 << 30

    def open(self, name: str, root: Path, types: dict[str, str] | None = None) -> BucketObjects:
        """The source. Nothing connects before it is read. Raises SourceDeclarationInvalid."""
        scheme = self.url.partition("://")[0]
        if "://" not in self.url or scheme not in _SCHEMES:
            raise SourceDeclarationInvalid(
                f"{self.url!r} is no bucket that is read here.",
                fix="It begins with s3://, gs:// or az://; for an HTTP API there is the kind `http`.",
            )
        return BucketObjects(self, name, types)


class BucketObjects:
    """The objects that match, one batch each, in the order of their keys."""

    def __init__(self, asked: ObjectsSource, name: str, types: Mapping[str, str] | None) -> None:
        self._asked, self.name = asked, name
        self.types = dict(types or {})
        self._matches = _regex(asked.pattern)

    def batches(
        self, cursor: str | None, seen: Callable[[str], bool], known: Callable[[], Mapping[str, str]]
    ) -> Iterator[Batch]:
        """The objects that have not landed as they are now; each is read when its turn comes."""
        store = self._store()
        newest = cursor or ""
        for path, etag in self._listed(store):
            if seen(self._key(path, etag)):
                continue
            data, etag, modified = self._content(store, path)
            key = self._key(path, etag)
            if seen(key):
                continue
            newest = max(newest, path)
            content = read_content(path.rpartition("/")[2], data, self._asked.reading(), {**known(), **self.types})
            origin = {
                "object": f"{without_password(self._asked.url).rstrip('/')}/{path}",
                "etag": etag,
                "modified": modified,
                "sha256": content.sha256,
                "bytes": content.size,
            }
            yield Batch(frames=[content.frame], key=key, cursor=newest, malformed=content.malformed, origin=origin)

    def _key(self, path: str, etag: str) -> str:
        return f"{self.name}:{path}@{etag}"

    def _store(self) -> Any:
        asked = self._asked
        config = {
            name: revealed(value) if isinstance(value, str) and is_reference(value) else value
            for name, value in asked.config.items()
        }
        retries = {"retry_timeout": timedelta(seconds=asked.retry_timeout_s)}
        options = {"allow_http": True} if asked.allow_http else None
        with self._errors():
            return from_url(asked.url, config=config or None, client_options=options, retry_config=retries)

    def _listed(self, store: Any) -> list[tuple[str, str]]:
        prefix = re.split(r"[*?\[]", self._asked.pattern)[0].rpartition("/")[0]
        with self._errors():
            found = [entry for page in obstore.list(store, prefix or None) for entry in page]
        return sorted(
            (entry["path"], _etag(entry)) for entry in found if self._matches.fullmatch(entry["path"]) and entry["size"]
        )

    def _content(self, store: Any, path: str) -> tuple[bytes, str, str]:
        with self._errors():
            found = obstore.get(store, path)
            if found.meta["size"] > self._asked.max_bytes:
                raise SourceRefused(
                    f"The object {path} has {found.meta['size']:,} bytes, and {self._asked.max_bytes:,} are read at most.",
                    fix="Write it in parts, or raise `max_bytes`: an object is read into memory.",
                )
            return bytes(found.bytes()), _etag(found.meta), found.meta["last_modified"].isoformat()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        where = without_password(self._asked.url)
        try:
            yield
        except (exceptions.BaseError, ValueError) as error:
            if isinstance(error, _REFUSED) or any(word in str(error) for word in _REFUSALS):
                raise SourceRefused(
                    f"{where} cannot be read: {_said(error)}.",
                    fix="Is the bucket's name right, and may these credentials list and get in it?",
                ) from error
            raise SourceUnreachable(f"{where} does not answer: {_said(error)}.") from error


def _etag(meta: Mapping[str, Any]) -> str:
    """What tells two contents of one key apart: the etag, or size and time where a store has none."""
    return str(meta["e_tag"] or f"{meta['size']}-{meta['last_modified'].isoformat()}").strip('"')


def _regex(pattern: str) -> re.Pattern[str]:
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return re.compile("".join(pieces.get(part, re.escape(part)) for part in parts), re.DOTALL)


def _said(error: Exception) -> str:
    return redacted(str(error).strip().splitlines()[0][:300].rstrip("."))
