"""The how-to pages and tutorials work: their files are written and their commands typed, from top to bottom.

A fence that names a file (```` ```python title=flows.py ````) is that file. A fence `console` is a terminal: lines
after `$ ` are typed, the lines below them have to appear, where `…` stands for anything. `console no-run` is for show.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.warm import warm_command

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [
    page
    for folder in ("how-to", "tutorials")
    for page in sorted((ROOT / "docs" / folder).glob("*.md"))
    if "```console\n" in page.read_text(encoding="utf-8")
]


PEERS = ROOT / ".peers" / "bin"
"""Where stock MLflow is installed beside Treadle."""


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with warm_command(tmp_path_factory.mktemp("warm")) as programs:
        yield programs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_the_page_shows_is_what_happens(page, tmp_path, warm):
    text = page.read_text(encoding="utf-8")
    needs_mlflow = re.search(r"^import mlflow", text, re.MULTILINE) is not None
    if needs_mlflow and not (PEERS / "mlflow").exists():
        pytest.skip("stock MLflow is not installed: make .peers/.ready")
    script, wanted = script_of(text)

    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=tmp_path,
        env=environment(tmp_path, [PEERS] if needs_mlflow else [warm, Path(sys.executable).parent]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=240,
    )

    assert done.returncode == 0, done.stdout
    shown = done.stdout.split(MARK)[1:]
    for (command, lines), text in zip(wanted, shown, strict=True):
        for line in lines:
            pattern = r"\s+".join(map(re.escape, line.split())).replace("…", ".*")
            assert re.search(pattern, text), f"{command} does not show {line!r} but:\n{text}"


MARK = "\x1e"


def script_of(text: str) -> tuple[str, list[tuple[str, list[str]]]]:
    """A page as a script, and what each of its commands has to show."""
    ports = {port: str(free_port()) for port in ("4700", "4701", "4702")}
    script = ["trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT"]
    wanted: list[tuple[str, list[str]]] = []
    for fence in _FENCE.finditer(re.sub(r"\b470[012]\b", lambda found: ports[found[0]], text)):
        info, body = fence["info"], fence["body"]
        if "title=" in info:
            name = info.partition("title=")[2].strip()
            script.append(f"mkdir -p $(dirname {name}); cat > {name} <<'END_OF_FILE'\n{body}END_OF_FILE")
        elif info == "console":
            for line in body.splitlines():
                if line.startswith("$ "):
                    wanted.append((line[2:], []))
                    script.append(f"printf '{MARK}'\n{line[2:]}")
                elif line.strip():
                    wanted[-1][1].append(line)
    exports = f"export TREADLE_PORT={ports['4700']} TREADLE_SERVE_PORT={ports['4701']}"
    return "\n".join([exports, *script]) + "\n", wanted


def environment(folder: Path, programs: list[Path]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TREADLE_")}
    return {**kept, "PATH": os.pathsep.join([*map(str, programs), kept["PATH"]]), "HOME": str(folder)}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
