"""The few documents that stand beside the records: what a reader must know of a view and of a service.

They lie in the online store itself, under the same rule as records (an older one never replaces a newer one), so that a
reader needs nothing else. A view's document is its watermark: it is written when all its records are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from treadle.systems.features.online.errors import RecordCorrupt
from treadle.systems.features.online.layout import Layout, read_stamp, stamp
from treadle.systems.features.online.ports import FOREVER, STAMP_BYTES, Entry, OnlineStore

VIEWS, SERVICES, LAYOUTS, PROGRESS = "_views", "_services", "_layouts", "_progress"
"""The spaces of the documents; those of records never begin with '_'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewDocument:
    """A version of a view as it stands online. Moments are microseconds since 1970."""

    view: str
    digest: str
    space: str
    dataset: str
    snapshot: str
    version: int
    """Every landing up to this version of the dataset is in the records."""
    until: int
    """Every record is exact as of this moment, or later."""
    keys: Sequence[tuple[str, str]]
    """Entity column and kind of key (see `EntityKeys`)."""
    ttl: int | None
    row_features: Sequence[str]
    """The features that a time to live forgets; windows forget by themselves."""
    layout: int
    nobody: str
    """The record of an entity that no row speaks of, as hexadecimal digits."""
    written_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDocument:
    """A feature service as it is read online: its features in order, and where each view's records are."""

    service: str
    digest: str
    features: Sequence[str]
    views: Sequence[tuple[str, str]]
    """View and space."""
    on_demand: Sequence[Mapping[str, Any]] = ()
    """The views that are computed when they are read, as they describe themselves."""


def put_view(store: OnlineStore, document: ViewDocument) -> bool:
    """Moves the watermark of a view, unless it stands higher; answers whether it moved."""
    record = stamp(document.version, document.until) + _dumped(document)
    return store.write(VIEWS, [Entry(document.space.encode(), FOREVER, record)]) > 0


def find_view(store: OnlineStore, space: str) -> ViewDocument | None:
    """The document of a view's space, None before it was materialised for the first time."""
    found = _load(store, VIEWS, space.encode())
    return None if found is None else _view_of(found)


def list_views(store: OnlineStore) -> list[ViewDocument]:
    """The document of every view that is online, by view."""
    found = [_view_of(_parsed(record)) for _, record in store.scan(VIEWS)]
    return sorted(found, key=lambda one: (one.view, one.written_at))


def put_service(store: OnlineStore, document: ServiceDocument, now: int) -> None:
    """Makes a service known to readers, by name and by name and version."""
    record = stamp(now, 0) + _dumped(document)
    names = (document.service, versioned(document.service, document.digest))
    store.write(SERVICES, [Entry(name.encode(), FOREVER, record) for name in names])


def find_service(store: OnlineStore, name: str) -> ServiceDocument | None:
    """A service by name (the newest version), or by `versioned`."""
    found = _load(store, SERVICES, name.encode())
    if found is None:
        return None
    found["views"] = tuple((view, space) for view, space in found["views"])
    return ServiceDocument(**found)


def versioned(service: str, digest: str) -> str:
    """The name of one version of a service."""
    return f"{service}@{digest}"


def put_layout(store: OnlineStore, space: str, layout: Layout) -> None:
    """Keeps a layout for whoever opens a record that names it."""
    store.write(LAYOUTS, [Entry(_layout_key(space, layout.number), FOREVER, stamp(0, 0) + layout.document)])


def find_layout(store: OnlineStore, space: str, number: int) -> Layout | None:
    """The layout of that number."""
    (record,) = store.read(LAYOUTS, [_layout_key(space, number)])
    return None if record is None else Layout.read(record[STAMP_BYTES:])


def put_progress(store: OnlineStore, space: str, at: tuple[int, int], said: Mapping[str, Any]) -> None:
    """Notes how far a materialisation has come."""
    store.write(PROGRESS, [Entry(space.encode(), FOREVER, stamp(*at) + json.dumps(said).encode())])


def find_progress(store: OnlineStore, space: str) -> tuple[tuple[int, int], dict[str, Any]] | None:
    """The version and the moment that were being materialised, and what was noted."""
    (record,) = store.read(PROGRESS, [space.encode()])
    return None if record is None else (read_stamp(record), _parsed(record))


def clear_progress(store: OnlineStore, space: str) -> None:
    """Forgets the note: the materialisation is whole."""
    store.remove(PROGRESS, [space.encode()])


def drop_view(store: OnlineStore, space: str) -> None:
    """Takes a version of a view away, the document first, so that no reader takes what is left for all of it."""
    store.remove(VIEWS, [space.encode()])
    store.drop(space)
    store.remove(PROGRESS, [space.encode()])
    store.remove(LAYOUTS, [key for key, _ in store.scan(LAYOUTS) if key.startswith(_layout_key(space, 0)[:-4])])


def _layout_key(space: str, number: int) -> bytes:
    return f"{space}#".encode() + number.to_bytes(4, "big")


def _load(store: OnlineStore, space: str, key: bytes) -> dict[str, Any] | None:
    (record,) = store.read(space, [key])
    return None if record is None else _parsed(record)


def _view_of(found: dict[str, Any]) -> ViewDocument:
    found["keys"] = tuple((name, kind) for name, kind in found["keys"])
    return ViewDocument(**found)


def _dumped(document: ViewDocument | ServiceDocument) -> bytes:
    return json.dumps(asdict(document)).encode()


def _parsed(record: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(record[STAMP_BYTES:])
    except ValueError as error:
        raise RecordCorrupt(
            "A document of the online store cannot be read.",
            why=str(error),
            fix="Write the view anew: treadle features materialize VIEW --anew",
        ) from None
    return found
