"""Where every command's answer goes: to a person as text, to a program as one JSON document (`--json`).

Answers go to stdout, all else (errors, questions, progress) to stderr, so that a pipe holds the answer alone.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import IO, Any

from treadle.faces.cli.rendering import Paper
from treadle.faces.problems import exit_code, problem
from treadle.ground.errors import TreadleError

_MARKS = ("error: ", "  why: ", "  fix: ")


class Output:
    """The way out of a command."""

    def __init__(self, *, as_json: bool = False, stdout: IO[str] | None = None, stderr: IO[str] | None = None) -> None:
        self.as_json = as_json
        self._stdout, self._stderr = stdout, stderr

    @property
    def stdout(self) -> IO[str]:
        return self._stdout or sys.stdout

    @property
    def stderr(self) -> IO[str]:
        return self._stderr or sys.stderr

    def show(self, answer: object, draw: Callable[[Paper], None]) -> None:
        """The answer of a command: drawn for a person, or encoded as it is for a program."""
        if self.as_json:
            self.stdout.write(encoded(answer) + "\n")
        else:
            draw(Paper(self.stdout))

    def note(self, text: str) -> None:
        """A line beside the answer, for a person; silent with `--json`."""
        if not self.as_json:
            self.stderr.write(text + "\n")

    def counting(self, what: str) -> Callable[[int], None]:
        """Says on one line of a terminal how many there were so far, from the second second on; elsewhere nothing."""
        if self.as_json or not self.stderr.isatty():
            return lambda count: None
        begun = time.monotonic()

        def say(count: int) -> None:
            if time.monotonic() - begun > 1:
                self.stderr.write(f"\r\x1b[K{count:,} {what}\r")
                self.stderr.flush()

        return say

    def fail(self, error: TreadleError) -> int:
        """What, why and fix, a line each; with `--json` the problem document. Answers the exit code."""
        if self.as_json:
            self.stderr.write(encoded(problem(error)) + "\n")
        else:
            for mark, sentence in zip(_MARKS, (error.what, error.why, error.fix), strict=True):
                if sentence:
                    self.stderr.write(mark + sentence.replace("\n", "\n" + " " * len(mark)) + "\n")
        return exit_code(error)


def encoded(answer: object) -> str:
    """An answer as JSON, two spaces deep. Records, times and paths are written as the API writes them."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(answer, enc_hook=_other), indent=2).decode()


def compact(answer: object) -> str:
    """An answer as JSON on one line."""
    import msgspec

    return msgspec.json.encode(answer, enc_hook=_other).decode()


def _other(value: object) -> Any:
    if hasattr(value, "__fspath__"):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")
