"""Running a past call again: the same vectors, in the same call shape, on the same model; then the bits are compared.

The shape matters: ONNX Runtime and scikit-learn give other last bits for another batch size. What is compared are the
float64 scores as they were logged, not what was printed of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from treadle.ground.errors import TreadleError
from treadle.systems.serve.prediction_tables import keyed_of, prediction_table, rows_of
from treadle.systems.serve.records import PredictionRecord, Replay
from treadle.systems.serve.runtime.batches import Batch
from treadle.systems.serve.runtime.engines.opening import Matrix
from treadle.systems.serve.runtime.log import LoggedCall
from treadle.systems.serve.runtime.models import ServedModel

if TYPE_CHECKING:
    import pyarrow as pa

TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class RecordedCall:
    """A call as it was served. inputs: its vectors as a model takes them."""

    call_id: str
    bundle: str
    engine: str
    engine_version: str
    threads: int
    scores: Matrix
    inputs: Callable[[ServedModel], Batch]


def recorded_call(table: pa.Table) -> RecordedCall:
    """The call of some landed rows: all rows of one call, in any order."""
    ordered = table.sort_by("row_in_call")
    first = {name: ordered[name][0].as_py() for name in ("call_id", "bundle", "engine", "engine_version", "threads")}
    if ordered["row_in_call"].to_pylist() != list(range(ordered["call_rows"][0].as_py())):
        raise ValueError(f"the rows given are not the whole call {first['call_id']}")
    scores = np.array(ordered["outputs"].to_pylist(), dtype=np.float64)
    rows = rows_of(ordered)
    return RecordedCall(**first, scores=scores, inputs=lambda model: model.plan.from_rows(rows))


def replay_call(call: RecordedCall, model: ServedModel, *, tolerance: float = TOLERANCE) -> Replay:
    """What the model says of the call today, and how that compares with what it said then."""
    if model.bundle != call.bundle:
        return Replay(
            call_id=call.call_id, verdict="not reproducible", reason=f"This is another model than the one that answered ({call.bundle[:19]}…)."
        )  # fmt: skip
    try:
        scores = model.scores(call.inputs(model).matrix)
    except TreadleError as error:
        return Replay(call_id=call.call_id, verdict="not reproducible", reason=" ".join(error.sentences()))
    same = scores.shape == call.scores.shape and bool(np.array_equal(_bits(scores), _bits(call.scores)))
    difference = 0.0 if same else _largest_difference(scores, call.scores)
    if same:
        verdict, reason = "identical", ""
    else:
        verdict = "within tolerance" if difference <= tolerance else "different"
        reason = _explain(call, model)
    return Replay(
        call_id=call.call_id,
        verdict=verdict,  # type: ignore[arg-type]
        reason=reason,
        rows=len(scores),
        largest_difference=difference,
        recorded=call.scores.tolist(),
        replayed=scores.tolist(),
    )


def record_of(table: pa.Table, prediction_id: str) -> PredictionRecord:
    """One prediction out of its call's rows."""
    row = next(row for row in table.to_pylist() if row["prediction_id"] == prediction_id)
    inputs = {name.removeprefix("in_"): value for name, value in row.items() if name.startswith("in_")}
    given = {name: row[name] for name in PredictionRecord.__dataclass_fields__ if name not in ("inputs", "keyed")}
    return PredictionRecord(**given, inputs=inputs, keyed=keyed_of(row))


def table_of(logged: LoggedCall) -> pa.Table:
    """The rows of a call that still lies in the log."""
    return prediction_table([logged])


def _bits(scores: Matrix) -> Any:
    return np.ascontiguousarray(scores).view(np.int64)


def _largest_difference(one: Matrix, other: Matrix) -> float:
    if one.shape != other.shape:
        return float("inf")
    unlike = np.isnan(one) != np.isnan(other)
    return float("inf") if unlike.any() else float(np.nanmax(np.abs(one - other), initial=0.0))


def _explain(call: RecordedCall, model: ServedModel) -> str:
    engine = model.engine
    if engine.version != call.engine_version:
        return (
            f"It was answered by {call.engine} {call.engine_version}; {engine.name} {engine.version} is installed now."
        )
    if engine.threads != call.threads:
        return f"It was answered on {call.threads} threads; this replay ran on {engine.threads}."
    return "Same model, engine version, threads and call shape: another processor or library below the engine computes otherwise."
