"""Specifications and leaderboards are kept with their history, and come back as they were."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.systems.design.specs import FLIGHTS, make_spec
from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.artifacts import Artifacts, LocalBlobs
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.systems.design import DesignNamed, Designs, Entry, RegisterSpec, gate, model_card, rank
from treadle.systems.design.errors import InvalidModelSpec, LeaderboardNotFound, ModelSpecNotFound
from treadle.testing import embedded_store

ADA = Caller(project="default", actor="ada")


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(LocalBlobs(tmp_path / "blobs"))


@pytest.fixture
def events(tmp_path: Path) -> EventLog:
    return EventLog(embedded_store(tmp_path), system_clock, new_id)


@pytest.fixture
def designs(tmp_path: Path, events: EventLog, artifacts: Artifacts) -> Designs:
    return Designs(embedded_store(tmp_path), Refs(events, system_clock), artifacts, system_clock)


def test_specification_is_registered_once_and_read_back(designs, events):
    first = designs.register(ADA, RegisterSpec(spec=FLIGHTS))

    assert designs.register(ADA, RegisterSpec(spec=make_spec().describe())) == first
    assert designs.spec(ADA, "late-arrival") == make_spec()
    assert [one.digest for one in designs.list(ADA)] == [first.digest]
    assert len([event for event in events.newest("default") if event.kind == "ref.moved"]) == 1


def test_specification_that_contradicts_itself_is_not_kept(designs):
    with pytest.raises(InvalidModelSpec):
        designs.register(ADA, RegisterSpec(spec={**FLIGHTS, "seeds": []}))

    assert designs.list(ADA) == []


def test_leaderboard_and_card_come_back_as_they_were(designs, artifacts):
    spec = make_spec()
    entries = [
        Entry(name="a", kind="candidate", metrics={"valid": {"auc": 0.7}}, params={"n": 1, "x": 0.5, "s": "t", "d": True}, interval=(0.6, 0.8), run="run_1"),
        Entry(name="b", kind="candidate", metrics={"valid": {"auc": math.nan}}),
    ]  # fmt: skip
    board = rank(spec, entries, {"flights": "snap_1"})

    recorded = designs.record(ADA, board, run="run_1")
    card = designs.put_card(
        ADA, model_card(spec, board, board.best, checks=gate(spec, board, board.best), parts=[], made_at=datetime(2013, 4, 1, tzinfo=UTC))
    )  # fmt: skip

    assert recorded.leaderboard.entries[0] == board.entries[0]
    assert recorded.leaderboard.entries[1].value("auc", "valid") is None
    assert designs.leaderboard(ADA, DesignNamed(name="late-arrival")) == recorded
    assert artifacts.load(card)["markdown"].startswith("# late-arrival")


def test_unknown_names_are_named_with_a_hint(designs):
    designs.register(ADA, RegisterSpec(spec=FLIGHTS))

    with pytest.raises(ModelSpecNotFound) as refusal:
        designs.get(ADA, DesignNamed(name="late-arival"))
    with pytest.raises(LeaderboardNotFound):
        designs.leaderboard(ADA, DesignNamed(name="late-arrival"))

    assert "late-arrival" in refusal.value.fix


def test_reader_may_not_register(designs):
    with pytest.raises(PermissionDenied):
        designs.register(Caller(project="default", actor="eve", permissions=frozenset({"spec.read"})), RegisterSpec(spec=FLIGHTS))  # fmt: skip
