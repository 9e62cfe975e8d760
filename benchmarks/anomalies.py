"""How often does a landing without trouble raise an alarm, and how soon is one with trouble found?

Streams of landings with four columns are drawn at random. Harmless ones: steady, with a weekly rhythm, growing, with
heavy-tailed volumes, with holidays, hourly with a rhythm of the day. Faults are put into steady, weekly and growing ones.
200 landings are more than half a year of days, so that a holiday is met more than once.
Nothing here was used to choose a constant but the seeds below 1000; what is printed comes from those above.

Fails (exit 1) when a harmless kind raises more than one alarm in 100 landings, over all seeds.

    python benchmarks/anomalies.py [--seeds 200] [--landings 200] [--tune] [--json]
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import numpy as np

from treadle.systems.prepare.anomalies.figures import SHARES, ColumnFigures, Figures
from treadle.systems.prepare.anomalies.judging import Judge
from treadle.systems.prepare.anomalies.records import Watch
from treadle.systems.prepare.anomalies.series import basis_of

DAY = 86_400.0
MONDAY = 1_704_067_200.0  # 1 January 2024
BEFORE = 70
"""Landings before a fault."""
WITHIN = 3
"""A fault counts as found when one of so many landings from it on raises an alarm."""
BUDGET = 1.0
CITIES = ("north", "south", "west", "east", "online")


class Stream:
    """Landings of a shop: amounts that drift a little from day to day, cities, an id, a note that may be missing."""

    def __init__(self, seed: int, kind: str) -> None:
        self.rng = np.random.default_rng(seed)
        self.kind = kind
        self.base = int(np.exp(self.rng.uniform(np.log(300), np.log(3000))))
        self.noise = self.rng.uniform(0.02, 0.12)
        self.wander = self.rng.uniform(0.0, 0.08)
        self.missing = float(self.rng.choice([0.0, 0.002, 0.05, 0.3]))
        self.shares = self.rng.dirichlet([8, 6, 4, 2, 1])
        self.holidays = set(self.rng.choice(400, 9, replace=False).tolist())
        self.weekend = self.rng.uniform(0.2, 0.7)
        self.growth = self.rng.choice([-0.004, 0.006, 0.01])
        self.jitter = float(self.rng.choice([60.0, 600.0, 2400.0]))
        self.next_id = 0

    def at(self, k: int) -> float:
        """When the k-th landing comes."""
        late = abs(self.rng.normal(0, self.jitter))
        if self.kind == "hourly":
            return MONDAY + k * 3600.0 + min(late / 10, 900.0)
        return MONDAY + k * DAY + 6 * 3600 + late

    def rows(self, k: int) -> int:
        """How many rows the k-th landing has."""
        factor = np.exp(self.rng.normal(0, self.noise))
        if self.kind == "weekly" and k % 7 >= 5:
            factor *= self.weekend
        if self.kind == "growing":
            factor *= np.exp(self.growth * k)
        if self.kind == "heavy tails":
            factor = np.exp(self.noise * self.rng.standard_t(2.5))
        if self.kind == "holidays" and k in self.holidays:
            factor *= self.rng.uniform(0.3, 0.6)
        if self.kind == "hourly":
            factor *= 0.3 + 0.7 * np.sin(np.pi * (k % 24) / 24) ** 2
        return max(1, int(self.base * factor))

    def landing(
        self,
        k: int,
        *,
        rows: Callable[[int], int] = lambda n: n,
        late_s: float = 0.0,
        shift: float = 0.0,
        unit: float = 1.0,
        missing: float = 0.0,
        without: str = "",
    ) -> Figures:
        """The figures of the k-th landing, with a fault or none."""
        n = rows(self.rows(k))
        heavy = self.kind == "heavy tails"
        centre = 50.0 + 10.0 * self.rng.normal(0, self.wander) + (0.02 * k if self.kind == "growing" else 0.0)
        drawn = self.rng.standard_t(3, n) if heavy else self.rng.normal(size=n)
        amounts = (centre + 10.0 * (drawn + shift)) * unit
        shares = self.shares * np.exp(self.rng.normal(0, self.wander, 5))
        shares = np.where([city == without for city in CITIES], 0.0, shares)
        cities = self.rng.multinomial(n, shares / shares.sum())
        gaps = self.rng.binomial(n, min(1.0, self.missing * np.exp(self.rng.normal(0, self.wander)) + missing))
        self.next_id += n
        columns = {
            "amount": ColumnFigures(
                type="Float64", missing=0, distinct=n, quantiles=tuple(np.quantile(amounts, SHARES)) if n else ()
            ),
            "city": ColumnFigures(
                type="String",
                missing=0,
                distinct=int((cities > 0).sum()),
                values={city: int(c) for city, c in zip(CITIES, cities, strict=True) if c},
                length=5.0,
                length_spread=0.5,
            ),
            "id": ColumnFigures(
                type="Int64",
                missing=0,
                distinct=n,
                quantiles=tuple(self.next_id - n + n * share for share in SHARES),
            ),
            "note": ColumnFigures(
                type="String",
                missing=int(gaps),
                distinct=n - int(gaps),
                length=30.0 + self.rng.normal(0, 0.3),
                length_spread=8,
            ),
        }
        return Figures(
            rows=n, arrived_at=self.at(k) + late_s, columns=columns if n else {}, fingerprint=f"{k}-{self.next_id}"
        )


HARMLESS = ("steady", "weekly", "growing", "heavy tails", "holidays", "hourly")
FAULTED = ("steady", "weekly", "growing")
FAULTS: dict[str, dict[str, object]] = {
    "volume halved": {"rows": lambda n: n // 2},
    "zero rows": {"rows": lambda n: 0},
    "nulls +10 points": {"missing": 0.1},
    "nulls +50 points": {"missing": 0.5},
    "category vanished": {"without": "west"},
    "unit changed x10": {"unit": 10.0},
    "mean shifted 0.5 sd": {"shift": 0.5},
    "late by 8 hours": {"late_s": 8 * 3600.0},
    "same batch again": {},
}


def harmless(kind: str, seed: int, landings: int) -> tuple[int, int, Counter[str]]:
    """Alarms, landings judged, and alarms by kind."""
    stream = Stream(seed, kind)
    history = [stream.landing(k) for k in range(landings)]
    watch = Watch(false_alarms=BUDGET)
    judge = Judge(basis_of(history[:30]), watch)
    verdicts = [judge.see(figures) for figures in history]
    judged = [verdict for verdict in verdicts if not verdict.warming]
    kinds = Counter(anomaly.kind for verdict in judged for anomaly in verdict.anomalies)
    return sum(bool(verdict.anomalies) for verdict in judged), len(judged), kinds


def faulty(kind: str, seed: int) -> Iterator[tuple[str, str, bool, int, bool]]:
    """For each fault whether it was found, where it stays, after how many landings, and whether as what it is."""
    stream = Stream(seed, kind)
    history = [stream.landing(k) for k in range(BEFORE)]
    judge = Judge(basis_of(history[:30]), Watch(false_alarms=BUDGET))
    for figures in history:
        judge.see(figures)
    for fault in FAULTS:
        yield (fault, kind, *_outcome(copy.deepcopy(judge), copy.deepcopy(stream), fault, history))


def _outcome(judge: Judge, stream: Stream, fault: str, history: list[Figures]) -> tuple[bool, int, bool]:
    for delay in range(WITHIN):
        found = judge.see(_wrong(stream, fault, BEFORE + delay, history))
        if found.anomalies:
            return True, delay, any(anomaly.kind in RIGHT[fault] for anomaly in found.anomalies)
    return False, WITHIN, False


def _wrong(stream: Stream, fault: str, k: int, history: list[Figures]) -> Figures:
    if fault == "same batch again":
        return replace(history[-1], arrived_at=stream.at(k))
    return stream.landing(k, **FAULTS[fault])  # type: ignore[arg-type]


RIGHT = {
    "volume halved": ("volume",),
    "zero rows": ("volume",),
    "nulls +10 points": ("missing",),
    "nulls +50 points": ("missing",),
    "category vanished": ("categories", "distinct"),
    "unit changed x10": ("distribution",),
    "mean shifted 0.5 sd": ("distribution",),
    "late by 8 hours": ("arrival",),
    "same batch again": ("duplicate",),
}


def _harmless_task(task: tuple[str, int, int]) -> tuple[str, int, int, Counter[str]]:
    kind, seed, landings = task
    return (kind, *harmless(kind, seed, landings))


def _faulty_task(task: tuple[str, int]) -> list[tuple[str, str, bool, int, bool]]:
    return list(faulty(*task))


def measure(first: int, seeds: int, landings: int, workers: int) -> dict[str, dict[str, object]]:
    """False alarms per 100 landings by kind of stream; detection by fault."""
    chosen = range(first, first + seeds)
    with ProcessPoolExecutor(workers) as pool:
        calm = list(pool.map(_harmless_task, [(k, s, landings) for k in HARMLESS for s in chosen], chunksize=10))
        tasks = pool.map(_faulty_task, [(k, s) for k in FAULTED for s in chosen], chunksize=5)
        found = [one for task in tasks for one in task]
    return {"false_alarms": dict(_false_alarms(calm)), "faults": dict(_faults(found))}


def _false_alarms(calm: list[tuple[str, int, int, Counter[str]]]) -> Iterator[tuple[str, object]]:
    for kind in HARMLESS:
        mine = [one for one in calm if one[0] == kind]
        judged = sum(n for _, _, n, _ in mine)
        rates = sorted(100.0 * alarms / n for _, alarms, n, _ in mine)
        kinds = sum((counter for *_, counter in mine), Counter())
        yield (
            kind,
            {
                "per_100": round(100.0 * sum(alarms for _, alarms, _, _ in mine) / judged, 3),
                "worst_seed": round(rates[-1], 2),
                "landings": judged,
                "as": dict(kinds.most_common()),
            },
        )


def _faults(found: list[tuple[str, str, bool, int, bool]]) -> Iterator[tuple[str, object]]:
    for fault in FAULTS:
        row: dict[str, object] = {}
        for kind in FAULTED:
            mine = [one for one in found if one[0] == fault and one[1] == kind]
            hits = [one for one in mine if one[2]]
            row[kind] = {
                "found": round(len(hits) / len(mine), 3),
                "at_once": round(sum(one[3] == 0 for one in hits) / len(mine), 3),
                "named_right": round(sum(one[4] for one in hits) / max(1, len(hits)), 3),
            }
        yield fault, row


def main() -> int:
    """Measures and prints; 1 when the budget is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--landings", type=int, default=200)
    parser.add_argument("--tune", action="store_true", help="the seeds below 1000, on which constants were chosen")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    found = measure(0 if asked.tune else 1000, asked.seeds, asked.landings, asked.workers)
    broken = [kind for kind, row in found["false_alarms"].items() if row["per_100"] > BUDGET]  # type: ignore[index]
    if asked.json:
        print(json.dumps(found, indent=2))
    else:
        print(f"false alarms per 100 landings ({asked.seeds} seeds, budget {BUDGET:g}):")
        for kind, row in found["false_alarms"].items():
            print(f"  {kind:14} {row['per_100']:6.2f}   worst seed {row['worst_seed']:5.1f}   {row['as']}")  # type: ignore[index]
        print(f"faults found within {WITHIN} landings (at once; named right):")
        for fault, rows in found["faults"].items():
            said = "   ".join(
                f"{kind} {row['found']:4.0%} ({row['at_once']:.0%}; {row['named_right']:.0%})"
                for kind, row in rows.items()  # type: ignore[attr-defined]
            )
            print(f"  {fault:20} {said}")
    if broken:
        print(f"beyond the budget: {', '.join(broken)}", file=sys.stderr)
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
