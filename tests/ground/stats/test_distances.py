import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import jensenshannon

from treadle.ground.stats import (
    EmptySample,
    ShapeMismatch,
    UnfitSample,
    binned_ks,
    chi_square,
    chi_square_tail,
    jensen_shannon,
    population_stability,
)

histograms = arrays(np.int64, 8, elements=st.integers(0, 1000)).filter(lambda counts: counts.sum() > 0)


@given(histograms, histograms)
def test_distances_are_those_of_scipy(left, right):
    values = np.arange(8)

    exact = scipy.stats.ks_2samp(np.repeat(values, left), np.repeat(values, right), method="asymp").statistic

    assert binned_ks(left, right) == pytest.approx(exact, abs=1e-12)
    assert jensen_shannon(left, right) == pytest.approx(jensenshannon(left, right, base=2), abs=1e-6)


@given(histograms, histograms)
def test_distances_are_symmetric_and_zero_only_for_equal_shares(left, right):
    for distance in (binned_ks, jensen_shannon, population_stability):
        assert distance(left, right) == pytest.approx(distance(right, left), abs=1e-9)
        assert distance(left, left) == pytest.approx(0, abs=1e-7)
    assert 0 <= binned_ks(left, right) <= 1
    assert 0 <= jensen_shannon(left, right) <= 1


@given(arrays(np.int64, (5, 8), elements=st.integers(1, 50)))
def test_many_windows_in_one_call_are_each_window_alone(windows):
    reference = np.arange(1, 9)

    for distance in (binned_ks, jensen_shannon, population_stability):
        assert distance(reference, windows) == pytest.approx([float(distance(reference, w)) for w in windows])


def test_population_stability_is_its_formula():
    left, right = np.array([100.5, 200.5, 700.5]), np.array([300.5, 300.5, 400.5])
    p, q = left / left.sum(), right / right.sum()

    assert population_stability([100, 200, 700], [300, 300, 400]) == pytest.approx(((p - q) * np.log(p / q)).sum())
    assert np.isfinite(population_stability([10, 0], [0, 10]))


def test_chi_square_is_that_of_scipy():
    left, right = [30, 14, 34, 45, 0], [61, 17, 29, 22, 0]

    found = chi_square(left, right)

    expected = scipy.stats.chi2_contingency(np.array([left[:4], right[:4]]), correction=False)
    assert found == pytest.approx((expected.statistic, expected.dof, expected.pvalue), rel=1e-10)


@pytest.mark.parametrize("degrees", [1, 2, 5, 30, 200])
@pytest.mark.parametrize("statistic", [0.01, 1.0, 7.0, 40.0, 260.0, 900.0])
def test_chi_square_tail_is_that_of_scipy(statistic, degrees):
    assert chi_square_tail(statistic, degrees) == pytest.approx(scipy.stats.chi2.sf(statistic, degrees), rel=1e-9)


def test_unfit_counts_are_named():
    with pytest.raises(EmptySample):
        binned_ks([0, 0], [1, 1])
    with pytest.raises(ShapeMismatch):
        jensen_shannon([1, 2], [1, 2, 3])
    with pytest.raises(UnfitSample):
        population_stability([-1, 2], [1, 2])
    with pytest.raises(UnfitSample):
        chi_square([3, 0], [4, 0])
