"""Uniqueness of any number of rows, exact, in bounded memory.

First pass: eight bytes a row, the hash of its key, kept in memory and, past a limit, in files by the first bits of the
hash. Equal keys have equal hashes, so where no hash comes twice no key does, and nothing more is read. Second pass, only
for hashes that did come twice: the keys themselves are compared, in the order of the rows, so that two keys that merely
share a hash are never taken for one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.systems.prepare.errors import NoSpaceToJudge

HASHES_IN_MEMORY = 1 << 24
"""So many hashes (128 MiB) a rule holds before it writes them to files."""

ROWS_IN_MEMORY = 4_000_000
"""So many rows whose hash came twice are compared in one piece; more of them in files by hash."""

PARTITION_BITS = 6
_SHIFT = np.uint64(64 - PARTITION_BITS)

Hashes = NDArray[np.uint64]

AT = " at"
"""The number of a row, from 0."""
HASH = " hash"


class Ledger:
    """The keys of one rule. `add` every batch, ask `repeated`, and if there are any, `compare` every batch again.

    Rows with a null in the key are not compared. Use it as a context: it removes its files.
    """

    def __init__(self, columns: Sequence[str], *, in_memory: int = HASHES_IN_MEMORY) -> None:
        self.columns = list(columns)
        self._limit = in_memory
        self._held: list[Hashes] = []
        self._count = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._files: Files | None = None

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.clear()
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, frame: pl.DataFrame) -> None:
        """Takes note of the keys of a batch."""
        hashes = self.hashes(frame)
        self._held.append(hashes)
        self._count += len(hashes)
        if self._count >= self._limit:
            self._spill()

    def hashes(self, frame: pl.DataFrame) -> Hashes:
        """The hashes of the keys of a frame, without the rows that have a null there."""
        keys = frame.select(self.columns)
        if any(keys[name].null_count() for name in self.columns):
            keys = keys.drop_nulls()
        return keys.hash_rows().to_numpy()

    def repeated(self) -> Hashes:
        """The hashes that came more than once, sorted."""
        if self._files is None:
            return _twice(self._held)
        self._spill()
        return np.concatenate([_twice([part]) for part in self._files.read()])

    def _spill(self) -> None:
        if self._files is None:
            self._folder = tempfile.TemporaryDirectory(prefix="treadle-keys-")
            self._files = Files(Path(self._folder.name))
        if self._held:
            self._files.append(np.concatenate(self._held))
        self._held, self._count = [], 0


class Files:
    """Hashes in files by their first bits."""

    def __init__(self, folder: Path) -> None:
        self._paths = [folder / f"{part:03}" for part in range(1 << PARTITION_BITS)]

    def append(self, hashes: Hashes) -> None:
        """Writes hashes, each behind those of its part."""
        hashes.sort()
        bounds = np.searchsorted(hashes >> _SHIFT, np.arange(len(self._paths) + 1, dtype=np.uint64))
        try:
            for path, first, last in zip(self._paths, bounds[:-1], bounds[1:], strict=True):
                if last > first:
                    with path.open("ab") as file:
                        hashes[first:last].tofile(file)
        except OSError as error:
            raise no_space(error) from error

    def read(self) -> Iterator[Hashes]:
        """The hashes part by part, in the order of their values."""
        for path in self._paths:
            if path.exists():
                yield np.fromfile(path, dtype=np.uint64)


class Members:
    """A set of hashes that finds its own among many others: a table of their last bits first, then the sorted set."""

    def __init__(self, hashes: Hashes) -> None:
        bits = min(27, max(16, (16 * len(hashes)).bit_length()))  # of sixteen others at most one gets past the table
        self._hashes, self._mask = hashes, np.uint64((1 << bits) - 1)
        self._table = np.zeros(1 << bits, dtype=np.bool_)
        self._table[hashes & self._mask] = True

    def places(self, asked: Hashes) -> NDArray[np.int64]:
        """Where in `asked` the members are."""
        if not len(self._hashes):
            return np.empty(0, dtype=np.int64)
        likely = np.flatnonzero(self._table[asked & self._mask])
        candidates = asked[likely]
        found = np.searchsorted(self._hashes, candidates)
        found[found == len(self._hashes)] = 0
        return np.asarray(likely[self._hashes[found] == candidates], dtype=np.int64)


class ExistingKeys:
    """The keys of rows that are there already: eight bytes each, read when they are first asked for.

    A key whose hash is there is looked up among the rows themselves, so that a shared hash makes no repetition.
    """

    def __init__(self, rows: pl.LazyFrame, columns: Sequence[str]) -> None:
        self._columns = list(columns)
        self._rows = rows.select(self._columns)
        self._members: Members | None = None

    def among(self, asked: pl.DataFrame) -> pl.DataFrame:
        """The rows whose key is there already; `asked` has no null in a key."""
        if not asked.height:
            return asked
        schema = self._rows.collect_schema()
        wanted = {name: schema[name] for name in self._columns if asked.schema[name] != schema[name]}
        keys = asked.select(self._columns).cast(wanted, strict=False) if wanted else asked.select(self._columns)  # type: ignore[arg-type]
        self._members = self._members or self._read()
        where = self._members.places(keys.hash_rows().to_numpy())
        if not len(where):
            return asked.clear()
        likely = keys[where].with_columns(pl.Series(AT, where))
        there = self._rows.join(likely.lazy().select(self._columns), on=self._columns, how="semi").unique()
        found = likely.join(there.collect(engine="streaming"), on=self._columns, how="semi")
        return asked[found[AT].sort()]

    def _read(self) -> Members:
        parts = [frame.hash_rows().to_numpy() for frame in self._rows.drop_nulls().collect_batches(chunk_size=1 << 17)]
        hashes = np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)
        hashes.sort()
        return Members(hashes)


class Comparison:
    """Which rows repeat a key that came before, of those whose hash came more than once.

    `add` gives the batches of the second pass, in order; `failing` then gives the rows, all but the first of each key, as
    frames of the columns that were added beside the keys.
    """

    def __init__(self, ledger: Ledger, repeated: Hashes, *, in_memory: int = ROWS_IN_MEMORY) -> None:
        self._ledger, self._repeated, self._limit = ledger, Members(repeated), in_memory
        self._held: list[pl.DataFrame] = []
        self._count = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._written = 0

    def add(self, frame: pl.DataFrame) -> None:
        """Keeps the rows of a batch whose hash came more than once, with all columns of the frame."""
        keys = self._ledger.columns
        asked = frame.drop_nulls(keys) if any(frame[name].null_count() for name in keys) else frame
        hashes = asked.select(keys).hash_rows()
        where = self._repeated.places(hashes.to_numpy())
        if len(where):
            self._held.append(asked[where].with_columns(hashes[where].alias(HASH)))
            self._count += len(where)
            if self._count >= self._limit:
                self._spill()

    def failing(self) -> Iterator[pl.DataFrame]:
        """The rows that repeat a key, in their order where they fit in memory, else part by part."""
        try:
            if self._folder is None:
                if self._held:
                    yield self._again(pl.concat(self._held), None)[0]
                return
            self._spill()
            for part in range(1 << PARTITION_BITS):
                seen: pl.DataFrame | None = None
                for path in sorted(Path(self._folder.name).glob(f"{part:03}-*.arrow")):
                    again, seen = self._again(pl.read_ipc(path), seen)
                    yield again
        finally:
            if self._folder is not None:
                self._folder.cleanup()

    def _again(self, rows: pl.DataFrame, seen: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows that repeat a key of these or of those seen, and all keys seen so far."""
        keys = self._ledger.columns
        first = rows.select(pl.struct(keys).is_first_distinct()).to_series()
        fresh = rows.filter(first)
        if seen is None:
            return rows.filter(~first).drop(HASH), fresh.select(keys)
        known = fresh.join(seen, on=keys, how="semi", maintain_order="left")
        new = fresh.join(seen, on=keys, how="anti").select(keys)
        return pl.concat([rows.filter(~first), known]).drop(HASH), pl.concat([seen, new])

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="treadle-rows-")
        if not self._held:
            return
        rows = pl.concat(self._held)
        parts = rows.with_columns((pl.col(HASH) // (1 << (64 - PARTITION_BITS))).alias(" part"))
        try:
            for (part,), frame in parts.partition_by(" part", as_dict=True, include_key=False).items():
                frame.write_ipc(Path(self._folder.name) / f"{int(part):03}-{self._written:06}.arrow")
        except OSError as error:
            raise no_space(error) from error
        self._held, self._count, self._written = [], 0, self._written + 1


def no_space(error: OSError) -> NoSpaceToJudge:
    """The refusal of a judgement that found no room for its files."""
    return NoSpaceToJudge(
        "The keys of this many rows do not fit in memory, and cannot be written.",
        why=str(error),
        fix="Give TMPDIR a folder with room: eight bytes a row and rule.",
    )


def _twice(parts: Sequence[Hashes]) -> Hashes:
    if not parts:
        return np.empty(0, dtype=np.uint64)
    hashes = np.concatenate(parts)
    hashes.sort()
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
