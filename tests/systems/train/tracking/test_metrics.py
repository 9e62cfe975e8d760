"""Metrics: every point once, the latest at hand, long histories in order."""

from __future__ import annotations

import math
import random

import pytest

from tests.systems.train.tracking.conftest import ADA, Tracking, opened
from treadle.kernel.store import Statements, Store
from treadle.systems.train.tracking import metric_rows, rules
from treadle.systems.train.tracking.errors import TrackedRunNotFound, TrackingInvalid
from treadle.systems.train.tracking.metric_rows import ROLL_EVERY
from treadle.systems.train.tracking.metrics import MetricHistory, MetricsOfRun
from treadle.systems.train.tracking.records import Pair
from treadle.systems.train.tracking.requests import LogBatch, TrackedRunNamed

sql = Statements("treadle.systems.train.tracking")


def latest(tracking: Tracking, run: str) -> dict[str, tuple[float | None, int, int]]:
    found = tracking.runs.get(ADA, TrackedRunNamed(run=run)).metrics
    return {point.key: (point.value, point.step, point.at_ms) for point in found}


def chunks(tracking: Tracking) -> int:
    with tracking.store.read() as reader:
        row = reader.find(sql.count_chunks, {"project": "p", "number": 1})
    return row[0] if row else 0


def test_the_latest_is_the_greatest_step_then_time_then_value(tracking: Tracking) -> None:
    run = tracking.run()

    tracking.log(run, ("loss", 3.0, 2, 5))
    tracking.log(run, ("loss", 9.0, 1, 99))
    assert latest(tracking, run) == {"loss": (3.0, 2, 5)}

    tracking.log(run, ("loss", 1.0, 2, 6), ("loss", 0.5, 2, 6), ("acc", 0.1, 0, 0))
    assert latest(tracking, run) == {"loss": (1.0, 2, 6), "acc": (0.1, 0, 0)}


def test_the_same_point_is_kept_once_however_it_comes(tracking: Tracking) -> None:
    run = tracking.run()
    for _ in range(3):
        tracking.log(run, ("loss", 1.0, 0, 5), ("loss", 1.0, 0, 5), ("loss", 2.0, 0, 5))

    assert tracking.history(run) == [(1.0, 0, 5), (2.0, 0, 5)]


def test_a_chunk_whose_id_another_process_took_is_written_under_another(
    tracking: Tracking, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, ids = tracking.run(), iter([7, 7, 8])
    monkeypatch.setattr(metric_rows, "next_id", lambda: next(ids))

    tracking.log(run, ("loss", 1.0, 0, 5))
    tracking.log(run, ("loss", 2.0, 1, 5))

    assert tracking.history(run) == [(1.0, 0, 5), (2.0, 1, 5)]
    assert chunks(tracking) == 2


def test_values_that_are_no_numbers_and_infinities_are_kept_as_the_protocol_has_them(tracking: Tracking) -> None:
    run = tracking.run()

    tracking.log(run, ("loss", math.nan, 1, 5), ("loss", math.inf, 2, 5), ("loss", -math.inf, 3, 5), ("n", None, 0, 0))

    assert tracking.history(run) == [(None, 1, 5), (rules.GREATEST, 2, 5), (-rules.GREATEST, 3, 5)]
    assert latest(tracking, run) == {"loss": (-rules.GREATEST, 3, 5), "n": (None, 0, 0)}


def test_a_nan_counts_as_zero_when_the_latest_is_looked_for(tracking: Tracking) -> None:
    run = tracking.run()

    tracking.log(run, ("a", math.nan, 1, 5), ("a", -1.0, 1, 5))
    tracking.log(run, ("b", math.nan, 1, 5))
    tracking.log(run, ("b", 1.0, 1, 5))

    assert latest(tracking, run) == {"a": (None, 1, 5), "b": (1.0, 1, 5)}


def test_ranges_are_known_without_the_history(tracking: Tracking) -> None:
    run = tracking.run()
    tracking.log(run, ("loss", 3.0, 7, 5), ("loss", math.nan, -2, 5))
    tracking.log(run, ("loss", -4.0, 3, 9))
    tracking.log(run, ("nan", math.nan, 0, 0))

    loss, nan = tracking.metrics.of_run(ADA, MetricsOfRun(run=run))

    assert (loss.low, loss.high, loss.first_step, loss.last_step) == (-4.0, 3.0, -2, 7)
    assert (nan.low, nan.high, nan.value) == (None, None, None)


def test_many_single_points_become_few_rows_and_none_is_lost(tracking: Tracking) -> None:
    run = tracking.run()
    for step in range(ROLL_EVERY + 10):
        tracking.log(run, ("loss", step / 2, step, step), *([("acc", 1.0, step, step)] if step % 5 == 0 else []))

    assert chunks(tracking) <= 11
    assert tracking.history(run) == [(step / 2, step, step) for step in range(ROLL_EVERY + 10)]


def test_reading_a_run_of_many_calls_puts_it_in_order_and_changes_no_answer(tracking: Tracking) -> None:
    rng = random.Random(5)
    run = tracking.run()
    logged: set[tuple[float, int, int]] = set()
    for _ in range(3):
        for _ in range(40):
            rows = [("loss", float(rng.randint(0, 9)), rng.randint(-20, 20), rng.randint(0, 9)) for _ in range(70)]
            tracking.log(run, *rows, ("acc", 1.0, 0, 0))
            logged |= {row[1:] for row in rows}
        first, second = tracking.history(run), tracking.history(run)
        assert first == second
        assert set(first) == logged
        assert len(first) == len(logged)
        assert chunks(tracking) == 0
    assert tracking.history(run, "acc") == [(1.0, 0, 0)]


def test_a_drawing_is_exact_where_it_is_zoomed_in(tracking: Tracking) -> None:
    run = tracking.run()
    tracking.log(run, *[("loss", math.sin(step), step, step) for step in range(1000)])

    drawn = tracking.metrics.history(ADA, MetricHistory(run=run, key="loss", points=50))
    near = tracking.metrics.history(ADA, MetricHistory(run=run, key="loss", points=50, first_step=300, last_step=340))

    assert drawn.count == 1000
    assert len(drawn.steps) <= 54
    assert near.steps == list(range(300, 341))
    assert near.values == [math.sin(step) for step in range(300, 341)]


def test_a_metric_that_nobody_logged_is_an_empty_series(tracking: Tracking) -> None:
    run = tracking.run()

    assert tracking.history(run, "nothing") == []
    with pytest.raises(TrackedRunNotFound):
        tracking.metrics.of_run(ADA, MetricsOfRun(run="f" * 32))


def test_a_batch_is_written_as_a_whole_or_not_at_all(tracking: Tracking) -> None:
    run = tracking.run()
    tracking.runs.log(ADA, LogBatch(run=run, params=[Pair("p", "1")]))

    with pytest.raises(TrackingInvalid, match="Changing param values"):
        tracking.runs.log(
            ADA,
            LogBatch(
                run=run,
                keys=["new"],
                values=[1.0],
                steps=[0],
                times_ms=[0],
                params=[Pair("p", "2")],
                tags=[Pair("t", "x")],
            ),
        )

    found = tracking.runs.get(ADA, TrackedRunNamed(run=run))
    assert found.metrics == []
    assert [tag.key for tag in found.tags] == ["mlflow.runName"]


def test_a_key_that_a_refused_batch_was_first_to_name_can_be_logged_later(tracking: Tracking) -> None:
    run = tracking.run()
    tracking.runs.log(ADA, LogBatch(run=run, params=[Pair("p", "1")]))
    batch = LogBatch(run=run, keys=["new"], values=[1.0], steps=[0], times_ms=[0], params=[Pair("p", "2")])
    with pytest.raises(TrackingInvalid):
        tracking.runs.log(ADA, batch)

    tracking.log(run, ("new", 2.0, 0, 0), ("other", 3.0, 0, 0))

    assert latest(tracking, run) == {"new": (2.0, 0, 0), "other": (3.0, 0, 0)}


def test_two_processes_give_one_name_one_number(any_store: Store) -> None:
    one, other = opened(any_store), opened(any_store)
    run = one.run()

    one.log(run, ("a", 1.0, 0, 0), ("b", 1.0, 0, 0))
    other.log(run, ("c", 1.0, 0, 0), ("b", 2.0, 1, 0), ("a", 2.0, 1, 0))
    one.log(run, ("c", 2.0, 1, 0))

    assert latest(one, run) == dict.fromkeys("abc", (2.0, 1, 0))
    assert one.history(run, "c") == [(1.0, 0, 0), (2.0, 1, 0)]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([("a$", 1.0, 0, 0)], r"Invalid value \"a\$\" for parameter 'metrics\[0\].name' supplied: Names may only"),
        ([("a", 1.0, 0, 0), ("b/../c", 1.0, 0, 0)], r"metrics\[1\].name' .* would resolve to 'c'"),
        (
            [("a", 1.0, 0, -4)],
            r"Invalid value -4 for parameter 'metrics\[0\].timestamp' supplied: metric 'a' \(value=1.0\)",
        ),
        ([("a" * 251, 1.0, 0, 0)], "'Metric name' exceeds the maximum length of 250 characters"),
        ([("a", 1.0, 0, 0)] * 1001, "at most 1000 metrics. Got 1001 metrics"),
    ],
)
def test_points_that_break_a_rule_are_refused(
    tracking: Tracking, points: list[tuple[str, float, int, int]], message: str
) -> None:
    run = tracking.run()

    with pytest.raises(TrackingInvalid, match=message):
        tracking.log(run, *points)
