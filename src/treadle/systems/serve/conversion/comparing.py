"""Comparing candidates with the original on real rows, and choosing the one that serves.

Conversion is never trusted: float32 can move a probability by 0.9 where a feature holds Unix time, and a float64 forest
can differ where scikit-learn itself rounds. A candidate is opened by the very engine that would serve it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from treadle.ground.errors import TreadleError, did_you_mean
from treadle.systems.serve.conversion.records import FASTEST, Candidate, Choice, Comparison
from treadle.systems.serve.errors import NoSuchEngine
from treadle.systems.serve.runtime.batches import InputPlan
from treadle.systems.serve.runtime.engines import open_engine
from treadle.systems.serve.runtime.models import Manifest, Probe, ServedModel
from treadle.systems.serve.runtime.signature import Signature

CALL_SIZES = (1, 8, 32, 128)
ALIKE = 1.25
"""Candidates whose call of one row takes at most this many times the fastest's are as fast; the first of them serves."""

_TIME_FOR_A_SIZE_S, _CALLS_FOR_A_SIZE, _PATIENCE_S = 0.02, 50, 0.25
_QUANTILES = (0.5, 0.9, 0.99, 0.999)
Matrix = NDArray[np.float64]


def compare(
    candidates: Sequence[Candidate],
    signature: Signature,
    matrix: Matrix,
    wanted: Matrix,
    *,
    tolerance: float = 1e-6,
    engine: str = FASTEST,
) -> Choice:
    """Every candidate beside the original, and which of them serves.

    matrix: float64 (n, k), rows as an engine gets them. wanted: float64 (n, w), what the original scores for them.
    tolerance: the largest difference at which a candidate may serve, relative where a score is above 1; a label that flips
    is never tolerated. engine: `fastest`, or the name of the candidate that is to serve, if it is within tolerance.
    Raises NoSuchEngine when the named one is not among them or not within tolerance.
    Cost: about 0.1 s and one pass over the rows a candidate.
    """
    found = [_compared(one, signature, matrix, wanted, tolerance) for one in candidates]
    chosen = choose(found, engine)
    if chosen is None:
        return Choice(serves=None, tolerance=tolerance, comparisons=found)
    options = next(one.options for one in candidates if one.name == chosen)
    return Choice(
        serves=chosen,
        tolerance=tolerance,
        comparisons=[replace(one, verdict="serves") if one.name == chosen else one for one in found],
        options=msgspec.to_builtins(options),
    )


def choose(found: Sequence[Comparison], engine: str = FASTEST) -> str | None:
    """The name of the candidate that serves, None when none may. Raises NoSuchEngine, see `compare`."""
    fit = [one for one in found if one.verdict == "within tolerance"]
    if engine != FASTEST:
        if engine in (one.name for one in fit):
            return engine
        named = next((one for one in found if one.name == engine), None)
        raise NoSuchEngine(
            f"The model cannot be served as {engine!r}.",
            why=did_you_mean(engine, [one.name for one in found]) if named is None else named.reason,
            fix="Within tolerance: " + (", ".join(one.name for one in fit) or "none") + ".",
        )
    timed = [(one.name, taken) for one in fit if (taken := one.call_us.get("1")) is not None]
    if not timed:
        return fit[0].name if fit else None
    fastest = min(taken for _, taken in timed)
    return next(name for name, taken in timed if taken <= fastest * ALIKE)


def _compared(
    candidate: Candidate, signature: Signature, matrix: Matrix, wanted: Matrix, tolerance: float
) -> Comparison:
    comparison = Comparison(
        name=candidate.name, engine=candidate.engine, verdict="failed", reason=candidate.reason, rows=len(matrix)
    )
    if candidate.content is None:
        return comparison
    comparison = replace(comparison, size_bytes=len(candidate.content))
    with tempfile.TemporaryDirectory(prefix="treadle-candidate-") as folder:
        path = Path(folder) / "model"
        path.write_bytes(candidate.content)
        try:
            model = _opened(candidate, signature, path)
            scores = model.scores(matrix)
            taken = _timed(model, matrix)
        except TreadleError as error:
            return replace(comparison, reason=" ".join(error.sentences()))
        except Exception as problem:  # whatever an engine meets in a graph that it does not understand
            return replace(comparison, reason=f"{type(problem).__name__}: {problem}".replace("\n", " ")[:300])
    difference = np.abs(scores - wanted) / np.maximum(1.0, np.abs(wanted))
    difference[np.isnan(scores) & np.isnan(wanted)] = 0.0
    difference[np.isnan(difference)] = np.inf
    largest = float(difference.max(initial=0.0))
    flips = _flips(signature, scores, wanted)
    fits = largest <= tolerance and not flips
    return replace(
        comparison,
        verdict="within tolerance" if fits else "outside",
        reason="" if fits else _why(largest, tolerance, flips, len(matrix)),
        largest_difference=largest,
        difference_quantiles={str(q): float(np.quantile(difference, q, method="higher")) for q in _QUANTILES},
        label_flips=flips,
        call_us=taken,
    )


def _opened(candidate: Candidate, signature: Signature, path: Path) -> ServedModel:
    manifest = Manifest(
        model_digest="", engine=candidate.engine, file="model", file_digest="", signature=signature,
        probe=Probe(rows=(), scores=()), options=candidate.options,
    )  # fmt: skip
    return ServedModel("", manifest, open_engine(candidate.engine, path, candidate.options), InputPlan(signature))


def _flips(signature: Signature, scores: Matrix, wanted: Matrix) -> int | None:
    if signature.task == "regression":
        return None
    if signature.task == "multiclass":
        return int(np.count_nonzero(scores.argmax(axis=1) != wanted.argmax(axis=1)))
    threshold = 0.5 if signature.threshold is None else signature.threshold
    return int(np.count_nonzero((scores >= threshold) != (wanted >= threshold)))


def _why(largest: float, tolerance: float, flips: int | None, rows: int) -> str:
    reason = f"A score differs by {largest:.3g}; {tolerance:g} is allowed."
    return reason + (f" {flips} of {rows} labels flip." if flips else "")


def _timed(model: ServedModel, matrix: Matrix) -> dict[str, float | None]:
    """Microseconds by the size of a call, the best of several; sizes above one that took 0.25 s are not tried."""
    taken: dict[str, float | None] = {}
    best = 0.0
    for size in CALL_SIZES:
        if best > _PATIENCE_S:
            taken[str(size)] = None
            continue
        rows = np.ascontiguousarray(np.resize(matrix, (size, matrix.shape[1])))
        best, started = float("inf"), time.perf_counter()
        for _ in range(_CALLS_FOR_A_SIZE):
            before = time.perf_counter()
            model.scores(rows)
            after = time.perf_counter()
            best = min(best, after - before)
            if after - started > _TIME_FOR_A_SIZE_S:
                break
        taken[str(size)] = round(best * 1e6, 2)
    return taken
