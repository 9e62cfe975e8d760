"""What the API counts about itself, in Prometheus' text form: calls, how long they took, how many are under way.

Only the event loop writes here, so nothing is locked.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METRICS = {
    "treadle_api_calls_total": ("counter", "Calls of verbs, by verb and HTTP status."),
    "treadle_api_call_seconds": ("histogram", "How long calls took until the answer began, by verb."),
    "treadle_api_calls_under_way": ("gauge", "Calls that have not been answered yet."),
}


class Outcome:
    """How a call ended; the handler sets its status."""

    status = 500


class Meter:
    """Counts calls."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, int], int] = defaultdict(int)
        self._buckets: dict[str, list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_S) + 1))
        self._seconds: dict[str, float] = defaultdict(float)
        self._under_way = 0

    @contextmanager
    def measured(self, verb: str) -> Iterator[Outcome]:
        """Counts what happens inside as one call of a verb."""
        outcome = Outcome()
        begun = time.perf_counter()
        self._under_way += 1
        try:
            yield outcome
        finally:
            took = time.perf_counter() - begun
            self._under_way -= 1
            self._calls[verb, outcome.status] += 1
            self._seconds[verb] += took
            place = next((place for place, edge in enumerate(BUCKETS_S) if took <= edge), len(BUCKETS_S))
            self._buckets[verb][place] += 1

    def text(self) -> str:
        """Everything counted so far (Prometheus' text format 0.0.4)."""
        calls, seconds, under_way = METRICS
        lines = self._head(calls)
        lines += [
            f'{calls}{{verb="{verb}",status="{status}"}} {n}' for (verb, status), n in sorted(self._calls.items())
        ]
        lines += self._head(seconds)
        for verb, counts in sorted(self._buckets.items()):
            so_far = 0
            for edge, count in zip((*BUCKETS_S, "+Inf"), counts, strict=True):
                so_far += count
                lines.append(f'{seconds}_bucket{{verb="{verb}",le="{edge}"}} {so_far}')
            lines.append(f'{seconds}_sum{{verb="{verb}"}} {self._seconds[verb]:.6f}')
            lines.append(f'{seconds}_count{{verb="{verb}"}} {so_far}')
        lines += [*self._head(under_way), f"{under_way} {self._under_way}"]
        return "\n".join(lines) + "\n"

    def _head(self, name: str) -> list[str]:
        kind, meaning = METRICS[name]
        return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]
