"""Judging a landing by those before it. One budget of false alarms is shared by all checks of a dataset.

Surprises are compared with the largest ones of earlier landings, not with a table of the normal distribution: so the
number of columns, their dependence and heavy tails are all in the threshold. A landing that raised an alarm counts on as
a mildly surprising one: a second holiday is no surprise after the first, and one disaster blinds nobody.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from treadle.systems.prepare.anomalies.expecting import Guess, Track
from treadle.systems.prepare.anomalies.figures import FEW_ROWS, Figures
from treadle.systems.prepare.anomalies.records import Anomaly, Band, Verdict, Watch
from treadle.systems.prepare.anomalies.series import LEAST, ONE_SIDED, Basis, Floats, basis_of
from treadle.systems.prepare.anomalies.tails import threshold
from treadle.systems.prepare.anomalies.wording import column_anomalies, gap_anomaly, schema_anomaly, volume_anomaly

SHARES = {"volume": 0.2, "arrival": 0.2, "columns": 0.6}
"""How the budget is shared out."""

COUNTED = 1.5
"""A landing that raised an alarm counts as so many thresholds at most where the usual surprise is measured."""

FORGIVEN, LARGER, FORGIVING = 4.0, 2.0, 120
"""What went away by itself is not told again for so many landings while it is at most so much larger, up to so many
thresholds: a holiday is forgiven once one was seen, an empty landing never."""

CALM = (0.0, 0.0)
GAP_LEAST = 0.03
GAP_BASE_S = 60.0
LEAST_LATE_S = 600.0
LONGEST_GAP_S = 400 * 86_400.0
REMEMBERED = 60
SAME_AGAIN = 2


@dataclass
class _Family:
    """Checks that share a threshold, and which of the landings before raised its alarm."""

    budget: float
    flags: list[tuple[float, float]] = field(default_factory=list)
    """Threshold and surprise of a landing that was flagged, twice 0 of one that was not."""

    def limit(self, largest: Floats, *, forgives: bool = True) -> float:
        """The threshold, from the largest surprise of each of the newest landings."""
        limits, sizes = np.array(self.flags[-FORGIVING:], dtype=np.float64).reshape(-1, 2).T
        flags = limits[limits.size - largest.size :]
        found = threshold(np.where(flags > 0.0, np.minimum(largest, COUNTED * flags), largest), self.budget)
        if not forgives:
            return found
        is_alone = (limits > 0.0) & (np.append(limits[1:], 1.0) == 0.0)
        forgiven = np.minimum(LARGER * sizes, FORGIVEN * limits)[is_alone]
        return max(found, float(forgiven.max(initial=0.0)))


class Judge:
    """Judges one landing after another, and learns from each."""

    def __init__(self, basis: Basis, watch: Watch) -> None:
        self.basis, self.watch = basis, watch
        self._track = Track(len(basis.checks), np.array([LEAST[check.kind] for check in basis.checks]))
        self._gaps = Track(1, np.array([GAP_LEAST]))
        self._families = {name: _Family(watch.false_alarms / 100.0 * share) for name, share in SHARES.items()}
        self._seen: list[Figures] = []
        self._pairs = _pairs(basis)

    @classmethod
    def after(cls, history: Sequence[Figures], watch: Watch) -> tuple[Judge, list[Verdict]]:
        """A judge who has seen a history, and what it said of each landing."""
        judge = cls(basis_of(history), watch)
        return judge, [judge.see(figures) for figures in history]

    def see(self, figures: Figures) -> Verdict:
        """What is said of a landing, which belongs to what was seen from now on."""
        if len(self._seen) < self.watch.warm_up:
            self._learn(figures, {})
            return Verdict(warming=True)
        found: list[Anomaly] = []
        flagged: dict[str, tuple[float, float]] = {}
        band = self._judge_landing(figures, found, flagged)
        gap = self._judge_gap(figures, found, flagged)
        again = self._again(figures)
        schema = schema_anomaly(self._seen[-REMEMBERED:], figures)
        if again is not None:
            found = [again]  # the same rows again explain whatever else is odd about them
        elif schema is not None:
            found.append(schema)
        self._learn(figures, flagged)
        kept = tuple(anomaly for anomaly in found if not self._is_muted(anomaly))
        return Verdict(anomalies=kept if self.watch.is_on else (), volume=band, gap=gap)

    def due_at(self) -> float | None:
        """Until when the next landing should have come; None while there is too little to go by."""
        if len(self._seen) <= self.watch.warm_up:
            return None
        last = self._seen[-1].arrived_at
        guess, limit = self._expected_gap(last)
        usual = _gap(float(guess.value[0]))
        latest = max(_gap(float(guess.value[0] + limit * guess.scale[0])), usual + LEAST_LATE_S)
        return last + latest if latest < LONGEST_GAP_S else None

    def overdue(self, now: float) -> Anomaly | None:
        """The anomaly of a landing that should have come by now and has not; else None."""
        due = self.due_at()
        if due is None or now <= due:
            return None
        last = self._seen[-1].arrived_at
        guess, limit = self._expected_gap(last)
        z = (_log_gap(now - last) - float(guess.value[0])) / float(guess.scale[0])
        return gap_anomaly(_gap(float(guess.value[0])), due - last, now - last, z, limit, is_here=False)

    def _judge_landing(self, figures: Figures, found: list[Anomaly], flagged: dict[str, tuple[float, float]]) -> Band:
        values, noise = self.basis.of(figures)
        guess = self._track.expect(figures.arrived_at, noise)
        z, before = self._surprises(values, guess)
        limit = self._families["volume"].limit(before[:, 0], forgives=figures.rows > 0)
        expected, scale = float(guess.value[0]), float(guess.scale[0])
        band = Band(
            seen=figures.rows,
            expected=math.expm1(expected),
            low=max(0.0, math.expm1(expected - limit * scale)),
            high=_expm1(expected + limit * scale),
        )
        if z[0] > limit:
            flagged["volume"] = (limit, float(z[0]))
            found.append(volume_anomaly(figures.rows, band, float(z[0]), limit))
        if figures.rows >= FEW_ROWS and z.size > 1:
            limit = self._families["columns"].limit(np.nanmax(np.nan_to_num(before[:, 1:]), axis=1, initial=0.0))
            if float(z[1:].max()) > limit:
                flagged["columns"] = (limit, float(z[1:].max()))
                found += column_anomalies(self.basis, values, guess, z, limit)
        return band

    def _judge_gap(
        self, figures: Figures, found: list[Anomaly], flagged: dict[str, tuple[float, float]]
    ) -> Band | None:
        last = self._seen[-1].arrived_at
        guess, limit = self._expected_gap(last)
        if not math.isfinite(float(guess.value[0])):
            return None
        seen = figures.arrived_at - last
        usual = _gap(float(guess.value[0]))
        latest = _gap(float(guess.value[0] + limit * guess.scale[0]))
        z = (_log_gap(seen) - float(guess.value[0])) / float(guess.scale[0])
        if z > limit and seen > usual + LEAST_LATE_S:
            flagged["arrival"] = (limit, z)
            found.append(gap_anomaly(usual, latest, seen, z, limit, is_here=True))
        return Band(seen=seen, expected=usual, low=0.0, high=latest)

    def _expected_gap(self, last: float) -> tuple[Guess, float]:
        guess = self._gaps.expect(last, np.zeros(1))
        before = np.maximum(guess.errors / self._gaps.scales(guess), 0.0)[:, 0]
        return guess, self._families["arrival"].limit(before)

    def _surprises(self, values: Floats, guess: Guess) -> tuple[Floats, Floats]:
        """How many standard deviations each figure is off, and each of those before it; 0 where nothing can be said."""
        z = self._together((values - guess.value) / guess.scale)
        before = self._together(guess.errors / self._track.scales(guess))
        return z, before

    def _together(self, z: Floats) -> Floats:
        one_sided = np.array([check.kind in ONE_SIDED for check in self.basis.checks])
        away = np.nan_to_num(np.where(one_sided, np.maximum(z, 0.0), np.abs(z)), posinf=0.0)
        for distinct, ratio in self._pairs:  # more rows have more values: only what the volume cannot explain is odd
            both = np.minimum(away[..., distinct], away[..., ratio])
            away[..., distinct], away[..., ratio] = both, 0.0
        found: Floats = away
        return found

    def _again(self, figures: Figures) -> Anomaly | None:
        """The same rows once more, where that is no habit of the dataset."""
        if figures.rows < FEW_ROWS or not figures.fingerprint:
            return None
        marks = [seen.fingerprint for seen in self._seen[-REMEMBERED:]]
        if figures.fingerprint not in marks or len(marks) - len(set(marks)) >= SAME_AGAIN:
            return None
        ago = len(marks) - 1 - max(k for k, mark in enumerate(marks) if mark == figures.fingerprint)
        which = "the landing before" if ago == 0 else f"the landing {ago + 1} before"
        return Anomaly(
            kind="duplicate", expected="rows that are new", seen=f"the same {figures.rows:,} rows as {which}"
        )

    def _learn(self, figures: Figures, flagged: dict[str, tuple[float, float]]) -> None:
        values, noise = self.basis.of(figures)
        self._track.add(figures.arrived_at, values, noise)
        for name in ("volume", "columns"):
            self._families[name].flags.append(flagged.get(name, CALM))
        if self._seen:
            last = self._seen[-1].arrived_at
            self._gaps.add(last, np.array([_log_gap(figures.arrived_at - last)]), np.zeros(1))
            self._families["arrival"].flags.append(flagged.get("arrival", CALM))
        self._seen.append(figures)

    def _is_muted(self, anomaly: Anomaly) -> bool:
        if not anomaly.columns:
            return self.watch.is_muted(anomaly.kind, None)
        return all(self.watch.is_muted(anomaly.kind, column) for column in anomaly.columns)


def _pairs(basis: Basis) -> list[tuple[int, int]]:
    place = {(check.kind, check.column): k for k, check in enumerate(basis.checks)}
    return [(k, place[("ratio", column)]) for (kind, column), k in place.items() if kind == "distinct"]


def _log_gap(seconds: float) -> float:
    return math.log(max(0.0, seconds) + GAP_BASE_S)


def _gap(value: float) -> float:
    return math.exp(value) - GAP_BASE_S if value < 60.0 else math.inf


def _expm1(value: float) -> float:
    return math.expm1(value) if value < 60.0 else math.inf
