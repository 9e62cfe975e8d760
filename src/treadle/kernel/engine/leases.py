"""Who holds a run: an owner, an epoch, and a time until which nobody else may take it.

The lease tells a crashed process from a slow one. On the same machine one need not wait for it: a process that is gone
is gone, and the owner's text names it and the moment at which it started, so that a number used again is no mistake.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from treadle.ground.errors import Conflict
from treadle.kernel.engine.errors import RunIsHeld, RunNotFound
from treadle.kernel.engine.journal import Journal, of_text, sql, this_host
from treadle.kernel.store import Store, Transaction

LEASE_S = 30.0
"""How long a run that gives no sign of life is believed to be alive, unless the settings say otherwise."""

_NONCE = os.urandom(6).hex()

_driven: set[tuple[str, int]] = set()
"""The runs that this process works on now, with their epochs. One that it could not end, as its store was away, is free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A run row as far as taking it over needs it."""

    id: str
    kind: str
    name: str
    root: str
    status: str
    epoch: int
    lease_owner: str | None
    lease_until: int | None
    host: str
    pid: int | None
    params: dict[str, Any]
    seed: int | None
    now_at: int | None
    bundle_digest: str | None
    error: dict[str, Any] | None
    code_digest: str | None
    notes: dict[str, Any] | None


def owner() -> str:
    """This process, as a lease names it."""
    return f"{this_host()}/{os.getpid()}/{_started_at(os.getpid())}/{_NONCE}"


@contextlib.contextmanager
def driving(root: str, epoch: int) -> Iterator[None]:
    """While a run is being worked on here."""
    _driven.add((root, epoch))
    try:
        yield
    finally:
        _driven.discard((root, epoch))


def find(store: Store, project: str, run: str) -> Held:
    """The run as it stands. Raises RunNotFound."""
    with store.read() as reader:
        row = reader.find(sql.find_holder, {"project": project, "id": run})
    if row is None:
        raise RunNotFound(
            f"There is no run {run!r} in the project {project!r}.", fix="List them with: treadle runs list", run=run
        )
    values = dict(zip(Held.__slots__, row, strict=True))
    for name in ("params", "error", "notes"):
        values[name] = of_text(values[name])
    return Held(**values)


def status_of(store: Store, project: str, run: str) -> tuple[str, int]:
    """Status and epoch of a run; of one that is gone, `cancelled`."""
    with store.read() as reader:
        row = reader.find(sql.status_of, {"project": project, "id": run})
    return ("cancelled", -1) if row is None else (row[0], row[1])


def renew(journal: Journal, lease_s: float = LEASE_S) -> bool:
    """Lengthens the lease. False when it is no longer ours."""
    fence = journal.fence
    lease_until = until(journal.now(), lease_s)
    values = {"project": journal.project, "id": fence.root, "epoch": fence.epoch, "lease_until": lease_until}
    return journal.store.write(lambda tx: tx.execute(sql.renew, values)) == 1


def until(now: int, lease_s: float = LEASE_S) -> int:
    """When a lease that is taken or renewed now runs out."""
    return now + int(lease_s * 1_000_000)


def take_over(
    store: Store, project: str, held: Held, now: int, lease_s: float = LEASE_S, *, firing: str | None = None
) -> int:
    """Makes this process the holder; answers the new epoch. Raises RunIsHeld while a live process holds the run.

    firing: the one that asked for it; it is started in the same commit. Raises Conflict when it was started before.
    """
    check_free(held, now)
    values = {
        "project": project,
        "id": held.id,
        "epoch": held.epoch,
        "lease_owner": owner(),
        "lease_until": until(now, lease_s),
        "host": this_host(),
        "pid": os.getpid(),
    }

    def work(tx: Transaction) -> int:
        taken = tx.execute(sql.take_over, values)
        if taken == 1:  # else they are the winner's steps
            if firing is not None:
                start_firing(tx, project, firing, held.id)
            tx.put(sql.interrupt_steps, {"project": project, "root": held.id, "at": now})
        return taken

    if store.write(work) != 1:
        raise _is_held(held)
    return held.epoch + 1


def check_free(held: Held, now: int) -> None:
    """Raises RunIsHeld while a live process works on the run."""
    if held.status == "running" and is_alive(held, now):
        raise _is_held(held)


def start_firing(tx: Transaction, project: str, firing: str, run: str) -> None:
    """Makes a firing that of a run. Raises Conflict when another process has started it."""
    if tx.execute(sql.start_firing, {"project": project, "id": firing, "run": run}) != 1:
        raise Conflict(f"The firing {firing} was started by another process.", firing=firing)


def is_alive(held: Held, now: int) -> bool:
    """Whether the holder may still be working."""
    if held.lease_until is None or held.lease_until < now:
        return False
    if held.lease_owner == owner():
        return (held.id, held.epoch) in _driven
    host, pid, started_at, *_ = (held.lease_owner or "///").split("/")
    if host != this_host() or not pid.isdigit():
        return True
    return _started_at(int(pid)) == started_at


def _is_held(held: Held) -> RunIsHeld:
    return RunIsHeld(
        f"The run {held.id} is being worked on by process {held.pid} on {held.host}.",
        why="Its lease has not run out.",
        fix=f"Wait for it, or end it first with: treadle cancel {held.id}",
        run=held.id,
    )


def _started_at(pid: int) -> str:
    """When a process started, in a form that only has to differ between two of the same number; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:  # noqa: PTH123 -- on the path of every run
            fields = stream.read().rpartition(b")")[2].split()
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
    except OSError:
        return _started_at_elsewhere(pid)


def _started_at_elsewhere(pid: int) -> str:
    if os.path.exists("/proc/self/stat"):  # noqa: PTH110
        return ""
    import psutil

    try:
        return str(int(psutil.Process(pid).create_time() * 1000))
    except psutil.Error:
        return ""
