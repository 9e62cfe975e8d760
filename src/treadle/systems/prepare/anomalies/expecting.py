"""What the next value of each series should be, from the values before it.

Ten ways to guess are kept side by side: the middle of the last landings, of those of the same weekday, at the same time of
day, of both, of workdays or weekends, each with and without the trend. For each series, the way is used that has guessed it
best so far, so a rhythm is found where there is one and not believed in where there is none. Everything is a median: a
landing that was wrong moves no guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY_S = 86_400.0
LEVEL = 14
SAME = 6
LEAST_SAME = 3
NEAR_S = 2700.0
"""Two landings are at the same time of day when they are less than so many seconds apart on the clock."""

SCORED = 60
"""Guesses by which a way is judged."""

LEAST_SCORED = 5
LARGEST = 1e140
"""What is larger counts as so large: the squares of errors stay numbers."""

RICHER = 0.9
"""A way that knows a rhythm or a trend is used where its errors are below so many of the plain one's."""

_WAYS = ("level", "weekday", "hour", "weekday and hour", "weekend")
WAYS = tuple(f"{way}{trend}" for trend in ("", " with trend") for way in _WAYS)


@dataclass(frozen=True, slots=True)
class Guess:
    """What is expected of each series: the value, the scale of its errors, and errors of the same way before."""

    value: Floats
    scale: Floats
    errors: Floats
    noise: Floats
    way: NDArray[np.intp]


class Track:
    """Series of one dataset, one landing after another. All have the same checks, in the same order."""

    def __init__(self, checks: int, least: Floats) -> None:
        self._least = least
        self._at: list[float] = []
        self._values: list[Floats] = []
        self._noise: list[Floats] = []
        self._errors: list[Floats] = []
        self._m = checks
        self._guessed: tuple[float, Floats] | None = None

    @property
    def n(self) -> int:
        return len(self._at)

    def add(self, at: float, values: Floats, noise: Floats) -> None:
        """A landing: at which time (seconds since 1970), the value of each series, its sampling noise."""
        values, noise = _bounded(values), _bounded(noise)
        self._errors.append(values - self._guesses(at))
        self._guessed = None
        self._at.append(at)
        self._values.append(values)
        self._noise.append(noise)

    def expect(self, at: float, noise: Floats) -> Guess:
        """What is expected of a landing at that time, with so much sampling noise."""
        guesses, noise = self._guesses(at), _bounded(noise)
        errors = np.array(self._errors[-SCORED:]).reshape(-1, len(WAYS), self._m)
        way = _best(errors, guesses)
        pick = np.arange(self._m)
        own = errors[:, way, pick]
        usual = np.array(self._noise[-SCORED:]).reshape(-1, self._m)
        return Guess(guesses[way, pick], self._scale(own, usual, noise), own, usual, way)

    def scales(self, guess: Guess) -> Floats:
        """The scale of each of the earlier errors of a guess, as it would be for that landing's own sampling noise."""
        return self._scale(guess.errors, guess.noise, guess.noise)

    def _scale(self, errors: Floats, usual: Floats, noise: Floats) -> Floats:
        """Standard deviation of an error: what was seen beyond sampling, and the sampling noise of a landing (or several)."""
        spread = _spread(errors)
        known = np.sum(np.isfinite(errors), axis=0)
        beyond = np.maximum(spread**2 - _medians(usual) ** 2, 0.0)
        found: Floats = np.sqrt(
            beyond * (1.0 + 2.0 / np.maximum(known, 1)) + np.nan_to_num(noise) ** 2 + self._least**2
        )
        return found

    def _guesses(self, at: float) -> Floats:
        """The guess of every way, shape (ways, checks); NaN where a way has too little to go by."""
        if self._guessed is not None and self._guessed[0] == at:
            return self._guessed[1]
        found = np.full((len(WAYS), self._m), np.nan)
        self._guessed = (at, found)
        if self.n < LEAST_SAME:
            return found
        times = np.array(self._at[-_KEPT:])
        values = np.array(self._values[-_KEPT:])
        slope = self._slope(times, values)
        for k, place in enumerate(_comparable(times, at)):
            if place.size >= LEAST_SAME:
                chosen = values[place]
                found[k] = _medians(chosen)
                found[k + len(_WAYS)] = _medians(chosen + slope * ((at - times[place]) / DAY_S)[:, None])
        return found

    def _slope(self, times: Floats, values: Floats) -> Floats:
        """The trend a day: the middle of the rises over a stretch of two weeks of landings, so that a week cancels."""
        apart = _stretch(times)
        if times.size < apart + LEAST_SAME:
            return np.full(self._m, np.nan)
        newest = values[-2 * apart :]
        at = times[-2 * apart :]
        rises = (newest[apart:] - newest[: newest.shape[0] - apart]) / (
            np.maximum(at[apart:] - at[: at.size - apart], 1.0)[:, None] / DAY_S
        )
        return _medians(rises)


_KEPT = 100


def _stretch(times: Floats) -> int:
    per_day = (times.size - 1) / max(float(times[-1] - times[0]) / DAY_S, 1e-9)
    if per_day <= 1.5:
        return LEVEL
    whole = round(min(per_day, 48.0))
    return whole * max(1, -(-LEVEL // whole))


def _comparable(times: Floats, at: float) -> list[NDArray[np.intp]]:
    """For each way, the places of the landings that are compared with one at that time."""
    days = np.floor(times / DAY_S).astype(np.int64)
    weekday, own = (days + 3) % 7, (int(at // DAY_S) + 3) % 7
    apart = np.abs((times - at + DAY_S / 2) % DAY_S - DAY_S / 2)
    every = np.ones(times.size, dtype=bool)
    same_day, same_hour = weekday == own, apart <= NEAR_S
    sets: Sequence[tuple[NDArray[np.bool_], int]] = (
        (every, LEVEL),
        (same_day, SAME),
        (same_hour, SAME + 4),
        (same_day & same_hour, SAME),
        ((weekday >= 5) == (own >= 5), LEVEL),
    )
    return [np.flatnonzero(mask)[-most:] for mask, most in sets]


def _best(errors: Floats, guesses: Floats) -> NDArray[np.intp]:
    """The way that has guessed each series best, of those that have a guess now; the plain level where none has."""
    if errors.shape[0] < LEAST_SCORED:
        return np.zeros(guesses.shape[1], dtype=np.intp)
    away = np.abs(errors)
    known = np.isfinite(away)
    enough = known.sum(axis=0) >= LEAST_SCORED
    filled = np.where(known, away, np.nan)
    score = _quantiles(filled, 0.5) + 0.5 * _quantiles(filled, 0.85)
    score[1:] /= RICHER
    score = np.where(enough & np.isfinite(guesses), score, np.inf)
    return np.asarray(np.argmin(score, axis=0), dtype=np.intp)


def _spread(errors: Floats) -> Floats:
    """Standard deviation of errors, robust: by the median, or by the 85th per cent where that says more."""
    away = np.abs(errors)
    if away.shape[0] == 0:
        return np.zeros(away.shape[1])
    return np.nan_to_num(np.maximum(_quantiles(away, 0.5) / 0.6745, _quantiles(away, 0.85) / 1.4395))


def _bounded(values: Floats) -> Floats:
    """Finite values within bounds; what is not finite stays as it is."""
    return np.where(np.isfinite(values), np.clip(values, -LARGEST, LARGEST), values)


def _medians(values: Floats) -> Floats:
    return _quantiles(values, 0.5)


def _quantiles(values: Floats, share: float) -> Floats:
    """The quantile of the finite values along the first axis; NaN where there is none. NumPy's own warns, and is slow."""
    if values.shape[0] == 0:
        return np.full(values.shape[1:], np.nan)
    ordered = np.sort(values, axis=0)  # NaN sorts last
    known = np.isfinite(ordered).sum(axis=0)
    place = np.maximum(known - 1, 0) * share
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(known - 1, 0)).astype(np.intp)
    first = np.take_along_axis(ordered, low[None], axis=0)[0]
    second = np.take_along_axis(ordered, high[None], axis=0)[0]
    found: Floats = first + (second - first) * (place - low)
    return np.where(known > 0, found, np.nan)
