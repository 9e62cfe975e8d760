from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from treadle.systems.monitor.bins import count, fix_bins
from treadle.systems.monitor.drift import ColumnDrift
from treadle.systems.monitor.impact import Impact, losses_by_slot


def drift(column: str, shift: float = 0.0) -> ColumnDrift:
    return ColumnDrift(column=column, z=5.0, figure="shift", shift=shift, nulls=0.0, unseen=0.0, z_by_figure={})


def test_a_move_towards_what_the_model_gets_wrong_costs_what_the_validation_says():
    rng = np.random.default_rng(1)
    rows = pa.table({"kind": rng.choice(["easy", "hard"], 20_000, p=[0.9, 0.1])})
    losses = np.where(np.array(rows["kind"].to_pylist()) == "hard", 1.0, 0.1)
    bins = fix_bins(rows)
    impact = Impact(losses=losses_by_slot(bins, rows, losses))
    before = count(bins, rows).columns["kind"]

    worse = count(bins, pa.table({"kind": ["easy"] * 60 + ["hard"] * 40})).columns["kind"]
    better = count(bins, pa.table({"kind": ["easy"] * 100})).columns["kind"]

    assert impact.of(drift("kind"), before, worse) == pytest.approx(0.3 * 0.9, abs=0.02)
    assert impact.of(drift("kind"), before, better) == 0.0


def test_without_validation_a_move_counts_by_the_models_own_weights():
    impact = Impact(weights={"heavy": 3.0, "light": 1.0})
    counts = np.array([1, 1])

    assert impact.of(drift("heavy", 0.2), counts, counts) == pytest.approx(0.15)
    assert impact.of(drift("light", 0.2), counts, counts) == pytest.approx(0.05)
    assert impact.of(drift("unknown", 0.9), counts, counts) is None


def test_rows_without_truth_say_nothing():
    rows = pa.table({"x": [1.0, 2.0, 3.0, 4.0]})

    assert losses_by_slot(fix_bins(rows), rows, np.full(4, np.nan)) == {}
