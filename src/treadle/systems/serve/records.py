"""The records of serving's control plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from treadle.ground.digests import Digest

RouteKind = Literal["deploy", "split", "shadow", "canary", "drain", "rollback"]
LandingKind = Literal["predictions", "shadows", "failures"]
"""What a dataset of served calls holds: what was answered, what shadows said of it, what failed."""
Verdict = Literal["identical", "within tolerance", "different", "not reproducible"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One model version made ready for an endpoint. It never changes; routes say how much of the traffic it gets."""

    id: str
    endpoint: str
    number: int
    model: str
    model_version: str
    model_digest: Digest
    engine: str
    bundle: Digest
    threads: int
    actor: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What an endpoint served from this number on, until the next one. `restores` is the number a rollback went back to."""

    endpoint: str
    number: int
    digest: Digest
    kind: RouteKind
    weights: Mapping[str, float]
    """The share of the units by the revision's number."""
    shadows: Mapping[str, float]
    """The share of the requests that each shadow gets copies of, by the revision's number."""
    is_drained: bool
    allow_backdating: bool
    limits: Mapping[str, Any]
    restores: int | None
    reason: str
    actor: str
    recorded_at: datetime

    @property
    def effective(self) -> int:
        """The number whose content this is."""
        return self.number if self.restores is None else self.restores


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A place where predictions are asked for."""

    name: str
    route: Route
    revisions: Sequence[Revision]
    """Those that the current route names, shadows among them."""
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSheet:
    """An endpoint with all its revisions and routes, oldest first."""

    endpoint: Endpoint
    revisions: Sequence[Revision]
    routes: Sequence[Route]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What the heaviest revision of an endpoint takes: datatypes by input, and rows from its probe; none where the server
    reads the features, for nobody can tell which entities there are."""

    endpoint: str
    task: str
    inputs: Mapping[str, str]
    rows: Sequence[Mapping[str, Any]]
    engine: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What one round of shipping did."""

    calls: int = 0
    rows: int = 0
    landings: int = 0
    torn_bytes: int = 0
    """Half-written ends of logs of killed processes: requests that were never answered."""
    damaged: Sequence[str] = ()
    """Records whose checksum fails, as `server/segment@offset`; the segment is kept."""
    removed_segments: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedView:
    """One view's part of a vector. as_of: the moment of which its values are exactly those that the version of its dataset's
    snapshot gives; None where it was unavailable."""

    view: str
    digest: Digest
    status: str
    as_of: datetime | None
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyedPrediction:
    """What a vector was read from. asked: the keys and values on demand of the request."""

    service: str
    digest: Digest
    asked: Mapping[str, Any]
    views: Sequence[ServedView]


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRecord:
    """One prediction as it was logged."""

    prediction_id: str
    call_id: str
    endpoint: str
    revision: int
    model: str
    model_version: str
    model_digest: Digest
    bundle: Digest
    engine: str
    engine_version: str
    threads: int
    call_rows: int
    row_in_call: int
    recorded_at: datetime
    event_at: datetime
    backdated: bool
    entity: str | None
    feature_as_of: datetime | None
    features: Digest | None
    """The frame that the vector was taken from, where the caller said so."""
    inputs: Mapping[str, Any]
    outputs: Sequence[float]
    keyed: KeyedPrediction | None = None
    """What its vector was read from, where the server read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionLine:
    """One prediction in a list. `output`: the score."""

    prediction_id: str
    endpoint: str
    revision: int
    model: str
    model_version: str
    recorded_at: datetime
    event_at: datetime
    entity: str | None
    output: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPredictions:
    """Shipped predictions, newest first. endpoint: of this one alone. entity: about this one alone.

    since, until: those that were made in this window, `since <= recorded_at < until`. after: a page's `next`.
    """

    endpoint: str | None = None
    entity: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 50
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficOf:
    """What an endpoint answered of late. until: without it, its newest prediction. hours: 1 to 744; buckets: 1 to 200."""

    endpoint: str
    until: datetime | None = None
    hours: int = 24
    buckets: int = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficBucket:
    """The calls of one revision in one part of the time. Latencies are those of calls, in milliseconds."""

    starts_at: datetime
    revision: int
    calls: int
    predictions: int
    failures: int
    p50_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointTraffic:
    """buckets: oldest first, by revision; a part of the time without calls has none. bucket_s: how long each is."""

    endpoint: str
    since: datetime
    until: datetime
    bucket_s: float
    buckets: list[TrafficBucket]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A past call, run again with the same shape. `reason` says what may explain a verdict other than identical."""

    call_id: str
    verdict: Verdict
    reason: str = ""
    rows: int = 0
    largest_difference: float | None = None
    recorded: Sequence[Sequence[float]] = field(default_factory=tuple)
    replayed: Sequence[Sequence[float]] = field(default_factory=tuple)
