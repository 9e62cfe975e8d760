"""A running server is asked on trial, by its own word of where it answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.systems.serve.control import CALLER
from tests.systems.serve.models import deploy, flights_model
from tests.systems.serve.processes import start_server
from treadle.systems.serve.errors import NoServer, TryRefused
from treadle.systems.serve.trying import TryEndpoint, Trying

ROW = {"a": 0.5, "b": -1.0, "c": 0.25}


def test_a_row_is_answered_with_its_prediction_id_and_how_long_it_took(serving: Path) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))
    with start_server(serving):
        found = Trying(lambda _: serving).ask(CALLER, TryEndpoint(endpoint="numbers", row=ROW, entity="u1"))

    assert found.prediction["prediction_id"].startswith("pred_")
    assert 0 < found.latency_ms < 30_000
    assert found.body["id"].startswith("treadle-try-")
    assert found.url.endswith("/predict/numbers")


def test_what_the_server_refuses_is_said_in_its_words(serving: Path) -> None:
    deploy(serving, "numbers", flights_model(numeric=True))
    with start_server(serving):
        trying = Trying(lambda _: serving)
        with pytest.raises(TryRefused) as refused:
            trying.ask(CALLER, TryEndpoint(endpoint="numbers", row={"a": "no number"}))
        with pytest.raises(TryRefused):
            trying.ask(CALLER, TryEndpoint(endpoint="unknown", row=ROW))

    assert refused.value.why


def test_where_no_server_answers_it_is_said_how_to_start_one(serving: Path) -> None:
    trying = Trying(lambda _: serving)
    with pytest.raises(NoServer):
        trying.ask(CALLER, TryEndpoint(endpoint="numbers", row=ROW))

    deploy(serving, "numbers", flights_model(numeric=True))
    with start_server(serving):
        pass
    with pytest.raises(NoServer) as gone:
        trying.ask(CALLER, TryEndpoint(endpoint="numbers", row=ROW))

    assert "treadle up" in gone.value.fix
