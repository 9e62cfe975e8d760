"""An unchanged client logs folders, sends a large file in parts, lists, downloads and deletes, on both servers alike."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.peers.servers import PEERS_PYTHON, Served, client_environment

PROGRAM = Path(__file__).parent / "programs" / "artifacts.py"


def seen(uri: str, folder: Path) -> dict[str, Any]:
    folder.mkdir()
    done = subprocess.run(
        [str(PEERS_PYTHON), str(PROGRAM), uri, str(folder)],
        env=client_environment(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def test_a_stock_client_sees_the_same_of_its_artifacts_on_both_servers(
    treadle: Served, stock: Served, tmp_path: Path
) -> None:
    ours, theirs = seen(treadle.url, tmp_path / "ours"), seen(stock.url, tmp_path / "theirs")

    assert ours == theirs
    assert ours["same"] == [True, "small"]
    assert ours["listed"] == [["data/deep", True, None], ["data/large.bin", False, (17 << 20) + 5]]
    assert (ours["after"], ours["empty"]) == (["data/large.bin"], True)
