"""A served model is what was registered, or it is not served."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.systems.serve.models import ROWS, flights_model
from treadle.systems.serve.runtime.batches import InputPlan
from treadle.systems.serve.runtime.errors import BadModel, WrongInput
from treadle.systems.serve.runtime.models import check_probe, folder_of, load_model, write_model
from treadle.systems.serve.runtime.signature import Column, Signature


def put(folder: Path) -> tuple[str, Path]:
    model = flights_model()
    bundle = write_model(folder, model.manifest, model.content)
    return bundle, folder_of(folder, bundle)


def test_a_model_is_written_once_and_loads_with_its_probe_answered(tmp_path: Path) -> None:
    bundle, _ = put(tmp_path)

    model = load_model(tmp_path, bundle)

    assert put(tmp_path)[0] == bundle
    assert check_probe(model) == 0.0
    assert 0 < model.seconds_per_call < 0.1
    assert [path.name for path in tmp_path.iterdir()] == [bundle.removeprefix("sha256:")]


@pytest.mark.parametrize("file", ["model.txt", "manifest.json"])
def test_a_file_that_was_changed_is_not_served_and_writing_it_again_heals_it(tmp_path: Path, file: str) -> None:
    bundle, folder = put(tmp_path)
    path = folder / file
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))

    with pytest.raises(BadModel, match=r"was changed|is not the file that was registered"):
        load_model(tmp_path, bundle)

    put(tmp_path)
    assert check_probe(load_model(tmp_path, bundle)) == 0.0


def test_a_model_that_answers_otherwise_than_when_it_was_registered_is_not_served(tmp_path: Path) -> None:
    model = flights_model()
    probe = model.manifest.probe
    moved = msgspec.structs.replace(probe, scores=tuple((one[0] + 0.01,) for one in probe.scores))
    bundle = write_model(tmp_path, msgspec.structs.replace(model.manifest, probe=moved), model.content)

    with pytest.raises(BadModel, match=r"answers otherwise than when it was registered: 0\.01 apart"):
        load_model(tmp_path, bundle)


def test_a_model_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="is not in the serving area"):
        load_model(tmp_path, "sha256:" + "0" * 64)
    with pytest.raises(BadModel, match="is no digest"):
        load_model(tmp_path, "../../etc")


def test_the_positive_class_may_be_the_first(tmp_path: Path) -> None:
    model = flights_model()
    first = msgspec.structs.replace(model.manifest.signature, positive_class="on time")
    scores = tuple((1.0 - one[0],) for one in model.manifest.probe.scores)
    manifest = msgspec.structs.replace(
        model.manifest, signature=first, probe=msgspec.structs.replace(model.manifest.probe, scores=scores)
    )

    assert check_probe(load_model(tmp_path, write_model(tmp_path, manifest, model.content))) == 0.0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"inputs": ()}, "at least one input"),
        ({"inputs": (Column(name="entity"),)}, "'entity' is reserved"),
        ({"inputs": (Column(name="a"), Column(name="a"))}, "'a' is there twice"),
        ({"inputs": (Column(name="a", datatype="FP99"),)}, "unknown datatype"),
        ({"inputs": (Column(name="a", datatype="BYTES"),)}, "go together"),
        ({"inputs": (Column(name="a"),), "task": "multiclass"}, "names its classes"),
        ({"inputs": (Column(name="a"),), "positive_class": "x"}, "not among the classes"),
        ({"inputs": (Column(name="a"),), "task": "regression", "threshold": 0.5}, "binary task"),
    ],
)
def test_a_signature_that_contradicts_itself_is_refused(given: dict[str, object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Signature(**{"task": "binary", **given})  # type: ignore[arg-type]


def test_categories_become_their_place_and_unknown_ones_are_missing_but_not_forgotten() -> None:
    plan = InputPlan(flights_model().manifest.signature)

    batch = plan.from_rows([ROWS[0], {**ROWS[1], "carrier": "ZZ"}])

    assert batch.matrix[0].tolist() == [1400.0, 6.0, 3.0, 0.0]
    assert np.isnan(batch.matrix[1, [0, 2]]).all()
    assert batch.unknown == [(1, 2, "ZZ")]


def test_an_unknown_category_is_an_error_where_the_signature_says_so() -> None:
    column = Column(name="carrier", datatype="BYTES", categories=("AA", "UA"), unknown="refuse")
    plan = InputPlan(Signature(inputs=(column,), task="regression"))

    with pytest.raises(WrongInput, match="'UU' is no known category"):
        plan.from_rows([{"carrier": "UU"}])
    with pytest.raises(WrongInput, match="may not be null"):
        plan.from_rows([{"carrier": None}])
