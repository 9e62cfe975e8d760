"""Streams that were drawn up after the detector was frozen: other columns, other generators, other kinds of drift.

Nothing of the detector was changed after they had been scored for the first time.
"""

from __future__ import annotations

import numpy as np

from benchmarks.drift.streams import Change, Columns, Mix, codes, missing, zipf


def draw_machines(rng: np.random.Generator, rows: int, day: int, rhythm: bool) -> Columns:
    """16 columns of a plant: loads between 0 and 1, waiting times, temperatures of two machines mixed, rare faults.

    A common load moves many columns at once; with a rhythm it follows the day of the week.
    """
    load = rng.beta(2, 3, rows) * (1.0 if not rhythm else (0.7 if day % 7 in (5, 6) else 1.05))
    machine = rng.random(rows) < 0.4
    found: Columns = {
        "load": np.clip(load, 0, 1),
        "wait": rng.weibull(0.8, rows) * (1 + load),
        "temperature": np.where(machine, rng.normal(40, 2, rows), rng.normal(55, 5, rows)) + 10 * load,
        "pressure": rng.logistic(100, 4, rows) - 5 * load,
        "vibration": rng.gamma(1.5, 2.0, rows) * (1 + 0.5 * load),
        "current": 3 * load + rng.normal(0, 0.4, rows),
        "power": 9 * load + rng.normal(0, 1.0, rows),
        "angle": rng.uniform(0, 360, rows),
        "rounded": np.round(rng.normal(20, 3, rows)),
        "faults": rng.negative_binomial(1, 0.8, rows).astype(float),
        "age": np.floor(rng.exponential(200, rows)),
        "humidity": np.where(rng.random(rows) < 0.15, np.nan, rng.beta(5, 2, rows) * 100),
        "machine": machine.astype(np.int64),
        "shift": codes(rng, np.array([0.4, 0.35, 0.25]), rows),
        "product": codes(rng, zipf(50), rows),
        "operator": codes(rng, np.full(12, 1 / 12), rows),
    }
    return found


def draw_words(rng: np.random.Generator, rows: int, day: int, rhythm: bool) -> Columns:
    """14 columns, most of them words: what a shop knows of a visit. A rhythm changes the mixtures at the weekend."""
    weekend = rhythm and day % 7 >= 5
    found: Columns = {}
    for i, n in enumerate((2, 4, 5, 6, 8, 12, 15, 25, 40, 200)):
        shares = zipf(n) ** 0.7
        if weekend and i % 3 == 0:
            shares = shares * np.where(np.arange(n) % 3 == 0, 1.25, 0.9)
        found[f"w{i}"] = codes(rng, shares / shares.sum(), rows)
    found["basket"] = np.round(np.exp(rng.normal(3, 0.8, rows) + (0.15 if weekend else 0.0)), 2)
    found["items"] = rng.geometric(0.35, rows).astype(float)
    found["tenure"] = rng.pareto(2.5, rows)
    found["score"] = rng.beta(1.5, 6, rows)
    return found


def widened(name: str, factor: float) -> Change:
    """Stretches a column around its own mean."""

    def change(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
        mean = np.nanmean(columns[name])
        return {**columns, name: mean + (columns[name] - mean) * factor}

    return change


def sentinel(name: str, value: float, share: float) -> Change:
    """A share of a column says a value that stands for nothing."""

    def change(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
        return {**columns, name: np.where(rng.random(columns[name].size) < share, value, columns[name])}

    return change


def clipped(name: str, at: float) -> Change:
    """A sensor that shows no more than this."""
    return lambda columns, rng, age: {**columns, name: np.minimum(columns[name], at)}


def relation(name: str, other: str, slope: float) -> Change:
    """A column follows another one more, keeping its own mean and spread."""

    def change(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
        own, of = columns[name], columns[other]
        bent = own + slope * (of - of.mean()) / of.std() * own.std()
        return {**columns, name: own.mean() + (bent - bent.mean()) * own.std() / bent.std()}

    return change


def scaled(name: str, factor: float, share: float) -> Change:
    """A share of the rows comes in another unit."""

    def change(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
        chosen = rng.random(columns[name].size) < share
        return {**columns, name: np.where(chosen, columns[name] * factor, columns[name])}

    return change


def new_word(name: str, n: int, share: float) -> Change:
    """A word that nobody has seen, in a share of the rows."""

    def change(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
        return {**columns, name: np.where(rng.random(columns[name].size) < share, n, columns[name])}

    return change


def swapped(name: str, first: int, second: int) -> Change:
    """Two words change places."""

    def change(columns: Columns, rng: np.random.Generator, age: int) -> Columns:
        values = columns[name]
        return {**columns, name: np.where(values == first, second, np.where(values == second, first, values))}

    return change


MACHINES = Mix(
    draw=draw_machines,
    words={"machine": 2, "shift": 3, "product": 50, "operator": 12},
    changes={
        "spread x1.2": ("the spread of 1 column by 1.2", widened("pressure", 1.2)),
        "sentinel 1%": ("1 % of a column is -999", sentinel("temperature", -999.0, 0.01)),
        "sensor clipped": ("the upper 10 % of a column are cut off", clipped("vibration", 8.0)),
        "relation stronger": (
            "a correlation raised by 0.3, the columns as they were",
            relation("pressure", "temperature", 0.3),
        ),
        "unit x1.8 in 5%": ("5 % of the rows in another unit", scaled("temperature", 1.8, 0.05)),
        "new word 1%": ("1 % of a column has a new word", new_word("product", 50, 0.01)),
        "nulls 15% to 20%": ("the nulls of a column from 15 to 19 %", missing("humidity", 0.05)),
        "load +5%": (
            "what drives 5 columns grows by 5 %",
            lambda c, rng, age: {
                **c,
                "load": np.clip(c["load"] * 1.05, 0, 1),
                "current": c["current"] + 0.06,
                "power": c["power"] + 0.18,
            },
        ),
    },
)

WORDS = Mix(
    draw=draw_words,
    words={f"w{i}": n for i, n in enumerate((2, 4, 5, 6, 8, 12, 15, 25, 40, 200))},
    changes={
        "words swapped": ("the third and the fifth word of 15 change places", swapped("w6", 2, 4)),
        "new word 1%": ("1 % of a column has a new word", new_word("w3", 6, 0.01)),
        "prices +8%": ("the prices of 1 column by 8 %", lambda c, rng, age: {**c, "basket": c["basket"] * 1.08}),
        "nulls 3%": ("a column of words gets 3 % nulls", missing("w4", 0.03)),
        "spread x1.2": ("the spread of 1 column by 1.2", widened("score", 1.2)),
        "bots 3%": ("3 % of the rows are one and the same visit", lambda c, rng, age: _one_row(c, rng, 0.03)),
    },
)


def _one_row(columns: Columns, rng: np.random.Generator, share: float) -> Columns:
    chosen = rng.random(len(next(iter(columns.values())))) < share
    return {name: np.where(chosen, values[0], values) for name, values in columns.items()}
