"""The registry: versions never change, aliases move over them, and every move is remembered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from treadle.ground.clock import system_clock
from treadle.ground.ids import new_id
from treadle.kernel.artifacts import Artifact
from treadle.kernel.catalog import ArtifactRows, EpochMoved, EvidenceRows, Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.kernel.store import Store
from treadle.systems.train import ModelNotFound, Models, ModelVersion, ModelVersionNotFound, Registration
from treadle.systems.train.registry.errors import BadModelName
from treadle.systems.train.registry.service import HistoryOf, PromoteModel, RegisterModel, VersionNamed

ADA = Caller(project="p", actor="ada")
LATE = Registration(model="late", digest="sha256:" + "a" * 64, signature={"task": "binary"}, metrics={"auc": 0.75})


@pytest.fixture
def models(any_store: Store) -> Models:
    events = EventLog(any_store, system_clock, new_id)
    refs = Refs(events, system_clock)
    return Models(any_store, refs, EvidenceRows(events, system_clock, new_id), events, system_clock)


def register(models: Models, *, run: str | None = None, name: str = "late") -> ModelVersion:
    return models.register(ADA, RegisterModel(registration=replace(LATE, model=name), run=run, root=run))


def promote(models: Models, version: int, *, expected: int | None = None, caller: Caller = ADA) -> ModelVersion:
    return models.promote(caller, PromoteModel(model="late", version=version, reason="better", expected=expected))


def test_versions_are_numbered_within_their_model(models: Models) -> None:
    assert [register(models).number, register(models).number, register(models, name="other").number] == [1, 2, 1]


def test_a_run_that_registers_the_same_bytes_again_gets_the_same_version(models: Models) -> None:
    first, again = register(models, run="run_1"), register(models, run="run_1")

    assert first == again
    assert register(models, run="run_2").number == 2


def test_registrations_side_by_side_get_numbers_of_their_own(models: Models) -> None:
    with ThreadPoolExecutor(4) as pool:
        versions = list(pool.map(lambda n: register(models, run=f"run_{n}"), range(8)))

    assert sorted(version.number for version in versions) == list(range(1, 9))


def test_a_version_is_found_by_number_alias_and_newest(models: Models) -> None:
    register(models)
    register(models)
    promote(models, 1)

    found = [models.get(ADA, VersionNamed(model="late", version=v)).version.number for v in ("2", "champion", "newest")]

    assert found == [2, 1, 2]
    assert models.get(ADA, VersionNamed(model="late", version="1")).aliases == ["champion"]
    assert models.list(ADA)[0].aliases == {"champion": 1}


def test_a_promotion_that_was_decided_on_an_older_champion_is_refused(models: Models) -> None:
    for _ in range(3):
        register(models)
    promote(models, 1, expected=0)
    promote(models, 2, expected=1)

    with pytest.raises(EpochMoved):
        promote(models, 3, expected=1)
    assert models.get(ADA, VersionNamed(model="late", version="champion")).version.number == 2


def test_the_history_says_which_version_stood_when(models: Models) -> None:
    register(models)
    register(models)
    promote(models, 1)
    promote(models, 2)

    moves = models.history(ADA, HistoryOf(model="late")).moves

    assert [(move.previous, move.version, move.reason) for move in moves] == [(None, 1, "better"), (1, 2, "better")]


def test_promoting_takes_a_permission_of_its_own(models: Models) -> None:
    register(models)
    writer = Caller(project="p", actor="ben", permissions=frozenset({"model.read", "model.write"}))

    with pytest.raises(PermissionDenied):
        promote(models, 1, caller=writer)


def test_unknown_names_say_what_is_known(models: Models) -> None:
    register(models)

    with pytest.raises(ModelNotFound) as model:
        models.get(ADA, VersionNamed(model="lat"))
    with pytest.raises(ModelVersionNotFound) as version:
        models.get(ADA, VersionNamed(model="late", version="7"))
    assert "'late'" in model.value.why
    assert "1 to 1" in version.value.why


def test_a_name_that_could_be_a_path_is_refused(models: Models) -> None:
    for name in ("../late", "a/b", "", ".hidden", "x" * 101, "late@champion"):
        with pytest.raises(BadModelName):
            register(models, name=name)


class Shelf:
    """Cards that lie in memory."""

    def load(self, artifact: Artifact, as_type: Any = None) -> Any:
        return {"card": {}, "markdown": "# late\n\nWhat it is for.\n"}


def test_a_card_reads_as_it_was_written_and_names_what_was_found_since(any_store: Store) -> None:
    events = EventLog(any_store, system_clock, new_id)
    evidence = EvidenceRows(events, system_clock, new_id)
    models = Models(any_store, Refs(events, system_clock), evidence, events, system_clock, Shelf())
    card = Artifact(digest="sha256:" + "c" * 64, kind="value", codec="memory", size_bytes=1)
    any_store.write(lambda tx: ArtifactRows().record(tx, "p", [card], at=system_clock()))
    version = models.register(ADA, RegisterModel(registration=replace(LATE, card=card.digest)))
    asked = VersionNamed(model="late", version="1")
    fresh = models.card(ADA, asked)

    body = {"reason": "Promoted: AUC 0.76\n## <b>Trusted</b>"}
    facts = {"subject": version.subject, "kind": "gate", "verdict": "passed", "body": body, "actor": "ada"}
    any_store.write(lambda tx: evidence.add(tx, "p", digest=version.digest, run=None, **facts))
    promote(models, 1)
    after = models.card(ADA, asked)

    assert fresh.markdown.startswith("# late\n\nWhat it is for.\n\n## Evidence\n")
    assert "Nothing was found about it yet." in fresh.markdown
    assert "It is `champion`." in after.markdown
    assert "- gate passed, " in after.markdown
    assert "Promoted: AUC 0.76 ## &lt;b>Trusted&lt;/b>" in after.markdown
    assert (after.digest, after.version) == (card.digest, 1)


def test_a_version_without_a_card_gets_one_of_the_facts(models: Models) -> None:
    register(models)

    card = models.card(ADA, VersionNamed(model="late"))

    assert card.digest is None
    assert card.markdown.startswith("---\ntags:\n- treadle\n")
    assert "# late, version 1" in card.markdown
    assert "| auc | 0.75 |" in card.markdown
