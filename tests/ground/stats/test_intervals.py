import numpy as np
import pytest
import scipy.stats

from treadle.ground.stats import (
    EmptySample,
    ShapeMismatch,
    UnfitSample,
    bootstrap,
    mean_interval,
    normal_quantile,
    normal_tail,
    two_sided_p,
    wilson,
)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (1, 10), (5, 10), (10, 10), (130, 1000), (1, 100_000)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_that_of_scipy(successes, n, level):
    expected = scipy.stats.binomtest(successes, n).proportion_ci(level, method="wilson")

    assert wilson(successes, n, level=level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_normal_tails_are_those_of_scipy_far_out():
    for z in (-3.0, 0.0, 1.96, 8.0, 30.0):
        assert normal_tail(z) == pytest.approx(scipy.stats.norm.sf(z), rel=1e-12)
        assert two_sided_p(z) == pytest.approx(2 * scipy.stats.norm.sf(abs(z)), rel=1e-12)
    assert normal_quantile(0.975) == pytest.approx(1.959963984540054)


def test_mean_interval_is_the_normal_one():
    values = np.random.default_rng(3).normal(5, 2, 100)

    expected = scipy.stats.norm.interval(0.95, values.mean(), scipy.stats.sem(values))

    assert mean_interval(values) == pytest.approx(expected)
    assert mean_interval([1.0]) == (-np.inf, np.inf)


def test_the_same_generator_gives_the_same_bootstrap():
    values = np.random.default_rng(3).normal(size=200)

    first = bootstrap(np.mean, values, rng=np.random.default_rng(7))
    again = bootstrap(np.mean, values, rng=np.random.default_rng(7))

    assert first == again
    assert first == pytest.approx(mean_interval(values), abs=0.03)


def test_the_bootstrap_keeps_rows_together():
    x = np.arange(50.0)

    found = bootstrap(lambda a, b: float(np.abs(a - b).max()), x, x, rng=np.random.default_rng(1), n_resamples=50)

    assert found == (0.0, 0.0)


def test_unfit_samples_are_named():
    with pytest.raises(EmptySample):
        wilson(0, 0)
    with pytest.raises(UnfitSample):
        wilson(5, 4)
    with pytest.raises(ShapeMismatch):
        bootstrap(np.mean, [1, 2], [1], rng=np.random.default_rng(0))
    with pytest.raises(EmptySample):
        mean_interval([])
