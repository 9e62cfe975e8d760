"""Bringing stores in: older databases, folders, what is taken already, stops at any moment, and places that lie."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.systems.train.moving.fakes import MemoryStore, experiment, own, quiet, run, workspace
from tests.systems.train.moving.older_database import RUNS, write_old_database
from treadle.assembly import Workspace
from treadle.kernel.governance import Caller
from treadle.kernel.governance.callers import PermissionDenied
from treadle.systems.train.moving.errors import LocationClosed, NoMlflowStore
from treadle.systems.train.moving.exporting import FolderExport
from treadle.systems.train.moving.places import Places
from treadle.systems.train.registry.requests import HistoryOf, VersionNamed
from treadle.testing.postgres import postgres_database

ROOT = Path(__file__).resolve().parents[4]
FIRST = f"{0:032x}"


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Workspace]:
    with workspace(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def database(tmp_path: Path, artifacts: Path) -> Path:
    write_old_database(tmp_path / "mlflow.db", artifacts)
    return tmp_path / "mlflow.db"


def bring(found: Workspace, address: object, *artifacts: Path):
    with closing(found.tracking.moving.open(str(address), list(artifacts))) as store:
        return found.tracking.moving.bring(found.caller, store, is_dry_run=False, progress=quiet)


def check(found: Workspace, address: object, *artifacts: Path):
    with closing(found.tracking.moving.open(str(address), list(artifacts))) as store:
        return found.tracking.moving.compare(found.caller, store, progress=quiet)


def test_a_database_of_an_older_mlflow_comes_in(found, database, artifacts):
    brought = bring(found, f"sqlite:///{database}", artifacts)

    assert (brought.experiments, brought.runs, brought.points, brought.versions) == (1, RUNS, RUNS * 21, 1)
    assert brought.files == 5
    compared = check(found, database, artifacts)
    assert compared.is_alike, compared.differences
    assert own(found).runs([FIRST])[0].name == "run 0"


def test_the_database_is_only_read(found, database, artifacts):
    before = database.read_bytes()
    database.chmod(0o400)

    bring(found, database, artifacts)

    assert database.read_bytes() == before


def test_a_version_has_its_run_s_files_for_good_and_its_stage_is_history(found, database, artifacts):
    bring(found, database, artifacts)

    version = found.registry.versions.get(found.caller, VersionNamed(model="late", version="3")).version
    moves = found.registry.models.history(found.caller, HistoryOf(model="late")).moves

    assert version.source == f"runs:/{FIRST}/model"
    assert (version.stage, version.size_bytes, version.created_ms, version.updated_ms) == ("Production", 7, 11, 12)
    assert [(move.kind, move.name, move.reason) for move in moves] == [
        ("stage", "Production", "brought in from another store")
    ]


def test_a_dry_run_writes_nothing(found, database, artifacts):
    with closing(found.tracking.moving.open(str(database), [artifacts])) as store:
        would = found.tracking.moving.bring(found.caller, store, is_dry_run=True, progress=quiet)

    assert (would.runs, would.files) == (RUNS, 5)
    assert own(found).run_ids() == []
    assert bring(found, database, artifacts).runs == RUNS


def test_an_import_leaves_one_event(found, database, artifacts):
    bring(found, database, artifacts)

    events = found.events.since("default", 0, kinds=("store.imported",))

    assert [event.body["runs"] for event in events] == [RUNS]


def test_a_number_that_is_taken_gives_way_and_a_name_that_is_known_is_joined(found, database):
    found.tracking.moving.bring(
        found.caller,
        MemoryStore(of_experiments=[experiment(7, "ours"), experiment(9, "other")]),
        is_dry_run=False,
        progress=quiet,
    )

    brought = bring(found, database)

    assert brought.renumbered == {7: 10}
    assert {one.number: one.name for one in own(found).experiments()}[10] == "old"


def test_what_a_killed_import_left_undone_the_next_one_does(tmp_path, artifacts):
    """The process says each batch that stands and is killed after some; nothing is there twice in the end."""
    write_old_database(tmp_path / "mlflow.db", artifacts, runs=450)
    home = tmp_path / "home"
    for batches in (1, 2):
        program = [sys.executable, "-m", "tests.systems.train.moving.importing_process", str(home), str(tmp_path)]
        with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(batches):
                process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)

    with workspace(home) as found:
        known = len(own(found).run_ids())
        brought = bring(found, tmp_path / "mlflow.db", artifacts)
        compared = check(found, tmp_path / "mlflow.db", artifacts)

    assert known >= 200
    assert brought.runs == 450 - known
    assert compared.is_alike, compared.differences
    assert compared.counts["runs"] == (450, 450)


def test_a_folder_that_was_moved_is_read_where_it_lies_now(found, database, artifacts, tmp_path):
    bring(found, database, artifacts)
    FolderExport(own(found), tmp_path / "there").write()
    (tmp_path / "there").rename(tmp_path / "here")

    with workspace(tmp_path / "other") as other:
        brought = bring(other, tmp_path / "here")
        compared = check(other, tmp_path / "here")

    assert brought.left == []
    assert brought.files == 5
    assert compared.is_alike, compared.differences
    assert compared.unopened == 0


def test_the_schema_of_postgresql_is_read_alike(found, database, artifacts):
    psycopg = pytest.importorskip("psycopg")
    with postgres_database() as url:
        rows = sqlite3.connect(database)
        with psycopg.connect(url) as connection:
            for name, statement in rows.execute("select name, sql from sqlite_master where type = 'table'").fetchall():
                connection.execute(statement.replace("double", "double precision").replace("boolean", "integer"))
                found_rows = rows.execute(f"select * from {name}").fetchall()
                if found_rows:
                    marks = ", ".join(["%s"] * len(found_rows[0]))
                    with connection.cursor() as cursor:
                        cursor.executemany(f"insert into {name} values ({marks})", found_rows)
        rows.close()
        bring(found, url.replace("postgresql://", "postgresql+psycopg2://"), artifacts)

    assert check(found, database, artifacts).is_alike


def test_who_may_not_write_brings_nothing_in(found, database):
    reader = Caller(project="default", actor="eve", permissions=frozenset({"*.read"}))

    with closing(found.tracking.moving.open(str(database), [])) as store, pytest.raises(PermissionDenied):
        found.tracking.moving.bring(reader, store, is_dry_run=False, progress=quiet)


@pytest.mark.parametrize("address", ["nothing.db", "mysql://h/db", "."])
def test_what_is_no_store_is_said_to_be_none(found, tmp_path, monkeypatch, address):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    with pytest.raises(NoMlflowStore):
        found.tracking.moving.open(address, [])


def test_another_database_is_no_store(found, tmp_path):
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("create table t (x)")
    connection.close()

    with pytest.raises(NoMlflowStore, match="no database of MLflow"):
        found.tracking.moving.open(str(tmp_path / "other.db"), [])


def test_a_run_whose_id_is_odd_is_left_behind_and_said(found):
    store = MemoryStore(of_experiments=[experiment(0, "Default")], of_runs=[run("../../etc", 0)])

    brought = found.tracking.moving.bring(found.caller, store, is_dry_run=False, progress=quiet)

    assert brought.runs == 0
    assert "32 hexadecimal digits" in brought.left[0].why


class TestPlaces:
    """A store says where its files are, and is not believed."""

    @pytest.mark.parametrize(
        "location",
        ["/etc", "file:///etc", "file:///tmp/root/../../etc", "s3://bucket/x", "https://host/x", "file://host/share"],
    )
    def test_what_lies_elsewhere_is_not_opened(self, tmp_path, location):
        with pytest.raises(LocationClosed):
            Places([tmp_path]).files(location)

    @pytest.mark.parametrize("location", ["mlflow-artifacts:/../../etc", "mlflow-artifacts:/%2e%2e/%2e%2e/etc"])
    def test_a_step_upward_leads_nowhere(self, tmp_path, location):
        (tmp_path / "root").mkdir()

        with pytest.raises(LocationClosed):
            Places([tmp_path / "root"]).files(location)

    def test_links_are_not_followed(self, tmp_path):
        root, secret = tmp_path / "root", tmp_path / "secret"
        (root / "run").mkdir(parents=True)
        secret.mkdir()
        (secret / "key").write_text("s")
        (root / "run" / "good").write_text("g")
        (root / "run" / "file").symlink_to(secret / "key")
        (root / "run" / "folder").symlink_to(secret)
        (root / "link").symlink_to(secret)

        assert [file.path for file in Places([root]).files(str(root / "run"))] == ["good"]
        with pytest.raises(LocationClosed):
            Places([root]).files(str(root / "link"))

    def test_a_folder_that_is_not_there_has_no_files(self, tmp_path):
        assert Places([tmp_path]).files(str(tmp_path / "none")) == []

    def test_proxied_artifacts_are_looked_for_below_the_named_folders(self, tmp_path):
        (tmp_path / "1" / "x").mkdir(parents=True)
        (tmp_path / "1" / "x" / "a b.txt").write_text("a")

        assert [file.path for file in Places([tmp_path]).files("mlflow-artifacts:/1/x")] == ["a b.txt"]


def test_two_things_are_compared_by_bytes_not_by_size(found, database, artifacts):
    bring(found, database, artifacts)
    (artifacts / FIRST / "artifacts" / "model" / "MLmodel").write_text("RUN: 0\n")

    compared = check(found, database, artifacts)

    assert [(one.what, one.field) for one in compared.differences] == [(f"run {FIRST}", "files")]
