"""A version says in which forms it was offered; the one that was chosen is what serving gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from treadle.assembly import Workspace
from treadle.ground.settings import load
from treadle.kernel.catalog import ArtifactRows
from treadle.loops.release.converting import convert, score_sample
from treadle.loops.release.registering import describe_inputs, make_probe
from treadle.systems.serve.service import DeployEndpoint
from treadle.systems.train import Registration
from treadle.systems.train.registry.requests import RegisterModel, VersionNamed

RNG = np.random.default_rng(2)
ROWS = pl.DataFrame(RNG.normal(size=(700, 3)), schema=["a", "b", "c"])
TARGET = (ROWS["a"].to_numpy() > 0).astype(int)
SIGNATURE = describe_inputs(ROWS, features=["a", "b", "c"], classes=("no", "yes"), threshold=0.5)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace(load({"home": tmp_path / "home"}, environ={}, folder=tmp_path), actor="ada") as found:
        yield found


def register(workspace: Workspace, model: Any, **how: Any) -> str:
    kept, probe = workspace.artifacts.put(model), workspace.artifacts.put(make_probe(model, SIGNATURE, ROWS))
    forms = convert(model, kept, workspace.artifacts, SIGNATURE, ROWS, **how)
    artifacts = [kept, probe, *forms.kept]
    workspace.store.write(lambda tx: ArtifactRows().record(tx, workspace.project, artifacts, at=workspace.clock()))
    told = forms.told_by(Registration(model="m", digest=kept.digest, signature=SIGNATURE, probe=probe.digest))
    version = workspace.registry.models.register(workspace.caller, RegisterModel(registration=told))
    return str(version.number)


def test_the_form_that_was_chosen_is_what_is_deployed(workspace: Workspace) -> None:
    model = HistGradientBoostingClassifier(max_iter=5).fit(ROWS.to_numpy(), TARGET)
    native, original = register(workspace, model, engine="native"), register(workspace, model, engine="original")

    found = workspace.engines.get(workspace.caller, VersionNamed(model="m", version=native))
    as_native = workspace.servable.get(workspace.project, "m", native)
    as_original = workspace.servable.get(workspace.project, "m", original)

    assert found.choice is not None
    assert found.choice.serves == "native"
    assert {one.name: one.rows for one in found.choice.comparisons} == dict.fromkeys(
        ("native", "onnx-float64", "onnx-float32", "original"), 700
    )
    assert (as_native.engine, as_original.engine) == ("lightgbm", "sklearn")
    assert as_native.content.startswith(b"tree\n")
    assert as_native.probe_scores == as_original.probe_scores
    for version in (native, original):
        request = DeployEndpoint(endpoint="e", model="m", version=version)
        endpoint = workspace.endpoints.deploy(workspace.caller, request)
    assert endpoint.revisions[0].engine == "sklearn"


def test_a_booster_is_offered_as_it_is_with_its_curve(workspace: Workspace) -> None:
    data = lightgbm.Dataset(ROWS.to_numpy(), TARGET)
    booster = lightgbm.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 4)

    number = register(workspace, booster)

    found = workspace.engines.get(workspace.caller, VersionNamed(model="m", version=number)).choice
    assert found is not None
    assert found.serves == "original"
    assert found.comparisons[0].largest_difference == 0.0
    assert all(found.comparisons[0].call_us[size] for size in ("1", "8", "32", "128"))


def test_a_version_that_was_registered_without_comparing_serves_as_it_is(workspace: Workspace) -> None:
    model = HistGradientBoostingClassifier(max_iter=2).fit(ROWS.to_numpy(), TARGET)
    kept, probe = workspace.artifacts.put(model), workspace.artifacts.put(make_probe(model, SIGNATURE, ROWS))
    workspace.store.write(lambda tx: ArtifactRows().record(tx, workspace.project, [kept, probe], at=workspace.clock()))
    registration = Registration(model="m", digest=kept.digest, signature=SIGNATURE, probe=probe.digest)
    workspace.registry.models.register(workspace.caller, RegisterModel(registration=registration))

    assert workspace.engines.get(workspace.caller, VersionNamed(model="m")).choice is None
    assert workspace.servable.get(workspace.project, "m", "newest").engine == "sklearn"


def test_the_sample_is_bounded_in_rows_and_in_time() -> None:
    class Slow:
        calls = 0

        def predict_proba(self, matrix: Any) -> Any:
            self.calls += 1
            return np.full((len(matrix), 2), 0.5)

    slow, quick = Slow(), Slow()

    matrix, wanted = score_sample(quick, SIGNATURE, ROWS, rows=600)
    few, _ = score_sample(slow, SIGNATURE, ROWS, seconds=0.0)

    assert matrix.shape == (600, 3)
    assert wanted.shape == (600, 1)
    assert (len(few), slow.calls) == (500, 1)
    assert len(np.unique(matrix[:, 0])) == 600
