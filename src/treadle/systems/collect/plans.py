"""The plan of a landing: everything that is needed to bring it to its end, as JSON in the intent's row.

It is written once all data files are on the disk and before the table's log is touched. Whoever finds a plan can finish
the landing, whichever process began it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from treadle.ground.digests import Digest, of_json
from treadle.kernel.vocabulary.datasets import Column, DataFile, Snapshot


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What a landing does to one dataset."""

    dataset: str
    columns: list[Column]
    added: list[DataFile] = []
    removed: list[DataFile] = []
    content: Digest | None = None
    """Digest of the rows that are added; with `content_id` given, nothing is derived from it."""
    content_id: Digest | None = None
    origin: str | None = None
    """The snapshot that first held these very rows, where the part makes no others (a restore)."""
    on: str | None = None
    """The newest snapshot that the part was made for, empty where there was none: it holds on no other."""
    moves_rows: bool = False
    """Whether the part lays rows elsewhere and changes none (a compaction): then it holds on every snapshot that still has
    the files it removes, and inherits that one's content."""
    event_from_at: int | None = None
    event_to_at: int | None = None
    blobs: dict[str, dict[str, int]] = {}
    """By added file, the blobs that its rows name, with their sizes (a manifest of files)."""


class Merge(msgspec.Struct, frozen=True, kw_only=True):
    """The branch that a landing brings to main, and the cursors that main takes over from it."""

    branch: str
    cursors: dict[str, tuple[str, str]] = {}


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that a landing's rows were made of."""

    role: str
    digest: Digest
    producer: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Parts in the order of their commits, the quarantine first: a row is refused before its dataset moves on."""

    parts: list[Part] = []
    rows_in: int = 0
    rows_kept: int = 0
    rows_refused: int = 0
    refused_by: dict[str, int] = {}
    verdict: dict[str, Any] = {}
    cursor: str | None = None
    origin: dict[str, Any] = {}
    inputs: list[Input] = []
    """What the rows were made of, where they come from another snapshot."""
    reason: str = ""
    merge: Merge | None = None


def encode(plan: Plan) -> str:
    """The plan as JSON."""
    return msgspec.json.encode(plan).decode()


def decode(text: str) -> Plan:
    """The plan that the JSON holds."""
    return msgspec.json.decode(text, type=Plan)


def content_after(parent: Snapshot | None, added: Digest) -> Digest:
    """The content id of a snapshot to which rows were added.

    It says what the rows are and in which order they came: the digest of the parent's content id and of the logical
    digest of what was added. Files, landings and names are no part of it, so compaction inherits it, and the same data
    landed in the same order has the same id everywhere.
    """
    return of_json({"content": "treadle.content.v1", "parent": parent.content_id if parent else None, "added": added})


def layout_after(
    parent: Snapshot | None, added: Sequence[DataFile], removed: Sequence[DataFile], columns: Sequence[Column]
) -> Digest:
    """The layout digest of a snapshot: of the parent's, the files added and removed, and the columns.

    It grows by what changes and not with the table, and can be computed again from the rows of the store.
    """
    value: Mapping[str, Any] = {
        "layout": "treadle.layout.v1",
        "parent": parent.layout_digest if parent else None,
        "added": sorted([file.path, file.sha256, file.rows] for file in added),
        "removed": sorted([file.path, file.sha256, file.rows] for file in removed),
        "columns": [[column.name, column.type] for column in columns],
    }
    return of_json(value)
