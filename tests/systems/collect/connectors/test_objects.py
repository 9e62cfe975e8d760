"""Objects of a bucket land once as they are, and again when they are written anew."""

from __future__ import annotations

import itertools
import logging
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import obstore
import polars as pl
import pytest
from moto.server import ThreadedMotoServer
from obstore.store import from_url

from tests.systems.collect.conftest import ADA, Home
from treadle.ground.errors import TreadleError
from treadle.systems.collect.connectors.objects import BucketObjects, ObjectsSource, _regex

names = (f"exports-{number}" for number in itertools.count())


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server on a free port of this host."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class Bucket:
    def __init__(self, s3: str) -> None:
        self.s3, self.name = s3, next(names)
        urllib.request.urlopen(urllib.request.Request(f"{s3}/{self.name}", method="PUT")).close()
        keys = {"access_key_id": "test", "secret_access_key": "test", "region": "us-east-1", "endpoint": s3}
        self._store = from_url(f"s3://{self.name}", config=keys, client_options={"allow_http": True})

    def put(self, path: str, content: str | bytes) -> None:
        obstore.put(self._store, path, content if isinstance(content, bytes) else content.encode())

    def source(self, **options: Any) -> BucketObjects:
        config = {
            "access_key_id": "test",
            "secret_access_key": "env://BUCKET_KEY",
            "region": "us-east-1",
            "endpoint": self.s3,
        }
        given = {
            "url": f"s3://{self.name}/team",
            "pattern": "**/*.csv",
            "config": config,
            "allow_http": True,
            **options,
        }
        return msgspec.convert(given, ObjectsSource).open("exports", Path())


@pytest.fixture
def bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setenv("BUCKET_KEY", "b-secret-key")
    return Bucket(s3)


def days(home: Home) -> list[int]:
    return sorted(home.datasets.scan("default", home.datasets.snapshot("default", "days")).collect()["day"])


def test_each_object_lands_once_and_a_new_one_later(home, bucket):
    bucket.put("team/2024/a.csv", "day\n1\n2\n")
    bucket.put("team/2024/b.csv", "day\n3\n")
    bucket.put("team/2024/notes.txt", "no rows")
    bucket.put("elsewhere/c.csv", "day\n99\n")

    first = home.datasets.land(ADA, "days", bucket.source())
    bucket.put("team/2023/late.csv", "day\n0\n")
    second = home.datasets.land(ADA, "days", bucket.source())

    assert [one.rows_in for one in first] == [2, 1]
    assert [one.rows_in for one in second] == [1]
    assert days(home) == [0, 1, 2, 3]
    assert first[0].source["object"].endswith("/team/2024/a.csv")
    assert "b-secret-key" not in repr(first)


def test_an_object_that_is_written_anew_lands_anew(home, bucket):
    bucket.put("team/a.csv", "day\n1\n")
    home.datasets.land(ADA, "days", bucket.source())
    bucket.put("team/a.csv", "day\n2\n")

    home.datasets.land(ADA, "days", bucket.source())
    bucket.put("team/a.csv", "day\n2\n")

    assert home.datasets.land(ADA, "days", bucket.source()) == []
    assert days(home) == [1, 2]


def test_parquet_and_json_lines_are_read_as_from_files(home, bucket, tmp_path):
    pl.DataFrame({"day": [1]}).write_parquet(tmp_path / "a.parquet")
    bucket.put("team/a.parquet", (tmp_path / "a.parquet").read_bytes())
    bucket.put("team/b.jsonl", '{"day": 2}\n')

    home.datasets.land(ADA, "days", bucket.source(pattern="*"))

    assert days(home) == [1, 2]


def test_a_broken_object_is_named_and_those_before_it_stay(home, bucket):
    bucket.put("team/a.csv", "day\n1\n")
    bucket.put("team/b.csv", "day\n1,2\n")

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "days", bucket.source())

    assert caught.value.code == "source.unreadable"
    assert days(home) == [1]


def test_a_bucket_that_is_not_there_is_an_error_without_the_key(home, bucket):
    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "days", bucket.source(url="s3://nowhere-at-all/x"))

    assert caught.value.code == "source.refused"
    assert "b-secret-key" not in repr(caught.value.sentences())


def test_an_object_that_is_too_large_is_not_read_into_memory(home, bucket):
    bucket.put("team/a.csv", "day\n" + "1\n" * 100)

    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "days", bucket.source(max_bytes=50))

    assert "max_bytes" in caught.value.fix


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "x/a.csv", False),
        ("**/*.csv", "a.csv", True),
        ("**/*.csv", "x/y/a.csv", True),
        ("x/**", "x/y/z", True),
        ("x/?.csv", "x/a.csv", True),
        ("a.csv", "axcsv", False),
    ],
)
def test_a_pattern_stays_in_its_folder_unless_it_says_otherwise(pattern, path, matches):
    assert bool(_regex(pattern).fullmatch(path)) == matches
