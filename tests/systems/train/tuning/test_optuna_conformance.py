"""Our storage passes the suite that Optuna ships for storages, on both databases."""

from __future__ import annotations

from optuna.testing.pytest_storages import StorageTestCase


class TestOptunaStorage(StorageTestCase):
    """`storage` is the fixture of this folder."""
