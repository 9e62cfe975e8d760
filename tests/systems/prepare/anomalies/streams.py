"""Landings of a shop, day by day, as figures: what the tests of judging begin with."""

from __future__ import annotations

import numpy as np

from treadle.systems.prepare.anomalies.figures import SHARES, ColumnFigures, Figures

DAY = 86_400.0
MONDAY = 1_704_067_200.0  # 1 January 2024


class Shop:
    """A stream with a seed. Weekends have a third of the rows where `weekly`."""

    def __init__(self, seed: int = 1, *, weekly: bool = False) -> None:
        self.rng = np.random.default_rng(seed)
        self.weekly = weekly

    def day(
        self,
        k: int,
        *,
        rows: int | None = None,
        late_s: float = 0.0,
        missing: float = 0.02,
        unit: float = 1.0,
        shift: float = 0.0,
        cities: tuple[str, ...] = ("north", "south", "west"),
        lag_s: float = 3600.0,
    ) -> Figures:
        """The landing of day k."""
        usual = 1000 if not (self.weekly and k % 7 >= 5) else 330
        n = round(usual * np.exp(self.rng.normal(0, 0.05))) if rows is None else rows
        at = MONDAY + k * DAY + abs(self.rng.normal(0, 300)) + late_s
        amounts = (50 + 10 * (self.rng.normal(size=n) + shift)) * unit
        counts = self.rng.multinomial(n, [1 / len(cities)] * len(cities))
        columns = {
            "amount": ColumnFigures(
                type="Float64",
                missing=int(self.rng.binomial(n, missing)),
                distinct=n,
                quantiles=tuple(np.quantile(amounts, SHARES)) if n else (),
            ),
            "city": ColumnFigures(
                type="String",
                missing=0,
                distinct=int((counts > 0).sum()),
                values={city: int(c) for city, c in zip(cities, counts, strict=True)},
                length=5.0,
                length_spread=1.0,
            ),
            "at": ColumnFigures(type="Datetime[us]", missing=0, distinct=n, latest_at=at - lag_s),
        }
        return Figures(rows=n, arrived_at=at, columns=columns if n else {}, fingerprint=f"{k} {n}")

    def days(self, n: int) -> list[Figures]:
        """The first n days."""
        return [self.day(k) for k in range(n)]
