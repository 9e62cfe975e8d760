"""One incident a cause: it counts, is muted, recovers by itself, comes back, is talked about, and keeps its history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.systems.prepare.conftest import ADA, Workshop, open_workshop
from tests.systems.prepare.test_quarantine_laws import WEATHER
from treadle.ground.ids import new_id
from treadle.systems.prepare import ContractGate, Incidents
from treadle.systems.prepare.errors import IncidentClosed, IncidentOpen
from treadle.systems.prepare.records import (
    AssignIncident,
    CommentIncident,
    Incident,
    IncidentHistory,
    ListIncidents,
    MuteIncident,
    ReopenIncident,
    ResolveIncident,
    ShowIncident,
)

OWNED = WEATHER.replace("schema:", "team: {members: [{username: bea, role: data owner}]}\nschema:")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Workshop:
    shop = open_workshop(tmp_path)
    incidents = Incidents(shop.store, shop.events, clock, new_id, recover_after=2)
    shop.datasets.guard(ContractGate(shop.contracts, incidents, clock, new_id))
    shop.publish("weather", OWNED)
    object.__setattr__(shop, "incidents", incidents)
    return shop


_hour = iter(range(10**6))


def land(shop: Workshop, *winds: float | None) -> str:
    rows = pl.DataFrame(
        {"hour": [next(_hour) for _ in winds], "wind": winds}, schema={"hour": pl.Int64, "wind": pl.Float64}
    )
    return shop.datasets.land(ADA, "weather", rows)[0].id


def only(shop: Workshop, state: str | None = None) -> Incident:
    [found] = shop.incidents.list(ADA, ListIncidents(state=state))
    return found


def history(shop: Workshop, incident: Incident) -> IncidentHistory:
    return shop.incidents.history(ADA, ShowIncident(id=incident.id))


def acts(shop: Workshop, incident: Incident) -> list[str]:
    return [act.kind.partition(".")[2] for act in history(shop, incident).acts]


def test_one_cause_is_one_incident_however_many_landings_show_it(house: Workshop) -> None:
    first, _, third = land(house, 900.0, 5.0), land(house, 5.0), land(house, 900.0, 901.0)

    found = only(house)

    assert (found.rule, found.cause, found.rows, found.occurrences, found.assignee) == (
        "wind.range", "rows", 3, 2, "bea",
    )  # fmt: skip
    seen = history(house, found).occurrences
    assert [(one.landing, one.rows) for one in seen] == [(first, 1), (third, 2)]
    assert seen[0].snapshot == house.datasets.snapshot("default", "weather", "1").id


def test_it_recovers_after_clean_landings_and_is_the_same_when_the_cause_comes_back(house: Workshop) -> None:
    land(house, 900.0)
    incident = only(house)

    land(house, 5.0)
    land(house, 900.0)
    land(house, 5.0)
    assert only(house).clean_landings == 1
    land(house, 5.0)

    assert house.incidents.list(ADA, ListIncidents()) == []
    assert only(house, "recovered").id == incident.id
    land(house, 900.0)
    assert (only(house).id, only(house).clean_landings) == (incident.id, 0)
    assert acts(house, incident) == ["opened", "recovered", "reopened"]


def test_a_landing_that_says_nothing_of_the_rule_is_no_clean_one(house: Workshop) -> None:
    land(house, 900.0)

    for _ in range(3):
        house.datasets.land(ADA, "weather", pl.DataFrame(schema={"hour": pl.Int64, "wind": pl.Float64}))

    assert only(house).clean_landings == 0


def test_rows_that_do_not_fit_their_columns_recover_like_any_cause(house: Workshop) -> None:
    land(house, 5.0)
    house.datasets.land(ADA, "weather", pl.DataFrame({"hour": ["x"], "wind": [1.0]}), on_mismatch="quarantine")
    incident = only(house)
    assert (incident.rule, incident.assignee) == ("collect.type:hour", "bea")

    land(house, 5.0)
    land(house, 5.0)

    assert only(house, "recovered").id == incident.id


def test_what_is_muted_counts_in_silence_until_the_time_is_over(house: Workshop, clock: Clock) -> None:
    land(house, 900.0)
    incident = only(house)
    until = clock.at + timedelta(days=1)
    house.incidents.mute(ADA, MuteIncident(id=incident.id, note="known sensor", until=until))

    land(house, 900.0)
    assert (only(house).state, only(house).occurrences) == ("muted", 2)
    clock.at = until
    assert only(house).state == "open"
    land(house, 900.0)

    assert (only(house, "open").muted_until, acts(house, incident)) == (None, ["opened", "muted", "unmuted"])


def test_what_was_resolved_is_over_and_can_be_opened_again(house: Workshop) -> None:
    land(house, 900.0)
    incident = only(house)
    house.incidents.resolve(ADA, ResolveIncident(id=incident.id, note="replaced", fixing_run="run_x"))

    with pytest.raises(IncidentClosed, match="is resolved"):
        house.incidents.mute(ADA, MuteIncident(id=incident.id, note="late"))
    again = house.incidents.reopen(ADA, ReopenIncident(id=incident.id, note="not replaced"))

    assert (again.state, again.fixing_run, again.resolved_at, again.note) == ("open", None, None, "not replaced")
    assert acts(house, incident) == ["opened", "resolved", "reopened"]


def test_of_one_cause_two_incidents_are_never_open(house: Workshop) -> None:
    land(house, 900.0)
    incident = only(house)
    house.incidents.resolve(ADA, ResolveIncident(id=incident.id, note="replaced"))
    land(house, 900.0)

    with pytest.raises(IncidentOpen):
        house.incidents.reopen(ADA, ReopenIncident(id=incident.id, note="mine"))
    assert only(house).id != incident.id


def test_people_talk_about_it_and_no_word_is_in_an_event(house: Workshop) -> None:
    land(house, 900.0)
    incident = only(house)

    house.incidents.comment(ADA, CommentIncident(id=incident.id, text="saw it at the station"))
    house.incidents.assign(ADA, AssignIncident(id=incident.id, assignee="carl"))
    house.incidents.resolve(ADA, ResolveIncident(id=incident.id, note="a wasp nest"))
    said = house.incidents.comment(ADA, CommentIncident(id=f"incident/{incident.id}", text="told the town"))

    assert [(one.actor, one.text) for one in said.comments] == [
        ("ada", "saw it at the station"),
        ("ada", "told the town"),
    ]
    assert acts(house, incident) == ["opened", "commented", "assigned", "resolved", "commented"]
    bodies = str([event.body for event in house.events.about("default", f"incident/{incident.id}")])
    assert not any(word in bodies for word in ("station", "wasp", "town"))


def test_somebody_finds_what_is_hers(house: Workshop) -> None:
    land(house, 900.0, None)
    mine, other = house.incidents.list(ADA, ListIncidents())
    house.incidents.assign(ADA, AssignIncident(id=mine.id, assignee="carl"))

    assert [one.id for one in house.incidents.list(ADA, ListIncidents(assignee="carl"))] == [mine.id]
    assert [one.id for one in house.incidents.list(ADA, ListIncidents(assignee="bea"))] == [other.id]
