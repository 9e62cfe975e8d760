import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from treadle.ground.stats import OneClass, ShapeMismatch, UnfitSample, auc, bootstrap, compare_aucs, roc_auc


def sample(seed: int, n: int = 400, shift: float = 0.8):
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.3
    return truth, np.round(rng.normal(size=n) + shift * truth, 1)


@pytest.mark.parametrize("seed", range(5))
def test_area_is_that_of_scikit_learn_with_ties(seed):
    truth, score = sample(seed)

    assert roc_auc(truth, score) == pytest.approx(roc_auc_score(truth, score), abs=1e-12)
    assert auc(truth, score).value == pytest.approx(roc_auc_score(truth, score), abs=1e-12)


def test_area_of_four_rows_is_what_counting_pairs_gives():
    assert roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert roc_auc([0, 1], [0.5, 0.5]) == 0.5


def test_delong_variance_is_that_of_its_definition_by_pairs():
    truth, score = sample(3, n=60)
    positive, negative = score[truth], score[~truth]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)

    by_hand = wins.mean(axis=1).var(ddof=1) / positive.size + wins.mean(axis=0).var(ddof=1) / negative.size

    assert auc(truth, score).variance == pytest.approx(by_hand, rel=1e-12)


def test_interval_agrees_with_the_bootstrap():
    truth, score = sample(4, n=800)

    delong = auc(truth, score).interval
    resampled = bootstrap(roc_auc, truth, score, rng=np.random.default_rng(1), n_resamples=600)

    assert delong.lower == pytest.approx(resampled.lower, abs=0.01)
    assert delong.upper == pytest.approx(resampled.upper, abs=0.01)


def test_interval_holds_the_true_area_in_about_95_of_100_samples():
    true_area = 0.5 * math.erfc(-0.8 / 2)  # P(N(0.8, 2) > 0)
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(400):
        truth = rng.random(150) < 0.3
        held += auc(truth, rng.normal(size=150) + 0.8 * truth).interval.holds(true_area)

    assert 0.92 <= held / 400 <= 0.98


def test_perfect_ranking_still_admits_doubt():
    found = auc([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1], [*range(12)])

    assert found.value == 1.0
    assert found.interval == (0.5, 1.0)


def test_paired_test_sees_what_two_intervals_hide():
    rng = np.random.default_rng(2)
    truth = rng.random(3000) < 0.3
    common = rng.normal(size=3000) + truth
    better = common + 0.1 * truth + 0.05 * rng.normal(size=3000)

    found = compare_aucs(truth, common, better)

    assert found.p_value < 1e-6
    assert found.difference == pytest.approx(roc_auc_score(truth, better) - roc_auc_score(truth, common), abs=1e-12)
    assert auc(truth, common).interval.upper > auc(truth, better).interval.lower


def test_paired_test_is_wrong_about_equal_models_as_often_as_it_says():
    rng = np.random.default_rng(6)
    rejected = 0
    for _ in range(600):
        truth = rng.random(200) < 0.4
        signal = rng.normal(size=200) + truth
        rejected += compare_aucs(truth, signal + rng.normal(size=200), signal + rng.normal(size=200)).p_value < 0.05

    assert 0.03 <= rejected / 600 <= 0.075


def test_paired_test_of_a_model_with_itself_finds_nothing():
    truth, score = sample(5)

    found = compare_aucs(truth, score, score)

    assert (found.difference, found.z, found.p_value) == (0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("truth", "score", "error"),
    [
        ([1, 1], [0.1, 0.2], OneClass),
        ([0, 1], [0.1], ShapeMismatch),
        ([0, 2], [0.1, 0.2], UnfitSample),
        ([0, 1], [0.1, math.nan], UnfitSample),
    ],
)
def test_unfit_samples_are_named(truth, score, error):
    with pytest.raises(error):
        roc_auc(truth, score)
