"""A storage on a fresh store of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systems.train.tuning.opening import Opened, forget
from treadle.systems.train.tuning.optuna_storage import OptunaStorage
from treadle.testing.postgres import postgres_store_database


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a fresh store is: a file, or a URL."""
    if request.param == "sqlite":
        yield str(tmp_path / "treadle.db")
        forget(str(tmp_path / "treadle.db"))
    else:
        with postgres_store_database() as url:
            yield url
            forget(url)


@pytest.fixture
def storage(place: str) -> OptunaStorage:
    """Optuna's storage on it."""
    return OptunaStorage(Opened(place))
