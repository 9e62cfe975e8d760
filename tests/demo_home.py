"""The home of a demo as far as the first weeks of May, made once for all tests of a run, whichever process needs it first.

It is killed on its way and taken up again, so that whatever is tested over it is tested over a store that has seen that.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

UNTIL = "2013-05-06"
TREADLE = [sys.executable, "-m", "treadle.faces.cli.entry"]
_PRISTINE = "demo-pristine"


def demo(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [*TREADLE, "demo", "--home", str(home), "--until", UNTIL, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """What all processes of this test run have in common, and no other run has."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def alone(shared: Path) -> Iterator[None]:
    """Keeps the other processes of the test run away from the home meanwhile."""
    with (shared / "demo-home.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def shared_demo_home(shared: Path) -> Path:
    """The home below a folder that all processes of a test run have in common; who changes it, changes it for all."""
    home = shared / "demo-home"
    with alone(shared):
        if not (shared / _PRISTINE).is_dir():
            shutil.rmtree(home, ignore_errors=True)
            _make(home)
            _copy(home, shared / "demo-incoming").rename(shared / _PRISTINE)
    return home


def own_demo_home(shared: Path, to: Path) -> Path:
    """A copy of the home as the demo left it, to be changed at will."""
    shared_demo_home(shared)
    return _copy(shared / _PRISTINE, to)


def _copy(home: Path, to: Path) -> Path:
    """Artifacts are linked: nothing ever writes into one."""
    to.mkdir()
    for entry in home.iterdir():
        if entry.is_dir():
            link = os.link if entry.name == "artifacts" else shutil.copy2
            shutil.copytree(entry, to / entry.name, copy_function=link)
        else:
            shutil.copy2(entry, to / entry.name)
    return to


def _make(home: Path) -> None:
    said = _kill_once_it_says(home, "2013-04 landed")
    assert "2013-04 landed" in said, said
    done = demo(home)
    assert done.returncode == 0, done.stderr
    assert "2013-01 landed" not in done.stderr, "it began from the beginning"
    (home / "shown.txt").write_text(done.stdout)


def _kill_once_it_says(home: Path, words: str) -> str:
    """Starts a demo, kills it with SIGKILL when it has said something, and answers what it said."""
    command = [*TREADLE, "demo", "--home", str(home), "--until", UNTIL]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = ""
    assert process.stderr is not None
    for line in process.stderr:
        said += line
        if words in line:
            break
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stderr.close()
    return said
