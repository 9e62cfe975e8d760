"""KServe's clients work unchanged against an endpoint. They live in `.peers-serve`, whose pins clash with ours."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.systems.serve.models import deploy, flights_model
from tests.systems.serve.processes import start_server
from tests.systems.serve.test_protocol import numbers, output

ROOT = Path(__file__).resolve().parents[2]
SERVE_PEERS = ROOT / ".peers-serve" / "bin" / "python"
PROGRAM = Path(__file__).parent / "programs" / "kserve_client.py"


@pytest.mark.needs_kserve
@pytest.mark.needs_no_peers
@pytest.mark.skipif(not SERVE_PEERS.exists(), reason="KServe's client is not installed: make .peers-serve/.ready")
def test_kserves_clients_read_over_both_transports_what_plain_json_says(tmp_path: Path) -> None:
    deploy(tmp_path, "numbers", flights_model(numeric=True))
    with start_server(tmp_path, grpc_port=0) as server:
        wanted = output(server.infer("numbers", numbers()).json(), "probability")
        command = [str(SERVE_PEERS), "-W", "ignore", str(PROGRAM), server.process.url, str(server.process.grpc_address)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])

    read = {"id": "k-1", "model": "numbers", "probability": wanted}
    health = {"live": True, "ready": True, "model_ready": True}
    assert "No endpoint 'nobody' is served here." in found["rest"].pop("refused")
    assert found["rest"] == {**health, "json": read, "binary": read}
    assert found["grpc"] == {**health, "typed": read, "raw": read}
