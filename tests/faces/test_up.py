"""`treadle up`: the same answers over HTTP as in process, for those who have the token."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from treadle.faces.cli import entry
from treadle.faces.sdk.connecting import VERBS
from treadle.faces.tokens import home_token

T = TypeVar("T")

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
        [*TREADLE, "up", "--port", "0", "--serve-port", "0", "--home", str(home), "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        text += process.stdout.readline()
    yield json.loads(text)["url"]
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)


@pytest.fixture
def up() -> Iterator[Callable[[Path], Up]]:
    """Starts a `treadle up` in a folder; what still works when the test ends is killed."""
    started: list[Up] = []

    def start(folder: Path) -> Up:
        started.append(Up(folder))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


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


def test_nobody_is_served_beyond_loopback(tmp_path, capsys):
    assert entry.main(["up", "--host", "0.0.0.0", "--home", str(tmp_path)]) == 5
    assert "ssh -L" in capsys.readouterr().err


def test_what_is_stopped_answers_what_is_under_way_and_ends_cleanly(tmp_path, up):
    with_up = up(tmp_path)

    with_up.stop()

    assert with_up.process.returncode == 0
    assert is_gone(with_up.url)
    assert is_gone(with_up.models_url)


def test_one_works_in_a_home_and_a_killed_one_holds_nobody_up(tmp_path, up):
    first = up(tmp_path)

    refused = subprocess.run(
        [*TREADLE, "up", "--home", str(tmp_path / "home")], capture_output=True, text=True, check=False
    )
    first.kill()
    second = up(tmp_path)
    second.stop()

    assert refused.returncode == 4
    assert f"kill {first.process.pid}" in refused.stderr


def test_the_model_server_ends_with_a_killed_up_and_a_killed_model_server_is_started_again(tmp_path, up):
    first = up(tmp_path)
    server = first.log_line("the model server answers")
    os.kill(server["pid"], signal.SIGKILL)
    again = first.log_line("the model server answers")
    first.kill()

    assert again["pid"] != server["pid"]
    assert eventually(lambda: is_gone(again["url"]))


def test_a_project_is_live_as_its_files_are_and_a_schedule_fires_once_across_a_kill(tmp_path, up):
    (tmp_path / "treadle.toml").write_text('project = "live"\n')
    (tmp_path / "work.py").write_text(PIPELINE.replace("@td.pipeline", '@td.pipeline(schedule="0 0 1 1 *")'))
    first = up(tmp_path)
    published = first.log_line("the project is live")
    make_due(tmp_path / "home")
    started = first.log_line("a run was started")
    first.kill()  # before, while or after the runner works: the firing is one

    second = up(tmp_path)
    second.log_line("the project is live")  # else an edit before its first look would be no change
    run = eventually(lambda: finished_run(second))
    (tmp_path / "work.py").write_text(PIPELINE)
    changed = published
    while changed["publication"] == published["publication"]:  # the first look of the second may have come late
        changed = second.log_line("the project is live")
    second.stop()

    assert (published["pipelines"], started["pipeline"]) == ("work", "work")
    assert changed["publication"] != published["publication"]
    assert run["status"] == "done"
    assert rows(tmp_path / "home", "select state, run from firing") == [("started", run["id"])]
    assert rows(tmp_path / "home", "select count(*) from schedule") == [(0,)]


class Up:
    """A `treadle up` of a folder, its addresses and its log."""

    def __init__(self, folder: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TREADLE_")}
        command = [*TREADLE, "up", "--port", "0", "--serve-port", "0", "--home", str(folder / "home"), "--json"]
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read() if self.process.stderr else ""
            text += line
        answer = json.loads(text)
        self.url, self.models_url = answer["url"], answer["models_url"]
        self.token = Path(answer["token_file"]).read_text().strip()

    def log_line(self, event: str, **wanted: object) -> dict[str, Any]:
        """The next line of the log about that event."""
        assert self.process.stderr is not None
        for text in self.process.stderr:
            line: dict[str, Any] = json.loads(text)
            if line["event"] == event and wanted.items() <= line.items():
                return line
        raise AssertionError(f"the log ended without {event!r}")

    def get(self, path: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.get(f"{self.url}/api/v1/{path}", headers=headers, trust_env=False).json()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=60)


def finished_run(up: Up) -> dict[str, Any] | None:
    runs = up.get("runs/list")["items"]
    return next((run for run in runs if run["status"] == "done"), None)


def make_due(home: Path) -> None:
    """Moves every schedule to a second ago."""
    with contextlib.closing(sqlite3.connect(home / "treadle.db", timeout=30)) as store, store:
        store.execute("update schedule set next_at = ?", (int(time.time() * 1_000_000) - 1_000_000,))


def rows(home: Path, query: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(home / "treadle.db", timeout=30)) as store:
        return store.execute(query).fetchall()


def is_gone(url: str) -> bool:
    """Whether nobody listens there."""
    try:
        httpx.get(f"{url}/health", trust_env=False, timeout=5)
    except httpx.TransportError:
        return True
    return False


def eventually(look: Callable[[], T | None], within_s: float = 60.0) -> T:
    """What `look` answers as soon as it is something."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that")
