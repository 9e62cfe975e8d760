"""The Python in the pages runs, page by page and from top to bottom, as a reader would type it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

FLIGHTS = "carrier,arr_delay\n" + "".join(f"UA,{minutes}\n" for minutes in range(-20, 100, 5))
"""The file that the pages read: 24 flights, 16 of them over a quarter of an hour late, 7 over an hour."""


def code_of(page: Path) -> str:
    """The Python blocks of a page, one after another; a block whose fence says `python no-run` is left out."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "\n".join(blocks)


def run(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "page.py").write_text(code)
    (folder / "flights.csv").write_text(FLIGHTS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TREADLE_")}
    command = [sys.executable, "-W", "error::SyntaxWarning", "page.py", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    "page", [page for page in PAGES if code_of(page)], ids=lambda page: str(page.relative_to(ROOT))
)
def test_the_code_of_a_page_is_python(page):
    compile(code_of(page), str(page), "exec")


def test_the_readme_s_code_runs_and_its_second_run_knows_everything(tmp_path):
    page = ROOT / "README.md"

    first = run(code_of(page), tmp_path)
    second = run(code_of(page), tmp_path)

    assert first.returncode == 0, first.stderr
    assert first.stdout.split()[1:] == ["done", "[16,", "7]"]
    assert second.stdout.split()[1:] == ["done", "[16,", "7]"]
    assert second.stdout != first.stdout  # another run, the same answer


def test_the_readme_s_code_takes_about_ten_lines():
    lines = [line for line in code_of(ROOT / "README.md").splitlines() if line.strip()]

    assert len(lines) <= 16
