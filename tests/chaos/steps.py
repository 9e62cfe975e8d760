"""Steps that workers can import, for tests that need one in a certain state or with bad manners."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from treadle.ground.clock import system_clock
from treadle.kernel.engine import pipeline, step


@step
def lingering(marker: str) -> int:
    """Says that it runs, and does not end by itself."""
    Path(marker).touch()
    threading.Event().wait(60)
    return 1


@step
def kept(megabytes: int) -> bytes:
    return b"x" * (megabytes * 1_000_000)


@pipeline
def keeping(megabytes: int) -> bytes:
    return kept(megabytes)


@step
def one_more(x: int) -> int:
    return x + 1


@pipeline
def many(n: int) -> int:
    x: Any = 0
    for _ in range(n):
        x = one_more(x)
    return x  # type: ignore[no-any-return]


in_the_middle: Callable[[], None] = lambda: None  # noqa: E731 -- replaced by a test


@pipeline
def stopping(n: int) -> int:
    first = one_more(n)
    in_the_middle()
    return one_more(first)


@step
def pressing(marker: str) -> int:
    if not Path(marker).exists():
        raise KeyboardInterrupt
    return 1


@pipeline
def interrupted(marker: str) -> int:
    return pressing(marker)


@step
def leaving(marker: str) -> int:
    if not Path(marker).exists():
        os._exit(7)
    return 1


@pipeline
def leaving_at_once(marker: str) -> int:
    return leaving(marker)


@step
def printing() -> int:
    sys.stdout.buffer.write(b"\xff\xfe\x00raw\n")
    print("after")
    return 1


@pipeline
def printed_bytes() -> int:
    return printing()


@step
def saying_nul() -> int:
    print("nul: \0")
    raise ValueError("nul: \0")


@pipeline
def nul() -> int:
    return saying_nul()


@step
def returning(kind: str) -> object:
    if kind == "generator":
        return (n for n in range(3))
    if kind == "lock":
        return {"lock": threading.Lock()}
    if kind == "open file":
        return io.BytesIO()
    itself: list[Any] = []
    itself.append(itself)
    return itself


@pipeline
def returned(kind: str) -> object:
    return returning(kind)


@step
def closing_files() -> int:
    os.closerange(3, 256)
    return 1


@pipeline
def closed_files() -> int:
    return closing_files()


@step
def garbling_files() -> int:
    for fd in range(3, 32):
        with contextlib.suppress(OSError):
            os.write(fd, b"\x00\x00\x00\x08garbage!")
    return 1


@pipeline
def garbled_files() -> int:
    return garbling_files()


def later() -> datetime:
    """A minute from now: past every lease that was taken before."""
    return system_clock() + timedelta(minutes=1)
