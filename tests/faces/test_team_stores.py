"""The same project on a team's stores: rows in PostgreSQL, bytes in an object store, named by two variables."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from treadle.faces.cli import entry
from treadle.testing.postgres import postgres_database

TREADLE = [sys.executable, "-m", "treadle.faces.cli.entry"]
BUCKET = "treadle-faces"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of an S3 server of this host, with a bucket."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}", method="PUT")).close()
    yield address
    server.stop()


@pytest.fixture(params=["postgres", "s3", "both"])
def project(
    request: pytest.FixtureRequest, s3: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Any]:
    """Calls the command line in a new project whose store or artifacts are elsewhere; answers (exit code, answer)."""
    assert entry.main(["init", str(tmp_path), "--name", "cafe"]) == 0
    capsys.readouterr()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TREADLE_", "AWS_"))}
    if request.param in ("s3", "both"):
        environment |= {
            "TREADLE_ARTIFACTS": f"s3://{BUCKET}/{tmp_path.name}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": s3,
            "AWS_ALLOW_HTTP": "true",
        }

    def call(*words: str, **more: str) -> tuple[int, Any]:
        done = subprocess.run(
            [*TREADLE, *words, "--json"],
            cwd=tmp_path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout or done.stderr)

    if request.param == "s3":
        yield call
        return
    with postgres_database() as url:
        environment["TREADLE_STORE"] = url
        yield call


def test_a_new_project_runs_is_known_afterwards_and_is_sound(project):
    first = project("run", "pipeline.py")
    second = project("run", "pipeline.py")
    _, page = project("runs", "list")
    verified = project("audit", "verify")
    doctor = project("doctor", "--deep")

    assert first[0] == 0, first
    assert [step["status"] for step in first[1]["steps"]] == ["done"] * 4
    assert [step["status"] for step in second[1]["steps"]] == ["cached"] * 4
    assert second[1]["value"] == first[1]["value"]
    assert [run["id"] for run in page["items"]] == [second[1]["run"], first[1]["run"]]
    assert (verified[0], verified[1]["broken"]) == (0, None)
    assert doctor[0] == 0, doctor


def test_a_publication_is_stored_there_too(project):
    code, answer = project("publish")

    assert (code, answer["pipelines"]) == (0, ["forecast"])
    assert project("publish", "--if-changed")[1]["publication"] == answer["publication"]


def test_a_store_that_does_not_answer_is_named_without_its_password(project):
    code, problem = project("run", "pipeline.py", TREADLE_STORE="postgresql://ada:secret@127.0.0.1:1/none")

    assert (code, problem["retryable"]) == (6, True)
    assert "127.0.0.1" in problem["title"] + problem["why"]
    assert "secret" not in json.dumps(problem)
