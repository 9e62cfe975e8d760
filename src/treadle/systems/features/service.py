"""The verbs of features: register definitions, and join entities with them from pinned snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from treadle.ground.clock import Clock
from treadle.ground.errors import InvalidInput, did_you_mean
from treadle.ground.frames.digest import frame_digest
from treadle.kernel.artifacts import Artifacts
from treadle.kernel.catalog import ArtifactRows, Refs
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store
from treadle.kernel.vocabulary.datasets import LANDING, ROW, Snapshot
from treadle.systems.features.columns import require
from treadle.systems.features.errors import FeatureViewNotFound
from treadle.systems.features.joining import LANDED_AT, join_features
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.ports import JoinEngine, LandingTimes, SnapshotSource
from treadle.systems.features.records import TrainingSet
from treadle.systems.features.views import LIVE, FeatureService, FeatureView, check_distinct, flattened

if TYPE_CHECKING:
    import pyarrow as pa

HERE = "here"
"""Where joins are carried out unless told otherwise: in this process."""

VIEW, SERVICE = "feature_view/", "feature_service/"

Views = Sequence[FeatureView | OnDemandView | FeatureService] | FeatureService
"""What a training set is made of: views and services, or one service."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureNamed:
    """A feature view or a feature service, by name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A registered definition: what it says, the digest of that, and since when it says so."""

    kind: str
    name: str
    digest: str
    description: Mapping[str, Any]
    updated_at: datetime


class Features:
    """Feature views of a store, over the datasets that a source offers."""

    def __init__(
        self,
        store: Store,
        refs: Refs,
        artifacts: Artifacts,
        clock: Clock,
        source: SnapshotSource,
        landings: LandingTimes | None = None,
        engines: Mapping[str, Callable[[], JoinEngine]] | None = None,
    ) -> None:
        """engines: where else joins can be carried out, by name."""
        self._store, self._refs, self._artifacts, self._clock = store, refs, artifacts, clock
        self.source, self._landings, self._rows = source, landings, ArtifactRows()
        self._engines = dict(engines or {})

    def register(self, caller: Caller, definition: FeatureView | OnDemandView | FeatureService) -> Definition:
        """The definition as registered, its views with it; the same definition again moves nothing.

        A definition holds Python expressions, so this is for the SDK; its description travels anywhere.
        """
        caller.require("feature.write")
        if isinstance(definition, FeatureService):
            for view in definition.definitions:
                self.register(caller, view)
        name = (SERVICE if isinstance(definition, FeatureService) else VIEW) + definition.name
        artifact = self._artifacts.put(definition.describe(), kind=name.partition("/")[0])

        def work(tx: Any) -> None:
            known = self._refs.find(tx, caller.project, name)
            if known is None or known.target != artifact.digest:
                self._rows.record(tx, caller.project, [artifact], at=self._clock())
                self._refs.move(
                    tx, caller.project, name, artifact.digest, actor=caller.actor, reason="definition registered"
                )

        self._store.write(work)
        with self._store.read() as reader:
            return self._definition(reader, caller.project, name)

    @verb("features.list", permission="feature.read")
    def list(self, caller: Caller) -> list[Definition]:
        """Every registered feature view and feature service."""
        with self._store.read() as reader:
            names = [ref.name for kind in (VIEW, SERVICE) for ref in self._refs.list(reader, caller.project, kind)]
            return [self._definition(reader, caller.project, name) for name in names]

    @verb("features.get", permission="feature.read")
    def get(self, caller: Caller, request: FeatureNamed) -> Definition:
        """A feature view, or else a feature service, by name."""
        with self._store.read() as reader:
            for kind in (VIEW, SERVICE):
                if self._refs.find(reader, caller.project, kind + request.name) is not None:
                    return self._definition(reader, caller.project, kind + request.name)
            known = [ref.name.partition("/")[2] for ref in self._refs.list(reader, caller.project, "feature_")]
        raise FeatureViewNotFound(
            f"There is no feature view {request.name!r}.", fix=did_you_mean(request.name, known), name=request.name
        )

    def training_set(
        self,
        caller: Caller,
        entities: pa.Table | pl.DataFrame,
        views: Views,
        *,
        as_of: str = "as_of",
        at: Mapping[str, str] | None = None,
        features: Sequence[str] | None = None,
        with_rows: bool = False,
        on: str = HERE,
    ) -> TrainingSet:
        """The entities with their features as of each row's moment, from snapshots pinned now, or those named in `at`.

        at: dataset -> snapshot id, version, tag or time. Give the `snapshots` of an earlier answer, with the same
        entities and views, to get the same bits again: that is how a replay recomputes a prediction's features.
        features: which, and in which order; all of the views' and those that the services name by default.
        with_rows: adds the raw rows that each view used, for `why`. on: "ray" joins on a cluster, with the same answer.
        Raises what `join_features` raises; DatasetNotFound and SnapshotNotFound of the source.
        """
        caller.require("feature.read")
        chosen, named = flattened(views)
        stored = [view for view in chosen if isinstance(view, FeatureView)]
        check_distinct(chosen)
        pinned: dict[str, Snapshot] = {}
        for dataset in sorted({view.dataset for view in stored}):
            pinned[dataset] = self.source.snapshot(caller.project, dataset, (at or {}).get(dataset))
        frames = {dataset: self._read(caller.project, pinned[dataset], stored) for dataset in pinned}
        wanted = features or named
        if on == HERE:
            joined = join_features(entities, chosen, frames, as_of=as_of, features=wanted, with_rows=with_rows)
        else:
            joined = self._engine(on, with_rows).join(entities, chosen, frames, as_of=as_of, features=wanted)
        return TrainingSet(
            table=joined.table,
            features=joined.features,
            as_of=as_of,
            snapshots={dataset: snapshot.id for dataset, snapshot in pinned.items()},
            views={view.name: view.digest for view in chosen},
            reports=joined.reports,
            digest=frame_digest(joined.table),
        )

    def _engine(self, on: str, with_rows: bool) -> JoinEngine:
        if on not in self._engines:
            raise InvalidInput(f"Nothing joins on {on!r}.", fix=did_you_mean(on, [HERE, *self._engines]))
        if with_rows:
            raise InvalidInput(f"Raw rows are not named by joins on {on!r}.", fix="Ask for them without on=.")
        return self._engines[on]()

    def vectors(
        self, caller: Caller, entities: pa.Table | pl.DataFrame, service: FeatureService, *, as_of: str = "as_of"
    ) -> TrainingSet:
        """The feature vectors of a micro-batch from the newest snapshots: what `training_set` answers, bit for bit.

        `snapshots` of the answer is the watermark to record with the predictions made from it.
        """
        return self.training_set(caller, entities, service, as_of=as_of)

    def _read(self, project: str, snapshot: Snapshot, views: Sequence[FeatureView]) -> pl.DataFrame:
        """The columns that the views need of a snapshot, with row ids; landing times when one of them is live.
        Raises MissingColumn.
        """
        using = [view for view in views if view.dataset == snapshot.dataset]
        rows = self.source.scan(project, snapshot)
        held = rows.collect_schema().to_frame()
        for view in using:
            require(held, view.columns, f"dataset {view.dataset!r} (view {view.name!r})")
        wanted = {LANDING, ROW}.union(*(view.columns for view in using))
        frame = rows.select([column for column in held.columns if column in wanted]).collect()
        if not any(view.known_at == LIVE for view in using) or self._landings is None:
            return frame
        times = self._landings.landed_at(project, snapshot.dataset)
        landed = pl.DataFrame(
            {LANDING: list(times), LANDED_AT: list(times.values())},
            schema={LANDING: frame.schema[LANDING], LANDED_AT: pl.Datetime("us", "UTC")},
        )
        return frame.join(landed, on=LANDING, how="left", maintain_order="left")

    def _definition(self, reader: Reader, project: str, name: str) -> Definition:
        ref = self._refs.get(reader, project, name)
        described = self._artifacts.load(self._rows.get(reader, project, ref.target))
        kind, _, plain = name.partition("/")
        return Definition(kind=kind, name=plain, digest=ref.target, description=described, updated_at=ref.updated_at)
