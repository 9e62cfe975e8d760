"""Nothing of one project is answered to, or changed for, a caller of another who knows its names and ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.faces.mlflow.test_fuzz import House
from treadle.faces.api.mlflow.routing import Table

BYTES = b"of the first project alone"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/x"),
        ("DELETE", "2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/x"),
        ("DELETE", "2.0/mlflow-artifacts/artifacts/0"),
        ("PUT", "2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/x"),
        ("GET", "3.0/mlflow/traces/{trace}"),
        ("GET", "3.0/mlflow/datasets/{dataset}"),
        ("DELETE", "3.0/mlflow/datasets/{dataset}"),
        ("DELETE", "2.0/mlflow/logged-models/{model}"),
    ],
)
def test_who_is_in_another_project_reaches_nothing(tmp_path: Path, method: str, path: str) -> None:
    house = House(tmp_path / "home")
    house.seed()
    run, model, trace, dataset = house.known[1], house.known[6], house.known[7], house.known[8]
    caller, files = house.workspace.caller, house.workspace.tracking.files
    place = f"0/{run}/artifacts/x"
    files.put_bytes(caller, place, BYTES)
    target = path.format(run=run, model=model, trace=trace, dataset=dataset)
    assert Table(house._dispatcher.table.routes).find(method, target)

    answer = house._dispatcher.call(replace(caller, project="other"), method, target, pieces=[b"other"])

    assert answer.file is None
    assert answer.status == 404 or (method != "GET" and answer.body == b"{}")  # to delete what is not there is no error
    assert files.read(caller, place) == BYTES
    for kept in (f"3.0/mlflow/datasets/{dataset}", f"3.0/mlflow/traces/{trace}"):
        assert house._dispatcher.call(caller, "GET", kept).status == 200
    assert house.get(f"logged-models/{model}")["model"]["info"]["model_id"] == model
    house.close()
