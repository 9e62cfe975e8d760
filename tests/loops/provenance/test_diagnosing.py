"""From an alert to what came before it, and on to what it led to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from tests.loops.provenance.visits import Shop
from treadle.faces.cli import entry
from treadle.kernel.store import Transaction
from treadle.loops.provenance.diagnosis import DiagnoseRequest, Diagnosis, change_point
from treadle.systems.monitor.alerts import Alert, Symptom
from treadle.systems.monitor.drift import ColumnDrift, Drift
from treadle.systems.monitor.errors import AlertNotFound
from treadle.systems.monitor.performance import Performance
from treadle.systems.monitor.records import MonitorWindow
from treadle.systems.monitor.repository import AlertRows, WindowRows
from treadle.systems.monitor.route_rows import RouteRows
from treadle.systems.monitor.routes import Route

DAY = timedelta(days=1)
SINCE = datetime.now(UTC) - DAY / 2
"""The window that begins here is the one in which the shop's data lands and its model is deployed."""


def window(starts_at: datetime, mean: float) -> MonitorWindow:
    column = ColumnDrift(
        column="visits_7d", z=9.0, figure="mean", shift=abs(mean) / 3, nulls=0.0, unseen=0.0, z_by_figure={}, mean=mean
    )
    drift = Drift(rows=500, score=9.0, threshold=4.0, is_judged=True, columns=(column,))
    performance = Performance(n=500, labelled=0, closed=0, errors=0, completeness=0.0)
    return MonitorWindow(
        monitor="mon_d", model_version="1", starts_at=starts_at, ends_at=starts_at + DAY, rows=500, drift=drift,
        performance=performance, evaluated_at=starts_at + DAY, reference_at=starts_at,
    )  # fmt: skip


@pytest.fixture(scope="module")
def told(shop: Shop) -> Shop:
    """Five quiet days, then two of a moved column, of which the second raised the alert."""
    workspace = shop.workspace
    means = (0.02, -0.03, 0.01, 0.0, -0.02, 0.6, 0.7)
    alert = Alert(
        id="alert_d", monitor="mon_d", endpoint="busy", model_version="1", kind="drift", state="open",
        symptoms=(Symptom(column="visits_7d", z=9.0, figure="mean", detail="mean +0.70 sd"),), peak=9.0, threshold=4.0,
        first_window_at=SINCE + DAY, last_window_at=SINCE + DAY, judged_window_at=SINCE + DAY, windows=1, quiet=0,
        event="", recorded_at=SINCE + 2 * DAY,
    )  # fmt: skip
    route = Route(
        id="route_d", name="ops", kind="webhook", target="https://ops.example.org", endpoint="busy",
        runbook="Look at the doors.", has_secret=False, recorded_at=SINCE,
    )  # fmt: skip

    def work(tx: Transaction) -> str:
        for place, mean in enumerate(means):
            WindowRows().put(tx, "default", window(SINCE + (place - 5) * DAY, mean))
        RouteRows().insert(tx, "default", route, None)
        event = workspace.events.append(
            tx, project="default", kind="alert.opened", subject="endpoint/busy", actor="mon", body={"alert": "alert_d"}
        )
        AlertRows().insert(tx, "default", replace(alert, event=event))
        return event

    shop.made["opened"] = workspace.store.write(work)
    return shop


def diagnosed(shop: Shop, **asked: object) -> Diagnosis:
    return shop.ask("diagnose", DiagnoseRequest(alert="alert_d", **asked))


def test_the_change_is_found_in_the_window_before_the_one_that_raised_the_alert(told: Shop) -> None:
    found = diagnosed(told)

    assert found.since == SINCE
    (moved,) = found.moved
    assert (moved.column, moved.how, moved.since) == ("visits_7d", "mean +0.70 sd", SINCE)
    assert moved.before == pytest.approx(-0.004)
    assert moved.after == pytest.approx(0.65)


def test_what_happened_upstream_is_named_with_a_command_to_look(told: Shop) -> None:
    found = {one.what: one for one in diagnosed(told).suspects}

    assert found["a revision was deployed"].distance == 0
    assert found["a revision was deployed"].look == "treadle endpoints show busy"
    landed = found["visits: a snapshot landed"]
    assert landed.distance > 1
    assert landed.look.startswith("treadle why snap_")


def test_what_is_near_by_lineage_and_in_time_comes_first(told: Shop) -> None:
    suspects = diagnosed(told).suspects

    assert [one.rank for one in suspects] == sorted((one.rank for one in suspects), reverse=True)
    assert suspects[0].subject == "endpoint/busy"


def test_what_the_model_does_not_come_from_is_not_suspected(told: Shop) -> None:
    caller = told.workspace.caller
    told.workspace.datasets.land(caller, "weather", pl.DataFrame({"wind": [3.0]}), key="once")

    assert not [one for one in diagnosed(told).suspects if "weather" in one.subject]


def test_it_leads_to_the_runs_that_it_started_and_no_others(told: Shop) -> None:
    assert not [one for one in diagnosed(told).consequences if one.kind == "run"]
    run = told.workspace.engine.run(told.flow.prepare, {"day": "2026-02-03"}, caused_by=told.made["opened"])

    assert [one.id for one in diagnosed(told).consequences if one.kind == "run"] == [run.id]


def test_the_runbook_says_what_is_to_be_done(told: Shop) -> None:
    assert diagnosed(told).runbooks == ["Look at the doors."]


def test_the_command_shows_it_all(told: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    assert entry.main(["alerts", "diagnose", "alert_d", "--home", str(told.workspace.home)]) == 0

    text = capsys.readouterr().out
    assert all(words in text for words in ("mean +0.70 sd", "treadle endpoints show busy", "Look at the doors."))


def test_an_alert_that_is_not_there_is_said(told: Shop) -> None:
    with pytest.raises(AlertNotFound):
        told.ask("diagnose", DiagnoseRequest(alert="alert_none"))


@pytest.mark.parametrize(
    ("values", "place"),
    [([0.0, 1.0], 1), ([0.0, 0.0, 0.0, 5.0, 5.0], 3), ([0.1, -0.1, 0.0, 0.2, 2.1, 1.9, 2.0], 4), ([3.0, 0.0, 0.0], 1)],
)
def test_the_change_point_is_where_two_means_fit_best(values, place):
    assert change_point(values) == place
