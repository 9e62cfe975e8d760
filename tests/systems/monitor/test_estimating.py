from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from treadle.ground import stats
from treadle.systems.monitor.bins import fix_bins
from treadle.systems.monitor.estimating import calibrate, error_curve, estimate, estimate_error
from treadle.systems.monitor.slices import by_group, weakest


def scored(rng, rows, a=2.0, b=5.0):
    """Scores that are too sure of themselves, and the truth by what they should have said."""
    right = rng.beta(a, b, rows)
    truth = (rng.random(rows) < right).astype(float)
    return 1 / (1 + np.exp(-2 * np.log(right / (1 - right)))), truth


@pytest.mark.parametrize(("a", "b"), [(2.0, 5.0), (3.0, 3.0)])
def test_the_estimate_is_what_comes_out_when_only_the_inputs_have_moved(a, b):
    rng = np.random.default_rng(1)
    calibration = calibrate(*scored(rng, 20_000))
    score, truth = scored(rng, 20_000, a, b)

    found = estimate(score, calibration)

    assert found.error_rate == pytest.approx(((score >= 0.5) != (truth == 1)).mean(), abs=0.015)
    assert found.auc == pytest.approx(stats.roc_auc(truth, score), abs=0.015)
    assert found.brier == pytest.approx(stats.brier(truth, score), abs=0.015)
    assert found.log_loss == pytest.approx(stats.log_loss(truth, score), abs=0.04)
    assert found.precision == pytest.approx(truth[score >= 0.5].mean(), abs=0.02)


def test_the_interval_holds_the_error_of_nearly_every_cohort():
    rng = np.random.default_rng(2)
    calibration = calibrate(*scored(rng, 100_000))
    inside = 0
    for _ in range(200):
        score, truth = scored(rng, 500)
        low, high = estimate(score, calibration).error_rate_interval
        inside += low <= ((score >= 0.5) != (truth == 1)).mean() <= high

    assert inside >= 180


def test_calibration_rises_and_too_few_rows_give_none():
    rng = np.random.default_rng(3)
    rates = calibrate(rng.random(2000), (rng.random(2000) < 0.5).astype(float)).rates

    assert list(rates) == sorted(rates)
    assert calibrate([0.5] * 19, [1.0] * 19) is None


def test_the_error_of_a_regression_is_estimated_from_the_size_of_its_predictions():
    rng = np.random.default_rng(4)
    reference = rng.uniform(0, 10, 20_000)
    curve = error_curve(reference, reference + rng.normal(0, 0.1 + reference / 5))
    later = rng.uniform(6, 10, 5000)
    truth = later + rng.normal(0, 0.1 + later / 5)

    found = estimate_error(later, curve)

    assert found.mean_error == pytest.approx(np.abs(truth - later).mean(), rel=0.03)
    low, high = found.mean_error_interval
    assert low < found.mean_error < high


def rows_with_a_weak_corner(rng, rows=8000):
    table = pa.table({"x": rng.normal(size=rows), "kind": rng.choice(["a", "b", "c"], rows)})
    weak = (table["x"].to_numpy() > 0.7) & (np.array(table["kind"].to_pylist()) == "b")
    return table, (rng.random(rows) < np.where(weak, 0.5, 0.1)).astype(float)


def test_the_weakest_slice_is_found_and_is_that_of_two_columns():
    table, errors = rows_with_a_weak_corner(np.random.default_rng(5))

    found = weakest(fix_bins(table), table, errors)

    assert set(found[0].where) == {"x", "kind"}
    assert found[0].where["kind"] == "is b"
    assert found[0].where["x"].startswith("above")
    assert found[0].loss > 0.4 > 0.15 > found[0].others
    assert found[0].interval[0] < found[0].loss < found[0].interval[1]


def test_where_errors_are_everywhere_alike_no_slice_is_named():
    named = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        table, _ = rows_with_a_weak_corner(rng, 2000)
        named += bool(weakest(fix_bins(table), table, (rng.random(2000) < 0.2).astype(float)))

    assert named <= 3


def test_groups_are_told_worst_first_and_small_ones_left_out():
    loss = np.array([1.0] * 60 + [0.0] * 40 + [0.0] * 100 + [1.0] * 10)
    groups = ["old"] * 100 + ["young"] * 100 + ["few"] * 10

    found = by_group(groups, loss)

    assert [one.where["group"] for one in found] == ["old", "young"]
    assert found[0].odds < 0.001 < 0.999 < found[1].odds
