"""The papers of a version: its bill of materials and its card, made of the same facts."""

from __future__ import annotations

from typing import Any

import yaml

from tests.systems.train.registry.house import House
from treadle.systems.train.registry.requests import VersionNamed
from treadle.systems.train.tracking.records import DatasetInput, Pair
from treadle.systems.train.tracking.requests import LogInputs

LATE = VersionNamed(model="late")


def registered(house: House) -> None:
    """A version of a run that read a data set."""
    run = house.trained()
    flights = DatasetInput(
        name="flights",
        digest="abc123",
        source_type="local",
        source="{}",
        tags=[Pair("mlflow.data.context", "training")],
    )
    house.workspace.tracking.inputs.log(house.ada, LogInputs(run=run.run, datasets=[flights], models=[]))
    house.model()
    house.version(
        f"{run.artifact_uri}/model", run_id=run.run, description="Who comes late", tags={"team": "<b>ops</b>"}
    )


def bom(house: House) -> dict[str, Any]:
    return house.workspace.registry.versions.bom(house.ada, LATE)


def test_a_bom_names_the_model_its_files_its_data_and_its_packages(house: House) -> None:
    registered(house)

    found = bom(house)

    model = found["metadata"]["component"]
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "late", "1")
    by_type: dict[str, list[str]] = {}
    for one in found["components"]:
        by_type.setdefault(one["type"], []).append(one.get("purl", one["name"]))
    assert by_type == {
        "data": ["flights"],
        "library": ["pkg:pypi/mlflow@3.17.2", "pkg:pypi/scikit-learn@1.7.2", "pkg:pypi/numpy@2.3.4"],
        "file": ["MLmodel", "model.skops", "requirements.txt"],
    }
    assert model["modelCard"]["modelParameters"]["inputs"] == [{"format": "x: double"}]
    assert model["modelCard"]["modelParameters"]["datasets"] == [{"ref": "data/training"}]


def test_the_same_version_gives_the_same_bom(house: House) -> None:
    registered(house)

    assert bom(house) == bom(house)


def test_every_reference_of_a_bom_leads_to_one_component(house: House) -> None:
    registered(house)
    found = bom(house)

    refs = [found["metadata"]["component"]["bom-ref"], *(one["bom-ref"] for one in found["components"])]

    assert len(refs) == len(set(refs))
    assert {one["ref"] for one in found["dependencies"]} == set(refs)


def test_a_version_without_files_has_a_bom_as_well(house: House) -> None:
    house.model()
    house.version()

    assert bom(house)["components"] == []


def test_a_card_has_front_matter_and_the_sections_that_model_hubs_show(house: House) -> None:
    registered(house)

    text = house.workspace.registry.models.card(house.ada, LATE).markdown

    _, matter, body = text.split("---\n", 2)
    assert yaml.safe_load(matter) == {
        "tags": ["python_function", "sklearn", "treadle"],
        "library_name": "sklearn",
        "datasets": ["flights"],
    }
    titles = [line.removeprefix("## ") for line in body.splitlines() if line.startswith("## ")]
    assert titles == [
        "Model details",
        "Inputs and outputs",
        "Training data",
        "Environment",
        "Files",
        "How to use it",
        "Evidence",
    ]
    assert "Who comes late" in body
    assert "<b>" not in body
