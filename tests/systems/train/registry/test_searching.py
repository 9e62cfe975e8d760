"""Searches of models and versions, on a store of each kind."""

from __future__ import annotations

import pytest

from tests.systems.train.registry.house import House
from treadle.systems.train.registry.requests import CreateModel, DeleteModel
from treadle.systems.train.registry.searching import SearchRegistry

PROMPT = {"mlflow.prompt.is_prompt": "true"}


@pytest.fixture
def stocked(house: House) -> House:
    """Two models with versions, a prompt, and a model that was deleted."""
    for name in ("late", "early", "gone"):
        house.model(name)
    house.version("s3://b/a", name="late", run_id="r1", tags={"kind": "trees"})
    house.version("s3://b/b", name="late", run_id="r2", tags={"kind": "lines"})
    house.version("s3://b/c", name="early", run_id="r1")
    house.version(name="gone")
    house.workspace.registry.models.create(house.ada, CreateModel(name="hello", tags=PROMPT))
    house.version("dummy-source", name="hello", tags=PROMPT)
    house.workspace.registry.models.delete(house.ada, DeleteModel(model="gone"))
    return house


@pytest.mark.parametrize(
    ("filter", "found"),
    [
        ("", {"late/1", "late/2", "early/1"}),
        ("run_id = 'r1'", {"late/1", "early/1"}),
        ("name = 'late' AND version_number > 1", {"late/2"}),
        ("tags.kind = 'trees' OR name ILIKE 'EAR%'", {"late/1", "early/1"}),
        ("NOT tags.kind IS NULL", {"late/1", "late/2"}),
        ("source_path LIKE '%/c'", {"early/1"}),
        ("tags.`mlflow.prompt.is_prompt` = 'true'", {"hello/1"}),
    ],
)
def test_versions_are_found_by_what_is_known_of_them(stocked: House, filter: str, found: set[str]) -> None:
    page = stocked.workspace.registry.versions.search(stocked.ada, SearchRegistry(filter=filter))

    assert {f"{one.version.model}/{one.version.number}" for one in page.items} == found


def test_models_are_found_in_pages_in_any_order(stocked: House) -> None:
    def names(token: str | None = None) -> list[str]:
        request = SearchRegistry(order_by=["name DESC"], limit=1, token=token)
        page = stocked.workspace.registry.models.search(stocked.ada, request)
        return [one.model.name for one in page.items] + (names(page.next) if page.next else [])

    assert names() == ["late", "early"]
