"""What starts a pipeline by itself stays within its cool-down and budget, and says so, before anything is started."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.kernel.engine.engines import HeldClock, make_engine, opened, rows
from tests.kernel.engine.test_scheduler import Noted
from treadle.kernel.engine import (
    DataWindow,
    Limits,
    Window,
    on_alert,
    on_contract,
    on_event,
    on_labels,
    on_landing,
    pipeline,
    step,
)
from treadle.kernel.engine.errors import InvalidStep
from treadle.kernel.engine.publishing import publish
from treadle.kernel.engine.runner import fire
from treadle.kernel.engine.scheduler import Scheduler
from treadle.kernel.engine.service import Engine
from treadle.kernel.engine.trigger_service import FireTrigger, TriggerNotFound, TriggerOf, Triggers
from treadle.kernel.governance import Caller

DAY_S = 86_400.0
ME = Caller(project="default", actor="carol", permissions=frozenset({"*"}))


@pipeline(triggers=[on_alert("shop"), on_contract("sales")], limits=Limits(cool_down_s=3 * DAY_S, also=("first",)))
def retrain() -> int:
    return 1


@pipeline
def first() -> int:
    return 1


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock(datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture
def engine(tmp_path: Path, clock: HeldClock) -> Iterator[Engine]:
    with opened(tmp_path, clock=clock) as engine:
        yield engine


def happened(
    engine: Engine,
    kind: str = "alert.opened",
    subject: str = "endpoint/shop",
    *,
    at: datetime | None = None,
    **body: Any,
) -> str:
    return engine.store.write(
        lambda tx: engine.events.append(
            tx, project="default", kind=kind, subject=subject, actor="monitor", body=body, event_at=at
        )
    )


def ticked(engine: Engine) -> list[str]:
    """Every firing that a look starts is carried out here; answers what caused them."""
    started = Scheduler(engine, Noted()).tick()
    for firing in started:
        fire(engine, firing.id)
    return [firing.caused_by or "" for firing in started]


def told(engine: Engine) -> list[tuple[str, str]]:
    events = engine.events.since("default", 0, kinds=("trigger.fired", "trigger.refused"))
    return [(event.kind, event.body["reason"]) for event in events]


def test_an_alert_inside_the_cool_down_starts_nothing_and_says_why(
    engine: Engine, tmp_path: Path, clock: HeldClock
) -> None:
    publish(engine, [retrain], tmp_path)
    one = happened(engine)
    assert ticked(engine) == [one]

    clock.move(days=2)
    refused = happened(engine)
    assert ticked(engine) == []

    assert rows(engine, "select caused_by, run from firing where state = 'refused'") == [(refused, None)]
    assert told(engine) == [
        ("trigger.fired", "alert.opened of endpoint/shop"),
        ("trigger.refused", "It last ran for 2026-03-01 00:00, 2 days before; its cool-down is 3 days."),
    ]
    clock.move(days=2)
    again = happened(engine, "contract.published", "contract/sales")
    assert ticked(engine) == [again]


def test_two_alerts_at_once_start_one_run(engine: Engine, tmp_path: Path) -> None:
    """The second is weighed against the claim of the first, whose run has not begun."""
    publish(engine, [retrain], tmp_path)
    happened(engine)
    happened(engine)
    other = make_engine(tmp_path, clock=engine.clock)

    started = [*Scheduler(engine, Noted()).tick(), *Scheduler(other, Noted()).tick()]
    other.store.close()

    assert len(started) == 1
    assert rows(engine, "select state, count(*) from firing group by state order by state") == [
        ("claimed", 1),
        ("refused", 1),
    ]


def test_runs_of_pipelines_named_beside_it_and_runs_by_hand_count(engine: Engine, tmp_path: Path) -> None:
    publish(engine, [retrain], tmp_path)
    engine.run(first, {})

    happened(engine)

    assert ticked(engine) == []


def test_the_cool_down_is_measured_in_the_time_that_the_runs_are_for(engine: Engine, tmp_path: Path) -> None:
    """A past that is worked through in a minute has its weeks all the same."""
    publish(engine, [retrain], tmp_path)
    march = datetime(2013, 3, 1, tzinfo=UTC)
    alerts = [happened(engine, at=march + timedelta(days=day)) for day in (0, 2, 4)]

    started = [cause for _ in range(3) for cause in ticked(engine)]

    assert alerts[0] in started
    assert alerts[1] not in started


def test_a_budget_of_runs_holds_for_any_period(engine: Engine, tmp_path: Path, clock: HeldClock) -> None:
    @pipeline(triggers=[on_event("thing.happened")], limits=Limits(max_runs=2, period_s=10 * DAY_S))
    def often() -> int:
        return 1

    publish(engine, [often], tmp_path)
    outcome = []
    for _ in range(12):
        happened(engine, "thing.happened", "thing/a")
        outcome.append(bool(started_only(engine, often)))
        clock.move(days=2)

    assert outcome == [True, True, False, False, False, True, True, False, False, False, True, True]
    assert ("trigger.refused", "It ran 2 times within 10 days; its budget is 2.") in told(engine)


def started_only(engine: Engine, of: Any) -> list[str]:
    """As `ticked`, for a pipeline that is defined in a test and has no place of its own."""
    started = Scheduler(engine, Noted()).tick()
    for firing in started:
        engine.run(of, engine.arguments_of(of, firing.params), firing=firing.id)
    return [firing.id for firing in started]


def test_a_budget_of_compute_counts_what_steps_took(engine: Engine, tmp_path: Path, clock: HeldClock) -> None:
    @step(cache=False)
    def work() -> int:
        clock.move(hours=3)
        return 1

    @pipeline(triggers=[on_event("thing.happened")], limits=Limits(max_compute_s=3600.0, period_s=DAY_S))
    def costly() -> None:
        work()

    publish(engine, [costly], tmp_path)
    happened(engine, "thing.happened", "thing/a")
    assert started_only(engine, costly)

    happened(engine, "thing.happened", "thing/a")

    assert not started_only(engine, costly)
    assert told(engine)[-1][1] == "It used 3 hours of compute within 24 hours; its budget is 3,600 s."


@pytest.mark.parametrize(
    ("trigger", "landings", "fires_at"),
    [
        (on_labels("truth", rows=100), [40, 40, 40, 40, 40, 40], [2, 5]),
        (on_labels("truth", share=0.5), [40, 40, 40, 40, 40, 40], [2, 6]),
    ],
    ids=["rows", "share"],
)
def test_new_labels_start_it_when_enough_have_landed_since(
    engine: Engine, tmp_path: Path, trigger: Any, landings: list[int], fires_at: list[int]
) -> None:
    """200 rows were there before: half of these are 100, and half of the 320 that were there then are 160."""

    @pipeline(triggers=[trigger])
    def learn() -> int:
        return 1

    happened(engine, "dataset.landed", "dataset/truth", rows_kept=200)
    publish(engine, [learn], tmp_path)
    fired = []
    for at, landed in enumerate(landings):
        happened(engine, "dataset.landed", "dataset/truth", rows_kept=landed)
        happened(engine, "dataset.landed", "dataset/other", rows_kept=1000)
        if started_only(engine, learn):
            fired.append(at)

    assert fired == [at for at in fires_at if at < len(landings)]


def test_a_run_is_told_its_window(engine: Engine, tmp_path: Path, clock: HeldClock) -> None:
    seen: list[DataWindow] = []

    @pipeline(triggers=[on_alert("shop"), on_landing("truth")], window=Window(days=90, since_drift=True))
    def learn(window: DataWindow = DataWindow()) -> None:  # noqa: B008
        seen.append(window)

    publish(engine, [learn], tmp_path)
    until = datetime(2026, 2, 28, tzinfo=UTC)
    began = until - timedelta(days=9)
    happened(engine, at=until, began_at=began.isoformat())
    started_only(engine, learn)
    happened(engine, "dataset.landed", "dataset/truth", at=until, rows_kept=1)
    started_only(engine, learn)

    assert seen == [
        DataWindow(kind="since_drift", since=began, until=until),
        DataWindow(kind="newest", since=until - timedelta(days=90), until=until),
    ]
    assert Window(rows=500).at(until, None) == DataWindow(kind="newest", until=until, rows=500)
    assert Window().at(until, None) == DataWindow(kind="all", until=until)


def test_a_start_by_hand_keeps_to_the_limits_unless_told_otherwise(
    engine: Engine, tmp_path: Path, clock: HeldClock
) -> None:
    publish(engine, [retrain], tmp_path)
    triggers = Triggers(engine)
    asked = triggers.fire(ME, FireTrigger(pipeline="retrain", reason="to see"))
    assert asked.state == "claimed"
    assert ticked(engine) == [""]

    refused = triggers.fire(ME, FireTrigger(pipeline="retrain"))
    assert refused.state == "refused"
    assert ticked(engine) == []
    forced = triggers.fire(ME, FireTrigger(pipeline="retrain", ignore_limits=True))

    assert ticked(engine) == [""]
    sheet = triggers.get(ME, TriggerOf(pipeline="retrain"))
    assert [(line.id, line.state) for line in sheet.firings] == [
        (forced.id, "started"),
        (refused.id, "refused"),
        (asked.id, "started"),
    ]
    assert "cool-down" in (sheet.refused_now or "")
    assert [line.when for line in triggers.list(ME)] == ["alert.opened", "contract.published"]
    with pytest.raises(TriggerNotFound):
        triggers.fire(ME, FireTrigger(pipeline="nothing"))


def test_a_claim_that_was_refused_counts_for_no_budget_and_needs_no_scheduler_again(
    engine: Engine, tmp_path: Path, clock: HeldClock
) -> None:
    publish(engine, [retrain], tmp_path)
    engine.run(first, {})
    happened(engine)
    ticked(engine)

    clock.move(days=4)

    assert ticked(engine) == []


def test_what_makes_no_sense_is_refused_where_it_is_written() -> None:
    with pytest.raises(InvalidStep, match="number of rows or at a share"):
        on_labels("truth")
    with pytest.raises(InvalidStep, match="no parameter"):
        pipeline(window=Window(days=3))(lambda: 1)
    with pytest.raises(InvalidStep, match="two triggers"):
        pipeline(triggers=[on_landing("truth"), on_labels("truth", rows=5)])(lambda: 1)
    with pytest.raises(InvalidStep, match="not negative"):
        Limits(cool_down_s=-1)
