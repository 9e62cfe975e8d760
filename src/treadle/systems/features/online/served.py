"""The log of served vectors: what was answered, of which moment and from which snapshot, so that it can be checked.

A sample of all reads, one line of JSON a vector, appended by one write before the answer leaves, so that it survives
`kill -9`. Each process writes a file of its own; old files go when all together grow beyond the limit. Floats are
written with as many digits as give the same bits back.
"""

from __future__ import annotations

import json
import math
import os
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from treadle.systems.features.online.reader import Vectors

_FILE_BYTES = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedVector:
    """One served vector. Moments are microseconds since 1970; values are in the form of `for_json`.

    views: for each view its name, the digest of its version, how it answered, the version of its dataset's snapshot, and
    the moment of which its values are exactly those of that snapshot.
    """

    service: str
    version: str
    served_at: int
    entity: Mapping[str, Any]
    values: Mapping[str, Any]
    views: Sequence[tuple[str, str, str, int, int]]


def for_json(value: Any) -> Any:
    """A value that JSON carries without loss."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Decimal) or (type(value) is int and not -(2**53) <= value <= 2**53):
        return str(value)
    if isinstance(value, list):
        return [for_json(item) for item in value]
    if isinstance(value, dict):
        return {name: for_json(item) for name, item in value.items()}
    return value if not hasattr(value, "dtype") else str(value)


def as_text(value: Any) -> str:
    """The JSON of a value: the same text for the same bits, and only for those (all NaN are one)."""
    return json.dumps(for_json(value), sort_keys=True, default=str)


class ServedLog:
    """Writes a share of what is served, and reads it back.

    folder: of one project; share: of the reads, 0 to 1; max_bytes: of all files together.
    """

    def __init__(self, folder: Path, *, share: float = 1.0, max_bytes: int = 64 << 20, seed: int | None = None) -> None:
        self._folder, self._share, self._max_bytes = Path(folder), share, max_bytes
        self._chance = random.Random(seed)  # noqa: S311 -- a sample, no secret
        self._lock = threading.Lock()
        self._file: tuple[int, int, int] | None = None
        """Descriptor, bytes written, and the process that opened it."""

    def note(self, found: Vectors, entities: Sequence[Mapping[str, Any]], served_at: int) -> None:
        """Keeps the vectors of a read, or leaves all of them out."""
        if self._share < 1.0 and self._chance.random() >= self._share:
            return
        names = [mark.view for mark in found.watermarks]
        digests = [mark.digest for mark in found.watermarks]
        lines = []
        for entity, values, status, versions, as_of in zip(
            entities, found.values, found.statuses, found.versions, found.as_of, strict=True
        ):
            vector = ServedVector(
                service=found.service,
                version=found.digest,
                served_at=served_at,
                entity=entity,
                values={name: for_json(value) for name, value in zip(found.features, values, strict=True)},
                views=list(zip(names, digests, status, versions, as_of, strict=True)),
            )
            lines.append(json.dumps(asdict(vector), default=str) + "\n")
        self._append("".join(lines).encode())

    def read(self, service: str, *, since: int = 0) -> Iterator[ServedVector]:
        """The vectors of a service that were served from a moment on; a line that was cut off is left out."""
        for path in sorted(self._folder.glob("*.jsonl")) if self._folder.exists() else []:
            try:
                text = path.read_text(encoding="utf-8", errors="replace")
            except FileNotFoundError:  # removed meanwhile
                continue
            for line in text.splitlines():
                found = _vector(line)
                if found is not None and found.service == service and found.served_at >= since:
                    yield found

    def close(self) -> None:
        """Gives back the file."""
        with self._lock:
            if self._file is not None and self._file[2] == os.getpid():
                os.close(self._file[0])
            self._file = None

    def _append(self, content: bytes) -> None:
        with self._lock:
            if self._file is None or self._file[2] != os.getpid() or self._file[1] >= _FILE_BYTES:
                self._begin_file()
            assert self._file is not None
            descriptor, written, pid = self._file
            os.write(descriptor, content)
            self._file = (descriptor, written + len(content), pid)

    def _begin_file(self) -> None:
        if self._file is not None and self._file[2] == os.getpid():
            os.close(self._file[0])
        self._folder.mkdir(parents=True, exist_ok=True)
        self._make_room()
        path = self._folder / f"{time.time_ns():020}-{os.getpid()}.jsonl"
        self._file = (os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640), 0, os.getpid())

    def _make_room(self) -> None:
        files = sorted(self._folder.glob("*.jsonl"))
        sizes = {path: path.stat().st_size for path in files}
        for path in files:
            if sum(sizes.values()) + _FILE_BYTES <= self._max_bytes:
                return
            path.unlink(missing_ok=True)
            del sizes[path]


def _vector(line: str) -> ServedVector | None:
    try:
        found = json.loads(line)
        found["views"] = [tuple(view) for view in found["views"]]
        return ServedVector(**found)
    except (ValueError, TypeError, KeyError):
        return None
