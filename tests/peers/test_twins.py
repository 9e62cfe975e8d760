"""Treadle answers as a stock server does: field by field, on random sequences of calls put to both at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.peers.intended import is_intended
from tests.peers.machine import Sequence
from tests.peers.servers import Served
from tests.peers.twins import Twins

QUICK = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=True,  # the same sequences every time; the soak draws new ones, and makes shorter what it finds
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
LONG = settings(
    QUICK, max_examples=600, stateful_step_count=60, derandomize=False, phases=[Phase.generate, Phase.shrink]
)


@pytest.fixture
def twins(stock: Served, treadle: Served) -> Iterator[Twins]:
    both = Twins(stock, treadle, is_intended)
    yield both
    both.close()


def test_random_sequences_of_calls_are_answered_alike(twins: Twins) -> None:
    Sequence.twins = twins

    run_state_machine_as_test(Sequence, settings=QUICK)


@pytest.mark.soak
def test_long_random_sequences_of_calls_are_answered_alike(twins: Twins) -> None:
    Sequence.twins = twins

    run_state_machine_as_test(Sequence, settings=LONG)
