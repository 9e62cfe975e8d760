"""A revision that did not answer is asked what it would have said, with the inputs that were served."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import pytest

from tests.systems.serve.processes import start_server
from treadle.assembly import Workspace
from treadle.ground.settings import load
from treadle.kernel.catalog import ArtifactRows
from treadle.loops.feedback.hindsight import NothingToReplay, ReplayWindow, compare_windows
from treadle.loops.feedback.records import TruthRule
from treadle.loops.release.registering import describe_inputs, make_probe
from treadle.systems.serve.errors import RevisionNotFound
from treadle.systems.serve.runtime.signature import Column, Signature
from treadle.systems.serve.service import DeployEndpoint
from treadle.systems.train import Registration
from treadle.systems.train.registry.requests import RegisterModel

RNG = np.random.default_rng(4)
ROWS = pl.DataFrame({"a": RNG.normal(size=400), "b": RNG.normal(size=400), "c": RNG.choice(["x", "y"], 400)})
SIGNATURE = describe_inputs(ROWS, features=["a", "b", "c"], classes=("no", "yes"), threshold=0.5)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(load({"home": tmp_path / "home"}, environ={}, folder=tmp_path), actor="ada") as found:
        yield found


def deployed(workspace: Workspace, feature: str) -> None:
    """A model that decides by one feature, deployed."""
    matrix = np.column_stack([ROWS["a"], ROWS["b"], (ROWS["c"] == "y").cast(float)])
    data = lightgbm.Dataset(matrix, (ROWS[feature] > 0).cast(int).to_numpy())
    model = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}, data, 8)
    kept, probe = workspace.artifacts.put(model), workspace.artifacts.put(make_probe(model, SIGNATURE, ROWS))
    workspace.store.write(lambda tx: ArtifactRows().record(tx, workspace.project, [kept, probe], at=workspace.clock()))
    registration = Registration(model="m", digest=kept.digest, signature=SIGNATURE, probe=probe.digest)
    version = workspace.registry.models.register(workspace.caller, RegisterModel(registration=registration))
    request = DeployEndpoint(endpoint="e", model="m", version=str(version.number))
    workspace.endpoints.deploy(workspace.caller, request)


def asked(workspace: Workspace, rows: pl.DataFrame) -> list[dict[str, Any]]:
    """What the endpoint answers, landed. Entities are the numbers of the rows."""
    entities = [str(at) for at in range(rows.height)]
    with start_server(workspace.serving_area(workspace.project)) as server:
        answer = server.http.post("/predict/e", json={"rows": rows.to_dicts(), "entity": entities}).json()
    workspace.shipper.ship()
    predictions: list[dict[str, Any]] = answer["predictions"]
    return predictions


def test_a_revision_says_what_it_would_have_said_and_how_that_fares_against_the_truth(workspace: Workspace) -> None:
    for feature in ("a", "b"):  # revision 2, which decides by b, serves; the truth goes by a
        deployed(workspace, feature)
    answers = asked(workspace, ROWS)
    now = datetime.now(UTC)
    truth = pl.DataFrame(
        {"who": [str(at) for at in range(300)], "truth": (ROWS["a"][:300] > 0).cast(pl.Float64), "at": [now] * 300}
    )
    workspace.datasets.land(workspace.caller, "truth", truth, key="1")
    rule = TruthRule(endpoint="e", dataset="truth", entity="who", value="truth", known_at="at")
    workspace.feedback.connect(workspace.caller, rule)
    window = {"endpoint": "e", "since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}

    same = workspace.replays.window(workspace.caller, ReplayWindow(revision=2, **window))  # type: ignore[arg-type]
    other = workspace.replays.window(workspace.caller, ReplayWindow(revision=1, **window))  # type: ignore[arg-type]

    assert (same.rows, same.identical, same.label_flips, same.moved) == (400, 400, {}, [])
    assert (other.rows, other.with_truth, other.model_version) == (400, 300, "1")
    assert other.label_flips is not None
    assert set(other.label_flips) == {"0 to 1", "1 to 0"}
    assert other.served == same.served
    assert other.replayed["auc"] > 0.95 > 0.7 > other.served["auc"]
    assert other.replayed["accuracy"] > other.served["accuracy"]
    served = {answer["prediction_id"]: answer["probability"] for answer in answers}
    assert len(other.moved) == 10
    assert all(one.served == served[one.prediction_id] for one in other.moved)
    assert max(abs(one.replayed - one.served) for one in other.moved) == other.difference_quantiles["1.0"]

    newest = workspace.replays.window(workspace.caller, ReplayWindow(revision=1, limit=50, **window))  # type: ignore[arg-type]
    assert (newest.rows, newest.left_out) == (50, 350)
    with pytest.raises(RevisionNotFound, match="no revision 9"):
        workspace.replays.window(workspace.caller, ReplayWindow(revision=9, **window))  # type: ignore[arg-type]
    earlier = {**window, "until": window["since"], "since": now - timedelta(days=9)}
    with pytest.raises(NothingToReplay, match="No prediction of 'e' lies between"):
        workspace.replays.window(workspace.caller, ReplayWindow(revision=1, **earlier))  # type: ignore[arg-type]


@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_other_tasks_are_measured_in_their_own_words(task: Any) -> None:
    classes = ("p", "q") if task == "multiclass" else ()
    signature = Signature(inputs=(Column(name="a"),), task=task, classes=classes)
    outputs = [[0.9, 0.1], [0.2, 0.8]] if classes else [[1.0], [4.0]]
    rows = pl.DataFrame(
        {"prediction_id": ["p1", "p2"], "entity": ["u", None], "revision": [1, 1], "outputs": outputs, "truth": [0.0, None]},
    )  # fmt: skip
    replayed = np.array([[0.4, 0.6], [0.2, 0.8]] if classes else [[3.0], [4.0]])

    found = compare_windows(rows, replayed, signature)

    assert (found["rows"], found["identical"], found["with_truth"]) == (2, 1, 1)
    assert [one.prediction_id for one in found["moved"]] == ["p1"]
    if classes:
        assert found["label_flips"] == {"0 to 1": 1}
        assert (found["served"], found["replayed"]) == ({"accuracy": 1.0}, {"accuracy": 0.0})
    else:
        assert found["label_flips"] is None
        assert (found["served"]["mean_absolute_error"], found["replayed"]["rmse"]) == (1.0, 3.0)
