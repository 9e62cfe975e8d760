"""Served values against those of training, and the first cause that explains a difference."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from treadle.ground.clock import from_micros
from treadle.ground.errors import NotFound
from treadle.loops.skew.records import Cause, FeatureSkew, SkewExample
from treadle.systems.features.online.reader import EXPIRED, UNAVAILABLE
from treadle.systems.features.online.recomputing import Asked, Recomputing
from treadle.systems.features.online.served import ServedVector, as_text, for_json
from treadle.systems.features.views import FeatureView

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class Served:
    """One view's part of a served vector."""

    vector: ServedVector
    digest: str
    status: str
    version: int
    as_of: int


def parts_of(vectors: Sequence[ServedVector], view: str) -> list[Served]:
    """The parts that a view served; where it did not answer there is none."""
    found = []
    for vector in vectors:
        for name, digest, status, version, as_of in vector.views:
            if name == view and status != UNAVAILABLE:
                found.append(Served(vector, digest, status, version, as_of))
    return found


@dataclass(slots=True)
class ViewComparison:
    """Compares what a view served with what it trains on now.

    view: as it is defined now. before: its definition of a version, by digest. features: those that the service takes.
    """

    computing: Recomputing
    view: FeatureView
    before: Callable[[str], FeatureView]
    features: Sequence[str]
    tolerance: Mapping[str, float]
    unchecked: Counter[str] = field(default_factory=Counter)
    trained: pl.DataFrame | None = None
    """What training says of each part, once it was compared; what is computed on demand takes it."""
    causes: Mapping[tuple[int, str], Cause] = field(default_factory=dict)
    """Why a part's feature differs, for those that do."""

    def compare(self, parts: Sequence[Served]) -> list[FeatureSkew]:
        """One entry a feature."""
        newest = self.computing.snapshot(self.view)
        if parts:
            self.trained = self.computing.frame(self.view, newest, [_when_served(part) for part in parts])
        trained = [] if self.trained is None else self.trained.to_arrow().to_pylist()
        differing: dict[int, list[str]] = {}
        for place, (part, values) in enumerate(zip(parts, trained, strict=True)):
            unlike = [name for name in self.features if not self._alike(name, part, values[name])]
            if unlike:
                differing[place] = unlike
        self.causes = self._causes(parts, differing)
        vectors = [part.vector for part in parts]
        return [skew_of(self.view.name, name, vectors, trained, self.causes) for name in self.features]

    def _causes(self, parts: Sequence[Served], differing: Mapping[int, list[str]]) -> dict[tuple[int, str], Cause]:
        """For each value that differs the first cause that explains it."""
        found: dict[tuple[int, str], Cause] = {}
        places = list(differing)
        steps: tuple[tuple[Cause, Callable[[Served], tuple[str, str, int]]], ...] = (
            ("materialization", lambda part: (part.digest, str(part.version), part.as_of)),
            ("definition", lambda part: (self.view.digest, str(part.version), part.as_of)),
            ("stale", lambda part: (self.view.digest, from_micros(part.vector.served_at).isoformat(), part.vector.served_at)),
        )  # fmt: skip
        for cause, source in steps:
            computed = self._computed(parts, places, source)
            for place in places:
                for name in differing[place]:
                    if (place, name) in found or place not in computed:
                        continue
                    value = computed[place].get(name)
                    if cause == "materialization":
                        value = _as_read(self.view, parts[place], name, computed[place])
                    if not self._alike(name, parts[place], value):
                        found[place, name] = cause
        for place in places:
            for name in differing[place]:
                found.setdefault((place, name), "late")
        return found

    def _computed(
        self, parts: Sequence[Served], places: Sequence[int], source: Callable[[Served], tuple[str, str, int]]
    ) -> dict[int, dict[str, Any]]:
        """The values from other versions, snapshots and moments, as far as these can still be had."""
        groups: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for place in places:
            digest, at, moment = source(parts[place])
            groups.setdefault((digest, at), []).append((place, moment))
        found: dict[int, dict[str, Any]] = {}
        for (digest, at), asked in groups.items():
            try:
                view = self.view if digest == self.view.digest else self.before(digest)
                snapshot = self.computing.snapshot(view, at)
            except NotFound as error:
                self.unchecked[error.what] += len(asked)
                continue
            wanted = [Asked(parts[place].vector.entity, moment) for place, moment in asked]
            values = self.computing.values(view, snapshot, wanted)
            found |= {place: row for (place, _), row in zip(asked, values, strict=True)}
        return found

    def _alike(self, name: str, part: Served, value: Any) -> bool:
        return alike(name, part.vector, value, self.tolerance)


def alike(name: str, vector: ServedVector, value: Any, tolerance: Mapping[str, float]) -> bool:
    """Whether a vector served this value, to the bit or within what is tolerated."""
    if name not in vector.values:
        return False
    served, trained = vector.values[name], for_json(value)
    if as_text(served) == as_text(trained):
        return True
    allowed = tolerance.get(name)
    if allowed is None:
        return False
    apart = _apart(served, trained)
    return apart is not None and apart <= allowed


def skew_of(
    view: str,
    name: str,
    vectors: Sequence[ServedVector],
    trained: Sequence[Mapping[str, Any]],
    causes: Mapping[tuple[int, str], Cause],
) -> FeatureSkew:
    """What was found of one feature. causes: by place among the vectors, and feature; none where they agree."""
    places = [place for place in range(len(vectors)) if (place, name) in causes]
    differences = [_apart(vectors[place].values.get(name), for_json(trained[place][name])) for place in places]
    examples = [
        SkewExample(
            entity=vectors[place].entity,
            served_at=from_micros(vectors[place].served_at),
            served=vectors[place].values.get(name),
            trained=for_json(trained[place][name]),
            cause=causes[place, name],
        )
        for place in places[:_EXAMPLES]
    ]
    return FeatureSkew(
        view=view,
        feature=name,
        checked=len(vectors),
        different=len(places),
        causes=dict(Counter(causes[place, name] for place in places)),
        largest=max((one for one in differences if one is not None), default=None),
        examples=examples,
    )


def _when_served(part: Served) -> Asked:
    return Asked(part.vector.entity, part.vector.served_at)


def _as_read(view: FeatureView, part: Served, name: str, values: Mapping[str, Any]) -> Any:
    """A value as a reader gives it: forgotten where the newest row was too old by the time it was served."""
    return None if part.status == EXPIRED and name in view.row_features else values.get(name)


def _apart(one: Any, other: Any) -> float | None:
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (one, other))
    return abs(one - other) if numbers and math.isfinite(one) and math.isfinite(other) else None
