"""Settings come from one place, win in one order, and say where they came from."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from treadle.ground import settings
from treadle.ground.settings import SettingInvalid, Settings


def load(folder: Path, *, flags: dict[str, object] | None = None, **environ: str) -> Settings:
    return settings.load(flags, environ=environ, folder=folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "treadle.toml").write_text('port = 5000\nproject = "flights"\nhome = "state"\n')
    (tmp_path / "src" / "deep").mkdir(parents=True)
    return tmp_path


def test_defaults_hold_where_nothing_is_said(tmp_path):
    found = load(tmp_path)

    assert (found.port, found.project, found.workers, found.allow_pickle) == (4700, "default", 0, False)
    assert found.home == tmp_path / ".treadle"
    assert found.origin_of("port") == "default"


def test_the_file_beats_the_default_the_environment_the_file_and_a_flag_the_environment(project):
    assert load(project).port == 5000
    assert load(project, TREADLE_PORT="5001").port == 5001
    assert load(project, flags={"port": "5002"}, TREADLE_PORT="5001").port == 5002


@pytest.mark.parametrize(("word", "port"), [("", None), ("0", 0), ("4702", 4702)])
def test_a_port_may_be_none_at_all(tmp_path, word, port):
    assert load(tmp_path, TREADLE_SERVE_GRPC_PORT=word).serve_grpc_port == port


def test_every_value_knows_where_it_came_from(project):
    found = load(project, flags={"workers": 3}, TREADLE_LEASE_S="60")

    assert found.origin_of("port") == str(project / "treadle.toml")
    assert found.origin_of("lease_s") == "environment TREADLE_LEASE_S"
    assert found.origin_of("workers") == "flag --workers"


def test_a_flag_that_was_not_given_changes_nothing(project):
    assert load(project, flags={"port": None}).port == 5000


def test_the_project_is_found_from_a_folder_below_it(project):
    found = load(project / "src" / "deep")

    assert found.project_root == project
    assert found.home == project / "state"


def test_a_pyproject_marks_a_project_too(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "sub").mkdir()

    assert load(tmp_path / "sub").home == tmp_path / ".treadle"


def test_a_path_of_the_file_begins_at_the_file_and_one_of_the_environment_at_the_folder(project):
    deep = project / "src" / "deep"

    assert load(deep).home == project / "state"
    assert load(deep, TREADLE_HOME="here").home == deep / "here"
    assert load(deep, TREADLE_ARTIFACTS="bytes").artifacts == str(deep / "bytes")
    assert load(deep, TREADLE_ARTIFACTS="s3://bucket/path").artifacts == "s3://bucket/path"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "-1"),
        ("PORT", "many"),
        ("PROJECT", "Flights!"),
        ("PROJECT", ""),
        ("PROJECT", "../up"),
        ("STORE", "mysql://x"),
        ("ARTIFACTS", "ftp://x"),
        ("SERVER", "localhost:4700"),
        ("EXECUTOR", "dask"),
        ("ALLOW_PICKLE", "maybe"),
        ("LEASE_S", "0"),
        ("LEASE_S", "nan"),
        ("LEASE_S", "inf"),
        ("HOME", ""),
        ("RETENTION_DAYS", "1.5"),
        ("SERVE_GRPC_PORT", "70000"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_origin(tmp_path, name, value):
    with pytest.raises(SettingInvalid) as caught:
        load(tmp_path, **{f"TREADLE_{name}": value})

    assert f"environment TREADLE_{name}" in caught.value.what
    assert "it must" in caught.value.why


def test_a_misspelt_name_in_the_file_is_named_with_its_neighbour(tmp_path):
    (tmp_path / "treadle.toml").write_text("prot = 1\n")

    with pytest.raises(SettingInvalid) as caught:
        load(tmp_path)

    assert "'port'" in caught.value.why


def test_a_file_that_is_no_toml_says_which_line(tmp_path):
    (tmp_path / "treadle.toml").write_text("port = = 1\n")

    with pytest.raises(SettingInvalid) as caught:
        load(tmp_path)

    assert "line 1" in caught.value.why


def test_a_heartbeat_too_slow_for_its_lease_is_refused(tmp_path):
    with pytest.raises(SettingInvalid, match="third of lease_s"):
        load(tmp_path, TREADLE_LEASE_S="10", TREADLE_HEARTBEAT_S="4")


@pytest.mark.parametrize(("word", "claim"), [("1", True), ("TRUE", True), ("off", False), ("no", False)])
def test_claims_are_read_as_people_write_them(tmp_path, word, claim):
    assert load(tmp_path, TREADLE_ALLOW_PICKLE=word).allow_pickle is claim


def test_secrets_are_masked_where_they_are_shown_or_refused(tmp_path):
    found = load(tmp_path, TREADLE_TOKEN="hush", TREADLE_STORE="postgresql://u:hush@host/db")

    assert found.store == "postgresql://u:hush@host/db"
    assert "hush" not in " ".join(str(row) for row in found.sheet())
    with pytest.raises(SettingInvalid) as caught:
        load(tmp_path, TREADLE_STORE="mysql://u:hush@host/db")
    assert "hush" not in " ".join(caught.value.sentences())


def test_settings_travel_to_other_processes(project):
    found = load(project, TREADLE_WORKERS="2")

    copy = pickle.loads(pickle.dumps(found))

    assert (copy.home, copy.workers, copy.origin_of("workers")) == (found.home, 2, "environment TREADLE_WORKERS")


def test_every_setting_says_what_it_means_and_its_unit():
    for setting in settings.declared():
        assert setting.meaning.endswith(".")
        if isinstance(setting.default, float):
            assert setting.name.endswith(("_s", "_share")), setting.name  # seconds, or a part of one
    assert settings.Settings.port.variable == "TREADLE_PORT"
