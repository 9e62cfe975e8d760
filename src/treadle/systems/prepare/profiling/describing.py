"""From a profile to what is said of it: times as times, shares as shares, and what catches the eye."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from treadle.ground.profiling import ColumnProfile, Frequent, Profile
from treadle.ground.profiling.points import RANK_ERROR
from treadle.ground.profiling.times import HOUR
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.systems.prepare.profiling.hints import hints_of
from treadle.systems.prepare.profiling.records import (
    ColumnFacts,
    Correlated,
    FrequentValue,
    Histogram,
    PossiblyPersonal,
    SnapshotProfile,
)

QUANTILES = {"p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
TOLD_CORRELATIONS = 30
_TIMES = ("date", "time")
_STEPS = {24 * HOUR: "day", HOUR: "hour", 60_000_000: "minute", 1_000_000: "second"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def describe(profile: Profile, snapshot: Snapshot, *, bars: int) -> SnapshotProfile:
    """What is said of a snapshot by its profile."""
    related = [] if profile.correlations is None else profile.correlations.pairs()[:TOLD_CORRELATIONS]
    return SnapshotProfile(
        dataset=snapshot.dataset,
        version=snapshot.version,
        snapshot=snapshot.id,
        recorded_at=snapshot.recorded_at,
        rows=profile.rows,
        bytes=snapshot.bytes,
        columns=[facts_of(column, profile.rows, bars=bars) for column in profile.columns],
        correlations=[Correlated(first=a, second=b, r=round(r, 4)) for a, b, r in related],
        hints=hints_of(profile),
        rank_error=RANK_ERROR,
    )


def facts_of(column: ColumnProfile, rows: int, *, bars: int = 24) -> ColumnFacts:
    """What is said of one column."""
    return ColumnFacts(
        name=column.name,
        type=column.type,
        kind=column.kind,
        nulls=column.nulls,
        null_share=column.nulls / rows if rows else 0.0,
        distinct=column.distinct,
        distinct_error=round(column.distinct_error, 4),
        is_unique=column.is_unique,
        is_withheld=column.is_withheld,
        nans=column.nans,
        infinite=column.infinite,
        trues=column.trues if column.kind == "boolean" else None,
        personal=[
            PossiblyPersonal(kind=found.kind, share=round(share, 4), certainty=certainty, by_name=found.by_name)
            for found, share, certainty in column.findings_with_shares(rows)
        ],
        empty=column.texts.empty if column.texts is not None else 0,
        patterns=_frequent(column.texts.patterns) if column.texts is not None else (),
        frequent=_frequent(column.values) if column.values is not None else (),
        frequent_is_all=column.values is not None and column.values.is_complete,
        **_numbers(column, bars),
        **_rhythm(column),
    )


def as_said(column: ColumnProfile, value: float) -> Any:
    """A value of a column as people write it: a time for microseconds, a whole number for an integer."""
    if column.kind == "date":
        return (_EPOCH + timedelta(microseconds=value)).date().isoformat()
    if column.kind == "time":
        return (_EPOCH + timedelta(microseconds=value)).isoformat().replace("+00:00", "Z")
    if column.kind == "duration":
        return value / 1e6
    return int(value) if column.kind != "number" and float(value).is_integer() else value


def _numbers(column: ColumnProfile, bars: int) -> dict[str, Any]:
    found = column.numbers or (column.texts.lengths if column.texts is not None else None)
    if found is None:
        return {}
    is_lengths = column.numbers is None
    unit = 1e6 if column.kind in ("date", "time", "duration") else 1.0

    def said(value: float) -> Any:
        return int(value) if is_lengths else as_said(column, value)

    shares = list(QUANTILES.values())
    histogram = column.bars(max(1, min(bars, 200)))
    return {
        "low": said(found.low),
        "high": said(found.high),
        "mean": as_said(column, found.moments.mean) if column.kind in _TIMES else found.moments.mean / unit,
        "std": found.moments.std / unit,
        "skew": found.moments.skew,
        "quantiles": dict(zip(QUANTILES, map(said, found.quantiles(shares)), strict=True)),
        "histogram": None
        if histogram is None
        else Histogram(edges=[edge / unit for edge in histogram.edges], counts=[round(n, 2) for n in histogram.counts]),
    }


def _rhythm(column: ColumnProfile) -> dict[str, Any]:
    if column.rhythm is None:
        return {}
    hours = column.rhythm.hours if column.kind == "time" else ()
    return {
        "weekdays": column.rhythm.weekdays,
        "hours": hours,
        "step": _STEPS.get(column.rhythm.step_us, "below a second"),
    }


def _frequent(found: Frequent) -> list[FrequentValue]:
    return [FrequentValue(value=value, count=n, at_most=n + found.slack) for value, n in found.pairs()]
