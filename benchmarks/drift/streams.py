"""Streams of predictions' inputs, window by window: harmless ones, and ones into which drift of a stated size is put.

A stream has a reference of 25 windows, 30 windows more, and from the 31st on its drift. Everything is drawn from one seed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

ROWS = 2000
REFERENCE_WINDOWS = 25
BEFORE = 30
"""Windows between the reference and the drift."""
AFTER = 30
"""Windows with the drift; what has not been found by then is missed."""
WEEK = 7

Columns = dict[str, np.ndarray]
"""Numbers as float64 with NaN for null, words as int64 codes with -1 for null."""
Change = Callable[[Columns, np.random.Generator, int], Columns]
"""What drift does to a window: columns, a generator, and how many windows ago it began (0 for the first)."""


@dataclass(frozen=True)
class Mix:
    """A mixture of columns: how a window of them is drawn, and how many words each word column has."""

    draw: Callable[[np.random.Generator, int, int, bool], Columns]
    """Generator, rows, number of the window (its day), and whether the week has a rhythm."""
    words: dict[str, int]
    changes: dict[str, tuple[str, Change]] = field(default_factory=dict)
    """By kind of drift: its effect size in words, and what does it."""


def zipf(n: int) -> np.ndarray:
    """The shares of n words, each as frequent as one over its rank."""
    shares = 1.0 / np.arange(1, n + 1)
    return shares / shares.sum()


def codes(rng: np.random.Generator, shares: np.ndarray, rows: int) -> np.ndarray:
    """Words drawn by their shares, as codes."""
    return np.searchsorted(np.cumsum(shares)[:-1], rng.random(rows), side="right")


def draw_mixed(rng: np.random.Generator, rows: int, day: int, rhythm: bool) -> Columns:
    """20 columns: 5 normal (two of them correlated 0.6), 4 log-normal, 3 Student t3, 2 counts, 1 mostly zero, 5 of words.

    A rhythm moves half of the numbers by up to 0.4 standard deviations with the day of the week, and the mixture of three
    columns of words at the weekend. Two columns have 2 % nulls.
    """
    swing = 0.4 * np.sin(2 * np.pi * (day % WEEK) / WEEK) if rhythm else 0.0
    weekend = rhythm and day % WEEK >= 5
    found: Columns = {}
    both = rng.normal(size=(5, rows))
    both[1] = 0.6 * both[0] + 0.8 * both[1]
    for i in range(5):
        found[f"normal{i}"] = both[i] + (swing if i % 2 == 0 else 0.0)
    for i in range(4):
        found[f"amount{i}"] = np.exp(rng.normal(size=rows) + (swing if i % 2 == 0 else 0.0))
    for i in range(3):
        found[f"heavy{i}"] = rng.standard_t(3, rows) + (swing if i == 0 else 0.0)
    found["count0"] = rng.poisson(3.0 * np.exp(0.3 * swing), rows).astype(float)
    found["count1"] = rng.poisson(0.4, rows).astype(float)
    found["zeros"] = np.where(rng.random(rows) < 0.8, 0.0, rng.exponential(size=rows))
    for n in (3, 10, 30, 100):
        shares = zipf(n)
        if weekend and n != 30:
            shares = np.where(np.arange(n) % 2 == 0, 1.3, 0.7) * shares
            shares /= shares.sum()
        found[f"word{n}"] = codes(rng, shares, rows)
    found["flag"] = codes(rng, np.array([0.7, 0.3]), rows)
    for name in ("normal3", "amount1"):
        found[name][rng.random(rows) < 0.02] = np.nan
    return found


def moved(names: tuple[str, ...], deviations: float) -> Change:
    """Adds so many standard deviations to numbers; on the scale of the logarithm to amounts."""

    def change(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
        return {
            **columns,
            **{
                name: columns[name] * np.exp(deviations) if "amount" in name else columns[name] + deviations
                for name in names
            },
        }

    return change


def growing(names: tuple[str, ...], deviations: float, over: int) -> Change:
    """The same, by and by: all of it only after so many windows."""
    return lambda columns, rng, age: moved(names, deviations * min(1.0, (age + 1) / over))(columns, rng, age)


def missing(name: str, share: float) -> Change:
    """Makes a share of a column null."""

    def change(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
        gone = rng.random(columns[name].size) < share
        null = -1 if columns[name].dtype.kind == "i" else np.nan
        return {**columns, name: np.where(gone, null, columns[name])}

    return change


def mixed_anew(name: str, n: int, points: float) -> Change:
    """Moves so many points of share from the most frequent word to the second one."""

    def change(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
        first = columns[name] == 0
        to_second = first & (rng.random(first.size) < points / zipf(n)[0])
        return {**columns, name: np.where(to_second, 1, columns[name])}

    return change


def uncorrelated(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
    """Turns the correlation of the pair from 0.6 to 0: each column alone is as it was."""
    return {**columns, "normal1": rng.permutation(columns["normal1"])}


NUMBERS = (
    *(f"normal{i}" for i in range(5)),
    *(f"amount{i}" for i in range(4)),
    *(f"heavy{i}" for i in range(3)),
)

MIXED = Mix(
    draw=draw_mixed,
    words={"word3": 3, "word10": 10, "word30": 30, "word100": 100, "flag": 2},
    changes={
        "mean 0.1 sd x2": ("the means of 2 columns by 0.1 standard deviations", moved(("normal2", "amount2"), 0.1)),
        "mean 0.25 sd x2": ("the means of 2 columns by 0.25", moved(("normal2", "amount2"), 0.25)),
        "mean 0.5 sd x1": ("the mean of 1 column by 0.5", moved(("normal2",), 0.5)),
        "words 5 points": ("5 points of share between two words of 10", mixed_anew("word10", 10, 0.05)),
        "correlation lost": ("a correlation from 0.6 to 0, the columns as they were", uncorrelated),
        "gradual 0.5 sd": ("the means of 2 columns by 0.5 over 20 windows", growing(("normal2", "amount2"), 0.5, 20)),
        "nulls 5%": ("a column without nulls gets 5 %", missing("normal2", 0.05)),
        "all by 0.05 sd": ("the means of 12 columns by 0.05", moved(NUMBERS, 0.05)),
    },
)


def table(mix: Mix, columns: Columns) -> pa.Table:
    """A window as a table, words as dictionaries."""
    arrays = {}
    for name, values in columns.items():
        if name in mix.words:
            known = pa.array([f"{name}-{i}" for i in range(mix.words[name] + 1)])
            arrays[name] = pa.DictionaryArray.from_arrays(pa.array(values.astype(np.int32), mask=values < 0), known)
        else:
            arrays[name] = pa.array(values, from_pandas=True)
    return pa.table(arrays)


def joined(windows: list[Columns]) -> Columns:
    """Windows one after another."""
    return {name: np.concatenate([window[name] for window in windows]) for name in windows[0]}
