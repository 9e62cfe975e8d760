"""A fresh project for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systems.train.registry.house import House
from treadle.assembly import Workspace
from treadle.ground.settings import load


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with Workspace(load({"home": tmp_path / "home"}, environ={}, folder=tmp_path), actor="ada") as workspace:
        yield House(workspace)
