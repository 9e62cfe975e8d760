"""Figures of this server in the Prometheus text format, version 0.0.4. Counting costs 0.5 us a request."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from treadle.systems.serve.runtime.log import LogFigures
from treadle.systems.serve.runtime.tracing import TraceFigures

LATENCY_BOUNDS_S = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


@dataclass(slots=True)
class _Latency:
    buckets: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BOUNDS_S) + 1))
    total_s: float = 0.0


@dataclass(slots=True)
class Metrics:
    """What happened since this process started."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By endpoint and status; the endpoint is empty where a request named none that is served here."""
    rows: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Rows predicted, by endpoint and revision."""
    unknown_categories: Counter[str] = field(default_factory=Counter)
    shadow_rows: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Rows that shadows scored, by endpoint and revision."""
    shadows_dropped: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Copies of requests for which a shadow had no time."""
    shadows_failed: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Copies of requests on which a shadow failed."""
    features_read: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Answers of feature views, by endpoint and how they answered: found, missing, expired, behind, unavailable."""
    _latency: dict[str, _Latency] = field(default_factory=dict)

    def answered(self, endpoint: str, seconds: float) -> None:
        """Counts an inference that was answered."""
        self.requests[endpoint, 200] += 1
        latency = self._latency.get(endpoint)
        if latency is None:
            latency = self._latency[endpoint] = _Latency()
        latency.buckets[bisect_left(LATENCY_BOUNDS_S, seconds)] += 1
        latency.total_s += seconds

    def text(
        self,
        log: LogFigures,
        held_bytes: int,
        budget_bytes: int,
        failures: dict[str, str],
        swaps: int,
        traces: TraceFigures | None = None,
    ) -> str:
        """The exposition."""
        lines = [*self._lines(log, held_bytes, budget_bytes, failures, swaps)]
        if traces is not None:
            lines += _single("treadle_spans_sent_total", "counter", "Spans that a collector took.", traces.sent)
            lines += _single("treadle_spans_dropped_total", "counter", "Spans that were not sent.", traces.dropped)
        return "".join(lines)

    def _lines(self, log: LogFigures, held: int, budget: int, failures: dict[str, str], swaps: int) -> Iterator[str]:
        yield _head("treadle_requests_total", "counter", "Requests by endpoint and status.")
        for (endpoint, status), n in self.requests.items():
            yield f'treadle_requests_total{{endpoint="{endpoint}",status="{status}"}} {n}\n'
        yield _head("treadle_predictions_total", "counter", "Rows predicted, by endpoint and revision.")
        for (endpoint, revision), n in self.rows.items():
            yield f'treadle_predictions_total{{endpoint="{endpoint}",revision="{revision}"}} {n}\n'
        yield _head(
            "treadle_feature_views_read_total", "counter", "Feature views read for a row, by how they answered."
        )
        for (endpoint, how), n in self.features_read.items():
            yield f'treadle_feature_views_read_total{{endpoint="{endpoint}",status="{how}"}} {n}\n'
        yield _head("treadle_unknown_categories_total", "counter", "Values that the signature does not know.")
        for endpoint, n in self.unknown_categories.items():
            yield f'treadle_unknown_categories_total{{endpoint="{endpoint}"}} {n}\n'
        for family, counted, words in (
            ("treadle_shadow_predictions_total", self.shadow_rows, "Rows scored by shadows."),
            ("treadle_shadow_dropped_total", self.shadows_dropped, "Copies of requests that shadows had no time for."),
            ("treadle_shadow_failures_total", self.shadows_failed, "Copies of requests on which shadows failed."),
        ):
            yield _head(family, "counter", words)
            for (endpoint, revision), n in counted.items():
                yield f'{family}{{endpoint="{endpoint}",revision="{revision}"}} {n}\n'
        yield _head("treadle_inference_seconds", "histogram", "From the whole request read to the answer encoded.")
        for endpoint, latency in self._latency.items():
            yield from _histogram("treadle_inference_seconds", f'endpoint="{endpoint}"', latency)
        yield _head("treadle_route_failed", "gauge", "1 while the newest route document of an endpoint is refused.")
        for endpoint in failures:
            yield f'treadle_route_failed{{endpoint="{endpoint}"}} 1\n'
        yield from _single("treadle_route_swaps_total", "counter", "Route documents put in force.", swaps)
        yield from _log_lines(log, held, budget)


def _log_lines(log: LogFigures, held: int, budget: int) -> Iterator[str]:
    yield from _single("treadle_prediction_log_calls_total", "counter", "Calls written.", log.written_calls)
    yield from _single("treadle_prediction_log_rows_total", "counter", "Predictions written.", log.written_rows)
    yield from _single("treadle_prediction_log_written_bytes_total", "counter", "Bytes written.", log.written_bytes)
    yield from _single("treadle_prediction_log_synced_bytes_total", "counter", "Bytes on the disk.", log.synced_bytes)
    yield from _single(
        "treadle_prediction_log_refused_total", "counter", "Requests refused for want of a record.", log.refused
    )
    yield from _single("treadle_prediction_log_shipped_bytes_total", "counter", "Bytes landed.", log.shipped_bytes)
    yield from _single(
        "treadle_prediction_log_dropped_rows_total",
        "counter",
        "Predictions not recorded, by sampling.",
        log.dropped_rows,
    )
    yield from _single("treadle_prediction_log_held_bytes", "gauge", "Bytes of all logs not yet shipped.", held)
    yield from _single("treadle_prediction_log_budget_bytes", "gauge", "Bytes that the logs may hold.", budget)


def _head(name: str, kind: str, words: str) -> str:
    return f"# HELP {name} {words}\n# TYPE {name} {kind}\n"


def _single(name: str, kind: str, words: str, value: float) -> Iterator[str]:
    yield _head(name, kind, words)
    yield f"{name} {value}\n"


def _histogram(name: str, labels: str, latency: _Latency) -> Iterator[str]:
    below = 0
    for bound, n in zip((*map(str, LATENCY_BOUNDS_S), "+Inf"), latency.buckets, strict=True):
        below += n
        yield f'{name}_bucket{{{labels},le="{bound}"}} {below}\n'
    yield f"{name}_sum{{{labels}}} {latency.total_s}\n"
    yield f"{name}_count{{{labels}}} {below}\n"
