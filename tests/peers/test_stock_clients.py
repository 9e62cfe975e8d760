"""The newest stock MLflow client, unchanged, does to Treadle all that it does to its own server.

Each program of `tests/peers/programs` runs in the stock client's own environment, writes, reads back and compares. A recorder
between them notes every call, and none may be one that Treadle does not know.
The soak runs the same programs against a stock server, which shows that they ask for nothing special.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.peers.recording import Recorder
from tests.peers.servers import PEERS_PYTHON, ROOT, Served, peers_have

PROGRAMS = Path(__file__).parent / "programs"
NAMES = ("logging_everything", "autologging", "registry", "tracing", "webhooks")


def carry_out(name: str, served: Served, folder: Path, *arguments: str) -> Recorder:
    """Runs a program against a server; fails with what it said when it fails."""
    with Recorder(served.port) as recorder:
        environment = served.environment()
        environment |= {"MLFLOW_TRACKING_URI": recorder.url, "MLFLOW_REGISTRY_URI": recorder.url}
        command = [str(PEERS_PYTHON), str(PROGRAMS / f"{name}.py"), *arguments]
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240
        )
    assert done.returncode == 0, f"{_calls(recorder)}\n{done.stdout[-2000:]}\n{done.stderr[-6000:]}"
    return recorder


def _calls(recorder: Recorder) -> str:
    wrong = [f"{one.method} {one.path} {one.status} {one.detail}" for one in recorder.calls if one.status >= 400]
    return "\n".join(wrong[-8:])


@pytest.mark.parametrize("name", NAMES)
def test_a_stock_client_finds_every_route_and_reads_what_it_wrote(name: str, treadle: Served, tmp_path: Path) -> None:
    recorder = carry_out(name, treadle, tmp_path)

    assert recorder.calls
    assert recorder.unknown() == []


def test_lightning_logs_by_itself(treadle: Served, tmp_path: Path) -> None:
    if not (peers_have("torch") and peers_have("lightning")):
        pytest.skip("PyTorch is not installed beside the stock clients: make peers-torch")

    recorder = carry_out("autologging", treadle, tmp_path, "torch")

    assert recorder.unknown() == []


@pytest.mark.soak
@pytest.mark.parametrize("name", NAMES)
def test_the_programs_ask_nothing_that_a_stock_server_does_not_answer(name: str, stock: Served, tmp_path: Path) -> None:
    assert carry_out(name, stock, tmp_path).calls


@pytest.mark.needs_no_peers
def test_the_pinned_versions_name_all_that_treadle_itself_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", (PROGRAMS.parent / "requirements.txt").read_text(), re.MULTILINE))

    needed = {re.split(r"[^A-Za-z0-9._-]", one)[0].lower() for one in project["dependencies"]}

    assert needed <= pinned, f"make peers-lock: {sorted(needed - pinned)}"
