"""Reading histories, and putting them in order: the chunks of a run become segments, one key each, sorted, without equals.

Whoever reads a run with many chunks sorts them for the next reader. It is safe at any moment and in several processes
at once: a deletion answers the rows that it took, so each chunk goes into exactly one transaction's segments.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from typing import Any

import numpy as np

from treadle.kernel.store import DiskFull, Reader, ReadOnlyStore, Statements, Store, StoreUnreachable, Transaction
from treadle.systems.train.tracking.metric_rows import next_id
from treadle.systems.train.tracking.packing import Columns, in_order, joined, pack_columns, unpack

sql = Statements(__package__)

MANY_CHUNKS = 32
"""A run with more chunks than these is put in order when somebody reads it."""
AT_ONCE = 64
"""So many chunks are sorted in one transaction: other writers wait for no longer than that takes."""
_SMALL_SEGMENT = 512
"""A segment of at most so many points is merged with what comes after it."""
_SEGMENT = 32_768
_LEAST, _MOST = -(2**63), 2**63 - 1


class Histories:
    """The histories of the metrics of runs."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def points(
        self, reader: Reader, project: str, number: int, key: int, *, first_step: int = _LEAST, last_step: int = _MOST
    ) -> Columns | None:
        """Each point of one key of a run once, by time, step and value; None where there is none."""
        chunks = reader.all(sql.chunks_of_run, {"project": project, "number": number})
        values = {"project": project, "number": number, "key": key, "first_step": first_step, "last_step": last_step}
        parts = [unpack(bytes(content)) for (content,) in reader.all(sql.segments_of_series, values)]
        for (content,) in chunks:
            found = unpack(bytes(content))
            is_wanted = found.keys == key
            if is_wanted.any():
                parts.append(found.take(is_wanted))
        if not parts:
            return None
        points = in_order(joined(parts))
        if first_step > _LEAST or last_step < _MOST:
            points = points.take((points.steps >= first_step) & (points.steps <= last_step))
        return points

    def tidy(self, project: str, number: int) -> None:
        """Puts a run in order where it has many chunks. What cannot be written now is left for another time."""
        with self._store.read() as reader:
            row = reader.find(sql.count_chunks, {"project": project, "number": number})
        count = 0 if row is None else int(row[0])
        if count <= MANY_CHUNKS:
            return
        with contextlib.suppress(ReadOnlyStore, DiskFull, StoreUnreachable):
            for _ in range(0, count, AT_ONCE):
                self._store.write(lambda tx: self.put_in_order(tx, project, number))

    def put_in_order(self, tx: Transaction, project: str, number: int) -> None:
        """The oldest chunks of a run as segments."""
        run = {"project": project, "number": number}
        taken = [unpack(bytes(content)) for (content,) in tx.all(sql.take_chunks, {**run, "most": AT_ONCE})]
        if not taken:
            return
        keys = sorted({int(key) for part in taken for key in np.unique(part.keys)})
        small = tx.all(sql.take_small_segments, {**run, "most": _SMALL_SEGMENT, "keys": json.dumps(keys)})
        points = in_order(joined(taken + [unpack(bytes(content)) for (content,) in small]))
        bounds = np.flatnonzero(np.diff(points.keys)) + 1
        starts = [0, *bounds.tolist(), len(points)]
        pieces = [
            points.take(slice(at, min(at + _SEGMENT, end)))
            for start, end in itertools.pairwise(starts)
            for at in range(start, end, _SEGMENT)
        ]
        tx.put_many(sql.insert_segment, [{**run, **_segment(piece)} for piece in pieces])


def _segment(points: Columns) -> dict[str, Any]:
    real = points.values[~np.isnan(points.values)]
    return {
        "key": int(points.keys[0]),
        "id": next_id(),
        "count": len(points),
        "first_step": int(points.steps.min()),
        "last_step": int(points.steps.max()),
        "first_ms": int(points.times.min()),
        "last_ms": int(points.times.max()),
        "low": float(real.min()) if len(real) else None,
        "high": float(real.max()) if len(real) else None,
        "points": pack_columns(points),
    }
