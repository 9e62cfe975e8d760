"""What a model has done since its server started, in the form of Triton's statistics extension.

Source: triton-inference-server `extension_statistics.md`.
"""

from __future__ import annotations

import msgspec


class Duration(msgspec.Struct):
    """How often something was done, and how long it took together."""

    count: int = 0
    ns: int = 0


class InferenceDurations(msgspec.Struct, kw_only=True):
    """success and fail: whole requests. queue: waiting for a thread. compute_input, compute_infer, compute_output: reading
    the request into rows, the model, writing what it said."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration = msgspec.field(default_factory=Duration)
    cache_miss: Duration = msgspec.field(default_factory=Duration)


class BatchDurations(msgspec.Struct, kw_only=True):
    """The calls of one number of rows."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatistics(msgspec.Struct, kw_only=True):
    """One version of a model. last_inference: milliseconds since 1970, 0 for none. inference_count: rows;
    execution_count: calls."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferenceDurations
    batch_stats: list[BatchDurations]


class StatisticsAnswer(msgspec.Struct):
    """The answer to `GET /v2/models[/{name}[/versions/{version}]]/stats`."""

    model_stats: list[ModelStatistics]
