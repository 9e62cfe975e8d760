"""A landing is compared with those before it: what is unlike them is found, and what is usual is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.systems.prepare.anomalies.streams import DAY, MONDAY, Shop
from treadle.ground.profiling import merge, profile
from treadle.systems.prepare.anomalies.figures import ColumnFigures, Figures, figures_of
from treadle.systems.prepare.anomalies.judging import Judge
from treadle.systems.prepare.anomalies.records import Anomaly, Verdict, Watch
from treadle.systems.prepare.anomalies.tails import LEAST_Z, threshold


def judged(history: list[Figures], *after: Figures, watch: Watch | None = None) -> tuple[Judge, list[Verdict]]:
    judge, _ = Judge.after(history, watch or Watch())
    return judge, [judge.see(figures) for figures in after]


def kinds(verdict: Verdict) -> list[str]:
    return [anomaly.kind for anomaly in verdict.anomalies]


@pytest.mark.parametrize(
    ("fault", "kind", "columns"),
    [
        ({"rows": 450}, "volume", ()),
        ({"rows": 2300}, "volume", ()),
        ({"rows": 0}, "volume", ()),
        ({"missing": 0.3}, "missing", ("amount",)),
        ({"unit": 10.0}, "distribution", ("amount",)),
        ({"shift": 0.5}, "distribution", ("amount",)),
        ({"cities": ("north", "south")}, "categories", ("city",)),
        ({"cities": ("north", "south", "west", "moon")}, "categories", ("city",)),
        ({"late_s": 8 * 3600.0}, "arrival", ()),
        ({"lag_s": 3 * DAY}, "freshness", ("at",)),
    ],
)
def test_a_fault_is_found_and_named_for_what_it_is(fault, kind, columns):
    shop = Shop()

    _, [verdict] = judged(shop.days(40), shop.day(40, **fault))

    found = {anomaly.kind: anomaly.columns for anomaly in verdict.anomalies}
    assert found.get(kind) == columns, verdict
    assert len(found) == 1


def test_an_anomaly_says_what_was_expected_and_what_was_seen():
    shop = Shop()

    _, [verdict] = judged(shop.days(40), shop.day(40, missing=0.3))

    [anomaly] = verdict.anomalies
    assert anomaly.expected.endswith("missing in amount")
    assert 0.2 < float(anomaly.seen.rstrip("%")) / 100 < 0.4
    assert anomaly.surprise > anomaly.limit >= LEAST_Z


def test_a_weekly_rhythm_is_learned_and_a_sunday_that_is_like_a_monday_is_odd():
    shop = Shop(weekly=True)
    history = shop.days(68)  # the 69th is a Saturday, the 70th a Sunday

    _, usual = judged(history, shop.day(68), shop.day(69), shop.day(70))
    _, [odd] = judged(history, shop.day(68, rows=1000))

    assert [kinds(verdict) for verdict in usual] == [[], [], []]
    assert kinds(odd) == ["volume"]
    assert usual[0].volume.high < 600 < usual[2].volume.low


def test_growth_is_expected_to_go_on():
    shop = Shop()
    history = [shop.day(k, rows=round(1000 * 1.01**k)) for k in range(60)]

    _, [grown] = judged(history, shop.day(60, rows=round(1000 * 1.01**60)))
    _, [stopped] = judged(history, shop.day(60, rows=1000))

    assert kinds(grown) == []
    assert kinds(stopped) == ["volume"]


def test_nothing_is_said_while_too_little_is_known():
    shop = Shop()
    history = [shop.day(k, rows=(0 if k == 5 else None)) for k in range(14)]

    _, verdicts = Judge.after(history, Watch())

    assert all(verdict.warming and not verdict.anomalies for verdict in verdicts)


def test_the_same_rows_again_are_told_once_and_explain_the_rest():
    shop = Shop()
    history = shop.days(30)

    _, [again] = judged(history, replace(history[-1], arrived_at=history[-1].arrived_at + 600))

    assert kinds(again) == ["duplicate"]
    assert "the landing before" in again.anomalies[0].seen


def test_a_dataset_that_always_lands_the_same_rows_is_left_alone():
    shop = Shop()
    one = shop.day(0)
    history = [replace(one, arrived_at=MONDAY + k * DAY) for k in range(30)]

    _, [verdict] = judged(history, replace(one, arrived_at=MONDAY + 30 * DAY))

    assert kinds(verdict) == []


def test_columns_that_are_gone_new_or_of_another_type_are_told():
    shop = Shop()
    next_one = shop.day(30)
    changed = replace(
        next_one,
        columns={
            "amount": replace(next_one.columns["amount"], type="String"),
            "at": next_one.columns["at"],
            "extra": ColumnFigures(type="Int64", missing=0, distinct=1),
        },
    )

    _, [verdict] = judged(shop.days(30), changed)

    schema = next(anomaly for anomaly in verdict.anomalies if anomaly.kind == "schema")
    assert schema.columns == ("city", "extra", "amount")
    assert "city gone" in schema.seen
    assert "extra new" in schema.seen
    assert "amount is String, was Float64" in schema.seen


def test_a_column_that_comes_and_goes_is_no_news():
    shop = Shop()
    extra = {"extra": ColumnFigures(type="Int64", missing=0, distinct=1)}
    days = [shop.day(k) for k in range(31)]
    days = [replace(one, columns=one.columns | (extra if k % 3 else {})) for k, one in enumerate(days)]

    _, verdicts = judged(days[:29], *days[29:])

    assert [kinds(verdict) for verdict in verdicts] == [[], []]


def test_a_dip_that_went_away_is_forgiven_once_it_comes_again_but_an_empty_landing_never():
    shop = Shop()
    history = shop.days(40)

    _, verdicts = judged(
        history,
        *[
            shop.day(40, rows=550),
            shop.day(41),
            shop.day(42),
            shop.day(43, rows=550),
            shop.day(44),
            shop.day(45, rows=0),
        ],
        *[shop.day(46), shop.day(47, rows=0)],
    )

    assert [kinds(verdict) for verdict in verdicts] == [["volume"], [], [], [], [], ["volume"], [], ["volume"]]


def test_a_new_level_is_told_at_first_and_taken_for_granted_in_the_end():
    shop = Shop()

    _, verdicts = judged(shop.days(40), *(shop.day(k, rows=2000 + k % 5) for k in range(40, 62)))

    assert kinds(verdicts[0]) == ["volume"]
    assert [kinds(verdict) for verdict in verdicts[-5:]] == [[]] * 5


def test_small_landings_are_not_held_to_what_large_ones_promise():
    shop = Shop()
    history = [shop.day(k, rows=30 if k % 2 else 3000) for k in range(60)]

    _, verdicts = judged(history, shop.day(60, rows=3000), shop.day(61, rows=30))

    assert [kinds(verdict) for verdict in verdicts] == [[], []]


def test_a_landing_that_does_not_come_is_overdue_in_time():
    shop = Shop()
    judge, _ = judged(shop.days(40))
    last = MONDAY + 39 * DAY

    assert judge.overdue(last + 1.0 * DAY) is None
    late = judge.overdue(last + 2 * DAY)
    assert late is not None
    assert late.kind == "arrival"
    assert "nothing has come for" in late.seen
    assert last + DAY < judge.due_at() < last + 1.5 * DAY


def test_a_weekend_without_landings_is_expected():
    shop = Shop()
    workdays = [shop.day(k) for k in range(56) if k % 7 < 5]
    judge, [monday] = judged(workdays, shop.day(56))

    assert kinds(monday) == []
    assert judge.due_at() < MONDAY + 57.6 * DAY  # after a Monday a Tuesday


def test_landings_at_any_time_are_never_overdue_soon():
    rng = np.random.default_rng(3)
    at = MONDAY
    history = []
    for k in range(60):
        at += float(rng.pareto(1.1) * 3600)
        history.append(replace(Shop(k).day(0), arrived_at=at, fingerprint=str(k)))

    judge, _ = judged(history)

    assert judge.overdue(at + 12 * 3600) is None


def test_what_is_muted_raises_no_alarm():
    shop = Shop()
    history = shop.days(40)
    wrong = shop.day(40, rows=450, missing=0.3)

    def told(watch: Watch) -> set[str]:
        return set(kinds(judged(history, wrong, watch=watch)[1][0]))

    assert told(Watch()) == {"volume", "missing"}
    assert told(Watch(muted=frozenset(["volume"]))) == {"missing"}
    assert told(Watch(muted_columns={"amount": frozenset()})) == {"volume"}
    assert told(Watch(muted_columns={"amount": frozenset(["missing"])})) == {"volume"}
    assert told(Watch(muted_columns={"city": frozenset()})) == {"volume", "missing"}
    assert told(Watch(is_on=False)) == set()


def test_a_larger_budget_has_a_lower_threshold():
    largest = np.random.default_rng(1).exponential(size=60)

    limits = [threshold(largest, p) for p in (0.05, 0.01, 0.001)]

    assert limits == sorted(limits)
    assert threshold(np.array([]), 0.01) == float("inf")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 500), st.floats(0, 1e7), st.lists(st.floats(allow_nan=False), min_size=9, max_size=9)),
        max_size=40,
    )
)
@example([(0, 0.0, [0.0] * 9)] * 6 + [(20, 0.0, [0.0] * 8 + [high]) for high in (0.0, 9e153, 0.0)])
def test_no_history_is_too_odd_to_be_judged(landings):
    at, history = MONDAY, []
    for rows, gap, values in landings:
        at += gap
        column = ColumnFigures(type="Float64", missing=min(3, rows), distinct=rows, quantiles=tuple(sorted(values)))
        history.append(Figures(rows=rows, arrived_at=at, columns={"x": column} if rows else {}, fingerprint=str(at)))

    judge, verdicts = Judge.after(history, Watch(warm_up=8))

    assert len(verdicts) == len(history)
    judge.overdue(at + 1e9)
    assert all(isinstance(anomaly, Anomaly) for verdict in verdicts for anomaly in verdict.anomalies)


def test_figures_are_those_of_the_profile_and_the_fingerprint_knows_no_order():
    rng = np.random.default_rng(2)
    frame = pl.DataFrame(
        {
            "amount": [*rng.normal(size=500).tolist(), None],
            "city": [*rng.choice(["north", "south"], 500).tolist(), ""],
            "at": pl.Series(range(501)).cast(pl.Datetime("us")),
        }
    )

    found = figures_of(profile(frame), arrived_at=5.0)
    shuffled = figures_of(profile(frame.sample(fraction=1, shuffle=True, seed=1)), arrived_at=9.0)
    other = figures_of(merge([profile(frame), profile(frame.head(1))]), arrived_at=5.0)

    assert (found.rows, found.columns["amount"].missing, found.columns["city"].empty) == (501, 1, 1)
    assert found.columns["amount"].quantiles == pytest.approx(
        np.quantile(frame["amount"].drop_nulls(), np.arange(1, 10) / 10), abs=0.05
    )
    assert sum(found.columns["city"].values.values()) == 501
    assert found.columns["at"].latest_at == pytest.approx(0.0005)
    assert found.fingerprint == shuffled.fingerprint != other.fingerprint
