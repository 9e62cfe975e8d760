"""A specification, its leaderboard and its card are acts of a run: recorded once, linked, and found again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import treadle as td
from treadle import design
from treadle.faces.cli import entry
from treadle.faces.sdk.design import NotOfASpec
from treadle.systems.design import DesignNamed
from treadle.systems.design.errors import InvalidModelSpec, LeaderboardNotFound, ModelSpecNotFound
from treadle.systems.train import Registration
from treadle.systems.train.registry.service import RegisterModel

SPEC = """
name = "slopes"
task = "binary"
target = "y"
metric = "auc"
metrics = ["log_loss"]
seeds = [1]

[inputs]
x = "number"

[split.parts]
train = { start = 2013-01-01, end = 2013-02-01 }
valid = { start = 2013-02-01, end = 2013-03-01 }

[search.space]
slope = [1, 2]

[[baselines]]
name = "mean"
kind = "base_rate"

[[gate]]
metric = "auc"
split = "valid"
better_than_baselines_by = 0.1

[promotion]
min_gain = 0.002
"""
AUC = {1: 0.7, 2: 0.8}
NOON = datetime(2013, 3, 1, 12, tzinfo=UTC)


@td.step
def fit(slope: int, seed: int) -> dict:
    td.log_metrics({"auc": AUC[slope], "auc_lower": AUC[slope] - 0.1, "auc_upper": AUC[slope] + 0.1, "log_loss": 0.5})
    return {"slope": slope, "seed": seed}


@td.step
def mean(auc: float) -> dict:
    td.log_metrics({"auc": auc})
    return {"mean": 0.5}


@td.step
def silent() -> dict:
    return {}


@td.pipeline
def tried(floor: float = 0.5):
    spec = td.spec("slopes")
    asked = design.candidates(spec)
    models = fit.map(slope=td.each([one.params["slope"] for one in asked]), seed=td.each([one.seed for one in asked]))
    board = td.leaderboard(
        spec,
        candidates=list(zip(asked, models, strict=True)),
        baselines=[(spec.baselines[0], mean(floor))],
        data={"rows": "snap_1"},
    )
    parts = [design.PartReport(part="valid", n_in=3, n_used=2, n_too_late=1, n_unlabelled=0, known_by=NOON)]
    card = td.card(spec, board, parts=parts, made_at=NOON, facts={"Weather": "fair"})
    return {
        "best": td.load(board.best),
        "bar": td.load(board.bar),
        "digest": board.digest,
        "card": card.digest,
        "markdown": card.markdown,
        "passed": [one.passed for one in board.conditions],
    }


@td.pipeline
def unmeasured():
    spec = td.spec("slopes")
    [first, *_] = design.candidates(spec)
    td.leaderboard(spec, candidates=[(first, silent())])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[td.Workspace]:
    path = tmp_path / "model.toml"
    path.write_text(SPEC)
    with td.open_workspace(tmp_path / "home") as workspace, td.use(workspace):
        td.register_spec(path)
        yield workspace


def test_the_leader_is_the_best_candidate_and_the_bar_the_best_baseline(home):
    found = tried().value

    assert found["best"] == {"slope": 2, "seed": 1}
    assert found["bar"] == {"mean": 0.5}
    assert found["passed"] == [True]


def test_a_gate_that_does_not_hold_is_a_condition_that_does_not_hold(home):
    assert tried(0.75).value["passed"] == [False]


def test_the_leaderboard_is_kept_with_intervals_and_linked_with_the_run(home):
    run = tried()

    kept = home.designs.leaderboard(home.caller, DesignNamed(name="slopes"))
    lines = [(one.name, one.kind, one.interval) for one in kept.leaderboard.entries]
    assert lines == [
        ("slope=2", "candidate", (pytest.approx(0.7), pytest.approx(0.9))),
        ("slope=1", "candidate", (pytest.approx(0.6), pytest.approx(0.8))),
        ("mean", "baseline", None),
    ]
    assert kept.digest == run.value["digest"]
    assert kept.leaderboard.snapshots == {"rows": "snap_1"}
    with home.store.read() as reader:
        history = home.refs.history(reader, home.project, "leaderboard/slopes")
    assert [move.reason for move in history] == [f"run {run.id}"]


def test_the_card_says_what_was_tried_and_on_what(home):
    written = tried().value["markdown"]

    assert "| 1 | slope=2 | candidate | 0.8 | 0.5 |" in written
    assert "passed: auc on valid better than every baseline by 0.1 (0.8)" in written
    assert "| valid | 2 | 1 | 0 |" in written
    assert "- Weather: fair" in written


def test_what_led_last_time_is_found_again(home):
    with pytest.raises(LeaderboardNotFound):
        td.chosen("slopes")

    tried()

    assert td.chosen("slopes") == {"slope": 2}


def test_a_step_that_logged_no_figure_cannot_be_ranked(home):
    with pytest.raises(NotOfASpec, match="logged no 'auc'"):
        unmeasured()


def test_the_policy_of_promotion_is_that_of_the_specification(home):
    policy = design.promotion_policy(td.spec("slopes"))

    assert (policy.min_gain, policy.must_be_certain, policy.max_log_loss_increase) == (0.002, True, 0.0)


def test_a_specification_is_registered_once_and_asked_for_by_name(home, tmp_path):
    again = td.register_spec(tmp_path / "model.toml")

    assert td.spec("slopes") == again
    with home.store.read() as reader:
        assert len(home.refs.history(reader, home.project, "model_spec/slopes")) == 1
    with pytest.raises(ModelSpecNotFound):
        td.spec("slope")


def test_a_file_that_contradicts_itself_is_refused(home, tmp_path):
    (tmp_path / "bad.toml").write_text(SPEC.replace("seeds = [1]", "seeds = []"))

    with pytest.raises(InvalidModelSpec):
        td.register_spec(tmp_path / "bad.toml")


def test_the_card_of_a_version_is_read_at_the_terminal(home, capsys):
    done = tried().value
    home.registry.models.register(
        home.caller,
        RegisterModel(
            registration=Registration(model="slopes", digest=done["digest"], signature={}, card=done["card"])
        ),
    )

    assert entry.main(["models", "card", "slopes", "--home", str(home.home)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("# slopes")
    assert "## Evidence" in shown
    assert entry.main(["models", "show", "slopes", "--home", str(home.home)]) == 0
    assert "treadle models card slopes 1" in capsys.readouterr().out
    assert design.last_trained("slopes") == NOON


def test_a_model_without_versions_was_never_trained(home):
    assert design.last_trained("slopes") is None
