"""Point-in-time joins on Ray Data: entities and rows meet by the hash of the entity's key, and each part is joined as usual.

A part is joined by the very function that joins everything elsewhere (`treadle.systems.features.joining`), so that the
answers are the same to the last bit. Views with other keys are other passes: what one pass answers is what the next one
is asked. Corrections may move an event to another key, so the rows of a view with an event key go to every part.

Blocks travel as Arrow IPC in one column beside the number of their part, since entities and the rows of several datasets
have no schema in common. Ray is imported when the first join is asked for.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from treadle.ground.errors import MissingExtra
from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.features.columns import require
from treadle.systems.features.joining import Join, as_frame, check_free, demanded
from treadle.systems.features.on_demand import OnDemandView
from treadle.systems.features.records import Joined, ViewReport
from treadle.systems.features.sql_rows import KEPT
from treadle.systems.features.views import (
    FeatureView,
    check_distinct,
    check_needs,
    names_of,
    view_from_description,
)

if TYPE_CHECKING:
    import pyarrow as pa

PART, SIDE, PAYLOAD, REPORTS = "part", "side", "payload", "reports"
POSITION = "_treadle_position"
ENTITIES = ""
"""The side of entities; rows have the name of their dataset."""

BLOCK_ROWS = 250_000


@dataclass(frozen=True, slots=True)
class RayJoins:
    """Joins on a Ray cluster. Satisfies the port `JoinEngine` of features.

    address: of the cluster; without one, the one that Ray finds, or a local one. parts: how many pieces the keys fall into.
    """

    address: str | None = None
    parts: int = 16
    options: Mapping[str, Any] | None = None

    def join(
        self,
        entities: pa.Table | pl.DataFrame,
        views: Sequence[FeatureView | OnDemandView],
        frames: Mapping[str, pa.Table | pl.DataFrame],
        *,
        as_of: str,
        features: Sequence[str] | None = None,
    ) -> Joined:
        """What `join_features` answers, bit for bit. Rows need `_landing` and `_row`: parts hold them in any order.

        Raises what `join_features` raises, and MissingExtra.
        """
        asked = as_frame(entities)
        check_distinct(views)
        check_needs(views)
        stored = [view for view in views if isinstance(view, FeatureView)]
        chosen = list(features) if features is not None else [name for view in views for name in names_of(view)]
        check_free(asked, stored, chosen)
        rows = {dataset: as_frame(frames[dataset]) for dataset in {view.dataset for view in stored}}
        for dataset, frame in rows.items():
            require(frame, [LANDING, ROW], f"dataset {dataset!r}")
        self._connect()
        answer = asked.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(POSITION))
        reports: dict[str, ViewReport] = {}
        for group in _by_keys(stored):
            answer, more = self._pass(answer, group, rows, as_of)
            reports |= more
        answer = answer.sort(POSITION)
        values = {name: answer[name] for view in stored for name in view.features}
        for view in views:
            if isinstance(view, OnDemandView):
                values |= demanded(view, asked, values)
        times = [f"{view.name}__{what}" for view in stored for what in ("event_at", "known_at")]
        table = asked.with_columns(*(values[name].alias(name) for name in chosen), *(answer[name] for name in times))
        return Joined(
            table=table.to_arrow(compat_level=pl.CompatLevel.oldest()),
            features=tuple(chosen),
            reports=tuple(reports[view.name] for view in stored),
        )

    def _connect(self) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtra.of("ray", "ray", "Joining features on Ray") from error
        if not ray.is_initialized():
            quiet = {"include_dashboard": False, "log_to_driver": False, "configure_logging": False}
            ray.init(address=self.address, **{**quiet, **(self.options or {})})

    def _pass(
        self, entities: pl.DataFrame, views: Sequence[FeatureView], rows: Mapping[str, pl.DataFrame], as_of: str
    ) -> tuple[pl.DataFrame, dict[str, ViewReport]]:
        """The entities with the features of views of the same keys, in any order, and the views' reports."""
        plain = [replace(view, sql=None) for view in views]
        held = {view.name: _needed(view, rows[view.dataset]) for view in views}
        sides = {ENTITIES: entities.clear()} | {view.name: view.rows(held[view.name].clear()) for view in views}
        job = _Job(
            views=[json.dumps(view.describe()) for view in plain],
            as_of=as_of,
            blank={side: _payload(frame) for side, frame in sides.items()},
        )
        tagged = self._tagged(entities, _Tag(side=ENTITIES, keys=list(views[0].key_map), parts=self.parts))
        for view in views:
            keys = None if view.event_key else list(view.key_map.values())
            tag = _Tag(side=view.name, keys=keys, parts=self.parts, view=json.dumps(view.describe()))
            tagged = tagged.union(self._tagged(held[view.name], tag))
        found = tagged.groupby(PART, num_partitions=self.parts).map_groups(
            _join_part, fn_args=(job,), batch_format="pyarrow"
        )
        pieces, reports = [], []
        for piece in found.iter_rows():
            pieces.append(_frame_of(piece[PAYLOAD]))
            reports.append([ViewReport(**each) for each in json.loads(piece[REPORTS])])
        if not pieces:  # neither entities nor rows: nothing to group
            blank = Join(entities, views, rows, as_of=as_of)
            return next(blank.pieces()), {report.view: report for report in blank.reports}
        spread = {view.name for view in views if view.event_key}
        return pl.concat(pieces), {
            each[0].view: _summed(each, each[0].view in spread) for each in zip(*reports, strict=True)
        }

    def _tagged(self, frame: pl.DataFrame, tag: _Tag) -> Any:
        """A frame as a Ray data set of blocks that know their part."""
        import ray

        slices = [each.to_arrow() for each in frame.iter_slices(BLOCK_ROWS)] or [frame.to_arrow()]
        blocks = ray.data.from_arrow(slices)
        return blocks.map_batches(_tagged_batch, fn_args=(tag,), batch_format="pyarrow", batch_size=BLOCK_ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tag:
    """Which side a block is of, and by which columns its rows find their part; None sends them to all."""

    side: str
    keys: Sequence[str] | None
    parts: int
    view: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What a part needs to be joined: views as they were described, and what a side looks like that has no rows."""

    views: Sequence[str]
    as_of: str
    blank: Mapping[str, bytes]


def _tagged_batch(batch: pa.Table, tag: _Tag) -> pa.Table:
    """A block as payloads by part."""
    frame = as_frame(batch)
    if tag.view is not None:
        view = view_from_description(json.loads(tag.view))
        assert isinstance(view, FeatureView)
        frame = view.rows(frame)
    if tag.keys is None:
        split = [(part, frame) for part in range(tag.parts)]
    else:
        part = (frame.select(pl.struct(_hashable(frame, tag.keys)).hash(seed=0) % tag.parts)).to_series()
        split = [(number, frame.filter(part == number)) for number in part.unique().to_list()]
    return pl.DataFrame(
        {
            PART: [part for part, _ in split],
            SIDE: [tag.side] * len(split),
            PAYLOAD: [_payload(some) for _, some in split],
        },
        schema={PART: pl.Int64, SIDE: pl.String, PAYLOAD: pl.Binary},
    ).to_arrow(compat_level=pl.CompatLevel.oldest())


def _hashable(frame: pl.DataFrame, keys: Sequence[str]) -> list[pl.Expr]:
    """The key columns in the type in which entities and rows compare, under names that both share."""
    found = []
    for place, key in enumerate(keys):
        dtype = frame.schema[key]
        column = pl.col(key)
        if dtype.is_integer():
            column = column.cast(pl.Int64, strict=False)
        elif isinstance(dtype, (pl.Categorical, pl.Enum, pl.Null)):
            column = column.cast(pl.String)
        found.append(column.alias(f"key{place}"))
    return found


def _join_part(group: pa.Table, job: _Job) -> pa.Table:
    """One part, joined: the entities with their features, and the views' reports, in one row."""
    sides: dict[str, list[pl.DataFrame]] = {side: [_frame_of(blank)] for side, blank in job.blank.items()}
    for line in group.to_pylist():
        sides[line[SIDE]].append(_frame_of(line[PAYLOAD]))
    whole = {side: pl.concat(frames) for side, frames in sides.items()}
    views = [view_from_description(json.loads(view)) for view in job.views]
    stored = [replace(view, dataset=view.name) for view in views if isinstance(view, FeatureView)]
    join = Join(whole[ENTITIES], stored, whole, as_of=job.as_of)
    answer = pl.concat(list(join.pieces()))
    return pl.DataFrame(
        {PAYLOAD: [_payload(answer)], REPORTS: [json.dumps([asdict(report) for report in join.reports])]}
    ).to_arrow(compat_level=pl.CompatLevel.oldest())


def _payload(frame: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    frame.write_ipc(written, compression="lz4", compat_level=pl.CompatLevel.newest())
    return written.getvalue()


def _frame_of(payload: bytes) -> pl.DataFrame:
    return pl.read_ipc(io.BytesIO(payload))


def _needed(view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(name for name in rows.columns if name in {*view.columns, *KEPT})


def _by_keys(views: Sequence[FeatureView]) -> list[list[FeatureView]]:
    """Views with the same entity keys, together."""
    groups: dict[tuple[str, ...], list[FeatureView]] = {}
    for view in views:
        groups.setdefault(tuple(view.key_map), []).append(view)
    return list(groups.values())


def _summed(reports: Sequence[ViewReport], is_spread: bool) -> ViewReport:
    """The reports of all parts as one. is_spread: whether every part had all rows."""
    counts = {field.name: [getattr(report, field.name) for report in reports] for field in fields(ViewReport)}
    of_rows = max if is_spread else sum
    return ViewReport(
        view=reports[0].view,
        n_rows=of_rows(counts.pop("n_rows")),
        n_undated=of_rows(counts.pop("n_undated")),
        **{name: sum(values) for name, values in counts.items() if name != "view"},
    )
