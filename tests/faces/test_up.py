"""`treadle up`: the same answers over HTTP as in process, for those who have the token."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from treadle.faces.cli import entry
from treadle.faces.sdk.connecting import VERBS
from treadle.faces.tokens import home_token

TREADLE = [sys.executable, "-m", "treadle.faces.cli.entry"]

PIPELINE = """
import treadle as td

@td.step
def double(n: int) -> int:
    return 2 * n

@td.pipeline
def work(n: int = 4) -> int:
    return td.load(double(n))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which one pipeline has run."""
    folder = tmp_path_factory.mktemp("up")
    (folder / "work.py").write_text(PIPELINE)
    command = [*TREADLE, "run", "work.py", "--home", str(folder / "home")]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "home"


@pytest.fixture(scope="module")
def served(home: Path) -> Iterator[str]:
    """The address of the home's API."""
    process = subprocess.Popen(
        [*TREADLE, "up", "--port", "0", "--home", str(home), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        text += process.stdout.readline()
    yield json.loads(text)["url"]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


def answer_of(capsys: pytest.CaptureFixture[str], *words: str) -> object:
    assert entry.main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "words", [("runs", "list"), ("events", "list"), ("audit", "verify"), ("datasets", "list"), ("models", "list")]
)
def test_a_command_answers_alike_in_process_and_over_the_api(home, served, capsys, words):
    here = answer_of(capsys, *words, "--home", str(home))
    there = answer_of(capsys, *words, "--home", str(home), "--server", served)

    assert here == there


def test_an_exported_log_is_the_same_over_the_api(home, served, tmp_path, capsys):
    for name, more in (("here", []), ("there", ["--server", served])):
        assert entry.main(["audit", "export", str(tmp_path / name), "--home", str(home), *more]) == 0

    assert (tmp_path / "here").read_text() == (tmp_path / "there").read_text()


def test_another_home_s_token_opens_nothing(served, tmp_path, capsys):
    home_token(tmp_path)

    assert entry.main(["runs", "list", "--home", str(tmp_path), "--server", served]) == 5
    assert "token" in capsys.readouterr().err


def test_every_verb_of_the_client_has_its_path(served):
    paths = set(httpx.get(f"{served}/api/v1/openapi.json", trust_env=False).json()["paths"])

    assert {f"/api/v1/{noun}/{action}" for noun in VERBS.nouns for action in VERBS.of(noun)} == paths


def test_nobody_is_served_beyond_loopback(home, capsys):
    assert entry.main(["up", "--host", "0.0.0.0", "--home", str(home)]) == 5
    assert "ssh -L" in capsys.readouterr().err


def test_a_server_that_is_stopped_ends_cleanly(home):
    process = subprocess.Popen(
        [*TREADLE, "up", "--port", "0", "--home", str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    assert "http://127.0.0.1:" in process.stdout.readline()

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)

    assert (process.returncode, errors) == (0, "stopped\n")
