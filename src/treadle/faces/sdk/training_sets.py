"""Training sets as a user's script makes them: `td.training_set(entities, [views])`, kept, and an input of steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
import polars as pl

from treadle.assembly import current_workspace
from treadle.faces.sdk.datasets import DatasetHandle, PinnedSnapshot
from treadle.kernel.engine.handles import Handle, load
from treadle.systems.features.columns import require
from treadle.systems.features.records import StoredTrainingSet
from treadle.systems.features.reporting import as_text
from treadle.systems.features.views import FeatureService, FeatureView, flattened

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.assembly import Workspace
    from treadle.kernel.store import Transaction
    from treadle.systems.features.on_demand import OnDemandView
    from treadle.systems.features.training_sets import Draft


@dataclass(frozen=True, slots=True)
class PinnedTrainingSet:
    """A training set that is kept. As an argument of a step it is known by its content; the body gets its table.

    record: what is known of it: snapshots, views, report, warnings. Printed, it is the report.
    """

    record: StoredTrainingSet
    project: str

    @property
    def digest(self) -> str:
        """The digest of the table."""
        return self.record.digest

    @property
    def run(self) -> str | None:
        """The run, or the act of a run, that made it."""
        return self.record.run

    def table(self, as_type: Any = pl.DataFrame) -> Any:
        """The entities with their features, as a Polars data frame unless told otherwise."""
        return current_workspace().training_sets.table(self.project, self.digest, as_type)

    def treadle_load(self, as_type: Any) -> Any:
        """The table in the type that a step's annotation asks for; a Polars data frame where it says nothing."""
        return self.table(pl.DataFrame if as_type in (None, Any) else as_type)

    def treadle_producer(self) -> str | None:
        """What made it, for lineage."""
        return self.run

    def __str__(self) -> str:
        return as_text(self.record)


def training_set(
    entities: Any,
    views: Sequence[FeatureView | OnDemandView | FeatureService] | FeatureService,
    *,
    as_of: str = "as_of",
    name: str = "training",
    at: Mapping[str, Any] | None = None,
    label: str | None = None,
    on: Literal["here", "ray"] = "here",
) -> PinnedTrainingSet:
    """The entities with their features as they were known at each row's moment, kept as an artifact with its lineage.

    entities: a frame (Polars, Arrow, pandas) or the handle of one, with the views' keys and `as_of`, a column of aware
    datetimes. Every row is kept; a miss is null, counted, and its reason reported. at: dataset -> a snapshot, its id,
    version, tag or time; the newest otherwise. label: the column to be learned; a feature that tells it all but perfectly is
    warned of. on: "ray" joins on a cluster (the extra ray), with the same digest. name: under which the newest is found again, by `treadle features training-sets show`.
    In a resumed run the recorded set is answered.
    Raises what `join_features` raises; DatasetNotFound, SnapshotNotFound.
    """
    workspace = current_workspace()
    chosen, _ = flattened(views)
    datasets = sorted({view.dataset for view in chosen if isinstance(view, FeatureView)})
    pinned = {dataset: _pinned(workspace, dataset, (at or {}).get(dataset)) for dataset in datasets}
    drafts: list[Draft] = []
    kept: list[StoredTrainingSet] = []

    def make() -> None:
        frame = _as_frame(load(entities))
        if label is not None:
            require(frame, [label], "the entities")
        snapshots = {dataset: snapshot.id for dataset, snapshot in pinned.items()}
        made = workspace.features.training_set(workspace.caller, frame, views, as_of=as_of, at=snapshots, on=on)
        drafts.append(workspace.training_sets.draft(workspace.caller, name, frame, views, made, label))

    answer = workspace.engine.act(
        "training_set",
        lambda _: msgspec.to_builtins(kept[-1]),
        inputs={**_inputs(entities), **{f"dataset[{dataset}]": snapshot for dataset, snapshot in pinned.items()}},
        params={"name": name, "as_of": as_of, "label": label, "views": {view.name: view.digest for view in chosen}},
        before=make,
        makes=_recording(workspace, drafts, kept),
    )
    if isinstance(answer, Handle):  # a plan, which makes nothing: what takes the set depends on this act
        return cast("PinnedTrainingSet", answer)
    return PinnedTrainingSet(msgspec.convert(answer, StoredTrainingSet), workspace.project)


def _recording(
    workspace: Workspace, drafts: Sequence[Draft], kept: list[StoredTrainingSet]
) -> Callable[[Transaction, str], Mapping[str, str]]:
    def record(tx: Transaction, run: str) -> Mapping[str, str]:
        kept.append(workspace.training_sets.record_in(tx, workspace.caller, drafts[-1], run))
        return {"training_set": kept[-1].digest}

    return record


def _inputs(entities: Any) -> dict[str, Any]:
    """What the entities are to lineage: the handle of a step; a frame out of nowhere is kept with the set alone."""
    return {"entities": entities} if isinstance(entities, Handle) else {}


def _pinned(workspace: Workspace, dataset: str, at: Any) -> PinnedSnapshot:
    if isinstance(at, PinnedSnapshot):
        return at
    handle = DatasetHandle(dataset, workspace)
    return handle.snapshot() if at is None else handle.snapshot(at)


def _as_frame(entities: Any) -> pl.DataFrame:
    if isinstance(entities, pl.DataFrame):
        return entities
    if isinstance(entities, pl.LazyFrame):
        return entities.collect()
    from treadle.ground import frames

    found = pl.from_arrow(frames.to_arrow(entities))
    assert isinstance(found, pl.DataFrame)
    return found
