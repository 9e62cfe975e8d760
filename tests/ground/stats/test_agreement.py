import math

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from treadle.ground.stats import EmptySample, ShapeMismatch, UnfitSample, cohen_kappa, fleiss_kappa, krippendorff_alpha

# The four observers of Krippendorff 2011, section C: twelve units, gaps, five values.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_cohen_is_that_of_scikit_learn(weights):
    rng = np.random.default_rng(2)
    first = rng.integers(0, 4, 300)
    second = np.where(rng.random(300) < 0.6, first, rng.integers(0, 4, 300))

    found = cohen_kappa(first.tolist(), second.tolist(), weights=weights)

    assert found == pytest.approx(cohen_kappa_score(first, second, weights=weights))


def test_cohen_takes_words():
    assert cohen_kappa(["keep", "drop", "keep", "drop"], ["keep", "drop", "drop", "drop"]) == pytest.approx(0.5)


def test_fleiss_is_the_published_example():
    """Fourteen raters, ten subjects, five categories; Fleiss 1971 as retold in Wikipedia: 0.210."""
    table = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]

    assert fleiss_kappa(table) == pytest.approx(0.20993, abs=1e-5)


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_krippendorff_is_the_published_example(level, expected):
    assert krippendorff_alpha(OBSERVERS, level=level) == pytest.approx(expected, abs=5e-4)


def test_full_agreement_is_one_and_a_single_category_is_undefined():
    assert krippendorff_alpha([["a", "b", None], ["a", "b", "a"]]) == 1.0
    assert cohen_kappa(["a", "b"], ["a", "b"]) == 1.0
    assert fleiss_kappa([[3, 0], [0, 3]]) == 1.0
    assert math.isnan(cohen_kappa(["a", "a"], ["a", "a"]))
    assert math.isnan(fleiss_kappa([[3, 0], [3, 0]]))
    assert math.isnan(krippendorff_alpha([["a", "a"], ["a", "a"]]))


def test_unfit_ratings_are_named():
    with pytest.raises(EmptySample):
        krippendorff_alpha([["a", None], [None, "b"]])
    with pytest.raises(ShapeMismatch):
        krippendorff_alpha([["a"], ["a", "b"]])
    with pytest.raises(ShapeMismatch):
        cohen_kappa(["a"], ["a", "b"])
    with pytest.raises(UnfitSample):
        fleiss_kappa([[2, 1], [1, 1]])
