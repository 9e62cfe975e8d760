from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

import treadle
from tests.loops.provenance.visits import Shop, open_shop, train_and_deploy
from treadle.loops.feedback import TruthRule
from treadle.systems.serve.supervisor import ServerProcess

DAY = "2026-02-15"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A trained and deployed model and a call of ten predictions, made by a real server and landed. No test changes it
    but by adding to it."""
    with open_shop(tmp_path_factory.mktemp("shop")) as made:
        train_and_deploy(made)
        predict(made)
        yield made


def predict(shop: Shop) -> None:
    """Vectors of a day, and a prediction for each shop; what the truth is about is told afterwards."""
    workspace = shop.workspace
    run = shop.made["prepared"] = shop.flow.prepare(DAY)
    frame = treadle.load(run.value)
    names = list(shop.flow.service.features)
    rows = [{name: None if row[name] is None else float(row[name]) for name in names} for row in frame.to_dicts()]
    body = {"rows": rows, "entity": frame["entity"].to_list(), "feature_as_of": f"{DAY}T00:00:00+00:00"}
    server = ServerProcess.start(workspace.serving_area(workspace.project))
    try:
        with httpx.Client(base_url=server.url, timeout=10) as client:
            explained = client.post("/predict/busy", json={**body, "features": run.value.digest}).raise_for_status()
            unexplained = client.post("/predict/busy", json=body).raise_for_status()
    finally:
        server.stop()
    shop.made["predictions"] = [each["prediction_id"] for each in explained.json()["predictions"]]
    shop.made["unexplained"] = unexplained.json()["predictions"][0]["prediction_id"]
    workspace.shipper.ship()
    rule = TruthRule(endpoint="busy", dataset="outcomes", entity="shop", value="busy", known_at="known_at")
    workspace.feedback.connect(workspace.caller, rule)
