"""Why a prediction is what it is: who served it, the model, its training, its features, the rows under them, the truth."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from treadle.ground.errors import NotFound, TreadleError
from treadle.kernel.catalog import Run
from treadle.kernel.vocabulary.datasets import RowId, Snapshot
from treadle.loops.provenance.frames import FeatureFrames, Unfound, differences, row_of
from treadle.loops.provenance.keyed import KeyedVectors
from treadle.loops.provenance.pinned import pinned_snapshots
from treadle.loops.provenance.records import Node
from treadle.loops.provenance.registered import only_service_over, registered_service
from treadle.loops.provenance.upward import Upward
from treadle.loops.provenance.words import bare, moment, short
from treadle.systems.features.views import FeatureService, FeatureView
from treadle.systems.serve import EndpointNamed, KeyedPrediction, PredictionNamed, PredictionRecord, ServedView
from treadle.systems.train import ModelVersion

_ROW_COLUMNS = ("_landing", "_row")


_NO_ROWS_ASKED = Unfound("From which raw rows they were made was not asked: it takes the join again.")


class PredictionStory:
    """Tells one prediction. rows: so many raw rows are shown for each feature view; with 0 the join is not done again."""

    def __init__(self, up: Upward, *, rows: int) -> None:
        self._up, self._rows = up, rows
        self._frames = FeatureFrames(up.sources.artifacts, up.reader, up.project)

    def tell(self, prediction_id: str) -> Node:
        """The whole chain. Raises PredictionNotFound."""
        sources, caller = self._up.sources, self._up.caller
        record = sources.predictions.get(caller, PredictionNamed(prediction_id=prediction_id))
        version = self._version(record)
        facts: dict[str, Any] = {
            "answered": moment(record.recorded_at),
            **({"about": moment(record.event_at)} if record.event_at != record.recorded_at else {}),
            **({"entity": record.entity} if record.entity is not None else {}),
        }
        children = [self._revision(record, version), self._features(record, version)]
        truth = self._truth(record)
        return Node(
            kind="prediction",
            id=record.prediction_id,
            title=" ".join(f"{value:.6g}" for value in record.outputs),
            facts=facts,
            children=children + ([] if truth is None else [truth]),
        )

    # The model

    def _version(self, record: PredictionRecord) -> ModelVersion | None:
        try:
            return self._up.sources.models.resolve(
                self._up.reader, self._up.project, record.model, record.model_version
            )
        except NotFound:
            return None

    def _revision(self, record: PredictionRecord, version: ModelVersion | None) -> Node:
        title = f"{record.endpoint} revision {record.revision}"
        if version is None:
            note = f"{record.model} version {record.model_version} is not in this registry."
            return Node(kind="revision", id=title, title=title, relation="served by", note=note)
        model = self._up.model_version(version, "model")
        try:
            sheet = self._up.sources.endpoints.get(self._up.caller, EndpointNamed(endpoint=record.endpoint))
        except NotFound:
            note = "The endpoint is no longer recorded."
            return Node(kind="revision", id=title, title=title, relation="served by", children=[model], note=note)
        facts: dict[str, Any] = {}
        id = title
        for revision in sheet.revisions:
            if revision.number == record.revision:
                id = revision.id
                facts["deployed"] = f"{moment(revision.recorded_at)} by {revision.actor}"
        routes = [route for route in sheet.routes if str(record.revision) in route.weights]
        serving = [route for route in routes if route.recorded_at <= record.recorded_at] or routes
        if serving:
            share = serving[-1].weights[str(record.revision)]
            if share < 1:
                facts["share"] = f"{share:.0%}"
            if serving[-1].reason:
                facts["because"] = serving[-1].reason
        facts["engine"] = f"{record.engine} {record.engine_version}"
        return Node(kind="revision", id=id, title=title, relation="served by", facts=facts, children=[model])

    # The features

    def _features(self, record: PredictionRecord, version: ModelVersion | None) -> Node:
        inputs = {name: bare(value) for name, value in record.inputs.items()}
        as_of = {} if record.feature_as_of is None else {"as of": moment(record.feature_as_of)}
        if record.keyed is not None:
            return self._keyed(record, record.keyed)
        if record.features is None:
            note = "The request did not say from which frame its values were taken, so the walk ends here."
            return Node(
                kind="features", id="", title=f"{len(inputs)} values", relation="from", facts={**as_of, **inputs},
                note=note,
            )  # fmt: skip
        title = f"{len(inputs)} values of frame {short(record.features)}"
        frame = self._frames.load(record.features)
        maker = self._frames.maker(record)
        snapshots = {} if maker is None else pinned_snapshots(self._up, maker)
        row = frame if isinstance(frame, Unfound) else row_of(frame, record)
        notes: list[str] = []
        children: list[Node] = []
        shown: dict[str, Any] = dict(inputs)
        if isinstance(row, Unfound):
            notes.append(row.reason)
        else:
            unlike = differences(record, row)
            if unlike:
                notes.append(f"Served otherwise than the frame has it: {', '.join(each.name for each in unlike)}.")
            views = self._views(record, version, row, snapshots, maker) if self._rows else _NO_ROWS_ASKED
            if isinstance(views, Unfound):
                notes.append(views.reason)
            else:
                children += views
                shown = {name: value for name, value in inputs.items() if not _is_in(views, name)}
            children += self._own_row(row)
        if maker is not None:
            children.append(self._up.run(maker, "made by"))
        else:
            notes.append("No step of this project made the frame.")
        return Node(
            kind="features", id=record.features, title=title, relation="from", facts={**as_of, **shown},
            children=children, note=" ".join(notes),
        )  # fmt: skip

    def _keyed(self, record: PredictionRecord, keyed: KeyedPrediction) -> Node:
        """The vector that the server read by key: each view as of its moment, with the raw rows under it."""
        service = KeyedVectors(self._up.sources, self._up.caller).service(keyed)
        facts: dict[str, Any] = {"asked for": ", ".join(f"{name}={bare(each)}" for name, each in keyed.asked.items())}
        note = ""
        children: list[Node] = []
        if isinstance(service, Unfound):
            note = service.reason
        else:
            children = [self._served_view(record, keyed, service, part) for part in keyed.views]
        if not keyed.views:
            note = "The online store did not answer in time, so the vector was made of nulls."
        shown = {name: bare(value) for name, value in record.inputs.items() if not _is_in(children, name)}
        return Node(
            kind="features", id=keyed.digest, title=f"{len(record.inputs)} values of service {keyed.service}",
            relation="from", facts={**facts, **shown}, children=children, note=note,
        )  # fmt: skip

    def _served_view(
        self, record: PredictionRecord, keyed: KeyedPrediction, service: FeatureService, part: ServedView
    ) -> Node:
        import polars as pl

        view = next(view for view in service.views if view.name == part.view)
        title = f"{view.name} of {view.dataset} version {part.version}"
        if part.as_of is None:
            return Node(kind="feature view", id="", title=title, relation="view", note="It did not answer in time.")
        try:
            snapshot = self._up.sources.datasets.snapshot(self._up.project, view.dataset, str(part.version))
            keys = service.entity_columns
            entity = pl.DataFrame([{**{key: keyed.asked[key] for key in keys}, "as_of": part.as_of}])
            found = self._up.sources.features.training_set(
                self._up.caller, entity, [view], as_of="as_of", at={view.dataset: snapshot.id}, with_rows=True
            )
        except TreadleError as error:
            return Node(kind="feature view", id="", title=title, relation="view", note=" ".join(error.sentences()))
        told = self._view(view, found.table.to_pylist()[0], record, service, snapshot, keys)
        return replace(told, facts={**told.facts, "answered": part.status, "as of": moment(part.as_of)})

    def _views(
        self,
        record: PredictionRecord,
        version: ModelVersion | None,
        row: dict[str, Any],
        snapshots: dict[str, Snapshot],
        maker: Run | None,
    ) -> list[Node] | Unfound:
        """A node for each feature view: its values, when they were known, and the raw rows that the join names."""
        named = None if version is None else version.reference.get("feature_service")
        at = record.recorded_at if maker is None else maker.recorded_at
        digest = named if isinstance(named, str) else only_service_over(self._up, set(snapshots), at)
        if digest is None:
            if all(name in row for name in _ROW_COLUMNS):
                return []
            return Unfound("The model names no feature service, so the rows end at the snapshots below.")
        service = registered_service(self._up, digest)
        if isinstance(service, Unfound):
            return service
        missing = sorted({view.dataset for view in service.views} - snapshots.keys())
        if missing:
            return Unfound(f"The step that made the frame read no pinned snapshot of {', '.join(missing)}.")
        as_of = _as_of_column(record, row)
        if as_of is None:
            return Unfound("The frame does not keep the moment of its rows, so no raw row is named.")
        keys = service.entity_columns
        whole, own = self._entity(record, row, keys, snapshots)
        lost = [key for key in keys if key not in whole]
        if lost:
            return Unfound(f"Neither the frame nor a raw row of it says {', '.join(lost)}, so no raw row is named.")
        joined = self._joined(record, service, whole, as_of, keys, snapshots)
        return joined if isinstance(joined, Unfound) else [*own, *joined]

    def _entity(
        self, record: PredictionRecord, row: dict[str, Any], keys: list[str], snapshots: dict[str, Snapshot]
    ) -> tuple[dict[str, Any], list[Node]]:
        """The row with all keys of the entity: where the frame has dropped some, those of the entity's own raw row."""
        import polars as pl

        if all(key in row for key in keys) or record.entity is None:
            return row, []
        lost = {key for key in keys if key not in row}
        by = [name for name, value in row.items() if str(value) == record.entity]
        for dataset, snapshot in snapshots.items():
            columns = {column.name for column in snapshot.columns}
            for name in (name for name in by if name in columns and lost <= columns):
                rows = self._up.sources.datasets.scan(self._up.project, self._whole(snapshot))
                found = rows.filter(pl.col(name).cast(pl.String) == record.entity).tail(1).collect()
                if found.height:
                    raw = found.row(0, named=True)
                    id = RowId(raw["_landing"], raw["_row"])
                    own = self._up.landed.row(id, dataset, snapshot.id, [name, *keys])
                    return {**{key: raw[key] for key in lost}, **row}, [replace(own, relation="entity")]
        return row, []

    def _whole(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with its files."""
        return self._up.sources.datasets.snapshot(self._up.project, snapshot.dataset, snapshot.id)

    def _joined(
        self,
        record: PredictionRecord,
        service: FeatureService,
        row: dict[str, Any],
        as_of: str,
        keys: list[str],
        snapshots: dict[str, Snapshot],
    ) -> list[Node] | Unfound:
        import polars as pl

        entity = pl.DataFrame([{name: row[name] for name in [*keys, as_of]}], infer_schema_length=None)
        at = {dataset: snapshot.id for dataset, snapshot in snapshots.items()}
        try:
            found = self._up.sources.features.training_set(
                self._up.caller, entity, service, as_of=as_of, at=at, with_rows=True
            )
        except TreadleError as error:
            return Unfound(f"The join could not be done again: {error.what}")
        joined = found.table.to_pylist()[0]
        return [self._view(view, joined, record, service, snapshots[view.dataset], keys) for view in service.views]

    def _view(
        self,
        view: FeatureView,
        joined: dict[str, Any],
        record: PredictionRecord,
        service: FeatureService,
        snapshot: Snapshot,
        keys: list[str],
    ) -> Node:
        names = [name for name in service.features if name in view.features]
        facts: dict[str, Any] = {"for": ", ".join(str(joined[key]) for key in view.key_map)}
        facts |= {name: bare(joined[name]) for name in names}
        event_at, known_at = joined[f"{view.name}__event_at"], joined[f"{view.name}__known_at"]
        if event_at is not None:
            facts["newest of"] = moment(event_at)
        if isinstance(known_at, datetime) and known_at != event_at:
            facts["known"] = moment(known_at)
        used = [RowId(each["landing"], each["row"]) for each in joined[f"{view.name}__rows"] or []]
        served = {name: record.inputs[name] for name in names if name in record.inputs}
        unlike = [each.name for each in _unlike(record, served, joined)]
        note = f"Joined again, these differ from what was served: {', '.join(unlike)}." if unlike else ""
        newest = used[: -self._rows - 1 : -1]
        rows = self._up.landed.rows(newest, view.dataset, snapshot.id, view.columns) if newest else []
        title = f"{view.name} of {view.dataset} version {snapshot.version}"
        more = len(used) - len(rows)
        if more:
            rows.append(Node(kind="rows", id="", title=f"and {more} earlier rows of {view.dataset}"))
        if not used:
            note = note or ("No row was known by then." if event_at is None else "No row falls into its windows.")
        return Node(
            kind="feature view", id=snapshot.id, title=title, relation="view", facts=facts, children=rows, note=note
        )

    def _own_row(self, row: dict[str, Any]) -> list[Node]:
        """The raw row of a frame whose step has kept `_landing` and `_row`."""
        if not all(row.get(name) is not None for name in _ROW_COLUMNS):
            return []
        id = RowId(row["_landing"], row["_row"])
        landing = self._up.landed.landing(self._up.reader, id.landing)
        if landing is None:
            return [Node(kind="row", id=str(id), title="of a dataset", note="Its landing is not recorded.")]
        return [self._up.landed.row(id, landing.dataset, landing.snapshot)]

    # The truth

    def _truth(self, record: PredictionRecord) -> Node | None:
        import polars as pl

        if record.entity is None:
            return None
        asked = pl.DataFrame({"prediction": [record.prediction_id], "entity": [record.entity]})
        found = self._up.sources.truth.outcomes(self._up.project, record.endpoint, asked).to_dicts()
        if not found:
            return None
        truth, known_at = found[0]["truth"], found[0]["known_at"]
        facts = {} if known_at is None else {"known": moment(known_at)}
        title = "there is none" if truth is None else f"{truth:g}"
        return Node(kind="truth", id=record.entity, title=title, relation="came true", facts=facts)


def _as_of_column(record: PredictionRecord, row: dict[str, Any]) -> str | None:
    """The column that holds the moment up to which the features of a row knew the world."""
    moments = [
        name for name, value in row.items()
        if isinstance(value, datetime) and value.tzinfo is not None and not name.endswith(("__event_at", "__known_at"))
    ]  # fmt: skip
    agreeing = [name for name in moments if record.feature_as_of is not None and row[name] == record.feature_as_of]
    named = [name for name in moments if name == "as_of"]
    return next(iter(named if not agreeing or set(named) & set(agreeing) else agreeing), None) or (
        moments[0] if len(moments) == 1 else None
    )


def _unlike(record: PredictionRecord, served: dict[str, Any], joined: dict[str, Any]) -> list[Any]:
    return [each for each in differences(record, joined) if each.name in served]


def _is_in(views: list[Node], name: str) -> bool:
    return any(name in node.facts for node in views)
