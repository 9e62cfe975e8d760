"""The record of one call, made from what was asked, what was answered, and what it took."""

from __future__ import annotations

from treadle.systems.serve.runtime.batches import Batch
from treadle.systems.serve.runtime.log import Call


def record_of(
    context: int,
    batch: Batch,
    scores: bytes,
    *,
    first: int,
    recorded_at: int,
    latency_us: int,
    model_us: int,
    request_id: str | None,
    shadow_of: bytes | None = None,
    error: str | None = None,
) -> Call:
    """The record; `first` is the first of the consecutive ids of its rows."""
    facts = batch.facts
    return Call(
        context=context,
        first_id=first.to_bytes(16, "big"),
        rows=len(batch.matrix),
        recorded_at=recorded_at,
        latency_us=latency_us,
        matrix=batch.matrix.tobytes(),
        scores=scores,
        event_at=facts.event_at,
        entity=facts.entity,
        feature_as_of=facts.feature_as_of,
        unknown=batch.unknown,
        request_id=request_id,
        unit=facts.unit,
        features=facts.features,
        model_us=model_us,
        shadow_of=shadow_of,
        error=error,
        keyed=facts.keyed,
    )
