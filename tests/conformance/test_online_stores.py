"""Every online store keeps the promises of the port."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from treadle.backends.lmdb import LmdbOnlineStore
from treadle.backends.postgres_online import PostgresOnlineStore
from treadle.ground.ids import new_id
from treadle.systems.features.online.embedded import SqliteOnlineStore
from treadle.systems.features.online.errors import OnlineStoreRefused, OnlineStoreUnavailable
from treadle.systems.features.online.ports import OnlineStore
from treadle.testing.online_stores import OnlineStoreConformance, entry
from treadle.testing.postgres import postgres_database
from treadle.testing.redis import redis_url


class TestSqlite(OnlineStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[OnlineStore]:
        store = SqliteOnlineStore(tmp_path / "online" / "default.db")
        yield store
        store.close()


class TestLmdb(OnlineStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[OnlineStore]:
        store = LmdbOnlineStore(tmp_path / "online" / "default.lmdb")
        yield store
        store.close()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres_database() as url:
        yield url


class TestPostgres(OnlineStoreConformance):
    @pytest.fixture
    def store(self, database: str) -> Iterator[OnlineStore]:
        store = PostgresOnlineStore(database, new_id("project"))
        yield store
        store.close()


class TestRedis(OnlineStoreConformance):
    @pytest.fixture
    def store(self) -> Iterator[OnlineStore]:
        url = redis_url()
        if url is None:
            pytest.skip("no Redis answers at TREADLE_TEST_REDIS (default redis://127.0.0.1:6379)")
        from treadle.backends.redis import RedisOnlineStore

        store = RedisOnlineStore(url, new_id("project"), prefix="treadle-test")
        yield store
        for space in store.spaces():
            store.drop(space)
        store.close()


@pytest.mark.parametrize("kind", [SqliteOnlineStore, LmdbOnlineStore])
def test_a_reader_may_be_opened_before_the_file_is_there(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "later"
    reader = kind(path, read_only=True)
    assert reader.read("space", [b"a"]) == [None]
    assert reader.spaces() == []

    writer = kind(path)
    writer.write("space", [entry(b"a", content=b"x")])
    writer.close()  # LMDB wants a file open once in each process

    assert reader.read("space", [b"a"]) == [entry(b"a", content=b"x").record]
    reader.close()


@pytest.mark.parametrize("kind", [SqliteOnlineStore, LmdbOnlineStore])
def test_a_reader_cannot_write(tmp_path: Path, kind: type) -> None:
    kind(tmp_path / "store").close()
    reader = kind(tmp_path / "store", read_only=True)

    with pytest.raises(OnlineStoreRefused):
        reader.write("space", [entry(b"a")])
    reader.close()


def test_lmdb_grows_and_its_readers_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle.backends.lmdb._FIRST_BYTES", 1 << 16)
    store = LmdbOnlineStore(tmp_path / "small")
    store.write("space", [entry(b"first")])

    for wave in range(8):
        store.write("space", [entry(bytes([wave, n]), content=bytes(2_000)) for n in range(60)])

    assert len(list(store.scan("space"))) == 481
    store.close()


def test_stores_that_do_not_answer_say_so() -> None:
    from treadle.backends.redis import RedisOnlineStore

    with pytest.raises(OnlineStoreUnavailable):
        RedisOnlineStore("redis://127.0.0.1:1", "p", timeout_s=0.2).read("space", [b"a"])
    with pytest.raises(OnlineStoreUnavailable):
        PostgresOnlineStore("postgresql://127.0.0.1:1/x", "p", timeout_s=1)
