"""What a step made and `td.register` registered, stock MLflow loads, and it predicts the same."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn.linear_model import LogisticRegression

from treadle.assembly import Workspace
from treadle.ground.settings import load
from treadle.kernel.catalog import ArtifactRows
from treadle.systems.train import Registration
from treadle.systems.train.registry.own_files import files_of
from treadle.systems.train.registry.records import ModelVersion
from treadle.systems.train.registry.requests import RegisterModel, VersionNamed

PEER = Path(__file__).resolve().parents[3] / ".peers" / "bin" / "python"
X = np.linspace(-1.0, 1.0, 120).reshape(40, 3)
Y = (X[:, 0] > 0).astype(int)

LOADER = """
import json, sys, warnings
warnings.simplefilter("ignore")
import mlflow, numpy as np
rows = np.asarray(json.load(open(sys.argv[1])))
answers = {}
for name in sys.argv[2:]:
    model = mlflow.pyfunc.load_model(name)
    data = rows if model.metadata.signature is None else __import__("pandas").DataFrame(rows, columns=["a", "b", "c"])
    answers[name.rpartition("/")[2]] = np.asarray(model.predict(data)).tolist()
print(json.dumps(answers))
"""


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(load({"home": tmp_path / "home"}, environ={}, folder=tmp_path), actor="ada") as found:
        yield found


def registered(workspace: Workspace, name: str, model: Any) -> ModelVersion:
    kept = workspace.artifacts.put(model)
    workspace.store.write(lambda tx: ArtifactRows().record(tx, workspace.project, [kept], at=workspace.clock()))
    inputs = [{"name": column, "datatype": "FP64", "nullable": True} for column in "abc"]
    registration = Registration(model=name, digest=kept.digest, signature={"task": "binary", "inputs": inputs})
    return workspace.registry.models.register(workspace.caller, RegisterModel(registration=registration))


def unpacked(workspace: Workspace, version: ModelVersion, folder: Path) -> Path:
    packed = workspace.registry.packages.make(workspace.caller, VersionNamed(model=version.model))
    folder.mkdir()
    with workspace.store.read() as reader:
        for file in files_of(reader, packed):
            (folder / file.path).write_bytes(workspace.blobs.get(file.digest))
    return folder


def models() -> dict[str, tuple[Any, Any]]:
    """By flavor, a model and what it predicts in MLflow's way."""
    trees = lightgbm.train({"objective": "binary", "verbose": -1, "min_data_in_leaf": 2}, lightgbm.Dataset(X, Y), 5)
    boosted = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, Y, feature_names=list("abc")), 5)
    line = LogisticRegression().fit(X, Y)
    scores = boosted.predict(xgboost.DMatrix(X, feature_names=list("abc")))
    return {"lightgbm": (trees, trees.predict(X)), "xgboost": (boosted, scores), "sklearn": (line, line.predict(X))}


@pytest.mark.skipif(not PEER.exists(), reason="stock MLflow is not installed: make .peers/.ready")
def test_stock_mlflow_loads_what_a_step_made(workspace: Workspace, tmp_path: Path) -> None:
    wanted = models()
    folders = [
        unpacked(workspace, registered(workspace, name, model), tmp_path / name) for name, (model, _) in wanted.items()
    ]
    (tmp_path / "rows.json").write_text(json.dumps(X.tolist()))

    done = subprocess.run(
        [str(PEER), "-c", LOADER, str(tmp_path / "rows.json"), *map(str, folders)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    for name, (_, predicted) in wanted.items():
        np.testing.assert_allclose(answers[name], predicted, rtol=1e-6)


def test_the_folder_is_made_once_and_the_version_stays_what_it_was(workspace: Workspace) -> None:
    version = registered(workspace, "line", LogisticRegression().fit(X, Y))
    asked = VersionNamed(model="line")

    first = workspace.registry.packages.make(workspace.caller, asked)
    second = workspace.registry.packages.make(workspace.caller, asked)

    assert first == second
    assert (first.digest, first.number, first.recorded_at) == (version.digest, version.number, version.recorded_at)
    paths = [file.path for file in workspace.registry.versions.files(workspace.caller, asked)]
    assert paths == ["MLmodel", "model.skops", "python_env.yaml", "requirements.txt"]


def test_a_model_that_no_engine_loads_stays_as_it_is(workspace: Workspace) -> None:
    version = registered(workspace, "words", {"not": "a model"})

    assert workspace.registry.packages.make(workspace.caller, VersionNamed(model="words")) == version
