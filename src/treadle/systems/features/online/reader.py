"""Feature vectors out of the online store: what a model server asks for, within microseconds.

The reader opens the online store and nothing else: no catalog, no dataset, no Polars. What it must know of services and
views it reads there, and again every second, so that a new watermark is followed without a restart. A store that does
not answer in time gives an answer that says so; it never makes a prediction wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import chain
from operator import itemgetter
from typing import Any

from treadle.ground.errors import did_you_mean
from treadle.systems.features.online import documents
from treadle.systems.features.online.documents import ServiceDocument, ViewDocument
from treadle.systems.features.online.entity_keys import EntityKeys
from treadle.systems.features.online.errors import NotMaterialized, OnlineStoreUnavailable, RecordCorrupt
from treadle.systems.features.online.layout import FOREVER, HAS_ROW, MIDDLE, Layout
from treadle.systems.features.online.ports import OnlineStore
from treadle.systems.features.online.remembering import Memories, Memory, Opened

FOUND, MISSING, EXPIRED, BEHIND, UNAVAILABLE = "found", "missing", "expired", "behind", "unavailable"
"""How a view answered an entity: with its newest row; no row is known; the newest row is older than the time to live;
time has moved on since the values were computed, and may have changed them; the store did not answer in time."""

REFRESH_S = 1.0

_FOUND = (FOUND,)

_Answer = tuple[list[tuple[Any, ...]], list[tuple[str, ...]], list[tuple[int, ...]], list[tuple[int, ...]]]
"""What one view says of each entity: its values, and its status, moment and version as tuples of one, which those of
other views are added to."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far a view is online: the snapshot whose landings are all in, and the moment of which all values are exact."""

    view: str
    digest: str
    dataset: str
    snapshot: str
    version: int
    until: int


@dataclass(slots=True)
class Vectors:
    """Feature vectors, one for each entity in its place.

    values: in the order of `features`. statuses, as_of, versions: for each entity an entry a view, in the order of
    `watermarks`. as_of: the moment (microseconds since 1970) of which the values are exactly those that the snapshot of
    `versions` gives offline; 0 where the view is unavailable.
    """

    service: str
    digest: str
    features: tuple[str, ...]
    watermarks: tuple[Watermark, ...]
    values: list[tuple[Any, ...]]
    statuses: list[tuple[str, ...]]
    as_of: list[tuple[int, ...]]
    versions: list[tuple[int, ...]]

    def rows(self) -> list[dict[str, Any]]:
        """Each vector as a mapping from feature to value."""
        return [dict(zip(self.features, values, strict=True)) for values in self.values]


@dataclass(slots=True)
class _View:
    """A view as it is read."""

    document: ViewDocument
    watermark: Watermark
    keys: EntityKeys
    space: str
    ttl: int
    layouts: dict[bytes, Layout]
    nobody: tuple[Any, ...]
    kept: tuple[bool, ...]
    """Which features stay when the newest row is too old."""
    unknown: tuple[Any, ...]
    memory: Memory | None

    @property
    def names(self) -> tuple[str, ...]:
        """The features in the order of the records."""
        return next(iter(self.layouts.values())).names

    @property
    def types(self) -> tuple[Any, ...]:
        """Their types."""
        return next(iter(self.layouts.values())).types

    def forgotten(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(value if kept else None for value, kept in zip(values, self.kept, strict=True))


@dataclass(slots=True)
class _Plan:
    """A service as it is read."""

    document: ServiceDocument
    views: tuple[_View, ...]
    watermarks: tuple[Watermark, ...]
    features: tuple[str, ...]
    in_order: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None
    """Puts the views' values, one after another, into the order of the service; None where they are in it."""
    stale_at: float
    demands: Any = None
    """Computes the features on demand, where there are some; see `demanding.Demands`."""


def now_micros() -> int:
    """The present as microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(slots=True)
class FeatureReader:
    """See the module. Threads may share it.

    timeout_s: the time that one call may wait for the store; views beyond it are answered as unavailable.
    memory_bytes: what it keeps of decoded records for calls with several entities; see `remembering`.
    """

    store: OnlineStore
    clock: Callable[[], int] = now_micros
    timeout_s: float = 0.25
    refresh_s: float = REFRESH_S
    memory_bytes: int = 64 << 20
    _memories: Memories = field(init=False)
    _plans: dict[str, _Plan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._memories = Memories(self.memory_bytes)

    def read(self, service: str, entities: Sequence[Mapping[str, Any]]) -> Vectors:
        """The vectors of some entities as they are now.

        service: its name (the newest version), or one version of it (`documents.versioned`).
        Raises NotMaterialized, EntityRefused; never for a store that does not answer, see `UNAVAILABLE`.
        """
        plan = self._plans.get(service)
        if plan is None or time.monotonic() >= plan.stale_at:
            plan = self._refreshed(service, plan)
        now = self.clock()
        if len(plan.views) == 1:
            said = self._answer(plan.views[0], entities, now)
        else:
            said = self._joined(plan, entities, now)
        answer = Vectors(plan.document.service, plan.document.digest, plan.features, plan.watermarks, *said)
        if plan.demands is not None:
            answer.values = plan.demands.compute(answer.values, entities)
        elif plan.in_order is not None:
            answer.values = list(map(plan.in_order, answer.values))
        return answer

    def watermarks(self, service: str) -> tuple[Watermark, ...]:
        """How far the views of a service are online."""
        return self._refreshed(service, None).watermarks

    # -- one view ----------------------------------------------------------------------------------------------------

    def _joined(self, plan: _Plan, entities: Sequence[Mapping[str, Any]], now: int) -> _Answer:
        ends = time.monotonic() + self.timeout_s
        parts: list[_Answer] = []
        for view in plan.views:
            if parts and time.monotonic() > ends:
                parts.append(_nothing(view, len(entities)))
            else:
                parts.append(self._answer(view, entities, now))
        values, statuses, moments, versions = zip(*parts, strict=True)
        return _added(values), _added(statuses), _added(moments), _added(versions)

    def _answer(self, view: _View, entities: Sequence[Mapping[str, Any]], now: int) -> _Answer:
        try:
            names = view.keys.names_of(entities) if view.memory is not None and len(entities) > 1 else None
            if names is None:
                return _judged(view, self._looked_up(view, entities), now)
            return self._recalled(view, entities, names, now)
        except OnlineStoreUnavailable:
            return _nothing(view, len(entities))

    def _looked_up(self, view: _View, entities: Sequence[Mapping[str, Any]]) -> list[Opened | None]:
        """The records of some entities as they are in the store."""
        encode, layouts = view.keys.encode, view.layouts
        records = self.store.read(view.space, [encode(entity) for entity in entities])
        found: list[Opened | None] = []
        for record in records:
            if record is None:
                found.append(None)
                continue
            layout = layouts.get(record[16:20]) or self._layout(view, record[16:20])
            (version, moment, _, until, event_at, _, flags, *_), values = layout.head_and_values(record)
            last = until if until <= event_at + view.ttl else event_at + view.ttl + 1
            found.append((values, last if flags & HAS_ROW else 0, moment - MIDDLE, version, until, event_at, flags))
        return found

    def _recalled(
        self, view: _View, entities: Sequence[Mapping[str, Any]], names: Sequence[Hashable], now: int
    ) -> _Answer:
        """The same answer, from memory where it can be."""
        memory, count = view.memory, len(entities)
        assert memory is not None
        mark = memory.follow()
        if mark is None:
            return _judged(view, self._looked_up(view, entities), now)
        newest = view.document.version
        values = memory.take_found(names, now, newest)
        if values is not None:
            return list(values), [_FOUND] * count, [(now,)] * count, [(newest,)] * count
        found = memory.take(names)
        missing = [place for place, one in enumerate(found) if one is None]
        if missing:
            for place, one in zip(missing, self._looked_up(view, [entities[place] for place in missing]), strict=True):
                found[place] = one
            memory.remember(mark, {names[place]: one for place in missing if (one := found[place]) is not None})
        return _judged(view, found, now)

    def _layout(self, view: _View, number: bytes) -> Layout:
        found = documents.find_layout(self.store, view.space, int.from_bytes(number, "big"))
        if found is None or found.names != view.names:
            raise RecordCorrupt(
                f"A record of {view.document.view!r} names a layout that is not there.",
                fix=f"Write the view anew: treadle features materialize {view.document.view} --anew",
            )
        view.layouts[number] = found
        return found

    # -- services ----------------------------------------------------------------------------------------------------

    def _refreshed(self, service: str, known: _Plan | None) -> _Plan:
        """The plan of a service as the store has it now; the known one where the store does not answer."""
        try:
            plan = self._load(service)
        except OnlineStoreUnavailable:
            if known is None:
                raise
            known.stale_at = time.monotonic() + self.refresh_s
            return known
        self._plans[service] = plan
        self._memories.keep_only({view.space for one in self._plans.values() for view in one.views})
        return plan

    def _load(self, service: str) -> _Plan:
        document = documents.find_service(self.store, service)
        if document is None:
            names = [key.decode() for key, _ in self.store.scan(documents.SERVICES)]
            raise NotMaterialized(
                f"The feature service {service!r} is not online.",
                why=did_you_mean(service, [name for name in names if "@" not in name]),
                fix=f"Materialise it: treadle features materialize {service.partition('@')[0]}",
                service=service,
            )
        views = tuple(self._view(document, name, space) for name, space in document.views)
        order = [feature for view in views for feature in view.names]
        demands = None
        if document.on_demand:  # takes Polars, so its module is imported for such services alone
            types = [given for view in views for given in view.types]
            module = import_module("treadle.systems.features.online.demanding")
            demands = module.Demands(document.on_demand, order, types, document.features)
        wanted = [] if demands else [order.index(feature) for feature in document.features]
        return _Plan(
            document=document,
            views=views,
            watermarks=tuple(view.watermark for view in views),
            features=tuple(document.features),
            in_order=None if demands or wanted == list(range(len(order))) else _taking(wanted),
            demands=demands,
            stale_at=time.monotonic() + self.refresh_s,
        )

    def _view(self, service: ServiceDocument, name: str, space: str) -> _View:
        found = documents.find_view(self.store, space)
        if found is None:
            raise NotMaterialized(
                f"The feature view {name!r} of the service {service.service!r} is not online.",
                fix=f"Materialise it: treadle features materialize {name}",
                view=name,
            )
        layout = documents.find_layout(self.store, space, found.layout)
        keys = EntityKeys([key for key, _ in found.keys], [kind for _, kind in found.keys])  # type: ignore[misc]
        if layout is None:
            raise RecordCorrupt(
                f"The layout of {name!r} is not there.",
                fix=f"Write the view anew: treadle features materialize {name} --anew",
            )
        forgets = set(found.row_features)
        return _View(
            document=found,
            watermark=Watermark(found.view, found.digest, found.dataset, found.snapshot, found.version, found.until),
            keys=keys,
            space=space,
            ttl=FOREVER if found.ttl is None else found.ttl,
            layouts={layout.number.to_bytes(4, "big"): layout},
            nobody=layout.open(bytes.fromhex(found.nobody)).values,
            kept=tuple(feature not in forgets for feature in layout.names),
            unknown=(None,) * len(layout.names),
            memory=self._memories.of(self.store, space, keys, layout),
        )


def _judged(view: _View, found: Sequence[Opened | None], now: int) -> _Answer:
    """What records say at a time."""
    answer: _Answer = [], [], [], []
    for one in found:
        given, status, moment, version = _said(view, one, now)
        answer[0].append(given)
        answer[1].append((status,))
        answer[2].append((moment,))
        answer[3].append((version,))
    return answer


def _said(view: _View, found: Opened | None, now: int) -> tuple[tuple[Any, ...], str, int, int]:
    newest = view.document.version
    if found is None:
        return view.nobody, MISSING, now if now > view.document.until else view.document.until, newest
    values, _, moment, version, until, event_at, flags = found
    latest = now if now < until else until - 1
    if latest > moment:
        moment = latest
    if version < newest:
        version = newest
    if not flags & HAS_ROW:
        return values, MISSING, moment, version
    if now - event_at > view.ttl:
        return view.forgotten(values), EXPIRED, moment, version
    return values, FOUND if now < until else BEHIND, moment, version


def _nothing(view: _View, count: int) -> _Answer:
    return [view.unknown] * count, [(UNAVAILABLE,)] * count, [(0,)] * count, [(0,)] * count


def _added(columns: Sequence[list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    """The tuples of each entity, one view's after another's."""
    return [tuple(chain.from_iterable(of_views)) for of_views in zip(*columns, strict=True)]


def _taking(places: list[int]) -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    if len(places) == 1:
        (place,) = places
        return lambda values: (values[place],)
    take = itemgetter(*places)
    return lambda values: tuple(take(values))
