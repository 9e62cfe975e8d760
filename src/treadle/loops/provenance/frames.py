"""The frame that a prediction's vector was taken from: which run made it, and which of its rows was served.

A request names the frame by its digest. The row is found by the entity: the one column that holds it once, or, where it
is there several times, the row of the moment up to which the features knew the world.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import ArtifactRows, LineageRows, Run, RunRows
from treadle.kernel.store import Reader
from treadle.loops.provenance.records import ValueDifference
from treadle.systems.serve import PredictionRecord

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Unfound:
    """Why there is no row."""

    reason: str


class FeatureFrames:
    """Feature frames of one project."""

    def __init__(self, artifacts: Artifacts, reader: Reader, project: str) -> None:
        self._artifacts, self._reader, self._project = artifacts, reader, project
        self._rows, self._edges, self._runs = ArtifactRows(), LineageRows(), RunRows()

    def load(self, digest: str) -> pl.DataFrame | Unfound:
        """The frame's rows."""
        import polars as pl

        artifact = self._rows.find(self._reader, self._project, digest)
        if artifact is None or not self._artifacts.stands(artifact):
            return Unfound(f"The feature frame {digest[:19]}… is no longer stored.")
        found = self._artifacts.load(artifact, pl.DataFrame)
        return found if isinstance(found, pl.DataFrame) else Unfound(f"{digest[:19]}… is no frame.")

    def maker(self, record: PredictionRecord) -> Run | None:
        """The step that made the frame: of several the last one before the prediction."""
        if record.features is None:
            return None
        edges = self._edges.of_digest(self._reader, self._project, record.features)
        ids = dict.fromkeys(edge.producer or edge.run for edge in edges if edge.direction == "out")
        runs = [run for id in ids if (run := self._runs.find(self._reader, self._project, id)) is not None]
        makers = [run for run in runs if run.kind == "step" and run.key is not None]
        before = [run for run in makers if run.recorded_at <= record.recorded_at]
        found = before or makers
        return found[-1] if found else None


def row_of(frame: pl.DataFrame, record: PredictionRecord) -> dict[str, Any] | Unfound:
    """The row of a frame that was served as this prediction, by column."""
    import polars as pl

    if record.entity is None:
        return _only(frame, record, list(range(frame.height)), "The request did not say whom it is about, and {n}")
    keys = (pl.String, pl.Categorical, pl.Enum)
    names = [name for name, kind in frame.schema.items() if isinstance(kind, keys) or kind.is_integer()]
    names.sort(key=lambda name: (name in record.inputs, name not in ("entity", "entity_id")))
    for name in names:
        places = frame.select((pl.col(name).cast(pl.String) == record.entity).arg_true()).to_series().to_list()
        if len(places) == 1:
            return frame.row(places[0], named=True)
        if places:
            return _only(frame, record, places, f"{{n}} of the frame have {name} = {record.entity!r}, and")
    return Unfound(f"No column of the feature frame holds the entity {record.entity!r}.")


def _only(frame: pl.DataFrame, record: PredictionRecord, places: list[int], why: str) -> dict[str, Any] | Unfound:
    """The row at one of some places whose moment, or else whose values, are those of the prediction."""
    rows = [frame.row(place, named=True) for place in places]
    if record.feature_as_of is not None:
        dated = [row for row in rows if record.feature_as_of in row.values()]
        rows = dated or rows
    if len(rows) > 1:
        rows = [row for row in rows if not differences(record, row)] or rows
    if len(rows) >= 1 and (len(rows) == 1 or not differences(record, rows[0])):
        return rows[0]
    return Unfound(why.format(n=f"{len(rows)} rows") + " none of them has the values that were served.")


def differences(record: PredictionRecord, row: dict[str, Any]) -> list[ValueDifference]:
    """The inputs whose value in the row is not, bit for bit, what was served; those that the row lacks included."""
    found = []
    for name, served in record.inputs.items():
        if name not in row:
            found.append(ValueDifference(name=name, served=served, now=None))
        elif not _same(served, row[name]):
            found.append(ValueDifference(name=name, served=served, now=_plain(row[name])))
    return found


def _same(served: Any, now: Any) -> bool:
    if isinstance(served, str) or isinstance(now, str):
        return served is not None and now is not None and str(served) == str(now)
    one, other = _number(served), _number(now)
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other and math.copysign(1, one) == math.copysign(1, other)


def _number(value: Any) -> float:
    """A value as the model's matrix holds it: float64, NaN where there is none."""
    return math.nan if value is None else float(value)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
