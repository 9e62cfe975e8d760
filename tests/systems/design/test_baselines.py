"""Baselines are plain data, and predict the same after a journey through JSON."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.systems.design import Baseline, BaseRate, HistoryRate
from treadle.systems.design.baselines import fit, from_json
from treadle.systems.design.errors import InvalidBaseline

SCHEMA = {"carrier": pl.String, "hour": pl.Int64, "late": pl.Boolean, "rate": pl.Float64, "n": pl.Int64}
row = st.tuples(
    st.sampled_from(["AA", "UA", "é|", None]), st.none() | st.integers(0, 2), st.booleans(), st.none() | st.floats(0, 1), st.none() | st.integers(0, 50)
)  # fmt: skip
KINDS = [
    Baseline(name="overall", kind="base_rate"),
    Baseline(name="groups", kind="base_rate", by=["carrier", "hour"], weight=5),
    Baseline(name="history", kind="history_rate", column="rate"),
    Baseline(name="counted", kind="history_rate", column="rate", count="n", weight=10),
]


def make_rows(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@pytest.mark.parametrize("baseline", KINDS, ids=lambda baseline: baseline.name)
@given(rows=st.lists(row, min_size=1, max_size=20), asked=st.lists(row, max_size=10))
@settings(max_examples=30, deadline=None)
def test_prediction_is_a_rate_and_survives_json_to_the_bit(baseline, rows, asked):
    fitted = fit(baseline, make_rows(rows), "late")

    predicted = fitted.predict(make_rows(asked))
    again = from_json(json.loads(json.dumps(fitted.to_json()))).predict(make_rows(asked))

    assert predicted.tolist() == again.tolist()
    assert len(predicted) == len(asked)
    assert all(0 <= value <= 1 for value in predicted)


def test_group_rate_is_drawn_to_the_overall_rate_by_its_weight():
    rows = make_rows([("AA", 1, True, None, None)] * 3 + [("UA", 1, False, None, None)] * 3)

    fitted = BaseRate.fit(rows, "late", ["carrier"], weight=2)

    asked = make_rows([("AA", 1, None, None, None), ("UA", 1, None, None, None), ("ZZ", 1, None, None, None)])
    assert fitted.predict(asked).tolist() == [(3 + 2 * 0.5) / 5, (0 + 2 * 0.5) / 5, 0.5]


def test_history_is_taken_as_it_is_and_missing_history_falls_back():
    fitted = HistoryRate.fit(make_rows([("AA", 1, True, 0.3, 10), ("AA", 1, False, None, 0)]), "late", "rate")

    asked = make_rows([("AA", 1, None, 0.3, 1), ("AA", 1, None, None, 1), ("AA", 1, None, float("nan"), 1)])
    assert fitted.predict(asked).tolist() == [0.3, 0.5, 0.5]


def test_mean_of_a_number_is_a_baseline_for_regression():
    rows = pl.DataFrame({"carrier": ["AA", "AA", "UA"], "delay": [10.0, 20.0, 90.0]})

    assert BaseRate.fit(rows, "delay", ["carrier"], weight=0).predict(rows).tolist() == [15.0, 15.0, 90.0]


def test_rows_without_target_or_column_are_refused():
    with pytest.raises(InvalidBaseline):
        BaseRate.fit(make_rows([]), "late")
    with pytest.raises(InvalidBaseline):
        BaseRate.fit(make_rows([("AA", 1, None, None, None)]), "late")
    with pytest.raises(InvalidBaseline, match="carier"):
        BaseRate.fit(make_rows([("AA", 1, True, None, None)]), "late", ["carier"])


@pytest.mark.parametrize(
    "content", [{}, {"kind": "magic"}, {"kind": "base_rate"}, {"kind": "history_rate", "column": "x"}]
)
def test_json_that_is_no_baseline_is_refused(content):
    with pytest.raises(InvalidBaseline):
        from_json(content)
