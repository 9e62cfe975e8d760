"""Writing points: the chunk of a call, the latest values, the numbers of the keys.

Several processes may write one run at once. Nothing here counts up what another could count up too: a chunk takes an id
made of the time and a number of its process, and where it is taken the write is made again; a key's number is settled by
the unique index on it. A batch that is sent twice leaves two chunks, and reading counts equal points once.
"""

from __future__ import annotations

import itertools
import json
import secrets
import struct
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import msgspec

from treadle.kernel.store import Reader, Statements, Store, Transaction, UniqueViolation, Work
from treadle.systems.train.tracking.packing import pack, unpack
from treadle.systems.train.tracking.summaries import PointBatch, Summary

T = TypeVar("T")

sql = Statements(__package__)

ROLL_EVERY = 256
"""After so many small chunks of a run they become one."""
SMALL = 64
"""A chunk of at most so many points is small."""
_ONE = struct.Struct("<B3sIqqqd")
_REMEMBERED_RUNS = 4096
_encode = msgspec.json.encode

_counter = itertools.count(secrets.randbits(20))


def next_id() -> int:
    """An id for a chunk or a segment: 42 bits of milliseconds, 21 bits that differ between calls and processes."""
    return (time.time_ns() // 1_000_000) << 21 | (next(_counter) & 0x1FFFFF)


class MetricKeys:
    """The numbers of metric names. What has been read once is kept, since a number never changes its name."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, int]] = {}

    def known(self, project: str) -> Mapping[str, int]:
        """What this process knows of a project's keys."""
        return self._known.get(project, {})

    def remember(self, project: str, numbers: Mapping[str, int]) -> None:
        """Keeps what a transaction found or made; to be called once it has been committed."""
        if numbers:
            self._known.setdefault(project, {}).update(numbers)

    def find(self, reader: Reader, project: str, name: str) -> int | None:
        """The number of a name, or None when no run has logged it."""
        number = self.known(project).get(name)
        if number is None:
            row = reader.find(sql.find_metric_key, {"project": project, "name": name})
            number = None if row is None else int(row[0])
        return number

    def ensure(self, tx: Transaction, project: str, names: Iterable[str]) -> dict[str, int]:
        """The numbers of the names that are not remembered yet, made where they are new."""
        known = self.known(project)
        wanted = [name for name in names if name not in known]
        found: dict[str, int] = {}
        while wanted:
            found.update(tx.all(sql.metric_keys, {"project": project, "names": json.dumps(wanted)}))
            wanted = [name for name in wanted if name not in found]
            if wanted:
                row = tx.find(sql.newest_metric_key, {"project": project})
                first = 1 + (0 if row is None else int(row[0]))
                tx.put_many(
                    sql.insert_metric_key,
                    [{"project": project, "number": first + place, "name": name} for place, name in enumerate(wanted)],
                )
        return found


def written(store: Store, work: Work[T]) -> T:
    """Writes; once more where another process has taken the id of a chunk in the same millisecond.

    That comes to pass so seldom that no write waits to be told whether it did.
    """
    try:
        return store.write(work)
    except UniqueViolation as error:
        if error.context.get("statement") != sql.insert_chunk.name:
            raise
        return store.write(work)


class MetricRows:
    """Writes batches of points of runs. The write goes by `written`."""

    def __init__(self) -> None:
        self.keys = MetricKeys()
        self._since_rolled: dict[tuple[str, int], int] = {}

    def write(
        self,
        tx: Transaction,
        project: str,
        number: int,
        experiment: int,
        batch: PointBatch,
        latest: Mapping[str, Summary],
    ) -> dict[str, int]:
        """Adds a batch and its summaries; answers the keys to remember once the transaction stands."""
        learned = self.keys.ensure(tx, project, latest)
        numbers = {**self.keys.known(project), **learned} if learned else self.keys.known(project)
        content = pack([numbers[key] for key in batch.keys], batch.steps, batch.times, batch.values)
        self._add_chunk(tx, project, number, len(batch), content)
        self._put_latest(tx, project, number, experiment, {numbers[key]: one for key, one in latest.items()})
        if len(batch) <= SMALL and self._is_due(project, number):
            self._roll(tx, project, number)
        return learned

    def _put_latest(
        self, tx: Transaction, project: str, number: int, experiment: int, latest: Mapping[int, Summary]
    ) -> None:
        """Brings the latest values up to date, in the order of the keys: so no two writers wait for each other in a ring."""
        if tx.dialect == "postgresql" and len(latest) > 1:
            rows = [{"key": key, **latest[key]} for key in sorted(latest)]
            run = {"project": project, "number": number, "experiment": experiment}
            tx.put(sql.put_latest_rows, {**run, "rows": _encode(rows).decode()})
            return
        rows = []
        for key in sorted(latest):
            row = latest[key]
            row["project"], row["number"], row["key"], row["experiment"] = project, number, key, experiment
            rows.append(row)
        if len(rows) == 1:
            tx.put(sql.put_latest, rows[0])
        else:
            tx.put_many(sql.put_latest, rows)

    def _add_chunk(self, tx: Transaction, project: str, number: int, count: int, content: bytes) -> None:
        values: dict[str, Any] = {"project": project, "number": number, "count": count, "points": content}
        tx.put(sql.insert_chunk, {**values, "id": next_id()})

    def _is_due(self, project: str, number: int) -> bool:
        if len(self._since_rolled) > _REMEMBERED_RUNS:
            self._since_rolled.clear()
        count = self._since_rolled.get((project, number), 0) + 1
        self._since_rolled[project, number] = 0 if count >= ROLL_EVERY else count
        return count >= ROLL_EVERY

    def _roll(self, tx: Transaction, project: str, number: int) -> None:
        """The small chunks of a run as one: what a deletion answers, no other transaction has."""
        taken = tx.all(sql.take_small_chunks, {"project": project, "number": number, "most": SMALL})
        keys: list[int] = []
        steps: list[int] = []
        times: list[int] = []
        values: list[float] = []
        for (content,) in taken:
            if len(content) == _ONE.size:
                _, _, _, key, step, at, value = _ONE.unpack(content)
                keys.append(key)
                steps.append(step)
                times.append(at)
                values.append(value)
            else:
                points = unpack(bytes(content))
                keys += points.keys.tolist()
                steps += points.steps.tolist()
                times += points.times.tolist()
                values += points.values.tolist()
        if values:
            self._add_chunk(tx, project, number, len(values), pack(keys, steps, times, values))
