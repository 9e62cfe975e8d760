"""Versions: made of a run's own files, sealed, and never changed afterwards."""

from __future__ import annotations

import pytest

from tests.systems.train.registry.house import House
from treadle.kernel.catalog import RefProtected
from treadle.systems.train.files import FileSealed
from treadle.systems.train.registry.errors import BadSource, BadStage, ModelExists, ModelNotFound, ModelVersionNotFound
from treadle.systems.train.registry.requests import (
    CreateModel,
    DeleteModel,
    DeleteVersion,
    HistoryOf,
    LatestVersions,
    ModelNamed,
    PromoteModel,
    RenameModel,
    StageVersion,
    TagVersion,
    VersionNamed,
)


def test_a_version_keeps_its_bytes_whatever_is_written_to_the_run_later(house: House) -> None:
    run = house.trained()
    house.model()
    made = house.register(run).version
    location = made.location or ""
    own = location.removeprefix("mlflow-artifacts:/")

    house.put(run.artifact_uri, "model/model.skops", b"other bytes")

    assert house.workspace.tracking.files.read(house.ada, f"{own}/model.skops") == b"bytes"
    assert [file.path for file in house.workspace.registry.versions.files(house.ada, VersionNamed(model="late"))] == [
        "MLmodel",
        "model.skops",
        "requirements.txt",
    ]
    with pytest.raises(FileSealed):
        house.put(location, "model.skops", b"forged")


def test_equal_files_give_versions_of_equal_digests(house: House) -> None:
    run = house.trained()
    house.model()

    first, second = house.register(run).version, house.register(run).version
    house.put(run.artifact_uri, "model/extra.txt", b"more")
    third = house.register(run).version

    assert (first.number, second.number, third.number) == (1, 2, 3)
    assert first.digest == second.digest != third.digest
    assert first.location != second.location


def test_a_version_carries_what_its_files_and_its_run_say(house: House) -> None:
    run = house.trained()
    house.model()

    made = house.register(run).version

    assert made.signature["inputs"] == [{"type": "double", "name": "x", "required": True}]
    assert made.facts["environment"]["requirements"] == ["mlflow==3.17.2", "scikit-learn==1.7.2", "numpy==2.3.4"]
    assert made.facts["flavors"]["sklearn"] == {"sklearn_version": "1.7.2", "serialization_format": "skops"}
    assert made.run is not None
    assert made.run.startswith("run_")
    assert made.size_bytes == sum(file.size_bytes for file in _files(house, "1"))


def test_a_description_that_would_make_an_object_is_left_out(house: House) -> None:
    """YAML tags make Python objects in a careless loader."""
    run = house.run()
    house.put(run.artifact_uri, "model/MLmodel", b"flavors: !!python/object/apply:os.system ['true']\n")
    house.model()

    assert house.register(run).version.facts == {"files": 1}


@pytest.mark.parametrize(
    "source",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "mlflow-artifacts:/0/other/artifacts/model",
        "mlflow-artifacts:/0/{run}/artifacts/../../other",
        "mlflow-artifacts:/0/{run}/artifacts/%252e%252e/%252e%252e/other",
        "mlflow-artifacts://elsewhere/0/{run}/artifacts/model",
        "https://elsewhere/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/model",
        "runs:/00000000000000000000000000000000/model",
        "s3://bucket/../../other",
        "models:/m-00000000000000000000000000000000",
    ],
)
def test_files_that_are_not_the_runs_own_are_refused(house: House, source: str) -> None:
    run = house.trained()
    house.model()

    with pytest.raises(BadSource):
        house.version(source.replace("{run}", run.run), run_id=run.run)


def test_a_source_of_the_run_itself_is_taken_in_either_spelling(house: House) -> None:
    run = house.trained()
    house.model()

    by_uri = house.register(run).version
    by_run = house.version(f"runs:/{run.run}/model", run_id=run.run).version

    assert by_uri.digest == by_run.digest


def test_a_version_made_of_a_version_has_its_files_and_its_run(house: House) -> None:
    run = house.trained()
    house.model()
    house.model("copy")
    first = house.register(run).version
    house.workspace.registry.models.promote(house.ada, PromoteModel(model="late", version=1))

    second = house.version("models:/late@champion", name="copy").version

    assert (second.source, second.run_id, second.digest) == ("models:/late/1", run.run, first.digest)


def test_the_number_of_a_deleted_version_is_not_given_again(house: House) -> None:
    house.model()
    house.version()
    house.version()
    house.workspace.registry.models.promote(house.ada, PromoteModel(model="late", version=2))

    house.workspace.registry.versions.delete(house.ada, DeleteVersion(model="late", version=2))

    assert house.version().version.number == 3
    assert house.workspace.registry.models.look(house.ada, ModelNamed(model="late")).aliases == {}
    with pytest.raises(ModelVersionNotFound):
        house.workspace.registry.versions.get(house.ada, VersionNamed(model="late", version="2"))


def test_a_new_model_inherits_nothing_from_a_deleted_one_of_its_name(house: House) -> None:
    """Evidence about a version is bound to its subject: a namesake must not pass a gate that it never saw."""
    house.model()
    first = house.version().version
    house.workspace.registry.models.delete(house.ada, DeleteModel(model="late"))

    house.model()
    again = house.version().version

    assert (first.number, again.number) == (1, 1)
    assert first.subject != again.subject


def test_a_renamed_model_keeps_versions_aliases_and_labels(house: House) -> None:
    house.model()
    made = house.version(tags={"kind": "trees"}).version
    house.workspace.registry.models.promote(house.ada, PromoteModel(model="late", version=1))

    house.workspace.registry.models.rename(house.ada, RenameModel(model="late", new_name="delay"))

    found = house.workspace.registry.versions.get(house.ada, VersionNamed(model="delay", version="champion"))
    assert (found.version.subject, found.tags, found.aliases) == (made.subject, {"kind": "trees"}, ["champion"])
    with pytest.raises(ModelNotFound):
        house.workspace.registry.models.look(house.ada, ModelNamed(model="late"))
    house.model("late")
    with pytest.raises(ModelExists):
        house.workspace.registry.models.rename(house.ada, RenameModel(model="late", new_name="delay"))


def test_stages_take_any_case_and_archive_who_stood_there(house: House) -> None:
    house.model()
    for _ in range(3):
        house.version()
    stage(house, 1, "production")

    moved = stage(house, 2, "Production", archive_existing=True)

    assert moved == "Production"
    stages = {one.version.number: one.version.stage for one in latest(house)}
    assert stages == {1: "Archived", 2: "Production", 3: "None"}
    with pytest.raises(BadStage):
        stage(house, 2, "Retired")
    with pytest.raises(BadStage):
        stage(house, 2, "Archived", archive_existing=True)


def test_the_history_says_what_was_in_production_at_a_moment(house: House) -> None:
    house.model()
    house.version()
    house.version()
    promote(house, 1, "better than nothing")
    stage(house, 1, "Production")
    then = house.workspace.clock()
    promote(house, 2, "better")
    stage(house, 2, "Production", archive_existing=True)

    before = house.workspace.registry.models.history(house.ada, HistoryOf(model="late", at=then))
    now = house.workspace.registry.models.history(house.ada, HistoryOf(model="late"))

    assert (before.aliases, before.stages) == ({"champion": 1}, {"Production": [1]})
    assert (now.aliases, now.stages) == ({"champion": 2}, {"Archived": [1], "Production": [2]})
    assert [(move.kind, move.version, move.reason) for move in now.moves[:1]] == [("alias", 1, "better than nothing")]


def test_the_history_remembers_an_alias_that_was_taken_away(house: House) -> None:
    house.model()
    house.version()
    promote(house, 1, "try")
    house.workspace.registry.versions.delete(house.ada, DeleteVersion(model="late", version=1, reason="wrong data"))

    moves = house.workspace.registry.models.history(house.ada, HistoryOf(model="late")).moves

    assert [(move.name, move.version, move.previous, move.reason) for move in moves] == [
        ("champion", 1, None, "try"),
        ("champion", None, 1, "wrong data"),
    ]


def test_a_version_under_a_protected_alias_is_not_deleted(house: House) -> None:
    house.model()
    house.version()
    promote(house, 1, "first")
    house.workspace.store.write(
        lambda tx: house.workspace.refs.protect(
            tx, house.workspace.project, "model/late@champion", {"evidence": ["gate"]}, actor="ada"
        )
    )

    with pytest.raises(RefProtected):
        house.workspace.registry.versions.delete(house.ada, DeleteVersion(model="late", version=1))
    with pytest.raises(RefProtected):
        house.workspace.registry.models.delete(house.ada, DeleteModel(model="late"))


def test_changes_leave_events_with_who_and_what(house: House) -> None:
    house.model()
    house.version()
    house.workspace.registry.versions.tag(house.ada, TagVersion(model="late", version=1, key="ok", value="yes"))
    stage(house, 1, "Staging")
    house.workspace.registry.versions.delete(house.ada, DeleteVersion(model="late", version=1, reason="old"))

    told = [
        (event.kind, event.subject, event.actor) for event in house.workspace.events.since(house.workspace.project, 0)
    ]

    assert told == [
        ("model.created", "model/late", "ada"),
        ("model.registered", "model/late/1", "ada"),
        ("version.tagged", "model/late/1", "ada"),
        ("version.staged", "model/late/1", "ada"),
        ("version.deleted", "model/late/1", "ada"),
    ]


def test_a_prompt_is_a_model_whose_source_is_a_placeholder(house: House) -> None:
    tags = {"mlflow.prompt.is_prompt": "true"}
    house.workspace.registry.models.create(house.ada, CreateModel(name="greeting", tags=tags))

    made = house.version("dummy-source", name="greeting", tags={**tags, "mlflow.prompt.text": "Hello {{name}}"})

    assert made.tags["mlflow.prompt.text"] == "Hello {{name}}"
    assert house.workspace.registry.models.list(house.ada) == []
    with pytest.raises(BadSource):
        house.version("s3://bucket/prompt", name="greeting", tags=tags)


def stage(house: House, version: int, stage: str, *, archive_existing: bool = False) -> str:
    request = StageVersion(model="late", version=version, stage=stage, archive_existing=archive_existing)
    return house.workspace.registry.versions.stage(house.ada, request).version.stage


def promote(house: House, version: int, reason: str) -> None:
    house.workspace.registry.models.promote(house.ada, PromoteModel(model="late", version=version, reason=reason))


def latest(house: House) -> list:  # type: ignore[type-arg]
    return house.workspace.registry.versions.latest(house.ada, LatestVersions(model="late"))


def _files(house: House, version: str) -> list:  # type: ignore[type-arg]
    return house.workspace.registry.versions.files(house.ada, VersionNamed(model="late", version=version))
