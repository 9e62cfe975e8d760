from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from treadle.ground import stats
from treadle.systems.monitor.errors import UnfitReference
from treadle.systems.monitor.performance import Baseline, decay, measure_baseline, measure_performance

DAY = 86_400


def make_baseline(error_rate=0.15, dispersion=1.0) -> Baseline:
    return Baseline(n=10_000, error_rate=error_rate, log_loss=0.4, auc=0.8, dispersion=dispersion)


def make_cohorts(rng, rate, windows, rows=500):
    return [(rows, int(rng.binomial(rows, rate))) for _ in range(windows)]


def test_a_cohort_is_measured_on_what_is_labelled():
    rng = np.random.default_rng(1)
    score = rng.beta(1, 3, 1000)
    truth = (rng.random(1000) < score).astype(float)
    truth[:100] = np.nan

    found = measure_performance(score, truth, closed=40)

    labelled = slice(100, None)
    assert (found.n, found.labelled, found.closed, found.completeness) == (1000, 900, 40, 0.94)
    assert found.auc == pytest.approx(roc_auc_score(truth[labelled], score[labelled]))
    assert found.log_loss == pytest.approx(stats.log_loss(truth[labelled], score[labelled]))
    assert found.errors == int(((score >= 0.5) != (truth == 1))[labelled].sum())
    assert found.error_rate_interval[0] < found.error_rate < found.error_rate_interval[1]
    assert found.expected_over_observed == pytest.approx(1.0, abs=0.15)
    assert not found.is_complete


def test_a_cohort_without_truth_or_of_one_class_says_what_it_can():
    waiting = measure_performance([0.1, 0.9], [math.nan, math.nan], closed=1)
    one_class = measure_performance([0.1, 0.2], [0, 0])

    assert (waiting.labelled, waiting.completeness, waiting.log_loss, waiting.auc) == (0, 0.5, None, None)
    assert one_class.auc is None
    assert one_class.log_loss == pytest.approx(stats.log_loss([0, 0], [0.1, 0.2]))
    assert one_class.expected_over_observed is None


def test_no_decay_keeps_the_promise_of_the_budget():
    """One alarm in a hundred windows is allowed; the bound is a floor, so what comes is rarer."""
    rng = np.random.default_rng(2)

    waits = []
    for _ in range(60):
        cohorts = make_cohorts(rng, 0.15, 400)
        alarms = (
            n
            for n in range(1, 401)
            if decay(cohorts[:n], make_baseline(), loss_increase=0.03, false_alarms_per_window=0.01).is_alarm
        )
        waits.append(next(alarms, 400))

    assert np.mean(waits) > 100


def test_decay_is_found_within_a_few_windows():
    rng = np.random.default_rng(3)
    before, after = make_cohorts(rng, 0.15, 30), make_cohorts(rng, 0.18, 12)

    def state(n):
        return decay((before + after)[:n], make_baseline(), loss_increase=0.03, false_alarms_per_window=0.01)

    assert not state(30).is_alarm
    assert state(42).is_alarm
    assert state(42).cohorts == 42


def test_errors_that_come_in_storms_are_not_mistaken_for_decay():
    """Errors whose rate swings from window to window need the dispersion, or each storm is an alarm."""
    rng = np.random.default_rng(4)

    def stormy(windows):
        rates = np.clip(rng.normal(0.15, 0.04, windows), 0.02, 0.6)
        return [(500, int(rng.binomial(500, rate))) for rate in rates]

    validation = stormy(50)
    wrong = np.concatenate([np.arange(n) < errors for n, errors in validation])
    measured = measure_baseline(
        np.where(wrong, 0.9, 0.1), np.zeros(wrong.size), at=np.repeat(np.arange(50.0), 500) * DAY, window_s=DAY
    )
    naive = make_baseline(measured.error_rate)

    def alarms(baseline):
        return sum(
            decay(stormy(40), baseline, loss_increase=0.03, false_alarms_per_window=0.01).is_alarm for _ in range(40)
        )

    assert measured.dispersion == pytest.approx(1 + 500 * 0.04**2 / (0.15 * 0.85), rel=0.5)
    assert alarms(measured) <= 2
    assert alarms(naive) > 8


def test_a_short_validation_measures_its_dispersion_between_shorter_stretches():
    rng = np.random.default_rng(5)
    wrong = rng.random(14_000) < np.repeat(rng.choice([0.05, 0.35], 14), 1000)
    at = np.repeat(np.arange(14.0), 1000) * DAY

    found = measure_baseline(np.where(wrong, 0.9, 0.1), np.zeros(14_000), at=at, window_s=7 * DAY)
    timeless = measure_baseline(np.where(wrong, 0.9, 0.1), np.zeros(14_000), at=None, window_s=7 * DAY)

    assert found.dispersion > 20
    assert timeless.dispersion == 1.0


def test_a_validation_without_truth_is_refused():
    with pytest.raises(UnfitReference):
        measure_baseline([0.5], [math.nan], at=None, window_s=DAY)
