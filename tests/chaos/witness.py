"""The independent witness: a file beside the store, to which steps and acknowledgements are appended as they happen.

One `write` on a descriptor opened with O_APPEND is a line that is there or not, whoever is killed and whenever; the
store's own durability is judged by it and never used for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

VARIABLE = "TREADLE_CHAOS_WITNESS"


def say(kind: str, *facts: Any) -> None:
    """Appends a line: `[kind, pid, facts…]`."""
    line = json.dumps([kind, os.getpid(), *facts]) + "\n"
    fd = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(fd, line.encode())
    finally:
        os.close(fd)


def lines(path: Path, kind: str | None = None) -> Iterator[list[Any]]:
    """The facts of every line of a kind, in the order in which they were written."""
    if not path.exists():
        return
    for text in path.read_text(encoding="utf-8").splitlines():
        found, _, *facts = json.loads(text)
        if kind in (None, found):
            yield facts


def pids(path: Path) -> set[int]:
    """Every process that has written."""
    return {json.loads(text)[1] for text in path.read_text(encoding="utf-8").splitlines()}


def count(path: Path, kind: str, *facts: Any) -> int:
    """How many lines of a kind begin with these facts."""
    return sum(1 for found in lines(path, kind) if found[: len(facts)] == list(facts))
