"""`treadle up` answers at once and holds little: a home that only tracks pays for nothing else."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil

MEMORY_MAX_BYTES = 150_000_000
START_MAX_S = 1.0
HEAVY = ("polars", "pyarrow", "duckdb", "alembic", "deltalake", "pandas", "mlflow", "sklearn")


class Up:
    """A `treadle up` of a fresh home, without a port for models."""

    def __init__(self, folder: Path, *options: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.began = time.perf_counter()
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "treadle.faces.cli.entry", "up", "--json"),
                *("--port", str(self.port), "--home", str(folder / "home"), *options),
            ],
            env={name: value for name, value in os.environ.items() if not name.startswith("TREADLE_")},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def first_answer_s(self) -> float:
        """Seconds from the start of the process to the first healthy answer."""
        while time.perf_counter() - self.began < 60:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                    connection.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    if connection.recv(64).startswith(b"HTTP/1.1 200"):
                        return time.perf_counter() - self.began
            except OSError:
                time.sleep(0.005)
        raise AssertionError("it does not answer")

    def told(self) -> dict[str, str]:
        """What it says once everything stands."""
        assert self.process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            text += self.process.stdout.readline()
        answer: dict[str, str] = json.loads(text)
        return answer

    def stop(self) -> str:
        """Its log."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=60)[1]


def test_it_answers_within_a_second_and_all_of_it_holds_little_memory(tmp_path):
    """The second is one of the process's own: other tests may keep the machine busy."""
    up = Up(tmp_path)
    up.first_answer_s()
    spent = sum(psutil.Process(up.process.pid).cpu_times()[:2])
    up.told()
    address = f"http://127.0.0.1:{up.port}/api/2.0/mlflow/runs/create"
    made = httpx.post(address, json={"experiment_id": "0"}, trust_env=False)
    family = [psutil.Process(up.process.pid), *psutil.Process(up.process.pid).children(recursive=True)]
    held = sum(each.memory_full_info().pss for each in family)
    up.stop()

    assert made.status_code == 200
    assert spent < START_MAX_S
    assert held < MEMORY_MAX_BYTES


def test_tracking_imports_none_of_the_heavy_libraries(tmp_path):
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from treadle.assembly import open_workspace\n"
        "from treadle.faces.up import Household\n"
        "from treadle.faces.up.answering import answering\n"
        "import logging\n"
        "with open_workspace(Path('home')) as workspace:\n"
        "    server, front = answering(workspace, '127.0.0.1', 0)\n"
        "    front.warm()\n"
        "    import unittest.mock\n"
        "    household = Household(workspace, unittest.mock.MagicMock(), serve_port=0)\n"
        "    household.start(); household.stop(); server.stop()\n"
        "sys.stdout.write(' '.join(sorted(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert sorted({name.split(".")[0] for name in done.stdout.split()} & set(HEAVY)) == []


def test_the_model_server_waits_until_something_is_deployed(tmp_path):
    up = Up(tmp_path)
    told = up.told()
    children = psutil.Process(up.process.pid).children(recursive=True)
    up.stop()

    assert told["models_url"] is None
    assert children == []


def test_what_mlflow_server_s_flags_do_not_change_is_said_in_the_log(tmp_path):
    up = Up(
        tmp_path, "--workers", "4", "--backend-store-uri", "sqlite:///mlflow.db", "--default-artifact-root", "s3://b/a"
    )
    up.told()
    address = f"http://127.0.0.1:{up.port}/api/2.0/mlflow/experiments"
    made = httpx.post(f"{address}/create", json={"name": "x"}, trust_env=False).json()["experiment_id"]
    found = httpx.get(f"{address}/get", params={"experiment_id": made}, trust_env=False).json()["experiment"]
    log = up.stop()

    assert found["artifact_location"].startswith("s3://b/a")
    assert "--workers 4" in log
    assert "rows live in the home" in log


def test_a_part_that_cannot_begin_ends_the_command_with_its_reason(tmp_path):
    program = (
        "import sys\n"
        "from treadle.faces.cli.entry import main\n"
        "from treadle.faces.up import Household\n"
        "from treadle.ground.errors import Unavailable\n"
        "def start(self):\n"
        "    raise Unavailable('The household is ill.')\n"
        "Household.start = start\n"
        "sys.exit(main(['up', '--home', 'home', '--port', '0']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 6
    assert "The household is ill." in done.stderr
