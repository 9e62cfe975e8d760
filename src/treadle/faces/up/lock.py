"""One `treadle up` per home: a file that is locked as long as its process lives, and says who holds it and its address.

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
            holder, _, url = os.read(descriptor, 512).decode("ascii", "replace").strip().partition("\n")
            os.close(descriptor)
            raise AlreadyUp(
                f"Another `treadle up` serves {self._path.parent}.",
                why=f"Its process is {holder or 'unknown'}; two would do everything twice.",
                fix=f"Use that one{f', at {url}' if url else ''}, or end it first{f': kill {holder}' if holder else '.'}",
                home=str(self._path.parent),
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return self

    def answers_at(self, url: str) -> None:
        """Says, for `treadle open`, where this one is reached."""
        if self._descriptor is not None:
            os.write(self._descriptor, f"{url}\n".encode())

    def __exit__(self, *_: object) -> None:
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None


def address_of(home: Path) -> str | None:
    """Where the `treadle up` of a home is reached; None while none is up, or has not said so yet."""
    import fcntl

    try:
        descriptor = os.open(home / FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(descriptor, 512).decode("ascii", "replace").strip().partition("\n")[2] or None
    finally:
        os.close(descriptor)
    return None
