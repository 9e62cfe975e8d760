"""Every route of a stock server is answered here, or is left out with a sentence on what to use."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile

import pytest

from tests.peers.servers import PEERS_PYTHON, ROOT, client_environment
from treadle.assembly import open_workspace
from treadle.faces.api.mlflow.dispatch import Dispatcher, all_routes
from treadle.faces.api.mlflow.left_out import LEFT_OUT
from treadle.faces.api.mlflow.routing import Table

BESIDE_THE_TABLE = {"GET /health", "GET /"}
"""What is answered without the table: the front says how it is, and a browser that looks in gets the pages."""


@pytest.fixture(scope="module")
def stock_routes() -> list[str]:
    program = ROOT / "tests" / "peers" / "programs" / "stock_routes.py"
    done = subprocess.run(
        [str(PEERS_PYTHON), str(program)], env=client_environment(), capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_every_stock_route_is_served_or_left_out_with_a_sentence(stock_routes: list[str]) -> None:
    table = Table(all_routes())

    unknown = [line for line in stock_routes if not knows(table, line)]

    assert len(stock_routes) > 300
    assert set(unknown) <= BESIDE_THE_TABLE


def test_nothing_is_left_out_that_a_stock_server_does_not_have_either(stock_routes: list[str]) -> None:
    table = Table(all_routes())
    hit = {route_of(table, line) for line in stock_routes}
    unheard = [family.about for family in LEFT_OUT if not any(path in hit for path in family.paths)]

    assert unheard == []


def test_each_family_that_is_left_out_is_refused_in_the_protocol_s_form_with_what_to_use() -> None:
    with tempfile.TemporaryDirectory() as folder, open_workspace(folder) as workspace:
        dispatcher = Dispatcher(workspace)
        for family in LEFT_OUT:
            answer = dispatcher.call(workspace.caller, "POST", family.paths[0])
            told = json.loads(answer.body)
            assert (answer.status, told["error_code"]) == (501, "NOT_IMPLEMENTED")
            assert family.instead in told["message"]


def knows(table: Table, line: str) -> bool:
    return route_of(table, line) is not None


def route_of(table: Table, line: str) -> str | None:
    """The path of the route that answers a stock one; any method will do where the stock table names none."""
    method, _, path = line.partition(" ")
    example = re.sub(r"\{\w+\}", "x", re.sub(r"\{\w+:path\}", "a/b", path))
    for each in table.methods(example)[:1] if method == "ANY" else [method]:
        found = table.find(each, example)
        if found is not None:
            return found[0].path
    return None
