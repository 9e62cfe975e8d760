"""Ways to die. Each is chosen by a seeded generator, and named so that a failure can be played again.

after: SIGKILL from outside, so many milliseconds after the life has begun to work: anywhere, also inside of C code.
at-call: the process kills itself at its n-th call of whatever touches the database or a file, before or after it: exactly
    the seams between two statements, and the same ones again for the same seed.
workers: the workers of the pool, and at times the process they are forked from, are killed while the driver lives.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from dataclasses import dataclass
from types import FrameType
from typing import Any

SEAMS = frozenset(
    {
        "execute",
        "executemany",
        "fsync",
        "rename",
        "replace",
        "utime",
        "write",
        "send",
        "sendall",
        "recv",
        "commit",
        "wait",
        "pipeline_sync",
        "consume_input",
    }
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How a life ends: `kind`, with a place (calls, or milliseconds) for the first two, shots for the third."""

    kind: str
    place: float = 0
    executor: str = "inprocess"
    seed: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.place:g} ({self.executor})" if self.kind != "natural" else "natural"


NATURAL = Manner("natural")


class Seams:
    """Counts the calls at the seams in all threads, and kills this process at one of them."""

    def __init__(self, fatal: int) -> None:
        self.fatal = fatal
        self.count = 0

    def __enter__(self) -> Seams:
        threading.setprofile(self._called)
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]

    def _called(self, frame: FrameType, event: str, argument: Any) -> None:
        name = getattr(argument, "__name__", "") if event in ("c_call", "c_return") else frame.f_code.co_name
        if name in SEAMS:
            self.count += 1
            if self.count == self.fatal:
                os.kill(os.getpid(), signal.SIGKILL)


class Sniper:
    """Kills workers of a pool at random moments, until `ended`; counts the shots that hit."""

    def __init__(self, pool: Any, seed: int, shots: int, pause_s: float) -> None:
        self._pool, self._rng, self._shots, self._pause_s = pool, random.Random(seed), shots, pause_s
        self._ended = threading.Event()
        self.hits = 0
        self._thread = threading.Thread(target=self._shoot, name="sniper", daemon=True)

    def __enter__(self) -> Sniper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _shoot(self) -> None:
        while self.hits < self._shots and not self._ended.wait(self._rng.random() * self._pause_s):
            targets = self._pool.worker_pids()
            zygote = self._pool._zygote
            if zygote is not None and self._rng.random() < 0.1:
                targets = [zygote.pid]
            if targets:
                try:
                    os.kill(self._rng.choice(targets), signal.SIGKILL)
                    self.hits += 1
                except ProcessLookupError:
                    continue
