from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from treadle.systems.monitor.alerts import Alert, Continued, Opened, Quieted, Symptom, Verdict, changes

START = datetime(2013, 4, 1, tzinfo=UTC)


def week(n: int) -> datetime:
    return START + timedelta(weeks=n)


def make_verdict(n: int, **z: float) -> Verdict:
    symptoms = sorted((Symptom(column=c, z=v, figure="shift") for c, v in z.items()), key=lambda s: -s.z)
    return Verdict(kind="drift", window_at=week(n), symptoms=tuple(symptoms), threshold=5.0)


def make_alert(n: int = 0, quiet: int = 0, **z: float) -> Alert:
    verdict = make_verdict(n, **z)
    return Alert(
        id="alert_1",
        monitor="mon_1",
        endpoint="late-arrival",
        model_version="v1",
        kind="drift",
        state="open",
        symptoms=verdict.symptoms,
        peak=verdict.symptoms[0].z,
        threshold=5.0,
        first_window_at=week(n),
        last_window_at=week(n),
        judged_window_at=week(n),
        windows=1,
        quiet=quiet,
        event="evt_1",
        recorded_at=week(n),
    )


def test_what_moves_together_opens_one_alert_named_by_how_far():
    (found,) = changes(make_verdict(0, temp=8.0, dewp=9.0), [])

    assert isinstance(found, Opened)
    assert [symptom.column for symptom in found.symptoms] == ["dewp", "temp"]


def test_nothing_beyond_the_threshold_opens_nothing():
    assert changes(make_verdict(0), []) == []


def test_an_open_alert_goes_on_and_keeps_the_largest_of_each_column():
    alert = make_alert(0, temp=8.0, dewp=9.0)

    (found,) = changes(make_verdict(1, temp=12.0), [alert])

    assert isinstance(found, Continued)
    assert [(symptom.column, symptom.z) for symptom in found.symptoms] == [("temp", 12.0), ("dewp", 9.0)]
    assert found.peak == 12.0


def test_another_column_is_another_cause():
    found = changes(make_verdict(1, temp=8.0, visib=30.0), [make_alert(0, temp=8.0)])

    assert [type(change) for change in found] == [Continued, Opened]
    assert [symptom.column for symptom in found[1].symptoms] == ["visib"]


def test_two_quiet_windows_end_an_alert_and_one_does_not():
    alert = make_alert(0, temp=8.0)

    (first,) = changes(make_verdict(1), [alert])
    (second,) = changes(make_verdict(2), [replace(alert, quiet=1, judged_window_at=week(1))])

    assert isinstance(first, Quieted)
    assert not first.is_over
    assert isinstance(second, Quieted)
    assert second.is_over


def test_judging_a_window_again_changes_nothing():
    alert = make_alert(3, temp=8.0)

    assert changes(make_verdict(3, temp=8.0), [alert]) == []
    assert changes(make_verdict(2), [alert]) == []
