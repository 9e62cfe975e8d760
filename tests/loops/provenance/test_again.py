"""The same once more: predictions replayed, models trained again, each from what was recorded and not from what is there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.loops.provenance.visits import FLOW, VIEWS, Shop
from treadle.faces.cli import entry
from treadle.kernel.catalog import ArtifactRows, RunRows
from treadle.kernel.engine.code.bundling import bundle
from treadle.kernel.engine.journal import sql
from treadle.loops.provenance import ReplayRequest, Verification, VerifyRequest
from treadle.loops.provenance.errors import NotReproducible
from treadle.loops.provenance.verifying import rung_of
from treadle.systems.train.registry.service import ModelNamed, VersionNamed

ACTS = ("model.registered", "ref.moved", "endpoint.deployed", "dataset.landed")


@dataclass
class Verified:
    answer: Verification
    acts_before: list[str]
    acts_after: list[str]


@contextmanager
def edited_files(shop: Shop) -> Iterator[None]:
    views, flow = shop.folder / "visits_views.py", shop.folder / "visits_flow.py"
    views.write_text(VIEWS.replace("days=7", "days=3"))
    flow.write_text(FLOW.replace("SMOOTHING = 1.0", "SMOOTHING = 9.0"))
    try:
        yield
    finally:
        views.write_text(VIEWS)
        flow.write_text(FLOW)


def verify(shop: Shop, id: str) -> Verification:
    found: Verification = shop.ask("verify", VerifyRequest(id=id))
    return found


def events(shop: Shop, *kinds: str) -> list[str]:
    return [event.subject for event in shop.workspace.events.since("default", 0, kinds=kinds, limit=100_000)]


@pytest.fixture(scope="module")
def verified(shop: Shop) -> Verified:
    """Version 1 of `busy`, verified after somebody has changed the files in ways that matter."""
    before = events(shop, *ACTS)
    with edited_files(shop):
        found = verify(shop, "busy/1")
    return Verified(found, before, events(shop, *ACTS))


def test_a_model_comes_out_the_same_from_recorded_code_whatever_the_files_say_now(verified: Verified) -> None:
    found = verified.answer

    assert found.environment.differences == []
    assert (found.verdict, found.environment.verdict) == ("identical-bytes", "same")
    assert [(step.path, step.verdict, step.code_differs) for step in found.steps] == [
        ("train/training_rows", "identical-bytes", False),
        ("train/fit", "identical-bytes", False),
    ]
    assert found.first_difference is None


def test_a_verdict_is_evidence_on_the_version_and_nothing_else_has_happened(shop: Shop, verified: Verified) -> None:
    sheet = shop.workspace.registry.models.get(shop.workspace.caller, VersionNamed(model="busy", version="1"))

    evidence = next(each for each in sheet.evidence if each.id == verified.answer.evidence)

    assert (evidence.kind, evidence.verdict, evidence.run) == ("verification", "passed", verified.answer.run)
    assert evidence.body["verdict"] == "identical-bytes"
    assert "model/busy/1" in events(shop, "evidence.added")
    assert verified.acts_after == verified.acts_before
    assert len(shop.workspace.registry.models.versions(shop.workspace.caller, ModelNamed(model="busy"))) == 1


def test_a_verification_is_a_run_of_its_own_kind_that_no_cache_takes_from(shop: Shop, verified: Verified) -> None:
    with shop.workspace.store.read() as reader:
        root = RunRows().get(reader, "default", verified.answer.run)
        inside = RunRows().children(reader, "default", verified.answer.run)

    assert (root.kind, root.caused_by, root.status) == ("verification", shop.made["trained"].id, "done")
    assert {(run.path, run.status, run.key) for run in inside} == {
        ("train/training_rows", "done", None),
        ("train/fit", "done", None),
    }


def test_a_whole_run_is_made_again_with_its_acts_answered_from_the_record(shop: Shop) -> None:
    registered = events(shop, "model.registered")

    found = verify(shop, shop.made["trained"].id)

    assert found.verdict == "identical-bytes"
    assert {step.path for step in found.steps} == {"train/unrelated", "train/training_rows", "train/fit"}
    assert events(shop, "model.registered") == registered


def test_the_first_step_that_differs_is_named(shop: Shop) -> None:
    shop.flow.train_on_noise()

    found = verify(shop, "noisy/1")

    assert found.verdict == "different"
    assert found.first_difference == "train_on_noise/noise"
    assert found.steps[0].verdict == "identical-bytes"
    assert found.largest_difference is not None
    assert found.largest_difference > 1e-6
    newest = shop.workspace.registry.models.get(shop.workspace.caller, VersionNamed(model="noisy")).evidence[-1]
    assert (newest.kind, newest.verdict) == ("verification", "failed")


def test_a_verification_says_first_in_what_the_environment_differs(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop.folder / "uv.lock").write_text("version = 1\n")
    monkeypatch.chdir(shop.folder)

    code = entry.main(["verify", "busy/1"])

    (shop.folder / "uv.lock").unlink()
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0].split() == ["environment", "rebuilt"]
    assert "lock file" in lines[1]
    assert "identical-bytes" in lines[2]


def test_a_prediction_is_replayed_to_the_bit(shop: Shop) -> None:
    with edited_files(shop):
        found = shop.ask("replay", ReplayRequest(prediction=shop.made["predictions"][3]))

    assert (found.model.verdict, found.features.verdict) == ("identical", "identical")
    assert found.features.run is not None


def test_a_replay_without_a_frame_is_of_the_model_alone(shop: Shop) -> None:
    found = shop.ask("replay", ReplayRequest(prediction=shop.made["unexplained"]))

    assert found.model.verdict == "identical"
    assert found.features.verdict == "not reproducible"
    assert "did not say" in found.features.reason


@contextmanager
def code_of(shop: Shop, run: str, digest: str | None) -> Iterator[None]:
    """A run that claims to have run other code, while it lasts."""
    store = shop.workspace.store
    with store.read() as reader:
        recorded = RunRows().get(reader, "default", run).bundle_digest
    values = {"project": "default", "id": run}
    store.write(lambda tx: tx.execute(sql.set_bundle, {**values, "bundle": digest}))
    yield
    store.write(lambda tx: tx.execute(sql.set_bundle, {**values, "bundle": recorded}))


def test_features_made_by_other_code_are_reported_value_by_value(shop: Shop) -> None:
    """A bundle that was tampered with: the window is three days now, and the prediction's was seven."""
    views = shop.folder / "visits_views.py"
    views.write_text(VIEWS.replace("days=7", "days=3"))
    made = bundle(shop.flow.prepare.function, shop.folder, modules=[sys.modules["visits_views"]])
    views.write_text(VIEWS)
    digest = shop.workspace._record(shop.workspace.artifacts.put(made.content, kind="code"))

    with code_of(shop, shop.made["prepared"].id, digest):
        found = shop.ask("replay", ReplayRequest(prediction=shop.made["predictions"][3]))

    assert found.model.verdict == "identical"
    assert found.features.verdict == "different"
    assert {each.name: each.served for each in found.features.differences} == {"visits_7d": 105.0, "days_7d": 6.0}


def test_a_run_whose_code_is_gone_cannot_be_made_again_and_says_so(shop: Shop) -> None:
    gone = "sha256:" + "0" * 64
    for digest in (None, gone):
        with code_of(shop, shop.made["trained"].id, digest), pytest.raises(NotReproducible) as refusal:
            verify(shop, "busy/1")
        assert "code" in refusal.value.what
    assert gone in refusal.value.what


def test_an_input_whose_bytes_are_gone_is_named(shop: Shop) -> None:
    """A frame that the pipeline was given from outside: no step can make it again."""
    datasets = shop.workspace.datasets
    visits = datasets.scan("default", datasets.snapshot("default", "visits")).collect()
    rows = shop.flow.training_rows.function(visits).reverse()
    run = shop.workspace.engine.run(shop.flow.train_on, {"rows": rows})
    blob = blob_of(shop, shop.workspace.artifacts.digest(rows))
    blob.rename(blob.with_suffix(".away"))
    try:
        with pytest.raises(NotReproducible) as refusal:
            verify(shop, run.id)
    finally:
        blob.with_suffix(".away").rename(blob)

    assert "'rows' of train_on/fit is gone" in refusal.value.what


def test_what_a_body_does_past_the_journal_is_refused_the_second_time(shop: Shop) -> None:
    run = shop.flow.meddle()
    moves = events(shop, "ref.moved")

    with pytest.raises(NotReproducible) as refusal:
        verify(shop, run.id)

    assert "may not do this" in refusal.value.why
    assert events(shop, "ref.moved") == moves


def blob_of(shop: Shop, digest: str) -> Path:
    with shop.workspace.store.read() as reader:
        blob = ArtifactRows().get(reader, "default", digest).blob
    assert blob is not None
    (found,) = [path for path in (shop.folder / ".treadle" / "artifacts").rglob(f"*{blob[-20:]}*") if path.is_file()]
    return found


@pytest.mark.parametrize(
    ("change", "rung"),
    [(0.0, "identical-predictions"), (1e-9, "equal-to-1e-6"), (-0.0, "identical-predictions"), (0.01, "different")],
)
def test_scores_stand_on_the_ladder_by_their_bits(change: float, rung: str) -> None:
    recorded = np.array([[0.25], [0.5], [np.nan]])

    assert rung_of(recorded + change, recorded)[0] == rung


def test_zeros_of_other_signs_and_missing_scores_are_not_the_same_predictions() -> None:
    zero = np.zeros((2, 1))

    assert rung_of(-zero, zero) == ("equal-to-1e-6", 0.0)
    assert rung_of(np.array([[np.nan], [0.0]]), zero) == ("different", None)
    assert rung_of(zero.reshape(1, 2), zero) == ("different", None)
