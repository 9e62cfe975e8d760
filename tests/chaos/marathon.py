"""The pipeline that is killed: one of everything that a run can hold, small enough that a life of it takes moments.

Each body tells the witness that it runs; the pipeline's body tells it what the engine has acknowledged to it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.chaos import house
from tests.chaos.witness import VARIABLE, count, say
from treadle.kernel.engine import ConcurrencyLimit, each, load, pipeline, step
from treadle.kernel.engine.acts import wait_until
from treadle.kernel.engine.context import current_driver, running_step
from treadle.kernel.engine.errors import StepFailed
from treadle.kernel.engine.reporting import checkpoint, log_metric

BLOB_BYTES = 9000
ELEMENTS = 5
POINTS = 6
ROUNDS = 4


def began() -> str:
    """Tells the witness that a body runs; answers the step's place in the world."""
    running = running_step()
    assert running is not None
    say("body", running.idempotency_key, running.id)
    return running.idempotency_key


def acknowledged(handle: Any) -> Any:
    """Tells the witness that the engine calls a step finished."""
    root = _root()
    say("hit" if handle._reused_from else "ack", f"{root}/{handle.path}", handle.digest)
    return handle


def _root() -> str:
    driver: Any = current_driver.get()
    return str(driver.session.root)


@step
def begun(n: int) -> int:
    began()
    return n + 1


@step
def shared(n: int) -> dict[str, int]:
    """Known from earlier runs: a hit for most."""
    began()
    return {"shared": n}


@step
def large(n: int) -> bytes:
    """Bytes that go through the blob store."""
    began()
    return hashlib.sha256(b"%d" % n).digest() * (BLOB_BYTES // 32)


@step
def talking(n: int) -> int:
    """Says enough, for long enough, that the heartbeat commits some of it on the way."""
    began()
    for point in range(POINTS):
        log_metric("loss", 1.0 / (point + 1), step=point)
        print(f"round {point} of {n}")
        for _ in range(1500):
            hashlib.sha256(b"work" * 100).digest()
    return n


@step(retries=3, backoff_s=0.0005)
def stumbling(n: int) -> int:
    """Fails at its first attempt."""
    place = began()
    if count(Path(os.environ[VARIABLE]), "body", place) < 2:
        raise ValueError("the first attempt")
    return 2 * n


@step(retries=50, backoff_s=0.0005)
def squared(x: int) -> int:
    began()
    return x * x


@step(concurrency=ConcurrencyLimit("narrow", 1), retries=50, backoff_s=0.0005)
def alone(n: int) -> int:
    began()
    return n


@step(retries=50, backoff_s=0.0005)
def trained(n: int) -> list[int]:
    """Saves its state, and finds again whatever it was told is saved."""
    place = began()
    state = checkpoint.latest() or []
    saved = count(Path(os.environ[VARIABLE]), "saved", place)
    assert len(state) >= min(saved, ROUNDS), f"{saved} checkpoints were acknowledged, {len(state)} are there"
    for number in range(len(state), ROUNDS):
        state = [*state, number]
        checkpoint.save(state)
        say("saved", place, number)
    return state


@step
def doomed(n: int) -> int:
    began()
    raise RuntimeError("always")


@step
def inside(n: int) -> int:
    began()
    return n - 1


@step
def total(parts: list[int], blob: bytes, known: dict[str, int]) -> int:
    began()
    return sum(parts) + len(blob) + known["shared"]


@pipeline
def inner(n: int) -> int:
    return load(acknowledged(inside(n)))


@pipeline
def marathon(n: int) -> int:
    house.current().notice_begin()
    first = acknowledged(begun(n))
    known = acknowledged(shared(n % 3))
    blob = acknowledged(large(n))
    spoken = acknowledged(talking(first))
    twice = acknowledged(stumbling(spoken))
    with contextlib.suppress(StepFailed):
        load(doomed(n))
    squares = squared.map(each([n + place for place in range(ELEMENTS)]))
    for handle in squares:
        acknowledged(handle)
    once = acknowledged(alone(n))
    states = acknowledged(trained(n))
    below = inner(n).value
    wait_until(timedelta(0))
    version = house.current().register(n, blob)
    say("act", _root(), "register", version)
    moved = house.current().promote(version)
    say("act", _root(), "promote", moved)
    parts = [twice, once, *squares]
    summed = acknowledged(total(parts, blob, known))
    return load(summed) + below + len(load(states))


def expected(n: int) -> int:
    """What a marathon returns."""
    squares = sum((n + place) ** 2 for place in range(ELEMENTS))
    return 2 * (n + 1) + n + squares + BLOB_BYTES // 32 * 32 + n % 3 + (n - 1) + ROUNDS
