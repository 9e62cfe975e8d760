"""The same seed tries the same things."""

from __future__ import annotations

import pytest

from tests.systems.design.specs import FLIGHTS, make_spec
from treadle.systems.design import candidates


def test_sample_is_the_same_for_the_same_seed_and_lies_in_the_space():
    tried = candidates(make_spec(), seed=3)

    assert tried == candidates(make_spec(), seed=3)
    assert tried != candidates(make_spec(), seed=4)
    assert len({one.name for one in tried}) == len(tried) == 8
    for one in tried:
        assert 0.01 <= one.params["learning_rate"] <= 0.3
        assert one.params["num_leaves"] in (15, 31, 63)
        assert one.params["min_child"] in range(10, 101, 10)
        assert one.params["deterministic"] is True
        assert one.seed == 7


def test_sample_holds_still_across_releases():
    """The numbers themselves: a change of them would silently change what `verify` trains again."""
    first = candidates(make_spec(), seed=0)[0]

    assert first.params == {"deterministic": True, "learning_rate": 0.0622042, "num_leaves": 31, "min_child": 40}


def test_grid_takes_every_combination_for_every_seed():
    spec = make_spec(search={"space": {"a": [1, 2], "b": {"low": 0.1, "high": 0.3, "step": 0.1}}}, seeds=[1, 2])

    tried = candidates(spec)

    assert len(tried) == 12
    assert [one.params["b"] for one in tried[::2][:3]] == [0.1, 0.2, 0.3]
    assert tried[0].name == "a=1,b=0.1,seed=1"


def test_search_of_nothing_is_one_candidate():
    assert [one.name for one in candidates(make_spec(search={}))] == ["default"]


@pytest.mark.parametrize("asked", [4, 100])
def test_small_space_is_exhausted_and_not_repeated(asked):
    space = {"a": [1, 2, 3]}

    tried = candidates(make_spec(search={"sampling": "random", "candidates": asked, "space": space}))

    assert sorted(one.params["a"] for one in tried) == [1, 2, 3]


def test_whole_bounds_give_whole_numbers():
    space = {"n": {"low": 1, "high": 1000, "log": True}, "m": {"low": 1, "high": 9}}
    search = {"sampling": "random", "candidates": 20, "space": space}

    for one in candidates(make_spec(search=search, baselines=FLIGHTS["baselines"])):
        assert isinstance(one.params["n"], int)
        assert 1 <= one.params["n"] <= 1000
        assert 1 <= one.params["m"] <= 9
