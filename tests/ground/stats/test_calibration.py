import numpy as np
import pytest
import sklearn.metrics
from sklearn.calibration import calibration_curve

from treadle.ground.stats import UnfitSample, brier, calibration_error, log_loss, log_losses, reliability


@pytest.fixture
def scored():
    rng = np.random.default_rng(1)
    score = rng.beta(1, 3, size=5000)
    return rng.random(5000) < score, score


def test_losses_are_those_of_scikit_learn(scored):
    truth, score = scored

    assert log_loss(truth, score) == pytest.approx(sklearn.metrics.log_loss(truth, score), rel=1e-12)
    assert brier(truth, score) == pytest.approx(sklearn.metrics.brier_score_loss(truth, score), rel=1e-12)


def test_a_certain_score_that_is_wrong_costs_much_and_not_infinity():
    assert log_losses([1, 0], [0.0, 0.0]) == pytest.approx([34.538776, 0.0], abs=1e-5)


@pytest.mark.parametrize(("by", "strategy"), [("width", "uniform"), ("mass", "quantile")])
def test_reliability_bins_are_those_of_scikit_learn(scored, by, strategy):
    truth, score = scored
    rate, mean = calibration_curve(truth, score, n_bins=10, strategy=strategy)

    bins = reliability(truth, score, by=by)

    assert [row.rate for row in bins] == pytest.approx(rate)
    assert [row.mean_score for row in bins] == pytest.approx(mean)
    assert sum(row.n for row in bins) == 5000
    assert all(row.interval.holds(row.rate) for row in bins)


def test_calibration_error_is_the_gap_that_was_put_in():
    truth = [1, 0, 0, 0, 1, 1, 1, 0]
    score = [0.35] * 4 + [0.65] * 4

    assert calibration_error(truth, score) == pytest.approx(0.1)
    assert calibration_error([0, 1], [0.0, 1.0]) == 0.0


def test_a_score_that_is_no_probability_is_refused():
    with pytest.raises(UnfitSample, match=r"outside 0\.\.1"):
        brier([0, 1], [0.2, 1.2])
