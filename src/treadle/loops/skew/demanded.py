"""Features on demand, served and trained: computed again from the logged request and from what training says of the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from treadle.ground.errors import TreadleError
from treadle.loops.skew.comparing import ViewComparison, alike, parts_of, skew_of
from treadle.loops.skew.records import Cause, FeatureSkew
from treadle.systems.features.online.served import ServedVector
from treadle.systems.features.views import FeatureService

_PLACE = "__place"


def compare_demands(
    service: FeatureService,
    vectors: Sequence[ServedVector],
    comparisons: Sequence[ViewComparison],
    tolerance: Mapping[str, float],
    unchecked: Counter[str],
) -> list[FeatureSkew]:
    """One entry for each of the service's features on demand. comparisons: of its stored views, done.

    A vector whose views did not all answer, or whose request is not logged whole, is left out and counted.
    """
    found: list[FeatureSkew] = []
    frame, causes = _rest(service, vectors, comparisons, unchecked)
    places = frame[_PLACE].to_list()
    chosen = [vectors[place] for place in places]
    for view in service.on_demand:
        try:
            made = view.compute(frame)
        except TreadleError as error:
            unchecked[error.what] += len(chosen)
            return found
        frame = frame.with_columns(made)
        for name in (name for name in service.features if name in view.names):
            values = [{name: value} for value in made[name].to_arrow().to_pylist()]
            why = {
                (at, name): _cause(service, vector, view.needs, places[at], causes)
                for at, (vector, value) in enumerate(zip(chosen, values, strict=True))
                if not alike(name, vector, value[name], tolerance)
            }
            causes |= {(places[at], name): cause for (at, _), cause in why.items()}
            found.append(skew_of(view.name, name, chosen, values, why))
    return found


def _rest(
    service: FeatureService,
    vectors: Sequence[ServedVector],
    comparisons: Sequence[ViewComparison],
    unchecked: Counter[str],
) -> tuple[pl.DataFrame, dict[tuple[int, str], Cause]]:
    """What features on demand read, a row a vector (its place under `__place`): requests, and stored features as trained."""
    inputs = sorted({name for view in service.on_demand for name in view.inputs})
    whole = [place for place, vector in enumerate(vectors) if all(name in vector.entity for name in inputs)]
    requests = [pl.Series(name, [vectors[place].entity[name] for place in whole]) for name in inputs]
    frame = pl.DataFrame([pl.Series(_PLACE, whole, dtype=pl.Int64), *requests])
    causes: dict[tuple[int, str], Cause] = {}
    place_of = {id(vector): place for place, vector in enumerate(vectors)}
    for comparison in comparisons:
        places = [place_of[id(part.vector)] for part in parts_of(vectors, comparison.view.name)]
        if comparison.trained is None:
            frame = frame.clear()
            break
        stored = comparison.trained.select(list(comparison.view.features))
        at = pl.Series(_PLACE, places, dtype=pl.Int64)
        frame = frame.join(stored.with_columns(at), on=_PLACE, how="inner", maintain_order="left")
        causes |= {(places[here], name): cause for (here, name), cause in comparison.causes.items()}
    if frame.height < len(vectors):
        unchecked["A feature on demand of a vector whose request or views are not known."] += (
            len(vectors) - frame.height
        )
    return frame, causes


def _cause(
    service: FeatureService,
    vector: ServedVector,
    needs: Sequence[str],
    place: int,
    causes: Mapping[tuple[int, str], Cause],
) -> Cause:
    """That of a feature it is made of; else its own: another definition, or what nothing explains."""
    for name in needs:
        if (place, name) in causes:
            return causes[place, name]
    if vector.version != service.digest:
        return "definition"
    return "materialization" if all(name in vector.values for name in needs) else "stale"
