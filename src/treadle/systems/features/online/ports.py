"""The online store as a port: records by key, in spaces, where an older record never replaces a newer one.

A space holds the entities of one version of one view (and the reader's documents live in spaces of their own). A record
is opaque bytes that begin with its stamp: 16 bytes whose order as bytes is the order of age. That rule, kept by the
store itself in one atomic step a record, is all that two materialisers need to be let loose at once.

`treadle.testing.online_stores` holds the suite that every store passes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

STAMP_BYTES = 16
"""How many bytes at the head of a record say how new it is."""

FOREVER = (1 << 63) - 1
"""The `due` of a record that nothing but new data can change."""


class Entry(NamedTuple):
    """A record to be kept. `due`: the moment (microseconds since 1970) from which it may be out of date."""

    key: bytes
    due: int
    record: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a store can do, as data."""

    name: str
    is_shared: bool
    """Whether other hosts reach it."""
    max_key_bytes: int
    max_record_bytes: int
    tells_changes: bool = False
    """Whether `changes` knows which records changed, and answers within microseconds."""


class OnlineStore(Protocol):
    """One project's records. Threads may share it; a process that was forked opens its own."""

    @property
    def capabilities(self) -> Capabilities: ...

    def read(self, space: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """The records of some keys, in their order; None where there is none, also in a space that nobody wrote to.
        Raises OnlineStoreUnavailable, OnlineStoreSlow.
        """

    def write(self, space: str, entries: Sequence[Entry]) -> int:
        """Keeps each record unless the one that is there has a greater stamp; answers how many were kept.

        Each record is kept or left whole. Of two entries with one key the greater stamp stays.
        """

    def due(self, space: str, until: int) -> list[bytes]:
        """The keys whose record may be out of date by then, `due <= until`, in any order."""

    def changes(self, space: str, since: int | None) -> tuple[int | None, Sequence[bytes] | None]:
        """The mark of a space as it is now, and the keys that were written or removed after the mark `since`, by
        whomever; None for all of them. Marks only grow. A store that cannot tell answers (None, None).
        """

    def scan(self, space: str) -> Iterator[tuple[bytes, bytes]]:
        """Every key with its record, in any order, each once; what is written meanwhile may be seen or not."""

    def remove(self, space: str, keys: Sequence[bytes]) -> None:
        """Takes records away, whatever their stamp. For what must not be kept; a tombstone is a record of its own."""

    def drop(self, space: str) -> None:
        """Takes a whole space away."""

    def spaces(self) -> list[str]:
        """The spaces that hold something, sorted."""

    def close(self) -> None:
        """Gives back files and connections."""


def newest_of_each(entries: Sequence[Entry]) -> list[Entry]:
    """Of the entries with one key the one with the greatest stamp, the later of equals; in order of keys."""
    found: dict[bytes, Entry] = {}
    for entry in entries:
        known = found.get(entry.key)
        if known is None or known.record[:STAMP_BYTES] <= entry.record[:STAMP_BYTES]:
            found[entry.key] = entry
    return [found[key] for key in sorted(found)]
