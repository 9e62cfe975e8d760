"""Metrics of the protocol: what requests ask, and how points are written.

A value that is no number is the text "NaN"; an infinity came in as the greatest float and goes out as that.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from treadle.wire.mlflow.errors import ProtocolError

NAN = "NaN"


class PointSent(msgspec.Struct, gc=False):
    """One point as a client logs it."""

    key: str
    value: float
    timestamp: int
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""
    run_id: str = ""


class LogMetricAsked(msgspec.Struct):
    """runs/log-metric."""

    key: str = ""
    value: float | None = None
    timestamp: int | None = None
    step: int = 0
    run_id: str = ""
    run_uuid: str = ""
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class HistoryAsked(msgspec.Struct):
    """metrics/get-history."""

    run_id: str = ""
    run_uuid: str = ""
    metric_key: str = ""
    page_token: str = ""
    max_results: int | None = None


class BulkAsked(msgspec.Struct):
    """metrics/get-history-bulk."""

    run_id: list[str] = []
    metric_key: str | None = None
    max_results: int | None = None


class IntervalAsked(msgspec.Struct):
    """metrics/get-history-bulk-interval."""

    run_ids: list[str] = []
    metric_key: str = ""
    start_step: int | None = None
    end_step: int | None = None
    max_results: int | None = None


class Metric(msgspec.Struct, gc=False):
    """One point as it is answered."""

    key: str
    value: float | str
    timestamp: int
    step: int


class MetricOfRun(msgspec.Struct, gc=False):
    """One point of a history of several runs."""

    key: str
    value: float | str
    timestamp: int
    step: int
    run_id: str


class PointRead(Protocol):
    @property
    def key(self) -> str: ...
    @property
    def value(self) -> float | None: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def step(self) -> int: ...


def metrics(points: Iterable[PointRead]) -> list[Metric]:
    """Points as they are answered."""
    return [Metric(one.key, shown(one.value), one.at_ms, one.step) for one in points]


def columns(key: str, values: Sequence[float | None], times: Sequence[int], steps: Sequence[int]) -> list[Metric]:
    """The points of one metric, given column by column."""
    return [
        Metric(key, NAN if value is None else value, at, step)
        for value, at, step in zip(values, times, steps, strict=True)
    ]


def columns_of_run(
    run: str, key: str, values: Sequence[float | None], times: Sequence[int], steps: Sequence[int]
) -> list[MetricOfRun]:
    """The points of one metric of a run among several."""
    return [
        MetricOfRun(key, NAN if value is None else value, at, step, run)
        for value, at, step in zip(values, times, steps, strict=True)
    ]


def shown(value: float | None) -> float | str:
    """A value as it is written."""
    return NAN if value is None else value


def offset_of(token: str) -> int:
    """Where the page of a token begins; 0 without one. Raises ProtocolError."""
    if not token:
        return 0
    try:
        content = base64.b64decode(token)
    except (binascii.Error, ValueError):
        raise ProtocolError("INVALID_PARAMETER_VALUE", "Invalid page token, could not base64-decode") from None
    try:
        parsed = json.loads(content)
    except ValueError:
        raise _invalid_token(f"decoded value={content!r}") from None
    offset = parsed.get("offset") if isinstance(parsed, dict) else None
    if not offset:
        raise _invalid_token(f"parsed value={parsed}")
    if not isinstance(offset, int) or offset < 0:
        raise _invalid_token(f"not stringable {offset}")
    return offset


def _invalid_token(why: str) -> ProtocolError:
    return ProtocolError("INVALID_PARAMETER_VALUE", f"Invalid page token, {why}")


def token_of(offset: int) -> str:
    """The token of the page that begins at an offset."""
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()
