"""The two commands: counts for a person, one document for a program, and an exit code that says whether all is alike."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.systems.train.moving.older_database import RUNS, write_old_database
from treadle.faces.cli.entry import main


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("TREADLE_HOME", str(tmp_path / "home"))
    write_old_database(tmp_path / "mlflow.db", tmp_path / "artifacts")
    return ["import", "mlflow", str(tmp_path / "mlflow.db"), "--artifact-root", str(tmp_path / "artifacts")]


def test_an_import_tells_what_came_and_what_stayed(words, capsys):
    assert main([*words, "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["files"], told["left"]) == (RUNS, 5, [])


def test_files_outside_of_the_named_folders_are_told_once(words, capsys):
    assert main(words[:3]) == 0

    shown = capsys.readouterr().out
    assert f"and {RUNS - 1} more places" in shown
    assert "not below a folder that you named with --artifact-root" in shown


def test_the_rest_comes_when_its_folder_is_named(words, capsys):
    main(words[:3])
    capsys.readouterr()

    assert main([*words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == 5
    assert main([*words, "--check"]) == 0


def test_a_check_ends_with_1_when_something_differs(words, capsys, tmp_path):
    main(words)
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        connection.execute(f"update params set value = 'other' where run_uuid = '{1:032x}'")
    connection.close()
    capsys.readouterr()

    assert main([*words, "--check"]) == 1

    shown = capsys.readouterr().out
    assert f"run {1:032x}" in shown
    assert '{"depth": "other"}' in shown


def test_a_check_of_what_never_came_finds_it_missing(words, capsys):
    assert main([*words, "--check", "--json"]) == 1

    told = json.loads(capsys.readouterr().out)
    assert told["counts"]["runs"] == [RUNS, 0]


def test_a_server_s_store_is_not_reached_from_elsewhere(words, capsys):
    assert main([*words, "--server", "http://127.0.0.1:9"]) == 2

    assert "on that host" in capsys.readouterr().err


def test_an_export_goes_on_where_it_stopped(words, capsys, tmp_path):
    main(words)
    capsys.readouterr()

    assert main(["export", "mlflow", str(tmp_path / "mlruns"), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)
    assert main(["export", "mlflow", str(tmp_path / "mlruns"), "--json"]) == 0
    second = json.loads(capsys.readouterr().out)

    assert (first["runs"], first["files"]) == (RUNS, 6)  # a version has files of its own
    assert (second["runs"], second["known_runs"], second["files"]) == (0, RUNS, 0)
