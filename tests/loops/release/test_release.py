"""A decision, its evidence and the move of the alias are one commit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from treadle.ground.clock import system_clock
from treadle.ground.digests import of_bytes
from treadle.ground.ids import new_id
from treadle.kernel.artifacts import Artifact
from treadle.kernel.catalog import ArtifactRows, EpochMoved, EvidenceRows, RefProtected, Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.loops.release import Challenge, GatePolicy, Release
from treadle.loops.release.errors import BadEvaluation
from treadle.systems.train import Models, Registration
from treadle.systems.train.registry.service import HistoryOf, PromoteModel, RegisterModel, VersionNamed

ADA = Caller(project="p", actor="ada")
EVALUATION = Artifact(digest=of_bytes(b"rows"), kind="frame", codec="memory", size_bytes=1)


class Frames:
    """Evaluations that lie in memory; the release loop only needs their columns."""

    def __init__(self, *, challenger_is_better: bool) -> None:
        rng = np.random.default_rng(3)
        good = rng.beta(2, 5, 3000)
        noise = 0.5 * good + 0.5 * rng.beta(2, 5, 3000)
        pair = (good, noise) if challenger_is_better else (noise, good)
        self.frame = {"truth": rng.random(3000) < good, "challenger": pair[0], "champion": pair[1]}

    def load(self, artifact: Artifact, as_type: Any = None) -> Any:
        return self.frame


@dataclass
class House:
    store: Store
    models: Models
    refs: Refs
    events: EventLog
    evidence: EvidenceRows

    def release(self, *, challenger_is_better: bool) -> Release:
        frames = Frames(challenger_is_better=challenger_is_better)
        return Release(self.store, self.models, self.evidence, self.events, frames)

    def champion(self) -> int:
        return self.models.get(ADA, VersionNamed(model="late", version="champion")).version.number


@pytest.fixture
def house(any_store: Store) -> House:
    events = EventLog(any_store, system_clock, new_id)
    refs, evidence = Refs(events, system_clock), EvidenceRows(events, system_clock, new_id)
    models = Models(any_store, refs, evidence, events, system_clock)
    for n in range(2):
        registration = Registration(model="late", digest=of_bytes(b"%d" % n), signature={})
        models.register(ADA, RegisterModel(registration=registration))
    any_store.write(lambda tx: ArtifactRows().record(tx, "p", [EVALUATION], at=datetime.now(UTC)))
    return House(any_store, models, refs, events, evidence)


def challenge(version: int) -> Challenge:
    return Challenge(model="late", version=version, evaluation=EVALUATION.digest, policy=GatePolicy(), window="July")


def test_the_winner_becomes_champion_with_the_gate_as_evidence(house: House) -> None:
    verdict = house.release(challenger_is_better=True).challenge(ADA, challenge(1))

    assert (verdict.promoted, verdict.champion_before, verdict.champion_after) == (True, None, 1)
    assert house.champion() == 1
    moves = house.models.history(ADA, HistoryOf(model="late")).moves
    assert moves[0].evidence == {"gate": verdict.evidence}
    sheet = house.models.get(ADA, VersionNamed(model="late", version="1"))
    assert [(found.kind, found.verdict) for found in sheet.evidence] == [("gate", "passed")]
    assert sheet.evidence[0].body["window"] == "July"


def test_the_loser_leaves_a_decision_and_moves_nothing(house: House) -> None:
    house.models.promote(ADA, PromoteModel(model="late", version=1))

    verdict = house.release(challenger_is_better=False).challenge(ADA, challenge(2))

    assert (verdict.promoted, verdict.champion_before, verdict.champion_after) == (False, 1, 1)
    assert house.champion() == 1
    decided = [event for event in house.events.since("p", 0) if event.kind == "release.decided"]
    assert [event.body["promoted"] for event in decided] == [False]
    assert decided[0].body["reason"] == verdict.reason


def test_a_champion_that_changed_meanwhile_voids_the_decision(house: House) -> None:
    release = house.release(challenger_is_better=True)
    decision, champion = release.judge(ADA, challenge(2))
    house.models.promote(ADA, PromoteModel(model="late", version=1))

    with pytest.raises(EpochMoved):
        house.store.write(lambda tx: release.commit(tx, ADA, challenge(2), decision, champion))
    assert house.champion() == 1
    assert house.models.get(ADA, VersionNamed(model="late", version="2")).evidence == []


def test_a_protected_champion_moves_through_the_gate_and_not_by_hand(house: House) -> None:
    house.models.promote(ADA, PromoteModel(model="late", version=1))
    name = "model/late@champion"
    house.store.write(lambda tx: house.refs.protect(tx, "p", name, {"evidence": ["gate"]}, actor="ada"))

    with pytest.raises(RefProtected):
        house.models.promote(ADA, PromoteModel(model="late", version=2))
    house.release(challenger_is_better=True).challenge(ADA, challenge(2))
    assert house.champion() == 2


def test_a_column_that_the_gate_names_and_the_evaluation_lacks_is_said(house: House) -> None:
    named = replace(challenge(1), policy=GatePolicy(slices=("carrier",)))

    with pytest.raises(BadEvaluation, match="no column 'carrier'"):
        house.release(challenger_is_better=True).challenge(ADA, named)
