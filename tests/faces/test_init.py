"""A new project is whole: what it holds reads, runs and passes its own test."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import polars as pl
import pytest
import yaml

from treadle.faces.cli import entry
from treadle.faces.cli.commands.projects import BAD_ROWS, DAYS, project_files, project_name, sales_csv
from treadle.ground import settings
from treadle.wire import odcs


@pytest.fixture
def project(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert entry.main(["init", str(tmp_path / "My Café")]) == 0
    capsys.readouterr()
    return tmp_path / "My Café"


def test_its_settings_are_those_of_a_project_named_after_its_folder(project):
    found = settings.load(environ={}, folder=project / "tests")

    assert found.project_root == project
    assert found.project == "my-caf"


def test_its_configuration_files_are_read_by_those_who_read_them(project):
    assert tomllib.loads((project / "pyproject.toml").read_text())["project"]["name"] == "my-caf"
    workflow = yaml.safe_load((project / ".github/workflows/ci.yml").read_text())
    assert {"run": "treadle run pipeline.py"} in workflow["jobs"]["test"]["steps"]


def test_its_contract_describes_the_columns_of_its_data(project):
    contract = odcs.decode((project / "contracts" / "sales.odcs.yaml").read_text())

    columns = pl.read_csv(project / "data" / "sales.csv").columns
    assert [column.name for column in contract.schema[0].properties] == columns


def test_its_data_is_the_same_every_time_and_has_its_bad_rows():
    rows = pl.read_csv(sales_csv().encode())

    assert sales_csv() == sales_csv()
    assert rows.height == DAYS
    bad = rows.with_row_index().filter((pl.col("cups") < 0) | (pl.col("temperature_c") > 50))
    assert bad["index"].to_list() == sorted(BAD_ROWS)


def test_its_readme_names_every_file_that_is_there(project):
    text = (project / "README.md").read_text()

    for name in (
        "pipeline.py",
        "contracts/sales.odcs.yaml",
        "data/sales.csv",
        ".github/workflows/ci.yml",
        "treadle.toml",
    ):
        assert name in text
        assert (project / name).is_file()


def test_no_placeholder_is_left():
    assert [path for path, text in project_files("x").items() if "${" in text] == []


def test_nothing_that_is_there_is_overwritten(project, capsys):
    (project / "pipeline.py").write_text("mine = True\n")

    assert entry.main(["init", str(project)]) == 4
    assert "pipeline.py" in capsys.readouterr().err
    assert (project / "pipeline.py").read_text() == "mine = True\n"


def test_a_program_is_told_what_was_written(tmp_path, capsys):
    entry.main(["init", str(tmp_path), "--name", "flights", "--json"])

    answer = json.loads(capsys.readouterr().out)
    assert answer["folder"] == str(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == answer["files"]
    assert 'project = "flights"' in (tmp_path / "treadle.toml").read_text()


@pytest.mark.parametrize(
    ("text", "name"),
    [("My Café 2", "my-caf-2"), ("_x_", "x"), ("日本", "project"), ("a" * 80, "a" * 40), ("Flights.v1", "flights-v1")],
)
def test_any_folder_s_name_becomes_a_project_s(text, name):
    assert project_name(text) == name
    assert settings.load({"project": name}, environ={}).project == name
