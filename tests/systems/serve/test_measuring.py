"""A server is measured over real connections, and who cannot be reached is said."""

from __future__ import annotations

import json

import pytest

from tests.systems.serve.models import Deployed
from tests.systems.serve.processes import Server
from treadle.systems.serve.measuring import NoServer, measure, post

ROWS = {"rows": [{"a": 0.5, "b": -1.0, "c": 0.25}]}


def test_every_answer_is_counted_and_timed(shared_server: tuple[Server, Deployed]) -> None:
    said = shared_server[0].process.announcement
    request = post(f"{said.host}:{said.port}", "/predict/numbers", json.dumps(ROWS).encode(), {})

    found = measure(said.host, said.port, request, connections=4, seconds=0.1)

    assert found.requests >= 4
    assert (found.connections, found.failed) == (4, 0)
    assert 0 < found.p50_ms <= found.p90_ms <= found.p99_ms <= found.largest_ms
    assert found.per_second == pytest.approx(found.requests / found.seconds)


def test_refusals_are_counted_as_failed(shared_server: tuple[Server, Deployed]) -> None:
    said = shared_server[0].process.announcement
    request = post(f"{said.host}:{said.port}", "/predict/nothing", b"{}", {})

    found = measure(said.host, said.port, request, connections=1, seconds=0.01)

    assert found.failed == found.requests > 0


def test_nobody_at_an_address_is_said() -> None:
    with pytest.raises(NoServer, match="No model server answers at"):
        measure("127.0.0.1", 1, b"", connections=1, seconds=0.1)
