"""Orders of logged models: records, and not text, since a metric may be asked for as measured on a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from treadle.systems.train.search.entities import Entity
from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.model_metrics import ModelMetrics
from treadle.systems.train.search.records import ModelOrder
from treadle.systems.train.search.syntax import Absence, Field, Order

MEASURED = Absence(Field("metric", "", "number"), is_negated=True)
"""That there is any metric, on the data sets asked for where there are some."""


def ordered_by(entity: Entity, orders: Sequence[ModelOrder]) -> tuple[Entity, tuple[Order, ...]]:
    """The terms of an order, and the entity with a kind of metric for each data set that they name."""
    values, terms = dict(entity.values), []
    for place, order in enumerate(orders):
        name, dot, key = order.field.partition(".")
        if not dot:
            terms.append(Order(entity.vocabulary.field_of(order.field.strip(), in_order=True), order.is_ascending))
            continue
        if name != "metrics":
            raise SearchInvalid(f"Invalid order by field name: {order.field}. Only metrics are supported.")
        if order.digest and not order.dataset:
            raise SearchInvalid("`dataset_digest` can only be specified if `dataset_name` is also specified.")
        kind = f"metric {place}"
        values[kind] = ModelMetrics([(order.dataset, order.digest)] if order.dataset else ())
        terms.append(Order(Field(kind, key, "number"), order.is_ascending))
    return replace(entity, values=values), tuple(terms)
