"""One `treadle up` per home: a file that is locked as long as its process lives.

The lock is the operating system's and ends with the process, however that ended; a file that a killed one left behind
says a number and holds nobody up.
"""

from __future__ import annotations

import os
from pathlib import Path

from treadle.ground.errors import Conflict

FILE_NAME = "up.lock"


class AlreadyUp(Conflict):
    """Another `treadle up` works in this home."""

    code = "up.already_up"


class HomeLock:
    """Holds the lock inside a `with`. Raises AlreadyUp."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE_NAME
        self._descriptor: int | None = None

    def __enter__(self) -> HomeLock:
        import fcntl

        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 64).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise AlreadyUp(
                f"Another `treadle up` serves {self._path.parent}.",
                why=f"Its process is {holder or 'unknown'}; two would do everything twice.",
                fix=f"Use that one, or end it first: kill {holder}" if holder else "Use that one, or end it first.",
                home=str(self._path.parent),
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
