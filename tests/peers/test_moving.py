"""A store that stock MLflow filled comes into Treadle, and leaves it, so that stock clients read the same in all of them."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.peers.servers import PEERS_PYTHON, client_environment, stock_server, treadle_server

PROGRAM = Path(__file__).parent / "programs" / "moving.py"
TREADLE = str(Path(sys.executable).with_name("treadle"))


def stock(folder: Path, environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [str(PEERS_PYTHON), str(PROGRAM), *arguments],
        cwd=folder,
        env={
            **client_environment(),
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]


def told(folder: Path, environment: dict[str, str], **uris: str) -> dict[str, dict[str, Any]]:
    """All that a stock client reads in each of the stores."""
    stock(folder, environment, "tell", *(f"{uri}={folder / name}.json" for name, uri in uris.items()))
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in uris}


def treadle(folder: Path, home: Path, *arguments: str) -> str:
    done = subprocess.run(
        [TREADLE, *arguments, "--home", str(home)],
        cwd=folder, env=client_environment(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("form", ["database", "folder", "server"])
def test_stock_clients_read_the_same_before_inside_and_after(form: str, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        if form == "server":
            there = stack.enter_context(stock_server(tmp_path / "stock")).url
        else:
            there = f"sqlite:///{tmp_path}/mlflow.db" if form == "database" else str(tmp_path / "mlruns")
        before = {"MLFLOW_TRACKING_URI": there, "MLFLOW_REGISTRY_URI": there}
        stock(tmp_path, before, "fill")
        home, out = tmp_path / "home", str(tmp_path / "out")

        treadle(tmp_path, home, "import", "mlflow", there, "--artifact-root", str(tmp_path / "mlruns"))
        treadle(tmp_path, home, "import", "mlflow", there, "--artifact-root", str(tmp_path / "mlruns"), "--check")
        treadle(tmp_path, home, "export", "mlflow", out)

        served = stack.enter_context(treadle_server(tmp_path))
        reads = told(tmp_path, served.environment(), before=there, after=out, inside=served.url)

    assert reads["after"] == reads["before"]
    assert reads["inside"] == reads["before"]
