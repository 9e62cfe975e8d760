"""Features that know the label too well are suspected; useful ones are not."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from treadle.systems.features.leakage import suspicions

N = 400


def make_table() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    late = rng.random(N) < 0.3
    minutes = np.where(late, 30.0, 0.0) + rng.normal(0, 1, N)
    return pl.DataFrame(
        {
            "late": late,
            "minutes": minutes,
            "useful": minutes + rng.normal(0, 25, N),
            "noise": rng.normal(size=N),
            "filled_in_after": [1.0 if each else None for each in late],
            "reason": np.where(late, "weather", "none"),
            "constant": 1,
        }
    )


def suspected(label: str, table: pl.DataFrame | None = None) -> set[str]:
    features = [name for name in make_table().columns if name != label]
    return {each.feature for each in suspicions(make_table() if table is None else table, features, label)}


def test_values_texts_and_absences_that_tell_a_class_are_suspected_and_no_others():
    assert suspected("late") == {"minutes", "filled_in_after", "reason"}


def test_numbers_that_rise_with_a_number_are_suspected():
    table = make_table().with_columns(twice=pl.col("minutes") * -2 + 1)

    assert {each.feature for each in suspicions(table, ["twice", "useful", "noise"], "minutes")} == {"twice"}


@pytest.mark.parametrize("rows", [0, 20])
def test_few_rows_suspect_nobody(rows):
    assert suspected("late", make_table().head(rows)) == set()


def test_a_label_of_one_class_suspects_nobody():
    assert suspected("late", make_table().with_columns(late=pl.lit(True))) == set()
