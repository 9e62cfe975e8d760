"""A serving area with a small real model in it, and a real server process over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systems.serve.models import Deployed, deploy, flights_model
from tests.systems.serve.processes import Server, start_server


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    return tmp_path / "serving"


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Deployed]]:
    """One server for tests that only ask: endpoint `flights` (mixed columns), `numbers` (one matrix)."""
    serving = tmp_path_factory.mktemp("area") / "serving"
    deployed = deploy(serving, "flights", flights_model(), allow_backdating=True, max_rows=100)
    deploy(serving, "numbers", flights_model(numeric=True), max_body_bytes=200_000)
    with start_server(serving, grpc_port=0) as server:
        yield server, deployed
