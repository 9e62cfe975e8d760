"""Who is bringing a landing to its end, and whether they still can.

A process on this host is asked by its id and its start; one on another host is trusted until its lease runs out.
"""

from __future__ import annotations

import functools
import os
import socket

import psutil

LEASE_S = 600


@functools.cache
def _owner_of(pid: int) -> str:
    return f"{socket.gethostname()}|{pid}|{psutil.Process(pid).create_time():.2f}"


def owner() -> str:
    """This process: host, id, and the second it started, so that a reused id is no mistake."""
    return _owner_of(os.getpid())


def is_gone(owner: str, lease_until: int, now: int) -> bool:
    """Whether the owner can do nothing any more. Times are microseconds."""
    host, pid, started = owner.split("|")
    if host != socket.gethostname():
        return lease_until < now
    try:
        return f"{psutil.Process(int(pid)).create_time():.2f}" != started
    except psutil.NoSuchProcess:
        return True
