"""Training sets that are kept: listed, shown, and made again to the bit.

A kept training set is one small record that names everything by digest: the table, the entities, the snapshots, and the
definitions as plain data. Making it again needs neither the project's code nor any luck; that the digest comes out the
same is the proof that nothing it rests on has changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import polars as pl

from treadle.ground.clock import Clock
from treadle.ground.errors import did_you_mean
from treadle.ground.frames.digest import frame_digest
from treadle.kernel.artifacts import Artifact, Artifacts
from treadle.kernel.catalog import ArtifactRows, Refs
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.systems.features.errors import TrainingSetNotFound
from treadle.systems.features.leakage import suspicions
from treadle.systems.features.names import check_view_name
from treadle.systems.features.records import Age, Rebuilt, StoredTrainingSet, TrainingSet
from treadle.systems.features.service import Features, Views
from treadle.systems.features.views import flattened, view_from_description

if TYPE_CHECKING:
    import pyarrow as pa

SET, SET_TABLE, SET_ENTITIES = "training_set/", "training_set_table/", "training_set_entities/"
"""A name points at the record, and at the two artifacts that it names, so that clean-up leaves all three."""


class TrainingSetRoots:
    """What clean-up must leave: every training set that ever had a name, since a model may have learnt from it and
    `name@digest` still asks for it. Satisfies the port `Roots` of infra."""

    def __init__(self, refs: Refs) -> None:
        self._refs = refs

    def needed(self, reader: Reader, project: str) -> Iterator[str]:
        """The digests of records, tables and entities."""
        for prefix in (SET, SET_TABLE, SET_ENTITIES):
            for ref in self._refs.list(reader, project, prefix):
                moves = self._refs.history(reader, project, ref.name)
                yield from (move.target for move in moves if move.target is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSetNamed:
    """A stored training set, by name."""

    name: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A training set that is computed and whose bytes are stored, and that is not yet recorded."""

    record: StoredTrainingSet
    table: Artifact
    entities: Artifact


class TrainingSets:
    """The training sets of a store."""

    def __init__(self, store: Store, refs: Refs, artifacts: Artifacts, features: Features, clock: Clock) -> None:
        self._store, self._refs, self._artifacts = store, refs, artifacts
        self._features, self._clock, self._rows = features, clock, ArtifactRows()

    def draft(
        self, caller: Caller, name: str, entities: pa.Table | pl.DataFrame, views: Views, made: TrainingSet, label: str | None
    ) -> Draft:  # fmt: skip
        """What a computed training set will be recorded as; its bytes are stored now, ahead of any transaction.

        label: the entities' column to be learned; features that tell it too well are warned of.
        Raises InvalidFeatureView for a name that is none.
        """
        caller.require("feature.write")
        check_view_name(name)
        table = self._artifacts.put(made.table)
        kept = self._artifacts.put(entities.to_arrow() if isinstance(entities, pl.DataFrame) else entities)
        frame = _frame(made.table)
        chosen, _ = flattened(views)
        record = StoredTrainingSet(
            name=name,
            digest=table.digest,
            entities=kept.digest,
            n_rows=len(frame),
            as_of=made.as_of,
            label=label,
            features=list(made.features),
            snapshots=dict(made.snapshots),
            views=dict(made.views),
            definitions=[view.describe() for view in chosen],
            reports=list(made.reports),
            ages=ages(frame, made),
            warnings=[str(each) for each in suspicions(frame, made.features, label)] if label is not None else [],
            run=None,
            recorded_at=self._clock(),
        )
        return Draft(record, table, kept)

    def record_in(self, tx: Transaction, caller: Caller, draft: Draft, run: str | None) -> StoredTrainingSet:
        """Records a draft under its name, in the caller's transaction. run: what made it."""
        record = replace(draft.record, run=run)
        artifact = self._artifacts.put(msgspec.to_builtins(record), kind="training_set")
        self._rows.record(tx, caller.project, [artifact, draft.table, draft.entities], at=self._clock())
        for prefix, target in ((SET, artifact), (SET_TABLE, draft.table), (SET_ENTITIES, draft.entities)):
            known = self._refs.find(tx, caller.project, prefix + record.name)
            if known is None or known.target != target.digest:
                self._refs.move(
                    tx, caller.project, prefix + record.name, target.digest, actor=caller.actor, reason="training set made"
                )  # fmt: skip
        return record

    @verb("features.training_sets", permission="feature.read")
    def list(self, caller: Caller) -> list[StoredTrainingSet]:
        """The newest training set of every name."""
        with self._store.read() as reader:
            refs = self._refs.list(reader, caller.project, SET)
            return [self._load(reader, caller.project, ref.target) for ref in refs]

    @verb("features.training_set", permission="feature.read")
    def get(self, caller: Caller, request: TrainingSetNamed) -> StoredTrainingSet:
        """The newest training set of a name, or the one whose record has the digest that is given as `name@digest`."""
        with self._store.read() as reader:
            return self._get(reader, caller.project, request.name)

    @verb("features.rebuild", permission="feature.read")
    def rebuild(self, caller: Caller, request: TrainingSetNamed) -> Rebuilt:
        """A stored training set made again from what its record names, and whether the digest came out the same."""
        with self._store.read() as reader:
            record = self._get(reader, caller.project, request.name)
            entities = self._artifacts.load(self._rows.get(reader, caller.project, record.entities))
            kept = self._rows.find(reader, caller.project, record.digest)
        views = [view_from_description(described) for described in record.definitions]
        made = self._features.training_set(
            caller, entities, views, as_of=record.as_of, at=record.snapshots, features=record.features
        )
        digest = self._artifacts.digest(made.table)
        differing: Sequence[str] = ()
        if digest != record.digest and kept is not None and self._artifacts.stands(kept):
            differing = _differing(_frame(self._artifacts.load(kept)), _frame(made.table))
        return Rebuilt(
            name=record.name,
            expected=record.digest,
            found=digest,
            is_same=digest == record.digest,
            n_rows=made.table.num_rows,
            differing=differing,
        )

    def table(self, project: str, digest: str, as_type: Any = None) -> Any:
        """The table of a training set, by its digest, in the type asked for."""
        with self._store.read() as reader:
            artifact = self._rows.get(reader, project, digest)
        return self._artifacts.load(artifact, as_type)

    def _get(self, reader: Reader, project: str, wanted: str) -> StoredTrainingSet:
        name, _, digest = wanted.partition("@")
        ref = self._refs.find(reader, project, SET + name)
        if ref is None:
            known = [each.name.removeprefix(SET) for each in self._refs.list(reader, project, SET)]
            raise TrainingSetNotFound(
                f"There is no training set {name!r}.",
                fix=did_you_mean(name, known) or 'Keep one with: td.training_set(..., name="...")',
                name=name,
            )
        moves = [move.target for move in self._refs.history(reader, project, SET + name)]
        for target in reversed(moves):
            if target is None or (digest == "" and target != ref.target):
                continue
            record = self._load(reader, project, target)
            if not digest or record.digest.removeprefix("sha256:").startswith(digest.removeprefix("sha256:")):
                return record
        raise TrainingSetNotFound(
            f"No training set {name!r} has the digest {digest!r}.", fix=f"The newest: treadle features training-sets show {name}"
        )  # fmt: skip

    def _load(self, reader: Reader, project: str, digest: str) -> StoredTrainingSet:
        held = self._artifacts.load(self._rows.get(reader, project, digest))
        return msgspec.convert(held, StoredTrainingSet)


def ages(frame: pl.DataFrame, made: TrainingSet) -> list[Age]:
    """How old the newest known row of each view was at the moment that asked."""
    found = []
    for report in made.reports:
        age = (pl.col(made.as_of) - pl.col(f"{report.view}__event_at")).dt.total_microseconds() / 1e6
        median, oldest = frame.select(age.median().alias("median"), age.max().alias("oldest")).row(0)
        found.append(Age(view=report.view, median_s=median, oldest_s=oldest))
    return found


def _frame(table: pa.Table | pl.DataFrame) -> pl.DataFrame:
    found = table if isinstance(table, pl.DataFrame) else pl.from_arrow(table)
    assert isinstance(found, pl.DataFrame)
    return found


def _differing(one: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    """The columns that are not the same in both."""
    if len(one) != len(other):
        return sorted({*one.columns, *other.columns})
    alike = {
        name
        for name in one.columns
        if name in other.columns and frame_digest(one.select(name)) == frame_digest(other.select(name))
    }
    return sorted({*one.columns, *other.columns} - alike)
