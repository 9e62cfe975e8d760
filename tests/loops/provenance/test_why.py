"""From anything up to where it came from, and down to what came of it."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from tests.loops.provenance.visits import Shop
from treadle.faces.cli import entry
from treadle.kernel.catalog import RunRows
from treadle.kernel.store import Transaction
from treadle.kernel.vocabulary.datasets import RowId
from treadle.loops.provenance import ImpactRequest, Node, WhyRequest
from treadle.loops.provenance.errors import NothingOfThatName
from treadle.systems.collect import NamedDataset
from treadle.systems.monitor.alerts import Alert, Symptom
from treadle.systems.monitor.repository import AlertRows
from treadle.systems.train.registry.service import PromoteModel


def why(shop: Shop, id: str, **choices: int) -> Node:
    found: Node = shop.ask("why", WhyRequest(id=id, **choices))
    return found


def test_a_prediction_is_explained_down_to_its_raw_rows(shop: Shop) -> None:
    found = why(shop, shop.made["predictions"][3], rows=100)

    kinds = [node.kind for node in found.walk()]
    for kind in ("revision", "model version", "run", "code", "environment", "features", "feature view", "snapshot"):
        assert kind in kinds, kind
    view = found.find("feature view")
    assert view is not None
    assert view.note == ""
    rows = [RowId.parse(node.id) for node in view.children if node.kind == "row"]
    raw = shop.workspace.datasets.find_rows("default", "visits", rows)
    assert raw["shop"].unique().to_list() == ["shop-3"]
    assert raw["visits"].sum() == view.facts["visits_7d"]
    assert len(rows) == view.facts["days_7d"]


def test_of_many_raw_rows_the_newest_are_shown_and_the_others_counted(shop: Shop) -> None:
    view = why(shop, shop.made["predictions"][3], rows=2).find("feature view")

    assert view is not None
    assert [node.kind for node in view.children] == ["row", "row", "rows"]
    assert [node.facts["day"] for node in view.children[:2]] == ["2026-02-14 00:00:00Z", "2026-02-13 00:00:00Z"]
    assert "4 earlier rows" in view.children[2].title


def test_without_raw_rows_the_join_is_not_done_again_and_the_rest_is_told(shop: Shop) -> None:
    found = why(shop, shop.made["predictions"][3], rows=0)

    assert found.find("feature view") is None
    features = found.find("features")
    assert features is not None
    assert "was not asked" in features.note
    assert found.find("snapshot") is not None


def test_the_revision_says_who_deployed_it_and_why(shop: Shop) -> None:
    revision = why(shop, shop.made["predictions"][0]).find("revision")

    assert revision is not None
    assert "by ada" in revision.facts["deployed"]
    assert revision.facts["because"] == "the first one"


def test_nothing_is_shown_twice(shop: Shop) -> None:
    found = why(shop, shop.made["predictions"][0])

    told = [node.id for node in found.walk() if node.kind in ("run", "snapshot", "model version") and not node.note]
    assert len(told) == len(set(told))


def test_a_prediction_whose_request_named_no_frame_says_where_the_walk_ends(shop: Shop) -> None:
    features = why(shop, shop.made["unexplained"]).find("features")

    assert features is not None
    assert "did not say from which frame" in features.note
    assert "visits_7d" in features.facts


def test_the_truth_is_told_once_it_is_known(shop: Shop) -> None:
    prediction = shop.made["predictions"][5]
    assert why(shop, prediction).find("truth") is None
    known = datetime(2026, 2, 16, tzinfo=UTC)
    outcome = pl.DataFrame({"shop": ["shop-5"], "busy": [1.0], "known_at": [known]})
    shop.workspace.datasets.land(shop.workspace.caller, "outcomes", outcome, key="late")

    truth = why(shop, prediction).find("truth")

    assert truth is not None
    assert (truth.title, truth.facts["known"]) == ("1", "2026-02-16 00:00:00Z")


def test_a_run_says_what_caused_it(shop: Shop) -> None:
    workspace = shop.workspace
    event = workspace.store.write(
        lambda tx: workspace.events.append(
            tx, project="default", kind="visits.counted", subject="dataset/visits", actor="door", body={"n": 3}
        )
    )
    run = workspace.engine.run(shop.flow.prepare, {"day": "2026-02-01"}, caused_by=event)

    cause = why(shop, run.id).find("event")

    assert cause is not None
    assert (cause.id, cause.relation, cause.title) == (event, "caused by", "visits.counted dataset/visits")


def test_an_alert_that_started_a_training_is_told_with_its_window_and_the_model_it_watched(shop: Shop) -> None:
    workspace = shop.workspace
    moment = datetime(2026, 2, 8, tzinfo=UTC)
    alert = Alert(
        id="alert_1", monitor="mon_1", endpoint="busy", model_version="1", kind="drift", state="open",
        symptoms=(Symptom(column="visits_7d", z=9.5, figure="psi"),), peak=9.5, threshold=4.0, first_window_at=moment,
        last_window_at=moment, judged_window_at=moment, windows=1, quiet=0, event="", recorded_at=moment,
    )  # fmt: skip

    def opened(tx: Transaction) -> str:
        AlertRows().insert(tx, "default", alert)
        body = {"alert": alert.id}
        return workspace.events.append(
            tx, project="default", kind="alert.opened", subject="endpoint/busy", actor="mon", body=body, event_at=moment
        )

    run = workspace.engine.run(
        shop.flow.prepare, {"day": "2026-02-02"}, caused_by=workspace.store.write(opened), now=moment
    )

    story = why(shop, run.id)

    event, found = story.find("event"), story.find("alert")
    assert event is not None
    assert found is not None
    assert event.facts["about"] == "2026-02-08 00:00:00Z"
    assert (found.facts["moved"], found.facts["window"]) == ("visits_7d 9.5", "2026-02-08 00:00:00Z")
    assert [node.id for node in found.children] == ["model/busy/1"]


def test_rows_that_a_pipeline_landed_are_followed_both_ways(shop: Shop) -> None:
    shop.flow.keep_busiest()
    used = shop.flow.report()
    datasets = shop.workspace.datasets
    snapshot = datasets.snapshot("default", "busiest")

    story = why(shop, snapshot.id)
    raw = datasets.history(shop.workspace.caller, NamedDataset(name="visits"))[-1]
    impact: Node = shop.ask("impact", ImpactRequest(id=raw.id))

    assert "step keep_busiest/busiest" in {node.title for node in story.walk()}
    assert raw.id in {node.id for node in story.walk()}
    with shop.workspace.store.read() as reader:
        (step,) = [run for run in RunRows().children(reader, "default", used.id) if run.kind == "step"]
    assert step.id in {node.id for node in impact.walk()}


def test_reused_results_say_from_which_run(shop: Shop) -> None:
    again = shop.flow.prepare("2026-02-15")

    reused = [node for node in why(shop, again.id).walk() if node.relation == "reused from"]

    assert [node.title for node in reused] == ["step prepare/vectors"]


@pytest.mark.parametrize("id", ["busy/1", "model/busy/1", "busy@newest", "busy"])
def test_a_model_version_has_several_names(shop: Shop, id: str) -> None:
    assert why(shop, id).id == "model/busy/1"


def test_snapshots_landings_rows_artifacts_events_and_endpoints_are_explained(shop: Shop) -> None:
    story = why(shop, shop.made["predictions"][0])
    ids = {node.kind: node.id for node in story.walk()}

    for kind in ("snapshot", "landing", "row", "run"):
        assert why(shop, ids[kind]).id == ids[kind]
    frame = story.find("features")
    assert frame is not None
    assert [node.title for node in why(shop, frame.id).children] == ["step prepare/vectors"]
    assert why(shop, "endpoint/busy").find("model version") is not None


@pytest.mark.parametrize("id", ["snap_1", "land_1:x", "evt_1", "sha256:" + "0" * 64, "no-such-model/1", "endpoint/no"])
def test_an_id_that_names_nothing_is_answered_with_the_forms_of_ids(shop: Shop, id: str) -> None:
    with pytest.raises(NothingOfThatName) as refusal:
        why(shop, id)

    assert "late-arrival/3" in refusal.value.why


def test_impact_of_a_raw_row_reaches_the_predictions(shop: Shop) -> None:
    row = why(shop, shop.made["predictions"][3]).find("row")
    assert row is not None

    found: Node = shop.ask("impact", ImpactRequest(id=row.id))

    revision = found.find("revision")
    assert revision is not None
    assert revision.facts == {"now": "100% of the traffic", "predictions": 20}
    assert {node.title for node in found.walk() if node.kind == "run"} >= {"step train/fit", "step prepare/vectors"}


def test_impact_of_code_and_of_a_run_reaches_the_model(shop: Shop) -> None:
    run = shop.made["trained"].id
    code = why(shop, run).find("code")
    assert code is not None

    for id in (code.id, run):
        version = shop.ask("impact", ImpactRequest(id=id)).find("model version")
        assert version is not None
        assert version.id == "model/busy/1"


def test_impact_names_aliases_of_any_name(shop: Shop) -> None:
    workspace = shop.workspace
    workspace.registry.models.promote(
        workspace.caller, PromoteModel(model="busy", version=1, alias="summer", reason="warm")
    )

    version = shop.ask("impact", ImpactRequest(id="busy/1"))

    assert "summer" in version.facts["is now"]


def test_the_command_line_draws_a_tree_of_a_hundred_and_twenty_columns(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.main(["why", shop.made["predictions"][3], "--home", str(shop.folder / ".treadle")]) == 0

    text = capsys.readouterr().out
    assert max(len(line) for line in text.splitlines()) <= 120
    for words in ("served by: busy revision 1", "trained by: step train/fit", "row of visits", "made by: step prepare"):
        assert words in text, text
