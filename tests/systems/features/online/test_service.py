"""Views are materialised by name, read by anybody, pushed to, and taken away again; the log says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from treadle import assembly, features
from treadle.assembly import Workspace
from treadle.faces.cli import entry
from treadle.faces.sdk.client import Client
from treadle.faces.sdk.connecting import client_of
from treadle.ground import settings
from treadle.ground.ids import new_id
from treadle.kernel.governance import PermissionDenied
from treadle.systems.features.errors import FeatureViewNotFound, MissingColumn
from treadle.systems.features.online.errors import EntityRefused, NotMaterialized, NotServable
from treadle.systems.features.online.reader import FOUND, MISSING
from treadle.testing.postgres import postgres_database
from treadle.testing.redis import redis_url

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def payments(*rows: tuple[str, int, float]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer": [row[0] for row in rows],
            "at": [DAY + timedelta(hours=row[1]) for row in rows],
            "amount": [row[2] for row in rows],
        },
        schema_overrides={"at": pl.Datetime("us", "UTC")},
    )


def spending(**changes: object) -> features.FeatureView:
    parts: dict = {
        "name": "spending",
        "keys": ["customer"],
        "dataset": "payments",
        "event_time": "at",
        "known_at": timedelta(0),
        "features": {"amount": "amount", "total": features.total("amount", days=400)},
    }
    return features.FeatureView(**{**parts, **changes})


def ratio() -> features.OnDemandView:
    return features.OnDemandView(name="ratio", inputs=["asked"], features={"share": pl.col("asked") / pl.col("total")})


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(settings.load({"home": tmp_path / "home"})) as workspace, assembly.use(workspace):
        workspace.datasets.land(workspace.caller, "payments", payments(("ada", 1, 2.5), ("bob", 2, 1 / 3)))
        service = features.FeatureService(name="risk", views=[spending()], features=["total", "amount"])
        workspace.features.register(workspace.caller, service)
        yield workspace


@pytest.fixture
def client(workspace: Workspace) -> Client:
    return client_of(workspace)


def test_a_service_is_materialised_and_read_through_the_client(workspace, client):
    (brought,) = client.features.materialize(name="risk")

    answer = client.features.online(service="risk", entities=[{"customer": "bob"}, {"customer": "eve"}])

    assert (brought.view, brought.entities, brought.version) == ("spending", 2, 1)
    assert answer.features == ["total", "amount"]
    assert answer.vectors == [[1 / 3, 1 / 3], [0.0, None]]
    assert answer.status == [[FOUND], [MISSING]]
    assert answer.views[0].snapshot == brought.snapshot
    assert answer.as_of[0][0] >= brought.until
    training = workspace.features.training_set(
        workspace.caller, pl.DataFrame({"customer": ["bob", "eve"], "as_of": [row[0] for row in answer.as_of]}),
        workspace.registered_features.service("default", "risk"),
    )  # fmt: skip
    assert training.table.select(["total", "amount"]).to_pylist() == [
        dict(zip(answer.features, vector, strict=True)) for vector in answer.vectors
    ]


def test_nothing_is_read_before_it_was_materialised(client):
    with pytest.raises(NotMaterialized) as refusal:
        client.features.online(service="risk", entities=[{"customer": "bob"}])

    assert "treadle features materialize risk" in refusal.value.fix


def test_pushed_rows_land_and_are_served_at_once(workspace, client):
    client.features.materialize()

    pushed = client.features.push(
        dataset="payments", key="p1",
        rows=[{"customer": "bob", "at": "2026-03-02T00:00:00+00:00", "amount": 7.0}],
    )  # fmt: skip
    again = client.features.push(
        dataset="payments", key="p1",
        rows=[{"customer": "bob", "at": "2026-03-02T00:00:00+00:00", "amount": 7.0}],
    )  # fmt: skip

    assert (pushed.rows, [one.entities for one in pushed.views]) == (1, [1])
    assert again.landing == pushed.landing
    assert client.features.online(service="risk", entities=[{"customer": "bob"}]).vectors == [[7.0 + 1 / 3, 7.0]]
    assert workspace.datasets.snapshot("default", "payments").rows == 3


def test_a_pushed_row_of_another_shape_is_refused(client):
    with pytest.raises(MissingColumn) as refusal:
        client.features.push(dataset="payments", rows=[{"custmer": "bob"}])
    assert "customer" in refusal.value.fix
    with pytest.raises(EntityRefused):
        client.features.push(dataset="payments", rows=[{"customer": "bob", "amount": "lots"}])
    with pytest.raises(EntityRefused):
        client.features.push(dataset="payments", rows=[{"customer": "bob", "at": "yesterday"}])


def test_the_sdk_gives_pythons_own_values_and_computes_on_demand(workspace):
    service = features.FeatureService(
        name="shares", views=[spending()], on_demand=[ratio()], features=["share", "amount"]
    )
    workspace.features.register(workspace.caller, service)
    features.materialize("shares")

    served = features.online("shares", [{"customer": "ada", "asked": 5.0}, {"customer": "bob", "asked": 1.0}])

    entities = pl.DataFrame(
        {"customer": ["ada", "bob"], "asked": [5.0, 1.0], "as_of": [workspace.clock()] * 2},
        schema_overrides={"as_of": pl.Datetime("us", "UTC")},
    )
    offline = workspace.features.training_set(workspace.caller, entities, service).table
    assert served.rows() == offline.select(["share", "amount"]).to_pylist()
    with pytest.raises(EntityRefused) as refusal:
        features.online("shares", [{"customer": "ada"}])
    assert "'asked'" in refusal.value.what


@pytest.mark.parametrize(
    ("inputs", "made"), [([], pl.col("total") * 2), (["asked"], pl.col("asked") * 2)], ids=["features", "request"]
)
def test_a_view_on_demand_may_read_features_alone_or_the_request_alone(workspace, inputs, made):
    view = features.OnDemandView(name="twice", inputs=inputs, features={"twice": made})
    service = features.FeatureService(name="twices", views=[spending()], on_demand=[view], features=["twice", "amount"])
    workspace.features.register(workspace.caller, service)
    features.materialize("twices")
    asked = {"customer": ["ada", "bob"], **{name: [5.0, 1.0] for name in inputs}}

    served = features.online("twices", pl.DataFrame(asked).to_dicts())

    entities = pl.DataFrame(
        {**asked, "as_of": [workspace.clock()] * 2}, schema_overrides={"as_of": pl.Datetime("us", "UTC")}
    )
    offline = workspace.features.training_set(workspace.caller, entities, service).table
    assert served.rows() == offline.select(["twice", "amount"]).to_pylist()
    assert None not in [row["twice"] for row in served.rows()]


def test_a_frame_is_pushed_as_it_is(workspace):
    features.materialize("spending")

    pushed = features.push("payments", payments(("ada", 9, 1.0)))

    assert [one.view for one in pushed.views] == ["spending"]
    assert features.online("risk", [{"customer": "ada"}]).values == [(3.5, 1.0)]


def test_an_old_version_of_a_service_is_read_until_it_is_withdrawn(workspace, client):
    client.features.materialize(name="risk")
    old = workspace.registered_features.service("default", "risk").digest
    changed = spending(features={"amount": pl.col("amount") * 10, "total": features.total("amount", days=400)})
    workspace.features.register(
        workspace.caller, features.FeatureService(name="risk", views=[changed], features=["total", "amount"])
    )
    client.features.materialize(name="risk")

    assert client.features.online(service="risk", entities=[{"customer": "ada"}]).vectors == [[2.5, 25.0]]
    assert client.features.online(service="risk", entities=[{"customer": "ada"}], version=old).vectors == [[2.5, 2.5]]
    gone = client.features.withdraw(view="spending")

    assert [one.view for one in gone] == ["spending"]
    assert client.features.withdraw(view="spending") == []
    workspace.online_features.reader("default")._plans.clear()
    with pytest.raises(NotMaterialized):
        client.features.online(service="risk", entities=[{"customer": "ada"}], version=old)
    assert client.features.online(service="risk", entities=[{"customer": "ada"}]).vectors == [[2.5, 25.0]]


def test_materialising_leaves_events_with_what_was_read(workspace, client):
    (brought,) = client.features.materialize(name="spending")

    (event,) = [one for one in workspace.events.newest("default") if one.kind == "features.materialized"]

    assert event.subject == "feature_view/spending"
    assert (event.body["snapshot"], event.body["digest"]) == (brought.snapshot, spending().digest)


def test_unknown_names_and_views_on_demand_are_refused(workspace, client):
    workspace.features.register(workspace.caller, ratio())

    with pytest.raises(FeatureViewNotFound):
        client.features.materialize(name="spendng")
    with pytest.raises(NotServable):
        client.features.materialize(name="ratio")
    with pytest.raises(FeatureViewNotFound):
        client.features.withdraw(view="spending")


def test_a_reader_of_features_may_not_materialise(workspace):
    from dataclasses import replace

    from treadle.systems.features.online.service import Materialize, PushRows

    eve = replace(workspace.caller, actor="eve", permissions=frozenset({"feature.read"}))

    for act, request in ((workspace.online_features.materialize, Materialize()), (workspace.online_features.push, PushRows(dataset="payments", rows=[]))):  # fmt: skip
        with pytest.raises(PermissionDenied):
            act(eve, request)


def test_json_carries_every_value_or_its_text():
    from treadle.systems.features.online.served import for_json

    values = [float("nan"), float("-inf"), 2**60, -0.0, Decimal("1.10"), [1.5, float("inf")], {"x": 2**53}, None, True]

    assert json.dumps([for_json(value) for value in values]) == (
        '["NaN", "-Infinity", "1152921504606846976", -0.0, "1.10", [1.5, "Infinity"], {"x": 9007199254740992}, null, true]'
    )


def test_the_commands_speak_to_people_and_programs(workspace, tmp_path, capsys):
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"customer": "bob", "at": "2026-03-02T00:00:00+00:00", "amount": 7.0}\n')
    home = ["--home", str(workspace.home)]

    def call(*words: str) -> str:
        assert entry.main([*words, *home]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    assert "spending" in call("features", "materialize", "risk")
    assert "1 rows landed in payments" in call("features", "push", "payments", str(rows))
    said = call("features", "online", "risk", "bob", "customer=eve")
    assert "7.333333333333333" in said
    assert "spending: missing" in said
    answer = json.loads(call("features", "online", "risk", "bob", "--json"))
    assert answer["vectors"] == [[7.0 + 1 / 3, 7.0]]
    assert "in use" in call("features", "withdraw", "spending")
    assert "spending" in call("features", "withdraw", "spending", "--everything", "--yes")


@pytest.fixture(params=["lmdb", "redis", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each store that a setting picks."""
    if request.param == "postgresql":
        with postgres_database() as found:
            yield found
        return
    found = redis_url() if request.param == "redis" else "lmdb"
    if found is None:
        pytest.skip("no Redis answers at TREADLE_TEST_REDIS (default redis://127.0.0.1:6379)")
    yield found


def test_the_setting_picks_the_store_and_values_are_the_same_from_each(tmp_path, url):
    project = new_id("project").replace("_", "-")
    chosen = settings.load({"home": tmp_path / "home", "online_store": url, "project": project})
    with Workspace(chosen) as workspace, assembly.use(workspace):
        workspace.datasets.land(workspace.caller, "payments", payments(("ada", 1, 2.5), ("bob", 2, 1 / 3)))
        service = features.FeatureService(name="risk", views=[spending()], features=["total", "amount"])
        workspace.features.register(workspace.caller, service)
        features.materialize("risk")
        features.push("payments", payments(("bob", 3, 1e-300)))

        served = features.online("risk", [{"customer": "bob"}, {"customer": "ada"}, {"customer": "eve"}])

        assert served.values == [(1 / 3 + 1e-300, 1e-300), (2.5, 2.5), (0.0, None)]
        assert workspace.environment()["TREADLE_ONLINE_STORE"] == url
        store = workspace.online_stores.of(project)
        for space in store.spaces():
            store.drop(space)
