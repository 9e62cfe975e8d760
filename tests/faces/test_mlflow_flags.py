"""What the flags of `mlflow server` mean to `treadle up`: each does what it says, or says why it does nothing."""

from __future__ import annotations

import pytest

from treadle.faces.cli.signatures import UsageWrong
from treadle.faces.up.mlflow_flags import meaning_of


def test_a_postgresql_store_is_the_store():
    meaning = meaning_of(backend_store_uri="postgresql+psycopg2://ada@db/treadle")

    assert meaning.settings == {"store": "postgresql://ada@db/treadle"}


@pytest.mark.parametrize("uri", ["sqlite:///{}/mlflow.db", "{}/mlruns", "file://{}/mlruns"])
def test_a_local_store_that_is_not_there_is_the_home_s_own(tmp_path, uri):
    meaning = meaning_of(backend_store_uri=uri.format(tmp_path))

    assert meaning.settings == {}
    assert "rows live in the home" in meaning.notes[0]


def test_a_store_of_mlflow_s_is_to_be_brought_in_and_not_written(tmp_path):
    (tmp_path / "mlflow.db").touch()

    with pytest.raises(UsageWrong) as refused:
        meaning_of(backend_store_uri=f"sqlite:///{tmp_path}/mlflow.db")

    assert "treadle import mlflow sqlite:///" in refused.value.fix


def test_another_database_is_refused():
    with pytest.raises(UsageWrong, match="mysql"):
        meaning_of(backend_store_uri="mysql://db/mlflow")


@pytest.mark.parametrize(
    ("uri", "place"), [("s3://bucket/a", "s3://bucket/a"), ("file:///srv/a", "/srv/a"), ("a", "a")]
)
def test_the_destination_of_artifacts_is_where_bytes_live(uri, place):
    assert meaning_of(artifacts_destination=uri).settings == {"artifacts": place}


def test_the_default_root_is_where_new_experiments_put_artifacts():
    meaning = meaning_of(default_artifact_root="s3://bucket/mlflow", no_serve_artifacts=True)

    assert meaning.settings == {"artifact_root": "s3://bucket/mlflow"}


def test_what_cannot_be_had_is_refused():
    for flags in ({"artifacts_only": True}, {"no_serve_artifacts": True}):
        with pytest.raises(UsageWrong):
            meaning_of(**flags)


@pytest.mark.parametrize(
    "flags",
    [
        {"workers": 4},
        {"gunicorn_opts": "--timeout 60"},
        {"uvicorn_opts": "--loop asyncio"},
        {"app_name": "basic-auth"},
        {"expose_prometheus": "metrics"},
        {"registry_store_uri": "sqlite:///registry.db"},
    ],
)
def test_what_changes_nothing_is_said_and_not_dropped_in_silence(flags):
    meaning = meaning_of(**flags)

    assert meaning.settings == {}
    assert len(meaning.notes) == 1
