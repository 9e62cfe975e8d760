"""Both stores keep the promises of the port, and run every statement of every package."""

from __future__ import annotations

import pkgutil
from importlib import resources

import psycopg
import pytest

import treadle
from treadle.backends import postgres
from treadle.backends.postgres import PostgresStore, open_postgres
from treadle.kernel.store import Statement, Store, StoreBusy
from treadle.kernel.store.sql import parse
from treadle.kernel.store.sqlite import SqliteStore
from treadle.migrations import schema
from treadle.testing.store import StoreConformance


class TestSqlite(StoreConformance):
    @pytest.fixture
    def store(self, sqlite_store: SqliteStore) -> Store:
        return sqlite_store


class TestPostgres(StoreConformance):
    @pytest.fixture
    def store(self, postgres_store: PostgresStore) -> Store:
        return postgres_store


SETTING = parse("-- name: setting\nselect current_setting('synchronous_commit')")["setting"]


def test_postgres_waits_for_the_disk_where_a_write_is_durable(postgres_store: PostgresStore) -> None:
    """As the embedded store does: the others survive our death, and PostgreSQL's own crash but for the last half second."""
    assert postgres_store.write(lambda tx: tx.find(SETTING)) == ("off",)
    assert postgres_store.write(lambda tx: tx.find(SETTING), durable=True) == ("on",)
    assert postgres_store.write(lambda tx: tx.find(SETTING)) == ("off",)


def test_the_url_of_postgres_can_ask_every_commit_to_wait(postgres_store: PostgresStore) -> None:
    url = postgres_store._url
    asking = f"{url}{'&' if '?' in url else '?'}options=-csynchronous_commit%3Don"

    store = open_postgres(asking, schema())

    assert store.write(lambda tx: tx.find(SETTING)) == ("on",)
    store.close()


SQL = parse(
    """
-- name: put
insert into tag (project, subject, key, value, actor, recorded_at) values ('p', 's', 'k', :value, 'tester', 0)
on conflict (project, subject, key) do update set value = excluded.value;
-- name: value
select value from tag where project = 'p' and subject = 's' and key = 'k';
-- name: lock_timeout
select current_setting('lock_timeout');
"""
)


def test_a_write_at_once_does_not_wait_for_another_s_row(postgres_store: PostgresStore) -> None:
    """An event loop makes it; a thread then waits as long as it takes, and the rows are written once."""
    postgres_store.write(lambda tx: tx.put(SQL["put"], {"value": "old"}))

    with psycopg.connect(postgres_store._url) as other:
        other.execute("update tag set value = 'theirs'")
        with pytest.raises(StoreBusy), postgres_store.at_once():
            postgres_store.write(lambda tx: tx.put(SQL["put"], {"value": "ours"}))
        other.commit()
    with postgres_store.read() as reader:
        assert reader.find(SQL["value"]) == ("theirs",)

    with postgres_store.at_once():
        postgres_store.write(lambda tx: tx.put(SQL["put"], {"value": "ours"}))
    with postgres_store.read() as reader:
        assert reader.find(SQL["value"]) == ("ours",)


def test_only_the_first_write_is_made_at_once_or_not_at_all(postgres_store: PostgresStore) -> None:
    """What follows one that stands is waited for: whoever is told that the store is busy may do all of it again."""

    def ask() -> object:
        return postgres_store.write(lambda tx: tx.find(SQL["lock_timeout"]))

    ask()
    with postgres_store.at_once():
        found = [ask(), ask()]

    assert [*found, ask()] == [("20ms",), ("0",), ("0",)]


def test_at_once_no_connection_is_made_and_none_is_tried_that_may_be_gone(
    postgres_store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "_TRUSTED_S", -1.0)
    with pytest.raises(StoreBusy, match="busy"), postgres_store.at_once():
        postgres_store.write(lambda tx: tx.find(SQL["value"]))
    assert len(postgres_store._idle) == 1

    postgres_store._idle.pop()[0].connection.close()
    with pytest.raises(StoreBusy, match="busy"), postgres_store.at_once(), postgres_store.read() as reader:
        reader.find(SQL["value"])

    assert postgres_store.write(lambda tx: tx.find(SQL["value"])) is None


@pytest.mark.parametrize(
    ("host", "address", "is_near"),
    [(b"/run/postgresql", b"", True), (b"localhost", b"127.0.0.1", True), (b"::1", b"::1", True),
     (b"db.example", b"10.0.0.7", False), (b"127.0.0.1.example", b"", False)],
)  # fmt: skip
def test_a_server_is_near_where_no_network_lies_between(host: bytes, address: bytes, is_near: bool) -> None:
    assert postgres.is_beside(host, address) is is_near


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
