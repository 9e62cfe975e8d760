"""Refs move once, remember every move, and keep what protects them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.catalog import EpochMoved, EvidenceRows, Ref, RefNotFound, RefProtected, Refs
from treadle.kernel.events import EventLog
from treadle.kernel.store import Store

NAME = "model/late@champion"


class Shelf:
    """Refs and evidence over one store, each write in a transaction of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.events = EventLog(store, system_clock, new_id)
        self.refs = Refs(self.events, system_clock)
        self.evidence = EvidenceRows(self.events, system_clock, new_id)

    def move(self, target: str, *, actor: str = "ada", expected_epoch: int | None = None) -> Ref:
        return self.store.write(
            lambda tx: self.refs.move(
                tx, "p", NAME, target, actor=actor, reason="better", expected_epoch=expected_epoch
            )
        )

    def find(
        self, target: str, kind: str, verdict: str, *, actor: str = "gate", body: Mapping[str, Any] | None = None
    ) -> None:
        self.store.write(
            lambda tx: self.evidence.add(
                tx, "p", subject=target, kind=kind, verdict=verdict, body=body or {}, actor=actor
            )
        )


@pytest.fixture
def shelf(any_store: Store) -> Shelf:
    return Shelf(any_store)


def test_a_move_is_remembered_with_who_from_to_and_why(shelf: Shelf) -> None:
    shelf.move("v1")
    shelf.move("v2", actor="ben")

    with shelf.store.read() as reader:
        moves = shelf.refs.history(reader, "p", NAME)
        assert shelf.refs.get(reader, "p", NAME).target == "v2"
    assert [(m.epoch, m.previous, m.target, m.actor) for m in moves] == [(1, None, "v1", "ada"), (2, "v1", "v2", "ben")]
    assert [event.kind for event in shelf.events.about("p", NAME)] == ["ref.moved", "ref.moved"]
    assert [event.id for event in shelf.events.about("p", NAME)] == [move.event for move in moves]


def test_of_racing_moves_from_the_same_epoch_one_wins(shelf: Shelf) -> None:
    shelf.move("v1")

    def race(n: int) -> str:
        try:
            return shelf.move(f"v{n}", expected_epoch=1).target
        except EpochMoved:
            return "late"

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(race, range(2, 6)))

    assert outcomes.count("late") == 3
    with shelf.store.read() as reader:
        assert shelf.refs.get(reader, "p", NAME).epoch == 2


def test_a_ref_that_should_be_new_is_made_once(shelf: Shelf) -> None:
    shelf.move("v1", expected_epoch=0)

    with pytest.raises(EpochMoved):
        shelf.move("v1", expected_epoch=0)


def test_an_unknown_ref_names_its_neighbours(shelf: Shelf) -> None:
    shelf.move("v1")

    with shelf.store.read() as reader, pytest.raises(RefNotFound) as refused:
        shelf.refs.get(reader, "p", "model/late@champoin")
    assert NAME in refused.value.fix


def test_a_deleted_ref_is_gone_but_its_history_stays(shelf: Shelf) -> None:
    shelf.move("v1")
    shelf.store.write(lambda tx: shelf.refs.delete(tx, "p", NAME, actor="ada", reason="retired"))

    with shelf.store.read() as reader:
        assert shelf.refs.find(reader, "p", NAME) is None
        assert shelf.refs.list(reader, "p", "model/") == []
        assert [move.target for move in shelf.refs.history(reader, "p", NAME)] == ["v1", None]
    assert shelf.move("v2").epoch == 3


def test_projects_do_not_see_each_others_refs(shelf: Shelf) -> None:
    shelf.move("v1")

    with shelf.store.read() as reader:
        assert shelf.refs.find(reader, "other", NAME) is None


def test_a_protected_ref_moves_only_to_what_passed_its_checks(shelf: Shelf) -> None:
    shelf.move("v1")
    shelf.store.write(lambda tx: shelf.refs.protect(tx, "p", NAME, {"evidence": ["gate"]}, actor="ada"))
    shelf.find("v3", "gate", "failed")

    for target in ("v2", "v3"):
        with pytest.raises(RefProtected, match=target):
            shelf.move(target)
    shelf.find("v3", "gate", "passed")
    assert shelf.move("v3").target == "v3"


def test_an_approval_by_the_mover_does_not_count(shelf: Shelf) -> None:
    shelf.move("v1")
    shelf.store.write(lambda tx: shelf.refs.protect(tx, "p", NAME, {"approvals": 1}, actor="ada"))
    shelf.find("v2", "approval", "passed", actor="ada")

    with pytest.raises(RefProtected, match="v2"):
        shelf.move("v2", actor="ada")
    shelf.find("v2", "approval", "passed", actor="ben")
    assert shelf.move("v2", actor="ada").epoch == 2
