"""Skew is found, with its cause; where there is none, none is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle import assembly, features
from treadle.assembly import Workspace
from treadle.faces.cli import entry
from treadle.ground import settings
from treadle.ground.clock import system_clock
from treadle.kernel.catalog import LineageRows
from treadle.kernel.catalog.service import RunNamed
from treadle.loops.skew import CheckSkew, FeatureSkew, SkewReport
from treadle.systems.features.online import documents
from treadle.systems.features.online.layout import HEAD
from treadle.systems.features.online.ports import FOREVER, Entry
from treadle.systems.prepare.records import ListIncidents

PEOPLE = [f"p{n}" for n in range(12)]


def payments(amounts: dict[str, float], at: datetime, known_at: datetime | None = None) -> pl.DataFrame:
    moment = pl.Datetime("us", "UTC")
    return pl.DataFrame(
        {
            "who": list(amounts),
            "at": [at] * len(amounts),
            "known_at": [known_at or at] * len(amounts),
            "amount": list(amounts.values()),
        },
        schema_overrides={"at": moment, "known_at": moment},
    )


def spending(**changes: object) -> features.FeatureView:
    parts: dict = {
        "name": "spending",
        "keys": ["who"],
        "dataset": "payments",
        "event_time": "at",
        "known_at": "known_at",
        "owner": "ada",
        "features": {"amount": "amount", "mean": features.mean("amount", days=9), "n": features.count(days=9)},
    }
    return features.FeatureView(**{**parts, **changes})


def register(workspace: Workspace, view: features.FeatureView) -> None:
    service = features.FeatureService(name="risk", views=[view], features=["n", "mean", "amount"])
    workspace.features.register(workspace.caller, service)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    found = settings.load({"home": tmp_path / "home", "served_share": 1.0})
    with Workspace(found) as workspace, assembly.use(workspace):
        early = system_clock() - timedelta(days=2)
        workspace.datasets.land(
            workspace.caller, "payments", payments({who: n / 3 for n, who in enumerate(PEOPLE)}, early)
        )
        register(workspace, spending())
        features.materialize("risk")
        yield workspace


def serve() -> None:
    features.online("risk", [{"who": who} for who in [*PEOPLE, "nobody"]])


def check(workspace: Workspace, **options: object) -> SkewReport:
    return workspace.skew.check(workspace.caller, CheckSkew(service="risk", **options))


def causes(report: SkewReport) -> dict[str, dict[str, int]]:
    return {one.feature: dict(one.causes) for one in report.features if one.different}


def land(workspace: Workspace, amounts: dict[str, float], at: datetime, known_at: datetime | None = None) -> None:
    workspace.datasets.land(workspace.caller, "payments", payments(amounts, at, known_at))


def test_no_skew_is_found_where_there_is_none(workspace):
    serve()
    land(workspace, {"p1": 7.0}, system_clock())
    features.materialize("risk")
    serve()

    report = check(workspace)

    assert report.is_clean
    assert report.vectors == 26
    assert [(one.feature, one.checked, one.different) for one in report.features] == [
        ("n", 26, 0), ("mean", 26, 0), ("amount", 26, 0)
    ]  # fmt: skip
    assert report.incidents == []
    assert workspace.incidents.list(workspace.caller, ListIncidents()) == []


def test_a_store_that_was_not_brought_up_to_date_is_found_stale(workspace):
    land(workspace, {"p1": 7.0, "p2": 8.0}, system_clock())
    serve()

    report = check(workspace)

    assert causes(report) == {"n": {"stale": 2}, "mean": {"stale": 2}, "amount": {"stale": 2}}
    (incident, *_) = workspace.incidents.list(workspace.caller, ListIncidents(dataset="payments"))
    assert (incident.severity, incident.assignee, incident.rows) == ("warning", "ada", 2)
    assert len(report.incidents) == 3
    example = next(one for one in report.features if one.feature == "amount").examples[0]
    assert (example.entity, example.served, example.trained) == ({"who": "p1"}, 1 / 3, 7.0)


def test_a_changed_definition_is_found_and_only_where_it_changes_a_value(workspace):
    serve()
    register(
        workspace,
        spending(features={"amount": pl.col("amount") * 2, "mean": features.mean("amount", days=9), "n": features.count(days=9)}),
    )  # fmt: skip

    report = check(workspace)

    assert causes(report) == {"amount": {"definition": 11}}  # twice nothing is nothing
    assert workspace.incidents.list(workspace.caller, ListIncidents())[0].severity == "error"


def test_a_late_correction_is_found(workspace):
    before = system_clock()
    serve()
    land(workspace, {"p3": 100.0}, before - timedelta(hours=1), known_at=before - timedelta(hours=1))
    features.materialize("risk")

    report = check(workspace)

    assert causes(report) == {"n": {"late": 1}, "mean": {"late": 1}, "amount": {"late": 1}}


def test_a_wrong_record_is_found_whatever_else_is_true(workspace):
    """As a defect of materialising, or of the store, would leave it: one bit is another."""
    store = workspace.online_stores.of("default")
    (document,) = documents.list_views(store)
    key = b"p4"
    (record,) = store.read(document.space, [key])
    wrong = bytearray(record)
    wrong[-9] ^= 1  # the last bit of the mean
    assert len(record) == HEAD.size + 1 + 24
    store.write(document.space, [Entry(key, FOREVER, bytes(wrong))])
    serve()

    report = check(workspace)

    assert causes(report) == {"mean": {"materialization": 1}}
    (mean,) = [one for one in report.features if one.feature == "mean"]
    assert 0 < mean.largest < 1e-15
    assert check(workspace, tolerance={"mean": 1e-12}).is_clean


def with_demand(workspace: Workspace, times: float = 1.0) -> None:
    """The service with a feature that is computed from the request, from a served feature and from one that is not."""
    usual = features.on_demand(
        name="usual",
        inputs=["price"],
        features={"ratio": times * pl.col("price") / pl.col("mean"), "often": pl.col("n") > 1},
        owner="ada",
    )
    service = features.FeatureService(
        name="risk", views=[spending()], on_demand=[usual], features=["ratio", "mean", "often"]
    )
    workspace.features.register(workspace.caller, service)
    features.materialize("risk")


def serve_with_price() -> None:
    features.online("risk", [{"who": who, "price": 5.0} for who in [*PEOPLE[1:], "nobody"]])


def found_of(report: SkewReport, name: str) -> FeatureSkew:
    return next(one for one in report.features if one.feature == name)


def test_features_on_demand_are_compared_and_share_the_cause_of_what_they_are_made_of(workspace):
    with_demand(workspace)
    serve_with_price()
    clean = check(workspace)

    workspace.datasets.land(workspace.caller, "payments", payments({"p3": 99.0}, system_clock() - timedelta(hours=1)))
    serve_with_price()
    stale = check(workspace, sample=len(PEOPLE))

    assert clean.is_clean
    assert found_of(clean, "ratio").checked == len(PEOPLE)
    assert clean.unchecked == {}
    assert found_of(stale, "ratio").causes == found_of(stale, "mean").causes == {"stale": 1}
    assert found_of(stale, "often").causes == {"stale": 1}
    assert found_of(stale, "ratio").examples[0].entity["who"] == "p3"


def test_a_transform_that_was_defined_otherwise_since_is_found(workspace):
    with_demand(workspace)
    serve_with_price()
    with_demand(workspace, times=2.0)

    report = check(workspace)

    assert found_of(report, "ratio").causes == {"definition": len(PEOPLE) - 1}  # of nobody there is no mean
    assert found_of(report, "mean").different == 0
    assert report.incidents


def test_the_same_difference_again_counts_on_its_incident(workspace):
    land(workspace, {"p1": 7.0}, system_clock())
    serve()

    first, again = check(workspace), check(workspace)

    assert first.incidents == again.incidents
    assert len(workspace.incidents.list(workspace.caller, ListIncidents())) == 3


def test_a_value_that_has_expired_is_no_skew(tmp_path):
    found = settings.load({"home": tmp_path / "home", "served_share": 1.0})
    with Workspace(found) as workspace, assembly.use(workspace):
        land(workspace, dict.fromkeys(PEOPLE, 1.5), system_clock() - timedelta(days=2))
        register(workspace, spending(ttl=timedelta(days=1)))
        features.materialize("risk")
        serve()

        report = check(workspace)

        assert report.is_clean
        assert report.features[0].checked == 13


def test_since_and_sample_choose_what_is_checked(workspace):
    serve()
    later = system_clock()
    serve()

    assert check(workspace, since=later).vectors == 13
    assert check(workspace, sample=5).vectors == 5
    assert check(workspace, since=datetime(2100, 1, 1, tzinfo=UTC)).features[0] == FeatureSkew(
        view="spending", feature="n", checked=0, different=0, causes={}, largest=None, examples=[]
    )


def test_a_line_that_was_cut_off_by_a_kill_is_left_out(workspace):
    serve()
    (path,) = (workspace.home / "online" / "served" / "default").glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-30])

    assert check(workspace).vectors == 12


def test_the_command_shows_it_and_ends_with_1(workspace, capsys):
    home = ["--home", str(workspace.home)]
    serve()
    assert entry.main(["features", "skew", "risk", *home]) == 0
    land(workspace, {"p1": 7.0}, system_clock())
    serve()

    assert entry.main(["features", "skew", "risk", *home]) == 1
    said = capsys.readouterr().out
    assert "1 stale" in said
    assert "Incidents: inc_" in said
    assert entry.main(["features", "skew", "risk", "--json", "--tolerance", "amount=9", *home]) == 1
    assert json.loads(capsys.readouterr().out)["features"][2]["different"] == 0


@td.pipeline
def nightly() -> list[int]:
    brought = features.materialize("risk")
    return [one.entities for one in brought] + [one.different for one in features.skew("risk").features]


def test_a_pipeline_materialises_and_checks_and_its_run_says_so(workspace):
    land(workspace, {"p1": 7.0}, system_clock() - timedelta(minutes=1))

    run = nightly()

    assert run.status == "done"
    assert run.value == [1, 0, 0, 0]
    sheet = workspace.runs.get(workspace.caller, RunNamed(run=run.id))
    [made] = [one for one in sheet.below if one.name == "materialize"]
    head = workspace.datasets.snapshot(workspace.project, "payments")
    with workspace.store.read() as reader:
        [edge] = [one for one in LineageRows().of_run(reader, workspace.project, made.id) if one.direction == "in"]
    assert (edge.role, edge.digest, edge.producer) == ("dataset[payments]", head.content_id, head.id)
