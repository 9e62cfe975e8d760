"""What the newest values of a view look like, from a sample of the records that are online."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping

import polars as pl

from treadle.loops.catalogue.records import FeatureProfile
from treadle.systems.features.online import documents
from treadle.systems.features.online.documents import ViewDocument
from treadle.systems.features.online.packing import frame_of
from treadle.systems.features.online.ports import OnlineStore

SAMPLE = 10_000


def types_of(store: OnlineStore, document: ViewDocument) -> dict[str, str]:
    """The type of each feature of a view that is online."""
    layout = documents.find_layout(store, document.space, document.layout)
    if layout is None:
        return {}
    return {
        name: given if isinstance(given, str) else json.dumps(given)
        for name, given in zip(layout.names, layout.types, strict=True)
    }


def profiles_of(store: OnlineStore, document: ViewDocument) -> Mapping[str, FeatureProfile]:
    """A profile of each feature, over at most `SAMPLE` entities of the newest layout."""
    layout = documents.find_layout(store, document.space, document.layout)
    if layout is None:
        return {}
    number = layout.number.to_bytes(4, "big")
    records = (record for _, record in itertools.islice(store.scan(document.space), SAMPLE))
    frame = frame_of(layout, [layout.raw(record).values for record in records if record[16:20] == number])
    return {name: _profile(frame[name]) for name in frame.columns}


def _profile(series: pl.Series) -> FeatureProfile:
    entities, nulls = len(series), series.null_count()
    if series.dtype.is_numeric():
        mean = series.mean()
        return FeatureProfile(
            entities=entities,
            nulls=nulls,
            least=_plain(series.min()),
            greatest=_plain(series.max()),
            mean=float(mean) if isinstance(mean, int | float) else None,
        )
    if series.dtype.is_nested() or entities == nulls:
        return FeatureProfile(entities=entities, nulls=nulls)
    if series.dtype.is_temporal():
        return FeatureProfile(entities=entities, nulls=nulls, least=str(series.min()), greatest=str(series.max()))
    return FeatureProfile(entities=entities, nulls=nulls, distinct=series.drop_nulls().n_unique())


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, int | float) else str(value)
