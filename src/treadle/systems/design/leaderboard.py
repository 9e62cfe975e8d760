"""The leaderboard: what was tried, how it did, and who leads; then what the gate says of the leader.

Pure: the same entries give the same order. Candidates and baselines stand on one board, since a candidate that does not
beat the baselines is no model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from treadle.systems.design.candidates import Parameter
from treadle.systems.design.errors import InvalidModelSpec
from treadle.systems.design.spec import DIRECTIONS, Direction, ModelSpec, Threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: a candidate or a baseline, and how it did.

    metrics: part of the split -> metric -> value. interval: bounds of the primary metric where it is ranked (95 %).
    run, artifact: which run made it, and the digest of the fitted model.
    """

    name: str
    kind: Literal["candidate", "baseline"]
    metrics: Mapping[str, Mapping[str, float | None]]
    params: Mapping[str, Parameter] = field(default_factory=dict)
    seed: int | None = None
    interval: tuple[float, float] | None = None
    run: str | None = None
    artifact: str | None = None
    seconds: float | None = None

    def value(self, metric: str, split: str) -> float | None:
        """The metric on a part; None when it was not measured or is no number."""
        value = self.metrics.get(split, {}).get(metric)
        return None if value is None or math.isnan(value) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaderboard:
    """Entries from the best to the worst; those without the metric come last."""

    spec: str
    spec_digest: str
    metric: str
    direction: Direction
    split: str
    entries: Sequence[Entry]
    snapshots: Mapping[str, str] = field(default_factory=dict)
    """Dataset -> snapshot that the training set was made of."""

    @property
    def best(self) -> Entry | None:
        """The leading candidate; None when there is none with the metric."""
        for entry in self.entries:
            if entry.kind == "candidate" and entry.value(self.metric, self.split) is not None:
                return entry
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition of the gate, and whether it holds. `measured` and `bound` are what was compared."""

    condition: str
    passed: bool
    measured: float | None
    bound: float | None


def rank(spec: ModelSpec, entries: Sequence[Entry], snapshots: Mapping[str, str] | None = None) -> Leaderboard:
    """The leaderboard of a specification. Among equals the simpler leads: a baseline first, then by name.

    Raises InvalidModelSpec when two entries have one name.
    """
    names = [entry.name for entry in entries]
    if len(set(names)) != len(names):
        raise InvalidModelSpec("Two entries of the leaderboard have one name.", names=names)
    better = -1.0 if spec.direction == "higher" else 1.0

    def place(entry: Entry) -> tuple[bool, float, bool, str]:
        value = entry.value(spec.metric.name, spec.metric.split)
        return value is None, 0.0 if value is None else better * value, entry.kind == "candidate", entry.name

    return Leaderboard(
        spec=spec.name,
        spec_digest=spec.digest,
        metric=spec.metric.name,
        direction=spec.direction,
        split=spec.metric.split,
        entries=sorted(entries, key=place),
        snapshots=dict(snapshots or {}),
    )


def gate(spec: ModelSpec, board: Leaderboard, entry: Entry) -> list[Check]:
    """What each condition of the specification's gate says of an entry; a metric that was not measured fails it."""
    return [_check(spec, board, entry, threshold) for threshold in spec.gate]


def _check(spec: ModelSpec, board: Leaderboard, entry: Entry, threshold: Threshold) -> Check:
    measured = entry.value(threshold.metric, threshold.split)
    where = f"{threshold.metric} on {threshold.split}"
    if threshold.at_least is not None:
        passed = measured is not None and measured >= threshold.at_least
        return Check(condition=f"{where} at least {threshold.at_least:g}", passed=passed, measured=measured, bound=threshold.at_least)  # fmt: skip
    if threshold.at_most is not None:
        passed = measured is not None and measured <= threshold.at_most
        return Check(condition=f"{where} at most {threshold.at_most:g}", passed=passed, measured=measured, bound=threshold.at_most)  # fmt: skip
    assert threshold.better_than_baselines_by is not None
    is_primary = threshold.metric == spec.metric.name
    is_higher = (spec.direction if is_primary else DIRECTIONS[threshold.metric]) == "higher"
    rivals = [line.value(threshold.metric, threshold.split) for line in board.entries if line.kind == "baseline"]
    known = [value for value in rivals if value is not None]
    condition = f"{where} better than every baseline by {threshold.better_than_baselines_by:g}"
    if not known or len(known) < len(rivals):
        return Check(condition=condition, passed=False, measured=measured, bound=None)
    margin = threshold.better_than_baselines_by
    bound = max(known) + margin if is_higher else min(known) - margin
    passed = measured is not None and (measured >= bound if is_higher else measured <= bound)
    return Check(condition=condition, passed=passed, measured=measured, bound=bound)
