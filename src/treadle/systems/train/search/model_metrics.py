"""Metrics of logged models: many points of one name, at several steps and on several data sets.

A filter asks whether any point meets it; an order takes the latest one.
"""

# ruff: noqa: S608 -- statements are put together of fragments of ours; every value is bound

from __future__ import annotations

from collections.abc import Sequence

from treadle.systems.train.search.entities import Binder, Joined, Test

_LATEST = "order by {x}.at_ms desc, {x}.step desc, {x}.run asc limit 1"


class ModelMetrics:
    """Where they stand. datasets: name and digest (None: any) of those that count; without any, all count."""

    has_nan = True

    def __init__(self, datasets: Sequence[tuple[str, str | None]] = ()) -> None:
        self._datasets = datasets

    def holds(self, key: str, test: Test, bind: Binder) -> str:
        x = bind.alias()
        return f"exists (select 1 from {self._points(x, key, bind)} and {test(_value(x))})"

    def absent(self, key: str, bind: Binder) -> str:
        return f"not exists (select 1 from {self._points(bind.alias(), key, bind)})"

    def scalar(self, key: str, bind: Binder, aggregate: str | None = None) -> str:
        x = bind.alias()
        return f"(select {_value(x)} from {self._points(x, key, bind)} {_LATEST.format(x=x)})"

    def joined(self, key: str, bind: Binder) -> Joined:
        x = bind.alias()
        rank = f"coalesce((select {x}.is_nan from {self._points(x, key, bind)} {_LATEST.format(x=x)}), 2)"
        return Joined("", self.scalar(key, bind), rank)

    def _points(self, x: str, key: str, bind: Binder) -> str:
        """The points of a name; of any where the name is empty."""
        rows = f"logged_model_metric {x} where {_owned(x)}"
        if key:
            rows += f" and {x}.name = {bind(key)}"
        return f"{rows} and {self._on_datasets(x, bind)}" if self._datasets else rows

    def _on_datasets(self, x: str, bind: Binder) -> str:
        parts = []
        for name, digest in self._datasets:
            part = f"{x}.dataset_name = {bind(name)}"
            parts.append(part if digest is None else f"{part} and {x}.dataset_digest = {bind(digest)}")
        return f"({' or '.join(parts)})"


def _owned(x: str) -> str:
    return f"{x}.project = m.project and {x}.model = m.model"


def _value(x: str) -> str:
    return f"case when {x}.is_nan = 0 then {x}.value end"
