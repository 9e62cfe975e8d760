"""A fresh project for each test, on a store of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systems.train.registry.house import House
from treadle.assembly import Workspace
from treadle.ground.settings import load
from treadle.testing.postgres import postgres_store_database


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    flags: dict[str, object] = {"home": tmp_path / "home"}
    if request.param == "sqlite":
        with Workspace(load(flags, environ={}, folder=tmp_path), actor="ada") as workspace:
            yield House(workspace)
        return
    with (
        postgres_store_database() as url,
        Workspace(load({**flags, "store": url}, environ={}, folder=tmp_path), actor="ada") as workspace,
    ):
        yield House(workspace)
