"""What a step prints in this process: shown as ever, and kept with the step.

`sys.stdout` and `sys.stderr` are replaced while pipelines run, and ask at every write whose step it is. Output of
subprocesses and C libraries goes past Python's streams; in a worker it is caught too, at the file descriptors.
"""

from __future__ import annotations

import io
import sys
import threading
from typing import Any, TextIO, cast

from treadle.kernel.engine.context import running_step

_lock = threading.Lock()
_users = 0
_installed: list[tuple[str, Tee]] = []


class Tee(io.TextIOBase):
    """Writes to the stream that was there before, and to the running step's log."""

    def __init__(self, stream: str, original: TextIO) -> None:
        self.stream, self.original = stream, original
        self.buffer = _BinaryTee(self)

    def write(self, text: str) -> int:
        self._note(text)
        # A logger that was set up during a run may hold this object for longer than the stream lives.
        return len(text) if self.original.closed else self.original.write(text)

    def _note(self, text: str) -> None:
        step = running_step()
        if step is not None:
            printed = getattr(step.reporter, "printed", None)
            if printed is not None:
                printed(self.stream, text)

    def flush(self) -> None:
        if not self.original.closed:
            self.original.flush()

    def isatty(self) -> bool:
        return not self.original.closed and self.original.isatty()

    def fileno(self) -> int:
        return self.original.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.original.encoding or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.original.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


class _BinaryTee(io.RawIOBase):
    """`sys.stdout.buffer` while captured: the bytes go through, their text with replacements into the log."""

    def __init__(self, tee: Tee) -> None:
        self._tee = tee

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        content = bytes(data)
        self._tee._note(content.decode("utf-8", "replace"))
        below = getattr(self._tee.original, "buffer", None)
        if below is not None:
            self._tee.original.flush()
            return cast("int", below.write(content))
        self._tee.original.write(content.decode("utf-8", "replace"))
        return len(content)

    def flush(self) -> None:
        self._tee.flush()


def install() -> None:
    """Begins to capture; nests."""
    global _users
    with _lock:
        _users += 1
        if _users > 1:
            return
        for name in ("stdout", "stderr"):
            original = getattr(sys, name)
            if original is not None:
                tee = Tee(name, original)
                setattr(sys, name, tee)
                _installed.append((name, tee))


def uninstall() -> None:
    """Ends what the matching `install` began. A stream that somebody else has replaced meanwhile is left alone."""
    global _users
    with _lock:
        _users -= 1
        if _users > 0:
            return
        for name, tee in _installed:
            if getattr(sys, name) is tee:
                setattr(sys, name, tee.original)
        _installed.clear()
