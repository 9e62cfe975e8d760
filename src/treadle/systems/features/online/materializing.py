"""Brings a view's records up to a snapshot and a moment: only what the landings touched, or time has changed.

What has to be computed anew is known exactly: the entities whose rows are not the same in the two snapshots, and those
whose record says that it is valid no longer. They are worked off in pieces by a hash of their key. A piece that is
written is noted, so a materialisation that was killed goes on where it was; the watermark moves when all are written,
so one that never goes on is simply done again. Two at once do no harm: of two records the newer stays, and the watermark
never falls.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import polars as pl

from treadle.ground import digests
from treadle.ground.clock import Clock, from_micros, to_micros
from treadle.ground.errors import InvalidInput, NotFound
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.features.columns import micros
from treadle.systems.features.online import documents
from treadle.systems.features.online.documents import ViewDocument
from treadle.systems.features.online.entity_keys import EntityKeys, KeyKind
from treadle.systems.features.online.errors import AlreadyMaterialized, NotServable
from treadle.systems.features.online.packing import layout_of, pack_frame
from treadle.systems.features.online.ports import Entry, OnlineStore
from treadle.systems.features.online.rows import ViewRows
from treadle.systems.features.online.values import evaluate, evaluate_nobody, key_kinds
from treadle.systems.features.ports import LandingTimes, SnapshotSource
from treadle.systems.features.views import FeatureView

AT_ONCE = 100_000
"""About how many entities are computed and written at a time."""

Progress = Callable[[str, int, int], object]
"""Told the view, how many entities are done, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Materialized:
    """What one materialisation of a view did."""

    view: str
    digest: str
    dataset: str
    snapshot: str
    version: int
    until: datetime
    """Every value is exact as of this moment."""
    entities: int
    """How many were computed."""
    written: int
    """How many of these were kept; the others were there already, newer."""
    landed: int
    """Computed because their rows have changed."""
    expired: int
    """Computed because time has changed their values."""
    resumed: bool
    """Whether it went on where a killed one had stopped."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class _Work:
    """One view, brought from where it stands to a snapshot and a moment."""

    rows: ViewRows
    snapshot: Snapshot
    moment: int
    keys: EntityKeys
    schema: pl.Schema
    space: str
    before: ViewDocument | None

    @property
    def at(self) -> tuple[int, int]:
        return self.snapshot.version, self.moment


class Materializer:
    """Writes the records of views of one project."""

    def __init__(
        self,
        store: OnlineStore,
        source: SnapshotSource,
        landings: LandingTimes | None,
        clock: Clock,
        project: str,
        *,
        at_once: int = AT_ONCE,
        at: Callable[[str], object] = lambda point: None,
    ) -> None:
        """at: called with the name of each point that is passed, for tests that kill it there."""
        self._store, self._source, self._landings = store, source, landings
        self._clock, self._project, self._at_once, self._at = clock, project, at_once, at

    def materialize(
        self,
        view: FeatureView,
        *,
        until: datetime | None = None,
        anew: bool = False,
        progress: Progress = lambda view, done, count: None,
    ) -> Materialized:
        """Brings the records of a view up to the newest snapshot and a moment (now without `until`).

        anew: computes every entity again. Raises what the source and the join raise, NotServable, AlreadyMaterialized.
        """
        rows = ViewRows(self._source, self._landings, self._project, view)
        snapshot = self._source.snapshot(self._project, view.dataset)
        work = self._work(rows, snapshot, until)
        wanted, resumed = work.at, dict[str, Any]()
        noted = None if anew else documents.find_progress(self._store, work.space)
        if noted is not None and (until is None or to_micros(until) >= noted[0][1]):
            work, resumed = self._gone_on(work, *noted)
        landed, expired, keys = self._keys(work, anew)
        entities, written = self._write(work, keys, resumed, progress)
        self._finish(work)
        answer = self._answer(work, entities, written, len(landed), len(expired), bool(resumed))
        if resumed and work.at != wanted:
            rest = self.materialize(view, until=until, progress=progress)
            return _added(answer, rest)
        return answer

    # -- what to do --------------------------------------------------------------------------------------------------

    def _work(self, rows: ViewRows, snapshot: Snapshot, until: datetime | None) -> _Work:
        view = rows.view
        schema = rows.schema(snapshot)
        kinds = key_kinds(view, schema)
        space = space_of(view, kinds)
        before = documents.find_view(self._store, space)
        now = self._clock()
        if until is not None and until > now:
            raise InvalidInput(
                f"{until.isoformat()} has not come yet.", fix="Leave `until` out to take the values as of now."
            )
        moment = to_micros(until or now)
        if before is not None and moment < before.until:
            if until is not None:
                raise AlreadyMaterialized(
                    f"{view.name!r} is online as of {from_micros(before.until).isoformat()}, after {until.isoformat()}.",
                    why="Values do not go back in time.",
                    fix="Ask for a later moment, or read the past from a training set.",
                )
            moment = before.until  # the clock of another host is ahead of ours
        names = EntityKeys([name for name, _ in kinds], [kind for _, kind in kinds])
        return _Work(rows, snapshot, moment, names, schema, space, before)

    def _gone_on(self, work: _Work, at: tuple[int, int], said: dict[str, Any]) -> tuple[_Work, dict[str, Any]]:
        """The work that was being done when a process ended, if it can be gone on with."""
        stood = (0, 0) if work.before is None else (work.before.version, work.before.until)
        if tuple(said["before"]) != stood or at <= stood or at > work.at:
            return work, {}
        try:
            snapshot = self._source.snapshot(self._project, work.rows.view.dataset, said["snapshot"])
        except NotFound:
            return work, {}
        if work.rows.schema(snapshot) != work.schema:
            return work, {}
        return _Work(work.rows, snapshot, at[1], work.keys, work.schema, work.space, work.before), said

    def _keys(self, work: _Work, anew: bool) -> tuple[set[bytes], set[bytes], list[bytes]]:
        """The keys that landings touched, those that time has touched, and both together."""
        before = None if work.before is None or anew else self._snapshot_of(work.before)
        if before is None:
            landed = set(self._encoded(work, work.rows.keys(work.snapshot)))
            landed.update(key for key, _ in self._store.scan(work.space))  # a record whose rows are gone since
            return landed, set(), list(landed)
        landed = set(self._encoded(work, work.rows.touched(before, work.snapshot)))
        expired = set(self._store.due(work.space, work.moment)) - landed
        return landed, expired, [*landed, *expired]

    def _snapshot_of(self, document: ViewDocument) -> Snapshot | None:
        try:
            return self._source.snapshot(self._project, document.dataset, document.snapshot)
        except NotFound:  # cleaned up since: everything is computed again
            return None

    def _encoded(self, work: _Work, keys: pl.DataFrame) -> list[bytes]:
        held = work.rows.view.key_map
        columns = [keys[name].to_list() for name in held.values()]
        names = list(held)
        found = [work.keys.encode(dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
        longest = max(map(len, found), default=0)
        if longest > self._store.capabilities.max_key_bytes:
            raise NotServable(
                f"A key of {work.rows.view.name!r} is {longest} bytes long.",
                why=f"The online store {self._store.capabilities.name} takes {self._store.capabilities.max_key_bytes}.",
                fix="Key the view by something shorter.",
            )
        return found

    # -- doing it ----------------------------------------------------------------------------------------------------

    def _write(self, work: _Work, keys: list[bytes], resumed: dict[str, Any], progress: Progress) -> tuple[int, int]:
        count = int(resumed.get("pieces", 0)) or max(1, -(-len(keys) // self._at_once))
        first = int(resumed.get("done", 0))
        name, done, written = work.rows.view.name, 0, 0
        stood = (0, 0) if work.before is None else (work.before.version, work.before.until)
        for piece, some in _pieces(keys, count):
            done += len(some)
            if piece < first:
                continue
            written += self._write_piece(work, some)
            self._at(f"wrote piece {piece}")
            if count > 1:
                said = {"before": stood, "snapshot": work.snapshot.id, "pieces": count, "done": piece + 1}
                documents.put_progress(self._store, work.space, work.at, said)
            progress(name, done, len(keys))
        return done, written

    def _write_piece(self, work: _Work, keys: list[bytes]) -> int:
        if not keys:
            return 0
        frame = self._decoded(work, keys)
        rows = work.rows.of_keys(work.snapshot, frame)
        found = evaluate(work.rows.view, rows, frame, version=work.snapshot.version, moment=work.moment)
        layout = layout_of(found.features)
        documents.put_layout(self._store, work.space, layout)
        records = pack_frame(found.features, layout, found.heads)
        most = self._store.capabilities.max_record_bytes
        if max(map(len, records)) > most:
            raise NotServable(
                f"A record of {work.rows.view.name!r} is {max(map(len, records))} bytes long.",
                why=f"The online store {self._store.capabilities.name} takes {most}.",
                fix="Keep long texts and lists out of the view, or choose another store.",
            )
        due = found.heads.valid_until.tolist()
        return self._store.write(work.space, [Entry(*one) for one in zip(keys, due, records, strict=True)])

    def _decoded(self, work: _Work, keys: list[bytes]) -> pl.DataFrame:
        held = work.rows.view.key_map
        entities = [work.keys.decode(key) for key in keys]
        columns = {name: [entity[asked] for entity in entities] for asked, name in held.items()}
        return pl.DataFrame(columns, schema={name: work.schema[name] for name in columns})

    def _finish(self, work: _Work) -> None:
        """Moves the watermark: from now on a reader may rely on all of it."""
        view = work.rows.view
        rows = work.rows.of_keys(replace(work.snapshot, files=()), None)
        nobody = evaluate_nobody(view, rows, version=work.snapshot.version, moment=work.moment)
        layout = layout_of(nobody.features)
        documents.put_layout(self._store, work.space, layout)
        self._at("before the watermark")
        document = ViewDocument(
            view=view.name,
            digest=view.digest,
            space=work.space,
            dataset=view.dataset,
            snapshot=work.snapshot.id,
            version=work.snapshot.version,
            until=work.moment,
            keys=list(zip(work.keys.names, work.keys.kinds, strict=True)),
            ttl=None if view.ttl is None else micros(view.ttl),
            row_features=list(view.row_features),
            layout=layout.number,
            nobody=pack_frame(nobody.features, layout, nobody.heads)[0].hex(),
            written_at=to_micros(self._clock()),
        )
        documents.put_view(self._store, document)
        documents.clear_progress(self._store, work.space)

    def _answer(
        self, work: _Work, entities: int, written: int, landed: int, expired: int, resumed: bool
    ) -> Materialized:
        return Materialized(
            view=work.rows.view.name,
            digest=work.rows.view.digest,
            dataset=work.rows.view.dataset,
            snapshot=work.snapshot.id,
            version=work.snapshot.version,
            until=from_micros(work.moment),
            entities=entities,
            written=written,
            landed=landed,
            expired=expired,
            resumed=resumed,
        )


def space_of(view: FeatureView, kinds: list[tuple[str, KeyKind]]) -> str:
    """The space of a version of a view, whose keys hold these kinds."""
    return f"{view.name}/{digests.of_json([view.digest, kinds]).removeprefix('sha256:')[:24]}"


def _pieces(keys: list[bytes], count: int) -> Iterator[tuple[int, list[bytes]]]:
    """The keys in so many pieces; a key is in the same piece whatever the others are."""
    if count == 1:
        yield 0, sorted(keys)
        return
    found: list[list[bytes]] = [[] for _ in range(count)]
    for key in keys:
        found[zlib.crc32(key) % count].append(key)
    for piece, some in enumerate(found):
        yield piece, sorted(some)


def _added(one: Materialized, other: Materialized) -> Materialized:
    return replace(
        other,
        entities=one.entities + other.entities,
        written=one.written + other.written,
        landed=one.landed + other.landed,
        expired=one.expired + other.expired,
        resumed=True,
    )
