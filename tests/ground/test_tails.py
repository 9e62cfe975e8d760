from __future__ import annotations

import math

import numpy as np
import pytest

from treadle.ground.stats import normal_tail
from treadle.ground.stats.tails import (
    digamma,
    inverse_trigamma,
    log_kolmogorov_tail,
    log_normal_tail,
    normal_of_f,
    normal_of_t,
    normal_point,
    trigamma,
)


def test_the_log_tail_is_that_of_the_normal_and_stays_finite_far_out():
    points = np.array([-5.0, -1.0, 0.0, 1.0, 5.0, 20.0])

    found = log_normal_tail(points)

    assert np.exp(found) == pytest.approx([normal_tail(z) for z in points], rel=1e-6)
    assert float(log_normal_tail(200.0)) == pytest.approx(-20_006.2, rel=1e-4)


def test_the_normal_point_takes_the_log_tail_back():
    points = np.array([-3.0, -0.5, 0.0, 0.3, 2.0, 6.0, 40.0, 300.0])

    assert normal_point(log_normal_tail(points)) == pytest.approx(points, abs=1e-4)
    assert float(normal_point(0.5)) == -8.0


@pytest.mark.parametrize(
    ("t", "degrees", "tail"),  # printed tables of Student's t
    [(2.776, 4, 0.025), (4.604, 4, 0.005), (2.064, 24, 0.025), (3.745, 24, 0.0005), (1.960, math.inf, 0.025)],
)
def test_t_becomes_the_normal_point_of_its_tail(t, degrees, tail):
    assert float(normal_of_t(t, degrees)) == pytest.approx(float(normal_point(math.log(tail))), abs=0.02)
    assert float(normal_of_t(-t, degrees)) == -float(normal_of_t(t, degrees))


@pytest.mark.parametrize(
    ("f", "upper", "lower", "tail"),  # printed tables of F and chi-square
    [
        (4.26, 1, 24, 0.05),
        (2.62, 5, 24, 0.05),
        (3.90, 5, 24, 0.01),
        (18.307 / 10, 10, math.inf, 0.05),
        (29.588 / 10, 10, math.inf, 0.001),
    ],
)
def test_f_becomes_the_normal_point_of_its_tail(f, upper, lower, tail):
    assert float(normal_of_f(f, upper, lower)) == pytest.approx(float(normal_point(math.log(tail))), abs=0.03)


def test_kolmogorovs_tail_is_the_tabled_one_and_heavier_when_the_spread_is_estimated():
    assert math.exp(float(log_kolmogorov_tail(1.358))) == pytest.approx(0.05, rel=0.01)
    assert math.exp(float(log_kolmogorov_tail(1.628))) == pytest.approx(0.01, rel=0.01)
    assert float(log_kolmogorov_tail(2.0, 20.0)) > float(log_kolmogorov_tail(2.0))


def test_the_polygammas_are_what_the_tables_say():
    assert digamma(1.0) == pytest.approx(-0.5772156649, abs=1e-7)
    assert trigamma(1.0) == pytest.approx(math.pi**2 / 6, abs=1e-6)
    assert inverse_trigamma(trigamma(3.7)) == pytest.approx(3.7, rel=1e-6)
    assert inverse_trigamma(0.0) == math.inf
