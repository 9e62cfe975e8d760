"""A process that has the command line loaded, and forks for each command that a page types.

The pages type some three hundred commands, and most of the time of one goes into importing the same libraries again. Here
a small program named `treadle` passes its arguments, folder, environment and open files on, and ends as the command did.
What is to run for long (`up`, `demo`) is started as it is elsewhere; so is everything under another name.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import treadle

LOADED = ("polars", "pyarrow.dataset", "pyarrow.parquet", "duckdb", "deltalake", "sklearn.linear_model")

SHIM = """#!{python} -SE
import os, signal, socket, sys
if sys.argv[1:2] in (["up"], ["demo"]):
    os.execv({treadle!r}, ["treadle", *sys.argv[1:]])
import json
line = socket.socket(socket.AF_UNIX)
line.connect({address!r})
asked = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(line, [len(asked).to_bytes(4, "little")], [0, 1, 2])
line.sendall(asked)
pid = int.from_bytes(line.recv(4, socket.MSG_WAITALL), "little")
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(pid, number))
code = int.from_bytes(line.recv(4, socket.MSG_WAITALL) or b"\\1", "little")
sys.exit(code)
"""


@contextlib.contextmanager
def warm_command(folder: Path) -> Iterator[Path]:
    """A folder for the front of PATH, in which `treadle` is a command that is loaded already."""
    address, programs = str(folder / "line"), folder / "programs"
    programs.mkdir()
    shim = programs / "treadle"
    command = Path(sys.executable).with_name("treadle")
    shim.write_text(SHIM.format(python=sys.executable, treadle=str(command), address=address))
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    process = subprocess.Popen([sys.executable, "-m", "tests.docs.warm", address], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield programs
    finally:
        process.terminate()
        process.communicate()


def serve(address: str) -> None:
    """Loads everything, says so, and answers one command after another, each in a process of its own."""
    for module in pkgutil.walk_packages(treadle.__path__, "treadle."):
        if not module.name.endswith("__main__") and module.name.split(".")[1] not in (
            "backends",
            "migrations",
            "testing",
        ):
            with contextlib.suppress(ImportError):  # what belongs to a library that is not installed
                importlib.import_module(module.name)
    for name in LOADED:
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen(64)
    print("ready", flush=True)
    while True:
        line, _ = listening.accept()
        if os.fork() == 0:
            listening.close()
            _wait_for_one(line)
        line.close()


def _wait_for_one(line: socket.socket) -> None:
    """Forks the command itself, and tells how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    head, files, _, _ = socket.recv_fds(line, 4, 3)
    size, asked = int.from_bytes(head, "little"), b""
    while len(asked) < size:
        asked += line.recv(size - len(asked))
    pid = os.fork()
    if pid == 0:
        line.close()
        _become(files, *json.loads(asked))
    for file in files:
        os.close(file)
    line.sendall(pid.to_bytes(4, "little"))
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    line.sendall((code if code >= 0 else 128 - code).to_bytes(4, "little"))
    os._exit(0)


def _become(files: list[int], arguments: list[str], folder: str, environment: dict[str, str]) -> None:
    """This process is the command from now on."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    sys.argv = [str(Path(sys.executable).with_name("treadle")), *arguments]
    sys.path[0] = str(Path(sys.executable).parent)
    from treadle.faces.cli.entry import main

    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(
        code
    )  # libraries that were loaded before the fork wait at a regular end for threads that only their process has


if __name__ == "__main__":
    serve(sys.argv[1])
