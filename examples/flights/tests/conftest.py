"""What the tests share: the year's records, read once, and a fresh workspace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from late_arrival import sources

import treadle as td

PROJECT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def flights() -> pl.DataFrame:
    """All flights of 2013 with their moments."""
    return sources.all_flights()


@pytest.fixture(scope="session")
def weather() -> pl.DataFrame:
    return sources.weather()


@pytest.fixture(scope="session")
def planes() -> pl.DataFrame:
    return sources.planes()


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[td.Workspace]:
    """A workspace in which the project's contracts hold and nothing has landed."""
    with td.open_workspace(tmp_path / "home", project="flights") as opened, td.use(opened):
        for contract in sorted((PROJECT / "contracts").glob("*.yaml")):
            td.contract(contract)
        yield opened
