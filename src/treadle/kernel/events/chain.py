"""The hash chain: how an event is linked to the one before it, and how anybody can check that.

The chain of a project begins with `genesis(project)` = sha256 of `treadle.chain.v1`, a line feed, and the project's name.
The hash of the event at position n is the sha256 of three lines joined by line feeds: the hash at n - 1, the sha256 of
the event's body text, and the event's line. The line is the JSON array (no white space, UTF-8)

    [project, position, id, kind, subject, actor, recorded_at, event_at]

with times in microseconds since 1970 UTC. All hashes are 64 lower-case hex letters. `docs/reference/audit.md` says the
same in words and shows a checker that uses nothing of Treadle.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_sha256 = hashlib.sha256

Sealed = tuple[int, str, str, str, str, str, int, int | None, str]
"""(position, id, kind, subject, actor, body text, recorded_at, event_at, hash)."""


def genesis(project: str) -> str:
    """The hash before the first event of a project."""
    return _sha256(f"treadle.chain.v1\n{project}".encode()).hexdigest()


def link(
    previous: str,
    project: str,
    position: int,
    id: str,
    kind: str,
    subject: str,
    actor: str,
    recorded_at: int,
    event_at: int | None,
    body: str,
) -> str:
    """The hash of an event, given the hash before it."""
    line = _encode([project, position, id, kind, subject, actor, recorded_at, event_at])
    body_hash = _sha256(body.encode()).hexdigest()
    return _sha256(b"%b\n%b\n%b" % (previous.encode(), body_hash.encode(), line)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """The first place where the chain does not hold, and in which way."""

    position: int
    event: str | None
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a walk along the chain found. `broken` is None when every link holds."""

    project: str
    count: int
    head: str
    broken: Broken | None


def verify_lines(
    project: str, lines: Iterable[Sealed | tuple[Any, ...]], *, head: tuple[int, str] | None
) -> Verification:
    """Walks the events in order of position and recomputes every hash; stops at the first that does not hold.

    head: position and hash that the store claims to be its newest; None skips that last comparison.
    """
    previous, count = genesis(project), 0
    for position, id, kind, subject, actor, body, recorded_at, event_at, found in lines:
        if position != count + 1:
            problem = f"position {count + 1} is missing: the next one found is {position}"
            return _broken(project, count, previous, count + 1, None, problem)
        expected = link(previous, project, position, id, kind, subject, actor, recorded_at, event_at, body)
        if expected != found:
            problem = "its content does not give the hash that it carries: it was changed after it was sealed"
            return _broken(project, count, previous, position, id, problem)
        previous, count = expected, position
    if head is not None and head != (count, previous):
        problem = f"the chain should end at position {head[0]}, but it ends at {count}: its end was cut off or replaced"
        return _broken(project, count, previous, count + 1, None, problem)
    return Verification(project=project, count=count, head=previous, broken=None)


def _broken(project: str, count: int, head: str, position: int, event: str | None, problem: str) -> Verification:
    broken = Broken(position=position, event=event, problem=problem)
    return Verification(project=project, count=count, head=head, broken=broken)
