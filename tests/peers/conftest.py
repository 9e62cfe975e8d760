"""What the tests against stock clients share: one Treadle and one stock server for a process of tests."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.servers import PEERS_PYTHON, Served, stock_server, treadle_server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without `.peers` each test that needs it is skipped by its name."""
    if PEERS_PYTHON.exists():
        return
    absent = pytest.mark.skip(reason="stock MLflow is not installed: make .peers/.ready")
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and "needs_no_peers" not in item.keywords:
            item.add_marker(absent)


@pytest.fixture(scope="session")
def treadle() -> Iterator[Served]:
    """A `treadle up` with an empty home, on SQLite."""
    with _folder() as folder, treadle_server(folder) as served:
        yield served


@pytest.fixture(scope="session")
def stock() -> Iterator[Served]:
    """A stock server with an empty store."""
    with _folder() as folder, stock_server(folder) as served:
        yield served


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A folder in memory where there is one: what is compared is answers, not disks."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="peers-", dir=memory if memory.is_dir() else None) as name:
        yield Path(name)
