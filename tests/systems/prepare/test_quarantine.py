"""From a landing through the gate to quarantine, incident, release: nothing disappears."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest

from tests.systems.prepare.conftest import ADA, Workshop, open_workshop
from treadle.kernel.vocabulary.datasets import RowId
from treadle.systems.collect import FileSource, Landing, Reading
from treadle.systems.prepare.errors import (
    AlreadyDecided,
    IncidentClosed,
    IncidentNotFound,
    MendRefused,
    QuarantinedRowNotFound,
    WaiverRefused,
)
from treadle.systems.prepare.records import (
    AssignIncident,
    ContractFor,
    DiscardRows,
    ListIncidents,
    ListQuarantine,
    MuteIncident,
    ReleaseRows,
    ResolveIncident,
    ShowIncident,
)

WEATHER = textwrap.dedent("""\
    apiVersion: v3.1.0
    kind: DataContract
    id: weather
    version: 1.0.0
    status: active
    team: {members: [{username: joe}, {username: bea, role: data owner}]}
    schema:
      - name: weather
        properties:
          - {name: hour, logicalType: integer, primaryKey: true}
          - {name: wind, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 200}}
          - name: pressure
            logicalType: number
            quality: [{metric: nullValues, unit: percent, mustBeLessThan: 50, severity: warning}]
    """)


def weather(hours: list[int], wind: list[float | None], pressure: float | None = 1000.0) -> pl.DataFrame:
    return pl.DataFrame(
        {"hour": hours, "wind": wind, "pressure": [pressure] * len(hours)},
        schema={"hour": pl.Int64, "wind": pl.Float64, "pressure": pl.Float64},
    )


@pytest.fixture
def landed(shop: Workshop) -> Landing:
    """Four rows, of which the one with a wind of 1,048 mph is refused."""
    shop.publish("weather", WEATHER)
    [landing] = shop.datasets.land(ADA, "weather", weather([1, 2, 3, 4], [9, 1048, 12, None]))
    return landing


def held(shop: Workshop, **wanted: object) -> list[str]:
    return [row.id for row in shop.quarantine.list(ADA, ListQuarantine(dataset="weather", **wanted)).rows]


def test_a_refused_row_is_held_with_its_rule_under_the_id_it_would_have_had(shop: Workshop, landed: Landing) -> None:
    found = shop.quarantine.list(ADA, ListQuarantine(dataset="weather"))

    assert (landed.rows_in, landed.rows_kept, landed.rows_refused) == (4, 3, 1)
    assert landed.refused_by == {"wind.range": 1}
    assert [(row.id, row.rules, row.values["wind"]) for row in found.rows] == [
        (f"{landed.id}:1", ["wind.range"], 1048.0)
    ]
    assert (found.held, found.by_rule) == (1, {"wind.range": 1})
    assert shop.rows("weather")["_row"].to_list() == [0, 2, 3]


def test_a_landing_without_bad_rows_makes_no_quarantine(shop: Workshop) -> None:
    shop.publish("weather", WEATHER)
    shop.datasets.land(ADA, "weather", weather([1], [9]))

    assert shop.datasets.find_snapshot("default", "weather.quarantine") is None
    assert shop.incidents.list(ADA, ListIncidents()) == []
    [report] = shop.contracts.reports(ADA, ContractFor(dataset="weather"))
    assert (report.passed, report.rows, report.refused) == (True, 1, 0)


def test_the_contract_says_in_which_types_a_dataset_begins(shop: Workshop) -> None:
    shop.publish("weather", WEATHER)
    shop.datasets.land(ADA, "weather", pl.DataFrame({"hour": [1], "wind": [9], "pressure": [1000]}))
    shop.datasets.land(ADA, "weather", weather([2], [9.5]))

    assert shop.rows("weather")["wind"].to_list() == [9.0, 9.5]


def test_one_incident_counts_all_rows_and_landings_of_a_cause(shop: Workshop, landed: Landing) -> None:
    shop.datasets.land(ADA, "weather", weather([5, 6, 7], [300, 400, 1]))

    [incident] = shop.incidents.list(ADA, ListIncidents(dataset="weather"))
    assert (incident.rule, incident.rows, incident.occurrences, incident.state) == ("wind.range", 3, 2, "open")
    assert (incident.first_landing, incident.assignee) == (landed.id, "bea")
    kinds = [event.kind for event in shop.events.about("default", f"incident/{incident.id}")]
    assert kinds == ["incident.opened"]


def test_a_share_that_is_too_high_opens_an_incident_and_refuses_nothing(shop: Workshop) -> None:
    shop.publish("weather", WEATHER)
    [landing] = shop.datasets.land(ADA, "weather", weather([1, 2], [1, 2], pressure=None))

    [incident] = shop.incidents.list(ADA, ListIncidents())
    assert landing.rows_refused == 0
    assert (incident.rule, incident.severity, incident.cause) == ("pressure.not_null", "warning", "table")
    assert "100" in incident.title


def test_an_incident_is_assigned_muted_resolved_and_opened_anew(shop: Workshop, landed: Landing) -> None:
    [incident] = shop.incidents.list(ADA, ListIncidents())

    shop.incidents.assign(ADA, AssignIncident(id=incident.id, assignee="carl"))
    muted = shop.incidents.mute(ADA, MuteIncident(id=incident.id, note="known sensor"))
    resolved = shop.incidents.resolve(ADA, ResolveIncident(id=incident.id, note="replaced", fixing_run="run_x"))
    shop.datasets.land(ADA, "weather", weather([9], [999]))

    assert (muted.state, muted.assignee) == ("muted", "carl")
    assert (resolved.state, resolved.fixing_run, resolved.resolved_at is None) == ("resolved", "run_x", False)
    [fresh] = shop.incidents.list(ADA, ListIncidents())
    assert fresh.id != incident.id
    with pytest.raises(IncidentClosed):
        shop.incidents.mute(ADA, MuteIncident(id=incident.id, note="late"))
    with pytest.raises(IncidentNotFound):
        shop.incidents.show(ADA, ShowIncident(id="inc_nothing"))


def test_a_row_that_still_fails_stays_held(shop: Workshop, landed: Landing) -> None:
    row = f"{landed.id}:1"

    answer = shop.quarantine.release(ADA, ReleaseRows(dataset="weather", rows=[row], reason="looks right"))

    assert (answer.landing, answer.rows, answer.still_held) == (None, [], {row: ["wind.range"]})
    assert held(shop) == [row]


def test_a_row_that_was_found_right_comes_back_under_a_waiver(shop: Workshop, landed: Landing) -> None:
    [row] = held(shop)

    released = shop.quarantine.release(
        ADA, ReleaseRows(dataset="weather", rows=[row], reason="a tornado", waived={row: ["wind.range"]})
    )

    assert (released.rows, released.still_held) == ([row], {})
    assert shop.rows("weather").filter(pl.col("_row") == 1)["wind"].to_list() == [1048.0]
    [event] = [one for one in shop.events.about("default", "dataset/weather") if one.kind == "quarantine.released"]
    assert event.body["waived"] == {row: ["wind.range"]}


def test_a_waiver_spares_its_own_row_and_its_own_rule(shop: Workshop, landed: Landing) -> None:
    shop.datasets.land(ADA, "weather", weather([5, 1], [300, -1]))
    first, second, doubled = held(shop)

    released = shop.quarantine.release(
        ADA,
        ReleaseRows(
            dataset="weather",
            rows=[first, second, doubled],
            reason="looked at",
            waived={second: ["wind.range"], doubled: ["wind.range"]},
        ),
    )

    assert released.rows == [second]
    assert released.still_held == {first: ["wind.range"], doubled: ["primary_key"]}


@pytest.mark.parametrize("rule", ["primary_key", "pressure.not_null", "wind.rnge"])
def test_only_rules_about_single_rows_can_be_waived(shop: Workshop, landed: Landing, rule: str) -> None:
    [row] = held(shop)

    with pytest.raises(WaiverRefused):
        shop.quarantine.release(ADA, ReleaseRows(dataset="weather", rows=[row], reason="", waived={row: [rule]}))
    assert held(shop) == [row]


def test_a_mended_row_comes_back_under_its_id(shop: Workshop, landed: Landing) -> None:
    row = f"{landed.id}:1"

    answer = shop.quarantine.release(
        ADA, ReleaseRows(dataset="weather", rows=[row], reason="a comma was lost", mended={row: {"wind": 10.48}})
    )

    assert answer.rows == [row]
    found = shop.datasets.find_rows("default", "weather", [RowId.parse(row)])
    assert found.select("hour", "wind").row(0) == (2, 10.48)
    now = shop.quarantine.list(ADA, ListQuarantine(dataset="weather", state="mended"))
    assert (now.held, now.mended, now.rows[0].reason, now.rows[0].actor) == (0, 1, "a comma was lost", "ada")
    assert "quarantine.released" in [event.kind for event in shop.events.about("default", "dataset/weather")]


def test_a_row_passes_when_the_contract_was_widened(shop: Workshop, landed: Landing) -> None:
    shop.publish("weather", WEATHER.replace("maximum: 200", "maximum: 2000").replace("1.0.0", "1.1.0"))

    shop.quarantine.release(ADA, ReleaseRows(dataset="weather", rows=[f"{landed.id}:1"], reason="widened"))

    assert shop.rows("weather")["hour"].sort().to_list() == [1, 2, 3, 4]
    versions = [c.version for c in shop.contracts.history(ADA, ContractFor(dataset="weather"))]
    assert versions == ["1.0.0", "1.1.0"]


def test_a_row_comes_back_once(shop: Workshop, landed: Landing) -> None:
    row = f"{landed.id}:1"
    request = ReleaseRows(dataset="weather", rows=[row], reason="again", mended={row: {"wind": 1.0, "hour": 50}})
    shop.quarantine.release(ADA, request)

    with pytest.raises(AlreadyDecided):
        shop.quarantine.release(
            ADA, ReleaseRows(dataset="weather", rows=[row], reason="twice", mended={row: {"wind": 1.0, "hour": 51}})
        )
    with pytest.raises(AlreadyDecided):
        shop.quarantine.discard(ADA, DiscardRows(dataset="weather", rows=[row], reason="late"))

    assert shop.rows("weather").height == 4


def test_a_discarded_row_stays_in_the_quarantine_with_the_reason(shop: Workshop, landed: Landing) -> None:
    row = f"{landed.id}:1"

    after = shop.quarantine.discard(ADA, DiscardRows(dataset="weather", rows=[row], reason="broken sensor"))

    assert (after.held, after.discarded) == (0, 1)
    assert held(shop) == []
    assert held(shop, state="all") == held(shop, state="discarded") == [row]


@pytest.mark.parametrize("mend", [{"wind": "fast"}, {"wnd": 1.0}, {"_row": 5}])
def test_a_mend_that_does_not_fit_is_refused(shop: Workshop, landed: Landing, mend: dict[str, object]) -> None:
    row = f"{landed.id}:1"

    with pytest.raises(MendRefused):
        shop.quarantine.release(ADA, ReleaseRows(dataset="weather", rows=[row], reason="x", mended={row: mend}))

    assert held(shop) == [row]


@pytest.mark.parametrize(("rows", "error"), [([], QuarantinedRowNotFound), (["x"], QuarantinedRowNotFound)])
def test_rows_must_be_named(shop: Workshop, landed: Landing, rows: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        shop.quarantine.release(ADA, ReleaseRows(dataset="weather", rows=rows, reason="x"))
    with pytest.raises(QuarantinedRowNotFound):
        shop.quarantine.discard(ADA, DiscardRows(dataset="weather", rows=[f"{landed.id}:0"], reason="x"))


def test_lines_that_are_no_rows_are_held_too_and_can_be_mended(shop: Workshop, tmp_path: Path) -> None:
    shop.publish("weather", WEATHER)
    (tmp_path / "a.csv").write_text("hour,wind,pressure\n1,2,3\n2,5\n")
    source = FileSource("a.csv", root=tmp_path, reading=Reading(malformed="quarantine"))
    [landing] = shop.datasets.land(ADA, "weather", source)

    [row] = shop.quarantine.list(ADA, ListQuarantine(dataset="weather")).rows
    [incident] = shop.incidents.list(ADA, ListIncidents())
    mend = {row.id: {"hour": 2, "wind": 5.0, "pressure": None}}
    shop.quarantine.release(ADA, ReleaseRows(dataset="weather", rows=[row.id], reason="retyped", mended=mend))

    assert (landing.rows_in, landing.rows_kept, row.rules) == (2, 1, ["collect.malformed"])
    assert row.raw == "line 3: 2 fields instead of 3\n2,5"
    assert incident.rule == "collect.malformed"
    assert shop.rows("weather")["hour"].to_list() == [1, 2]


def test_rows_that_did_not_fit_their_columns_are_read_again_when_mended(shop: Workshop) -> None:
    shop.datasets.land(ADA, "weather", weather([1], [9]))
    mixed = pl.DataFrame({"hour": ["2", "three"], "wind": [1.0, 2.0]})
    shop.datasets.land(ADA, "weather", mixed, on_mismatch="quarantine")

    [row] = held(shop)
    shop.quarantine.release(ADA, ReleaseRows(dataset="weather", rows=[row], reason="3", mended={row: {"hour": 3}}))

    assert shop.rows("weather").select("hour", "wind").rows() == [(1, 9.0), (2, 1.0), (3, 2.0)]


@pytest.mark.parametrize("point", ["written", "planned", "committed main", "settled"])
def test_a_release_that_is_killed_neither_loses_nor_doubles_a_row(tmp_path: Path, point: str) -> None:
    shop = open_workshop(tmp_path)
    shop.publish("weather", WEATHER)
    [landing] = shop.datasets.land(ADA, "weather", weather([1, 2], [9, 1048]))
    row = f"{landing.id}:1"
    program = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from tests.systems.prepare.conftest import ADA, open_workshop
        from treadle.systems.prepare.records import ReleaseRows
        shop = open_workshop(Path(sys.argv[1]))
        shop.datasets._landings._at = lambda point: point == sys.argv[2] and os.kill(os.getpid(), signal.SIGKILL)
        row = sys.argv[3]
        mend = {row: {"wind": 10.48}}
        shop.quarantine.release(ADA, ReleaseRows(dataset="weather", rows=[row], reason="comma", mended=mend))
    """)

    command = [sys.executable, "-c", program, tmp_path, point, row]
    died = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    shop.datasets.recover("default")

    found = shop.quarantine.list(ADA, ListQuarantine(dataset="weather"))
    back = shop.rows("weather").height - 1
    assert (found.mended, found.held) == (back, 1 - back)
    assert back == (point != "written")
    shop.store.close()


def test_counts_add_up_over_landings_and_decisions(shop: Workshop) -> None:
    shop.publish("weather", WEATHER)
    landings = [shop.datasets.land(ADA, "weather", weather([n, n, n + 1], [1, 2, 900]))[0] for n in range(0, 10, 2)]
    rows = held(shop, rule="wind.range")
    mended = {row: {"wind": 3.0} for row in rows[:3]}
    shop.quarantine.release(ADA, ReleaseRows(dataset="weather", rows=rows[:3], reason="x", mended=mended))
    shop.quarantine.discard(ADA, DiscardRows(dataset="weather", rows=rows[3:4], reason="y"))

    now = shop.quarantine.list(ADA, ListQuarantine(dataset="weather", state=None))
    came = sum(landing.rows_in for landing in landings)
    assert came == shop.rows("weather").height + now.held + now.discarded
    assert len(now.rows) == now.held + now.mended + now.discarded == sum(la.rows_refused for la in landings)
