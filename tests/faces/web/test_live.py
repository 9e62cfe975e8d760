"""Events reach whoever looks as they happen, each once and in order, also after an absence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faces.mlflow.serving import Serving, serving
from treadle.faces.api.web.live import MOST_AT_ONCE
from treadle.kernel.governance import Caller
from treadle.systems.collect.records import CreateDataset

OWNER = Caller(project="default", actor="ada")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path) as house:
        yield house


@contextmanager
def listening(house: Serving, after: int | None = None) -> Iterator[Iterator[dict[str, Any]]]:
    headers = house.owner | ({} if after is None else {"Last-Event-ID": str(after)})
    with house.http.stream("GET", "/api/v1/events/live", headers=headers) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        yield messages(response)


def messages(response: httpx.Response) -> Iterator[dict[str, Any]]:
    said: dict[str, Any] = {}
    for line in response.iter_lines():
        if line.startswith(":"):
            continue
        if not line:
            if said:
                yield said
            said = {}
        else:
            name, _, value = line.partition(": ")
            said[name] = value


def create(house: Serving, name: str) -> None:
    house.workspace.datasets.create(OWNER, CreateDataset(name=name))


def test_what_happens_is_told_while_one_listens(house: Serving) -> None:
    with listening(house) as said:
        first = next(said)
        create(house, "orders")
        told = next(said)

    assert first["event"] == "here"
    event = json.loads(told["data"])
    assert (event["kind"], event["subject"]) == ("dataset.created", "dataset/orders")
    assert int(told["id"]) == event["position"]


def test_whoever_was_away_gets_what_came_since_and_nothing_twice(house: Serving) -> None:
    create(house, "orders")
    seen = house.workspace.events.head("default")[0]
    create(house, "returns")
    create(house, "visits")

    with listening(house, after=seen) as said:
        next(said)
        subjects = [json.loads(next(said)["data"])["subject"] for _ in range(2)]

    assert subjects == ["dataset/returns", "dataset/visits"]


@pytest.mark.parametrize("seen", [-MOST_AT_ONCE - 1, 10**9])
def test_a_position_that_is_too_far_away_is_answered_by_beginning_anew(house: Serving, seen: int) -> None:
    create(house, "orders")

    with listening(house, after=seen) as said:
        first = next(said)

    assert first["event"] == ("here" if seen < 0 else "anew")


def test_events_are_told_to_nobody_who_may_not_read_them(house: Serving) -> None:
    assert house.http.get("/api/v1/events/live").status_code == 401


def test_the_server_stops_while_somebody_listens(tmp_path: Path) -> None:
    with serving(tmp_path) as house, listening(house) as said:
        next(said)
        house.server.stop()
        rest = list(said)

    assert rest == []
