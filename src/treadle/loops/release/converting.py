"""The step of a registration that decides in which form a model will be served, and keeps what it was decided on.

The sample is bounded in rows and in time, so a registration waits for it a few seconds at most. The table of what was
compared, and the file of the form that serves, are artifacts that the version names in its `reference`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec
import numpy as np

from treadle.ground.frames import to_polars
from treadle.kernel.artifacts import Artifact
from treadle.kernel.artifacts.service import Artifacts
from treadle.loops.release.registering import encode, predict
from treadle.loops.release.servable import COMPARED, SERVED_AS, engine_and_file, original_options
from treadle.systems.serve.conversion import FASTEST, Candidate, Choice, compare, offer
from treadle.systems.serve.conversion.records import ORIGINAL
from treadle.systems.serve.runtime.engines import EngineOptions
from treadle.systems.serve.runtime.signature import Signature
from treadle.systems.train import Registration

SAMPLE_ROWS = 20_000
"""Rows at most on which forms are compared; float32 goes wrong in few rows, so few rows would not show it."""

SAMPLE_S = 2.0
"""After so long a time of the original's own, no further rows are scored."""

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Converted:
    """kept: artifacts to be recorded with the version. reference: what the version says of them, by role."""

    choice: Choice
    kept: Sequence[Artifact]
    reference: Mapping[str, str]

    def told_by(self, registration: Registration) -> Registration:
        """The registration that also says so."""
        return replace(registration, reference={**registration.reference, **self.reference})


def convert(
    model: Any,
    artifact: Artifact,
    artifacts: Artifacts,
    signature: Mapping[str, Any],
    sample: Any,
    *,
    tolerance: float = 1e-6,
    engine: str = FASTEST,
) -> Converted:
    """The forms of a model object, compared on rows of its inputs, and the one that serves.

    artifact: of the model, as it is stored. sample: a frame with at least the model's inputs, 20,000 rows of which are
    taken evenly. Raises NotServable for a model that no engine loads, NoSuchEngine for an `engine` that does not fit.
    """
    stored, content = engine_and_file(artifact, artifacts)
    options = msgspec.convert(original_options(stored, content, signature), EngineOptions)
    described = msgspec.convert(dict(signature), Signature)
    matrix, wanted = score_sample(model, signature, sample)
    candidates = offer(
        model, engine=stored, content=content, options=options, task=described.task, columns=len(described.inputs)
    )
    choice = compare(candidates, described, matrix, wanted, tolerance=tolerance, engine=engine)
    return _kept(choice, candidates, artifacts)


def score_sample(
    model: Any, signature: Mapping[str, Any], sample: Any, *, rows: int = SAMPLE_ROWS, seconds: float = SAMPLE_S
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """(matrix (n, k), scores (n, w)) of rows spread evenly over a frame; a slow model gets fewer of them."""
    names = [column["name"] for column in signature["inputs"]]
    table = to_polars(sample).select(names)
    take = np.linspace(0, table.height - 1, min(rows, table.height)).astype(np.int64)
    # In an order that leaves the rows spread evenly wherever the time runs out.
    order = np.random.default_rng(0).permutation(len(take))
    matrix = encode(signature, table[take])[order]
    scores: list[np.ndarray[Any, Any]] = []
    started, at = time.perf_counter(), 0
    while at < len(matrix) and (not scores or time.perf_counter() - started < seconds):
        chunk = np.ascontiguousarray(matrix[at : at + _CHUNK])
        scores.append(predict(model, chunk, task=signature["task"]).reshape(len(chunk), -1))
        at += len(chunk)
    return np.ascontiguousarray(matrix[:at]), np.concatenate(scores)


def _kept(choice: Choice, candidates: Sequence[Candidate], artifacts: Artifacts) -> Converted:
    table = artifacts.put(msgspec.to_builtins(asdict(choice)))
    kept, reference = [table], {COMPARED: table.digest}
    if choice.serves not in (None, ORIGINAL):
        content = next(one.content for one in candidates if one.name == choice.serves)
        kept.append(artifacts.put(content))
        reference[SERVED_AS] = kept[-1].digest
    return Converted(choice, kept, reference)
