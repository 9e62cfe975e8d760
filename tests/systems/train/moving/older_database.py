"""Databases as MLflow made them: one of 2.0, before aliases, data sets, logged models and workspaces, and what 3 has added."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_OLD = """
create table experiments (experiment_id integer primary key, name varchar, artifact_location varchar,
    lifecycle_stage varchar, creation_time bigint, last_update_time bigint);
create table experiment_tags (key varchar, value varchar, experiment_id integer);
create table runs (run_uuid varchar primary key, name varchar, source_type varchar, user_id varchar, status varchar,
    start_time bigint, end_time bigint, deleted_time bigint, lifecycle_stage varchar, artifact_uri varchar,
    experiment_id integer);
create table metrics (key varchar, value double, timestamp bigint, run_uuid varchar, step bigint, is_nan boolean);
create table params (key varchar, value varchar, run_uuid varchar);
create table tags (key varchar, value varchar, run_uuid varchar);
create table registered_models (name varchar primary key, creation_time bigint, last_updated_time bigint,
    description varchar);
create table registered_model_tags (key varchar, value varchar, name varchar);
create table model_versions (name varchar, version integer, creation_time bigint, last_updated_time bigint,
    description varchar, user_id varchar, current_stage varchar, source varchar, run_id varchar, status varchar,
    status_message varchar, run_link varchar);
create table model_version_tags (key varchar, value varchar, name varchar, version integer);
"""
RUNS = 30


def write_old_database(path: Path, artifacts: Path, *, runs: int = RUNS) -> None:
    """A database of MLflow 2.0 with some runs, the files of the first of them, and a model."""
    connection = sqlite3.connect(path)
    connection.executescript(_OLD)
    connection.execute("insert into experiments values (0, 'Default', 'mlruns/0', 'active', 1, 1)")
    connection.execute("insert into experiments values (7, 'old', ?, 'active', 100, 200)", (artifacts.as_uri(),))
    connection.execute("insert into experiment_tags values ('team', 'blue', 7)")
    for place in range(runs):
        run = f"{place:032x}"
        connection.execute(
            "insert into runs values (?, '', 'LOCAL', 'ada', 'FINISHED', ?, ?, null, 'active', ?, 7)",
            (run, 1000 + place, 2000 + place, f"{artifacts.as_uri()}/{run}/artifacts"),
        )
        connection.execute("insert into tags values ('mlflow.runName', ?, ?)", (f"run {place}", run))
        connection.execute("insert into params values ('depth', ?, ?)", (str(place), run))
        connection.executemany(
            "insert into metrics values ('loss', ?, ?, ?, ?, 0)",
            [(1 / (step + 1), step, run, step) for step in range(20)],
        )
        connection.execute("insert into metrics values ('odd', 0, 1, ?, 0, 1)", (run,))
    for place in range(min(runs, 5)):
        folder = artifacts / f"{place:032x}" / "artifacts" / "model"
        folder.mkdir(parents=True)
        (folder / "MLmodel").write_text(f"run: {place}\n")
    connection.execute("insert into registered_models values ('late', 10, 20, 'of flights')")
    connection.execute(
        "insert into model_versions values ('late', 3, 11, 12, null, null, 'Production', ?, ?, 'READY', null, null)",
        (f"{artifacts.as_uri()}/{0:032x}/artifacts/model", f"{0:032x}"),
    )
    connection.commit()
    connection.close()
