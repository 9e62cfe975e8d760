"""A shadow is held against what was answered on the very same rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.systems.serve.control import CALLER, Control, make_control
from treadle.loops.rollout import Shadows
from treadle.loops.rollout.comparing import CompareShadow
from treadle.systems.serve import DeployEndpoint, ShadowTraffic

START = datetime(2026, 1, 5, tzinfo=UTC)
WINDOW = CompareShadow(endpoint="numbers", since=START, until=START + timedelta(days=1))


@dataclass
class Scene:
    frames: dict[str, pl.DataFrame]
    truth: pl.DataFrame

    def rows(self, project: str, endpoint: str, kind: str, since: datetime, until: datetime) -> pl.DataFrame:
        return self.frames.get(kind, pl.DataFrame())

    def outcomes(self, project: str, endpoint: str, asked: pl.DataFrame) -> pl.DataFrame:
        return self.truth


def scored(name: str, revision: int, scores: list[float], us: int) -> pl.DataFrame:
    n = len(scores)
    return pl.DataFrame(
        {
            "prediction_id": [f"{name}_{at}" for at in range(n)],
            "call_id": [f"{name}_call_{at}" for at in range(n)],
            "revision": [revision] * n,
            "entity": [str(at) for at in range(n)],
            "output": scores,
            "outputs": [[score] for score in scores],
            "model_us": [us] * n,
        }
    )


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Control:
    made = make_control(Path(tmp_path_factory.mktemp("control")))
    made.endpoints.deploy(CALLER, DeployEndpoint(endpoint="numbers", model="late-arrival", version="1"))
    made.traffic.shadow(CALLER, ShadowTraffic(endpoint="numbers", model="late-arrival", version="2"))
    return made


def test_differences_flips_times_and_loss_are_those_of_the_same_rows(control: Control) -> None:
    answered = scored("pred", 1, [0.2, 0.6, 0.9, 0.4], 100)
    copies = scored("copy", 2, [0.3, 0.4, 0.9], 300).with_columns(shadow_of=pl.Series(["pred_0", "pred_1", "pred_2"]))
    failures = pl.DataFrame({"is_shadow": [True, False, True], "revision": [2, 1, 3]})
    truth = pl.DataFrame({"prediction": ["pred_0", "pred_1"], "truth": [0.0, 0.0], "known_at": [START, START]})
    scene = Scene({"predictions": answered, "shadows": copies, "failures": failures}, truth)

    report = Shadows(control.store, control.endpoints, scene).compare(CALLER, WINDOW)  # type: ignore[arg-type]

    assert (report.revision, report.answered, report.rows, report.failed, report.flips) == (2, 4, 3, 1, 1)
    assert report.share == 0.75
    assert report.mean_difference == pytest.approx(-0.1 / 3)
    assert report.difference["largest"] == pytest.approx(0.2)
    assert (report.latency_us["answered"]["p50"], report.latency_us["shadow"]["p50"]) == (100, 300)
    assert report.loss is not None
    assert (report.loss.n, report.loss.answered, report.loss.shadow) == (2, pytest.approx(0.2), pytest.approx(0.125))


def test_without_a_shadow_there_is_nothing_to_compare(control: Control) -> None:
    scene = Scene({"predictions": scored("pred", 1, [0.2], 100)}, pl.DataFrame())

    report = Shadows(control.store, control.endpoints, scene).compare(CALLER, WINDOW)  # type: ignore[arg-type]

    assert (report.revision, report.answered, report.rows, report.loss) == (None, 1, 0, None)
