"""Stores for tests: a fresh embedded one, with every table."""

from __future__ import annotations

from pathlib import Path

from treadle.kernel.store.sqlite import SqliteStore, open_sqlite
from treadle.migrations import schema


def embedded_store(folder: Path) -> SqliteStore:
    """A fresh SQLite store in the folder; opening it again gives the same rows."""
    return open_sqlite(folder / "treadle.db", schema())
