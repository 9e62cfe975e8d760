"""A window beside its reference, column by column: the same bins, and the share of rows in each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from treadle.ground.errors import did_you_mean
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store
from treadle.systems.monitor.bins import ColumnBins, Kind
from treadle.systems.monitor.errors import MonitorNotFound, UnfitWindow
from treadle.systems.monitor.repository import MonitorRows, WindowRows


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareDistributions:
    """A window of a monitor by its begin, of one model version; of some columns, or without any named, of all."""

    name: str
    starts_at: datetime
    model_version: str
    columns: list[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A column in the reference and in the window. labels: what each bin holds; the last is null.

    reference, current: the share of rows in each bin, 0 to 1, of one length with labels. edges: a number's bin borders, one
    more than the bins between them, which are the labels from the second to the third last.
    """

    column: str
    kind: Kind
    labels: list[str]
    edges: list[float]
    reference: list[float]
    current: list[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distributions:
    """rows: how many rows the reference and the window have."""

    reference_rows: int
    rows: int
    columns: list[Distribution]


class DistributionService:
    """Reads what was kept when a reference was taken and a window was judged; no row is read again."""

    def __init__(self, store: Store) -> None:
        self._store, self._monitors, self._windows = store, MonitorRows(), WindowRows()

    @verb("monitors.distributions", permission="monitor.read")
    def compare(self, caller: Caller, request: CompareDistributions) -> Distributions:
        """The distributions of a window's columns beside those of its reference.

        Raises MonitorNotFound, and UnfitWindow where that window was not judged or its reference is another one by now.
        """
        with self._store.read() as reader:
            monitor = self._monitors.find(reader, caller.project, request.name)
            if monitor is None:
                known = [one.name for one in self._monitors.all(reader, caller.project)]
                raise MonitorNotFound(
                    f"There is no monitor {request.name!r}.",
                    why=did_you_mean(request.name, known),
                    fix="List them with: treadle monitors list",
                )
            references = self._monitors.references(reader, caller.project, monitor.id)
            windows = self._windows.all(reader, caller.project, monitor.id)
        window = next(
            (
                one
                for one in windows
                if one.starts_at == request.starts_at and one.model_version == request.model_version
            ),
            None,
        )
        reference = next((one for one in references if one.model_version == request.model_version), references[-1])
        if window is None:
            raise UnfitWindow(
                f"No window of {request.model_version!r} that begins at {request.starts_at:%Y-%m-%d %H:%M} was judged.",
                fix=f"List them with: treadle monitors windows {request.name}",
            )
        found = []
        for column in reference.profile.columns:
            counts = window.counts.get(column.bins.name)
            if counts is None or len(counts) != len(column.counts):
                continue  # it was judged over another reference
            if request.columns is None or column.bins.name in request.columns:
                found.append(
                    Distribution(
                        column=column.bins.name,
                        kind=column.bins.kind,
                        labels=labels(column.bins),
                        edges=list(column.bins.edges),
                        reference=_shares(column.counts),
                        current=_shares(counts),
                    )
                )
        return Distributions(reference_rows=reference.profile.rows, rows=window.rows, columns=found)


def labels(bins: ColumnBins) -> list[str]:
    """What each slot of a column holds, in words."""
    if bins.kind == "categorical":
        return [*bins.values, "others", "unseen", "null"]
    if not bins.edges:
        return ["outside", "null"]
    edges = [f"{edge:.4g}" for edge in bins.edges]
    between = [f"{low} – {high}" for low, high in pairwise(edges)]
    return [f"below {edges[0]}", edges[0], *between, f"above {edges[-1]}", "null"]


def _shares(counts: tuple[int, ...] | list[int]) -> list[float]:
    whole = sum(counts)
    return [count / whole if whole else 0.0 for count in counts]
