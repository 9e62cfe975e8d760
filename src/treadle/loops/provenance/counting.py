"""How many predictions a revision has made, as far as they have landed; what a log still holds follows within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.loops.feedback.archive import dataset_of
from treadle.systems.collect import Datasets

if TYPE_CHECKING:
    import polars as pl


class Served:
    """Counts predictions of one project. Cost: one column of each endpoint's predictions, read once."""

    def __init__(self, datasets: Datasets, project: str) -> None:
        self._datasets, self._project = datasets, project
        self._known: dict[str, dict[int, int]] = {}

    def count(self, endpoint: str, revision: int) -> int:
        """The landed predictions of a revision."""
        if endpoint not in self._known:
            self._known[endpoint] = self._counted(endpoint)
        return self._known[endpoint].get(revision, 0)

    def _counted(self, endpoint: str) -> dict[int, int]:
        snapshot = self._datasets.find_snapshot(self._project, dataset_of(endpoint))
        if snapshot is None:
            return {}
        counted: pl.DataFrame = self._datasets.scan(self._project, snapshot).group_by("revision").len().collect()
        return dict(counted.rows())
