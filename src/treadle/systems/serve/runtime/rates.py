"""How often one token may ask: a bucket of permits a caller, filled evenly (the token bucket of RFC 2697's family)."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from treadle.systems.serve.runtime.documents import Limits
from treadle.systems.serve.runtime.errors import TooManyRequests

MAX_CALLERS = 10_000
"""Callers remembered; the one that asked longest ago is forgotten first, which gives it a full bucket."""


@dataclass(slots=True)
class _Bucket:
    permits: float
    at: float


@dataclass(slots=True)
class Rates:
    """The buckets of one server. Cost: a dictionary look-up a request, and nothing where no rate is set."""

    monotonic: Callable[[], float] = time.monotonic
    parts: int = 1
    """The servers that share a port: each gives out its part of every rate, so all together keep it."""
    _buckets: OrderedDict[tuple[str, bytes], _Bucket] = field(default_factory=OrderedDict)

    def take(self, endpoint: str, caller: bytes, limits: Limits) -> None:
        """Takes one permit of a caller. Raises TooManyRequests, saying when to come back, where none is left."""
        rate = limits.requests_per_s
        if rate <= 0:
            return
        most = max(1.0, float(limits.burst or math.floor(rate)) / self.parts)
        now, rate = self.monotonic(), rate / self.parts
        key = endpoint, caller
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(most, now)
            if len(self._buckets) > MAX_CALLERS:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(key)
        bucket.permits = min(most, bucket.permits + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.permits < 1:
            wait_s = (1 - bucket.permits) / rate
            raise TooManyRequests(
                f"Endpoint {endpoint!r} takes {limits.requests_per_s:g} requests a second from one caller.",
                fix=f"Try again in {max(1, math.ceil(wait_s))} s, or send more rows in each request.",
                retry_after_s=max(1, math.ceil(wait_s)),
            )
        bucket.permits -= 1
