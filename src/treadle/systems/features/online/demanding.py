"""Features on demand, online: computed from a request and from the values that were read, as in training.

Apart from the reader, since it takes Polars: a service without such features never pays for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from treadle.systems.features.on_demand import OnDemandView, on_demand_from_description
from treadle.systems.features.online.errors import EntityRefused
from treadle.systems.features.online.layout import Type
from treadle.systems.features.online.packing import dtype_of


class Demands:
    """The views on demand of a service, in order.

    names and types: the stored features, as they are read. features: all of the service's, in its order.
    """

    def __init__(
        self,
        described: Sequence[Mapping[str, Any]],
        names: Sequence[str],
        types: Sequence[Type],
        features: Sequence[str],
    ) -> None:
        self._views: list[OnDemandView] = [on_demand_from_description(one) for one in described]
        self._names, self._features = list(names), list(features)
        self._dtypes = {name: dtype_of(given) for name, given in zip(names, types, strict=True)}
        self._needed = {name for view in self._views for name in view.needs if name in self._dtypes}

    def compute(
        self, values: Sequence[tuple[Any, ...]], entities: Sequence[Mapping[str, Any]]
    ) -> list[tuple[Any, ...]]:
        """The vectors, in the order of the service. values: the stored features of each entity.

        Raises EntityRefused where an entity lacks an input of the request.
        """
        columns: dict[str, list[Any]] = {name: [row[place] for row in values] for place, name in enumerate(self._names)}
        needed = [pl.Series(name, columns[name], dtype=self._dtypes[name]) for name in sorted(self._needed)]
        frame = pl.DataFrame([*needed, *self._inputs(entities)])
        for view in self._views:
            made = view.compute(frame)
            frame = frame.with_columns(made)
            columns |= {name: made[name].to_list() for name in view.names}
        return list(zip(*(columns[name] for name in self._features), strict=True))

    def _inputs(self, entities: Sequence[Mapping[str, Any]]) -> list[pl.Series]:
        found = []
        for name in sorted({name for view in self._views for name in view.inputs}):
            for entity in entities:
                if name not in entity:
                    raise EntityRefused(
                        f"An entity has no {name!r}.",
                        why="A feature of the service is computed from it.",
                        fix=f"Send it with each request: {name}.",
                        name=name,
                    )
            found.append(pl.Series(name, [entity[name] for entity in entities]))
        return found
