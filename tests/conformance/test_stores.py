"""Both stores keep the promises of the port, and run every statement of every package."""

from __future__ import annotations

import pkgutil
from importlib import resources

import psycopg
import pytest

import treadle
from treadle.backends.postgres import PostgresStore
from treadle.kernel.store import Statement, Store
from treadle.kernel.store.sql import parse
from treadle.kernel.store.sqlite import SqliteStore
from treadle.testing.store import StoreConformance


class TestSqlite(StoreConformance):
    @pytest.fixture
    def store(self, sqlite_store: SqliteStore) -> Store:
        return sqlite_store


class TestPostgres(StoreConformance):
    @pytest.fixture
    def store(self, postgres_store: PostgresStore) -> Store:
        return postgres_store


def every_statement() -> list[tuple[str, Statement]]:
    """The statements of every package that keeps some."""
    found: list[tuple[str, Statement]] = []
    for module in pkgutil.walk_packages(treadle.__path__, "treadle."):
        if module.ispkg:
            file = resources.files(module.name).joinpath("statements.sql")
            if file.is_file():
                found += [(module.name, statement) for statement in parse(file.read_text(encoding="utf-8")).values()]
    return found


def test_every_statement_is_sound_on_sqlite(sqlite_store: SqliteStore) -> None:
    with sqlite_store.read() as reader:
        for package, statement in every_statement():
            try:
                reader.find(
                    Statement(statement.name, f"explain {statement.sqlite}", ""), dict.fromkeys(statement.parameters)
                )
            except Exception as error:
                pytest.fail(f"{package}: {statement.name}: {error}")


def test_every_statement_is_sound_on_postgres(postgres_store: PostgresStore) -> None:
    with postgres_store._connection() as connection:
        for number, (package, statement) in enumerate(every_statement()):
            text = statement.postgresql
            for place, name in enumerate(statement.parameters, start=1):
                text = text.replace(f"%({name})s", f"${place}")
            try:
                connection.execute(f"prepare s{number} as {text}".encode())
            except psycopg.Error as error:
                pytest.fail(f"{package}: {statement.name}: {error}")
