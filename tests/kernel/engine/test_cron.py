"""When schedules fire: fields, zones, and the two days a year on which clocks jump."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.engine.cron import parse
from treadle.kernel.engine.errors import InvalidSchedule


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 3 * * *", "2026-03-01T03:00", "2026-03-02T03:00"),
        ("0 3 * * *", "2026-03-01T02:59:59", "2026-03-01T03:00"),
        ("*/15 * * * *", "2026-03-01T10:07", "2026-03-01T10:15"),
        ("5-20/5 8,9 * * *", "2026-03-01T08:20", "2026-03-01T09:05"),
        ("0 0 * * mon", "2026-03-01T00:00", "2026-03-02T00:00"),
        ("0 0 * * 7", "2026-03-02T00:00", "2026-03-08T00:00"),
        ("0 0 * * 5-7", "2026-03-02T00:00", "2026-03-06T00:00"),
        ("0 0 29 2 *", "2026-03-01T00:00", "2028-02-29T00:00"),
        ("0 0 13 * fri", "2026-03-01T00:00", "2026-03-06T00:00"),
        ("0 0 1 jan-mar *", "2026-03-02T00:00", "2027-01-01T00:00"),
        ("@monthly", "2026-03-02T00:00", "2026-04-01T00:00"),
        ("30 * * * *", "2026-03-01T23:45", "2026-03-02T00:30"),
    ],
)
def test_the_next_firing(expression: str, after: str, expected: str) -> None:
    assert parse(expression).after(at(after)) == at(expected)


def test_local_time_is_meant_in_the_schedule_s_zone() -> None:
    assert parse("0 3 * * *", "Europe/Berlin").after(at("2026-01-10T00:00")) == at("2026-01-10T02:00")
    assert parse("0 3 * * *", "Europe/Berlin").after(at("2026-07-10T00:00")) == at("2026-07-10T01:00")


def test_what_falls_into_the_skipped_hour_fires_at_the_end_of_the_gap_once() -> None:
    schedule = parse("30 2 * * *", "Europe/Berlin")

    fired = list(schedule.between(at("2026-03-28T12:00"), at("2026-03-30T12:00")))

    assert fired == [at("2026-03-29T01:00"), at("2026-03-30T00:30")]


def test_what_falls_into_the_repeated_hour_fires_once() -> None:
    schedule = parse("30 2 * * *", "Europe/Berlin")

    fired = list(schedule.between(at("2026-10-24T12:00"), at("2026-10-26T12:00")))

    assert fired == [at("2026-10-25T00:30"), at("2026-10-26T01:30")]


def test_every_hour_follows_elapsed_time_through_both_jumps() -> None:
    schedule = parse("0 * * * *", "Europe/Berlin")

    spring = list(schedule.between(at("2026-03-29T00:00"), at("2026-03-29T03:00")))
    autumn = list(schedule.between(at("2026-10-24T23:30"), at("2026-10-25T02:30")))

    assert spring == [at("2026-03-29T01:00"), at("2026-03-29T02:00"), at("2026-03-29T03:00")]
    assert autumn == [at("2026-10-25T00:00"), at("2026-10-25T01:00"), at("2026-10-25T02:00")]


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("0 3 * *", "4 fields"),
        ("60 * * * *", "'minute'"),
        ("* 24 * * *", "'hour'"),
        ("* * 0 * *", "'day of month'"),
        ("* * * smarch *", "'month'"),
        ("* * * * 8", "'day of week'"),
        ("*/0 * * * *", "'minute'"),
        ("9-5 * * * *", "backwards"),
        ("٣ * * * *", "'minute'"),
    ],
)
def test_what_cannot_be_read_is_named(expression: str, named: str) -> None:
    with pytest.raises(InvalidSchedule) as caught:
        parse(expression)

    assert named in caught.value.why


def test_a_date_that_never_comes_is_said_to_never_come() -> None:
    with pytest.raises(InvalidSchedule, match="never fires"):
        parse("0 0 30 2 *").after(at("2026-01-01T00:00"))


def test_an_unknown_zone_is_named() -> None:
    with pytest.raises(InvalidSchedule, match="Mars/Olympus"):
        parse("0 3 * * *", "Mars/Olympus")


@given(
    moment=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
)
def test_a_daily_schedule_fires_once_on_each_local_day(moment: datetime, minute: int, hour: int, zone: str) -> None:
    schedule = parse(f"{minute} {hour} * * *", zone)
    start = moment.replace(tzinfo=UTC)

    fired = list(schedule.between(start, start + timedelta(days=10)))

    days = [each.astimezone(ZoneInfo(zone)).date() for each in fired]
    assert len(days) == len(set(days))
    assert len(days) in (9, 10, 11)
    assert all(each > start for each in fired)
