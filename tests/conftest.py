"""What every test can ask for: stores of both kinds, each fresh."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.backends.postgres import PostgresStore, open_postgres
from treadle.kernel.store import Store
from treadle.kernel.store.sqlite import SqliteStore
from treadle.migrations import schema
from treadle.testing import embedded_store
from treadle.testing.postgres import postgres_store_database


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A fresh embedded store."""
    store = embedded_store(tmp_path)
    yield store
    store.close()


@pytest.fixture
def postgres_store() -> Iterator[PostgresStore]:
    """A fresh store on a real PostgreSQL."""
    with postgres_store_database() as url:
        store = open_postgres(url, schema())
        yield store
        store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_store(request: pytest.FixtureRequest) -> Store:
    """A fresh store, once of each kind."""
    found: Store = request.getfixturevalue("sqlite_store" if request.param == "sqlite" else "postgres_store")
    return found
