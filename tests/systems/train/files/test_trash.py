"""What was deleted longer ago than the retention goes with its rows and files; what versions came from is held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from treadle.assembly import Workspace
from treadle.ground.settings import load
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.kernel.governance.identity.roles import TRACKING
from treadle.kernel.store.sql import parse
from treadle.systems.train.files.names import folder_of_uri
from treadle.systems.train.files.service import FolderNamed
from treadle.systems.train.files.trash import Emptied, EmptyTrash
from treadle.systems.train.registry.requests import CreateModel, CreateVersion
from treadle.systems.train.tracking.experiments import CreateExperiment, ExperimentNamed, ExperimentNumbered
from treadle.systems.train.tracking.logged_models import CreateLoggedModel, LoggedModelNamed
from treadle.systems.train.tracking.records import Pair
from treadle.systems.train.tracking.requests import CreateRun, LogBatch, TrackedRunNamed

TABLES = (
    "experiment",
    "experiment_tag",
    "tracked_run",
    "run_param",
    "run_tag",
    "metric_latest",
    "metric_chunk",
    "logged_model",
    "logged_model_param",
    "stored_file",
    "run",
)


class House:
    """A workspace over a clock that the test moves."""

    def __init__(self, home: Path) -> None:
        self.passed = timedelta()
        self.workspace = Workspace(load({"home": home}), actor="ada", clock=self.clock)
        self.caller = self.workspace.caller

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.passed

    def wait(self, **time: float) -> None:
        self.passed += timedelta(**time)

    def experiment(self, name: str) -> str:
        return str(self.workspace.tracking.experiments.create(self.caller, CreateExperiment(name=name)).number)

    def run(self, experiment: str = "0", **files: bytes) -> str:
        """A run with a metric, a parameter, a tag, and files."""
        made = self.workspace.tracking.runs.create(self.caller, CreateRun(experiment=experiment, start_ms=1))
        points: dict[str, Any] = {"keys": ["m"], "values": [1.0], "steps": [0], "times_ms": [1]}
        self.workspace.tracking.runs.log(
            self.caller, LogBatch(run=made.run, **points, params=[Pair("p", "1")], tags=[Pair("t", "1")])
        )
        for name, data in files.items():
            self.workspace.tracking.files.put_bytes(self.caller, f"{folder_of_uri(made.artifact_uri)}/{name}", data)
        return made.run

    def model(self, experiment: str = "0", *, run: str | None = None, **files: bytes) -> str:
        made = self.workspace.tracking.logged_models.create(
            self.caller, CreateLoggedModel(experiment=experiment, name="m", source_run=run, params=[Pair("p", "1")])
        )
        for name, data in files.items():
            self.workspace.tracking.files.put_bytes(
                self.caller, f"{folder_of_uri(made.artifact_location)}/{name}", data
            )
        return made.model

    def delete_run(self, run: str) -> None:
        self.workspace.tracking.runs.delete(self.caller, TrackedRunNamed(run=run))

    def delete_experiment(self, experiment: str) -> None:
        self.workspace.tracking.experiments.delete(self.caller, ExperimentNumbered(experiment=experiment))

    def empty(self, *, days: int = 30, is_dry_run: bool = False) -> Emptied:
        return self.workspace.tracking.trash.empty(self.caller, EmptyTrash(retention_days=days, is_dry_run=is_dry_run))

    def files(self) -> list[str]:
        return [one.path for one in self.workspace.tracking.files.list(self.caller, FolderNamed(is_deep=True))]

    def counts(self) -> dict[str, int]:
        with self.workspace.store.read() as reader:
            return {
                table: reader.all(parse(f"-- name: counted\nselect count(*) from {table}")["counted"])[0][0]
                for table in TABLES
            }


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    found.workspace.tracking.experiments.begin("default")
    yield found
    found.workspace.close()


def test_a_deleted_run_goes_with_all_of_its_rows_and_files_and_the_others_stay(house: House) -> None:
    kept = house.run(model=b"kept")
    before = house.counts()
    gone = house.run(model=b"gone", more=b"kept")
    house.delete_run(gone)
    house.wait(days=31)

    emptied = house.empty()

    assert house.counts() == before
    assert house.files() == [f"0/{kept}/artifacts/model"]
    assert (emptied.runs, emptied.files, emptied.size_bytes, emptied.freed_bytes) == (1, 2, 8, 4)


def test_what_was_deleted_within_the_retention_or_restored_stays(house: House) -> None:
    recent, restored = house.run(a=b"a"), house.run(b=b"b")
    house.delete_run(restored)
    house.wait(days=20)
    house.delete_run(recent)
    house.workspace.tracking.runs.restore(house.caller, TrackedRunNamed(run=restored))
    house.wait(days=20)

    emptied = house.empty()

    assert (emptied.runs, len(house.files())) == (0, 2)


def test_a_deleted_experiment_goes_with_everything_in_it_and_frees_its_name(house: House) -> None:
    before = house.counts()
    experiment = house.experiment("churn")
    house.run(experiment, a=b"a")
    house.model(experiment, MLmodel=b"m")
    house.delete_experiment(experiment)
    house.wait(days=31)

    dry, unchanged = house.empty(is_dry_run=True), house.counts()
    wet = house.empty()

    assert unchanged["experiment"] == before["experiment"] + 1
    assert (dry.experiments, dry.runs, dry.models, dry.files) == (wet.experiments, wet.runs, wet.models, wet.files)
    assert (wet.experiments, wet.runs, wet.models, wet.files) == (1, 1, 1, 2)
    assert house.counts() == before
    assert house.files() == []
    assert house.experiment("churn") != experiment


def test_the_first_experiment_is_emptied_and_stays(house: House) -> None:
    house.run(a=b"a")
    house.delete_experiment("0")
    house.wait(days=31)

    emptied = house.empty()

    assert (emptied.experiments, emptied.runs) == (0, 1)
    assert house.workspace.tracking.experiments.named(house.caller, ExperimentNamed(name="Default")).number == 0


def test_a_deleted_logged_model_goes_with_its_files(house: House) -> None:
    before = house.counts()
    model = house.model(MLmodel=b"m")
    house.workspace.tracking.logged_models.delete(house.caller, LoggedModelNamed(model=model))
    house.wait(days=31)

    assert (house.empty().models, house.counts(), house.files()) == (1, before, [])


def test_what_a_registered_version_came_from_is_held_until_the_version_goes(house: House) -> None:
    experiment = house.experiment("churn")
    run = house.run(experiment, MLmodel=b"flavors: {}")
    other = house.run(experiment, a=b"a")
    source = f"runs:/{run}/"
    house.workspace.registry.models.create(house.caller, CreateModel(name="churn"))
    house.workspace.registry.versions.create(house.caller, CreateVersion(model="churn", source=source, run_id=run))
    house.delete_experiment(experiment)
    house.wait(days=31)

    emptied = house.empty()

    assert (emptied.experiments, emptied.runs) == (0, 1)
    assert any(run in reason and "'churn'" in reason for reason in emptied.held)
    assert any(reason.startswith(f"experiment {experiment}") for reason in emptied.held)
    assert not any(other in path for path in house.files())
    assert any(run in path for path in house.files())


def test_an_experiment_that_lies_where_it_was_told_to_takes_nothing_of_others_with_it(house: House) -> None:
    made = house.workspace.tracking.experiments.create(
        house.caller, CreateExperiment(name="a", artifact_location="mlflow-artifacts:/shared")
    )
    other = house.workspace.tracking.experiments.create(
        house.caller, CreateExperiment(name="b", artifact_location=f"mlflow-artifacts:/{made.number}/inside")
    )
    house.run(str(made.number), a=b"a")
    house.run(str(other.number), b=b"b")
    house.delete_experiment(str(made.number))
    house.wait(days=31)

    emptied = house.empty()

    assert (emptied.experiments, emptied.runs) == (1, 1)
    assert [path.rpartition("/")[2] for path in house.files()] == ["b"]


def test_many_runs_go_in_batches_each_with_its_event(house: House) -> None:
    experiment = house.experiment("many")
    for _ in range(120):
        house.run(experiment)
    house.delete_experiment(experiment)
    house.wait(days=31)

    house.empty()

    bodies = [event.body for event in house.workspace.events.newest("default") if event.kind == "trash.emptied"]
    assert sorted(body.get("runs", 0) for body in bodies) == [0, 20, 50, 50]
    assert sum(body.get("experiments", 0) for body in bodies) == 1


def test_a_purge_that_was_cut_off_is_finished_by_the_next(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = house.experiment("cut")
    for _ in range(3):
        house.run(experiment, a=b"a")
    house.delete_experiment(experiment)
    house.wait(days=31)
    trash = house.workspace.tracking.trash
    with monkeypatch.context() as cut:
        cut.setattr(trash, "_purge_experiment", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            house.empty()

    emptied = house.empty()

    assert (emptied.experiments, emptied.runs) == (1, 0)
    assert house.experiment("cut")


def test_who_may_only_track_empties_no_trash(house: House) -> None:
    tracker = Caller(project="default", actor="eve", permissions=TRACKING)

    with pytest.raises(PermissionDenied):
        house.workspace.tracking.trash.empty(tracker, EmptyTrash(is_dry_run=True))
