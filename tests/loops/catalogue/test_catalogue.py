"""The catalogue says what each feature is, how fresh, and who uses it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from treadle import assembly, features
from treadle.assembly import Workspace
from treadle.faces.cli import entry
from treadle.ground import settings
from treadle.ground.errors import InvalidInput
from treadle.loops.catalogue import FeatureEntry, SearchFeatures, ViewNamed
from treadle.loops.catalogue.uses import Uses, _note
from treadle.systems.features.errors import FeatureViewNotFound
from treadle.systems.train.registry.records import ModelVersion
from treadle.systems.train.registry.requests import CreateModel

DAY = datetime(2026, 3, 1, tzinfo=UTC)


def land(workspace: Workspace, *rows: tuple[str, float | None]) -> None:
    frame = pl.DataFrame(
        {"who": [row[0] for row in rows], "at": [DAY] * len(rows), "amount": [row[1] for row in rows]},
        schema={"who": pl.String, "at": pl.Datetime("us", "UTC"), "amount": pl.Float64},
    )
    workspace.datasets.land(workspace.caller, "payments", frame)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(settings.load({"home": tmp_path / "home"})) as workspace, assembly.use(workspace):
        land(workspace, ("ada", 1.5), ("bob", None))
        view = features.FeatureView(
            name="spending",
            keys=["who"],
            dataset="payments",
            event_time="at",
            known_at=timedelta(0),
            features={"amount": "amount", "weekly": features.total("amount", days=7), "<b>": pl.col("amount") > 1},
            description="what people spend | and when",
            owner="ada",
            units={"amount": "EUR"},
        )
        service = features.FeatureService(name="risk", views=[view], features=["amount"])
        workspace.features.register(workspace.caller, service)
        yield workspace


def search(workspace: Workspace, **options: object) -> list[FeatureEntry]:
    return workspace.catalogue.search(workspace.caller, SearchFeatures(**options))


def test_features_are_found_by_any_word_about_them(workspace):
    assert [one.feature for one in search(workspace, text="SPEND weekly")] == ["weekly"]
    assert len(search(workspace, owner="ada")) == 3
    assert search(workspace, owner="bob") == []
    amount = search(workspace, text="amount eur") or search(workspace, text="amount")
    assert (amount[0].unit, amount[0].made, amount[0].services) == ("EUR", 'col("amount")', ["risk"])
    with pytest.raises(InvalidInput):
        search(workspace, only="unusd")


def test_unused_features_are_those_that_nothing_takes(workspace):
    assert [one.feature for one in search(workspace, only="unused")] == ["weekly", "<b>"]


def test_a_feature_is_stale_when_rows_landed_that_are_not_online(workspace):
    assert search(workspace, only="stale") == []
    features.materialize("risk")
    assert search(workspace, only="stale") == []
    assert len(search(workspace, only="stale", older_than_s=0)) == 3

    land(workspace, ("eve", 2.0))

    stale = search(workspace, only="stale")
    assert [(one.feature, one.online_version, one.landed_version, one.type) for one in stale] == [
        ("amount", 1, 2, "float64"), ("weekly", 1, 2, "float64"), ("<b>", 1, 2, "bool")
    ]  # fmt: skip


def test_a_page_profiles_the_newest_values_and_escapes_what_people_wrote(workspace):
    features.materialize("risk")

    page = workspace.catalogue.page(workspace.caller, ViewNamed(view="spending"))

    assert (page.profiles["amount"].entities, page.profiles["amount"].nulls, page.profiles["amount"].mean) == (
        2,
        1,
        1.5,
    )
    assert '| amount | col("amount") | float64 | EUR | risk |' in page.markdown
    assert "&lt;b&gt;" in page.html
    assert "<b>" not in page.html
    with pytest.raises(FeatureViewNotFound):
        workspace.catalogue.page(workspace.caller, ViewNamed(view="spendng"))


def test_a_model_that_was_trained_from_a_service_uses_its_inputs_and_says_how_much():
    uses = Uses()
    version = ModelVersion(
        project="default", model="fraud", line="fraud", number=3, digest="sha256:" + "0" * 64, actor="ada",
        signature={"inputs": [{"name": "amount"}, {"name": "weekly"}]}, recorded_at=DAY, created_ms=0, updated_ms=0,
        reference={"feature_service": "sha256:1", "importance": {"amount": 0.75}},
    )  # fmt: skip

    _note(uses, version, ["checkout"])

    assert uses.models == {"amount": ["fraud/3"], "weekly": ["fraud/3"]}
    assert uses.endpoints["weekly"] == ["checkout"]
    assert uses.importance == {"amount": {"fraud/3": 0.75}}


def test_registered_models_and_training_sets_are_looked_through(workspace):
    workspace.registry.models.create(workspace.caller, CreateModel(name="fraud"))

    assert search(workspace, text="amount")[0].models == []


def test_the_commands_list_search_and_write_pages(workspace, tmp_path, capsys):
    home = ["--home", str(workspace.home)]

    def call(*words: str) -> str:
        assert entry.main([*words, *home]) == 0
        return capsys.readouterr().out

    assert "weekly" in call("features", "search", "weekly")
    assert "amount" not in call("features", "unused")
    assert "up to date" in call("features", "stale")
    assert "# spending" in call("features", "page", "spending")
    call("features", "page", "spending", "--html", str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert json.loads(call("features", "search", "--json"))[0]["view"] == "spending"
