"""Logged calls as Arrow tables, one row a prediction, and back to the call that made a row.

The columns that are the same for every endpoint come first; a model's inputs follow as `in_<name>`, typed as they were
served; `output` is the score (the probability of the positive class, the prediction), `outputs` all the float64 that the
model gave. Nothing is rounded on the way, so a call can be run again from its rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.ground.clock import from_micros
from treadle.systems.serve.records import KeyedPrediction, LandingKind, ServedView
from treadle.systems.serve.runtime.log import Call, Context, Keyed, LoggedCall
from treadle.systems.serve.runtime.prediction_ids import texts

if TYPE_CHECKING:
    import pyarrow as pa

INPUT_PREFIX = "in_"


def prediction_table(logged: Sequence[LoggedCall]) -> pa.Table:
    """One row a prediction, in the order of the log. All calls must have one layout.

    A shadow's rows say of which prediction they are copies (`shadow_of`); failures have an `error` and no outputs."""
    import pyarrow as pa

    parts = [_of_context(list(calls)) for _, calls in groupby(logged, key=lambda one: one.context)]
    return pa.concat_tables(parts)


@dataclass(frozen=True, slots=True)
class Layout:
    """What calls must share to go into one table."""

    endpoint: str
    kind: LandingKind
    columns: tuple[tuple[str, str], ...]
    width: int
    is_keyed: bool = False


def layout_of(logged: LoggedCall) -> Layout:
    """The layout of a call: its kind is what it is a record of, a prediction, a shadow's, or a failure."""
    context, call = logged.context, logged.call
    kind: LandingKind = "failures" if call.error is not None else "shadows" if context.is_shadow else "predictions"
    columns = tuple((column.name, column.datatype) for column in context.columns)
    return Layout(context.endpoint, kind, columns, context.width, call.keyed is not None)


def _of_context(logged: list[LoggedCall]) -> pa.Table:
    import pyarrow as pa

    context = logged[0].context
    calls = [one.call for one in logged]
    sizes = np.array([call.rows for call in calls])
    rows = int(sizes.sum())
    recorded = np.repeat(np.array([call.recorded_at for call in calls], dtype=np.int64), sizes)
    moment = pa.timestamp("us", tz="UTC")

    def same(value: Any, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), rows)

    def each(values: list[Any], kind: pa.DataType) -> pa.Array:
        return pa.array(np.repeat(np.array(values, dtype=object), sizes), kind)

    def said(name: str, kind: pa.DataType) -> pa.Array:
        return pa.array(chain.from_iterable(getattr(call, name) or [None] * call.rows for call in calls), kind)

    event_at = said("event_at", pa.int64())
    backdated = event_at.is_valid()
    columns: dict[str, pa.Array] = {
        "prediction_id": pa.array(list(chain.from_iterable(call.prediction_ids for call in calls)), pa.string()),
        "call_id": each([call.call_id for call in calls], pa.string()),
        "call_rows": pa.array(np.repeat(sizes, sizes), pa.int64()),
        "row_in_call": pa.array(np.concatenate([np.arange(size) for size in sizes]), pa.int64()),
        "endpoint": same(context.endpoint, pa.string()),
        "revision": same(context.revision_number, pa.int64()),
        "revision_id": same(context.revision, pa.string()),
        "route": same(context.route_number, pa.int64()),
        "model": same(context.model, pa.string()),
        "model_version": same(context.model_version, pa.string()),
        "model_digest": same(context.model_digest, pa.string()),
        "bundle": same(context.bundle, pa.string()),
        "engine": same(context.engine, pa.string()),
        "engine_version": same(context.engine_version, pa.string()),
        "threads": same(context.threads, pa.int64()),
        "server": same(context.server, pa.string()),
        "recorded_at": pa.array(recorded, moment),
        "event_at": event_at.fill_null(0).cast(moment)
        if backdated.true_count == rows
        else _or_recorded(event_at, recorded),
        "backdated": backdated,
        "feature_as_of": said("feature_as_of", pa.int64()).cast(moment),
        "entity": said("entity", pa.string()),
        "features": each([call.features for call in calls], pa.string()),
        "unit": each([call.unit for call in calls], pa.string()),
        "request_id": each([call.request_id for call in calls], pa.string()),
        "latency_us": pa.array(np.repeat([call.latency_us for call in calls], sizes), pa.int64()),
        "model_us": pa.array(np.repeat([call.model_us for call in calls], sizes), pa.int64()),
    }
    if any(call.keyed is not None for call in calls):
        columns.update(_keyed(calls))
    if context.is_shadow:
        columns["shadow_of"] = pa.array(list(chain.from_iterable(_answered_ids(call) for call in calls)), pa.string())
    if calls[0].error is not None:
        columns["is_shadow"] = same(context.is_shadow, pa.bool_())
        columns["error"] = each([call.error for call in calls], pa.string())
        columns.pop("shadow_of", None)
    else:
        columns.update(_outputs(calls))
    columns.update(_inputs(context, logged))
    return pa.table(columns)


def _keyed(calls: Sequence[Call]) -> dict[str, pa.Array]:
    """What the vectors were read from; the request and the views of a row as JSON."""
    import pyarrow as pa

    each = [(call.keyed, row) for call in calls for row in range(call.rows)]
    return {
        "feature_service": pa.array([None if keyed is None else keyed.service for keyed, _ in each], pa.string()),
        "feature_version": pa.array([None if keyed is None else keyed.digest for keyed, _ in each], pa.string()),
        "feature_request": pa.array(
            [None if keyed is None else json.dumps(keyed.asked[row]) for keyed, row in each], pa.string()
        ),
        "feature_views": pa.array([None if keyed is None else _views(keyed, row) for keyed, row in each], pa.string()),
    }


def _views(keyed: Keyed, row: int) -> str:
    parts = zip(keyed.views, keyed.statuses[row], keyed.as_of[row], keyed.versions[row], strict=False)
    return json.dumps(
        [
            {"view": view, "digest": digest, "status": status, "as_of": as_of, "version": version}
            for (view, digest), status, as_of, version in parts
        ]
    )


def keyed_of(row: Mapping[str, Any]) -> KeyedPrediction | None:
    """What a landed prediction's vector was read from; None where its request brought it."""
    if row.get("feature_service") is None:
        return None
    views = [
        ServedView(**{**view, "as_of": from_micros(view["as_of"]) if view["as_of"] else None})
        for view in json.loads(row["feature_views"])
    ]
    return KeyedPrediction(
        service=row["feature_service"],
        digest=row["feature_version"],
        asked=json.loads(row["feature_request"]),
        views=views,
    )


def _answered_ids(call: Call) -> list[str]:
    """The ids of the predictions that a shadow's rows are copies of."""
    return texts(int.from_bytes(call.shadow_of or b"", "big"), call.rows)


def _outputs(calls: Sequence[Call]) -> dict[str, pa.Array]:
    import pyarrow as pa

    scores = np.concatenate([call.outputs() for call in calls])
    rows, width = scores.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int32)
    return {
        "output": pa.array(np.ascontiguousarray(scores[:, 0])),
        "outputs": pa.ListArray.from_arrays(offsets, scores.ravel()),
    }


def _or_recorded(event_at: pa.Array, recorded: np.ndarray[Any, Any]) -> pa.Array:
    """The time of which a prediction speaks: the caller's where it gave one, else that of the prediction itself."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.coalesce(event_at, pa.array(recorded, pa.int64())).cast(pa.timestamp("us", tz="UTC"))


def _inputs(context: Context, logged: list[LoggedCall]) -> dict[str, pa.Array]:
    """The columns of the matrix, typed as the signature says; unknown categories come back as the text that was sent."""
    import pyarrow as pa

    matrix = np.concatenate([one.call.inputs() for one in logged])
    unknown: dict[int, list[tuple[int, str]]] = {}
    start = 0
    for one in logged:
        for row, place, text in one.call.unknown:
            unknown.setdefault(place, []).append((start + row, text))
        start += one.call.rows
    columns: dict[str, pa.Array] = {}
    for at, column in enumerate(context.columns):
        values = np.ascontiguousarray(matrix[:, at])
        if column.categories is None:
            columns[INPUT_PREFIX + column.name] = _numbers(values, column.datatype)
            continue
        codes = pa.array(values, from_pandas=True).cast(pa.int64())
        texts = pa.array(column.categories, pa.string()).take(codes).to_pylist()
        for row, text in unknown.get(at, ()):
            texts[row] = text
        columns[INPUT_PREFIX + column.name] = pa.array(texts, pa.string())
    return columns


def _numbers(values: np.ndarray[Any, Any], datatype: str) -> pa.Array:
    """Whole numbers are kept as 64 bits, all floating ones as float64: what the model got, exactly."""
    import pyarrow as pa

    array = pa.array(values, from_pandas=True)
    if datatype == "BOOL":
        return array.cast(pa.int8()).cast(pa.bool_())
    return array.cast(pa.int64()) if "INT" in datatype else array


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """The inputs of a call's rows by column name, as they were served. table: one call, in the order `row_in_call`."""
    names = [name for name in table.column_names if name.startswith(INPUT_PREFIX)]
    return [
        {name.removeprefix(INPUT_PREFIX): value for name, value in row.items()}
        for row in table.select(names).to_pylist()
    ]
