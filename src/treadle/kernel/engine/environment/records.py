"""The record of where code ran, and of how two such places differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from treadle.ground.digests import Digest

Verdict = Literal["same", "rebuilt", "other"]
"""`same`: nothing that can change a result differs. `rebuilt`: the same Python and distributions on another machine, with
other threads or another lock file. `other`: Python or a distribution differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadPool:
    """One native thread pool in this process: which library, which CPU kernel it chose, how many threads."""

    role: str
    library: str
    version: str
    kernel: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GitState:
    """Where the project stood in git: the commit, the branch unless the head is detached, and what tracked files held
    beyond the commit (empty: nothing; None: not asked for)."""

    commit: str | None
    branch: str | None
    diff: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The facts about interpreter, libraries and machine that can change what code computes.

    `settings` holds the thread counts and the hash seed set by environment variables, and no other variable's value.
    `pools` is empty while numpy is not imported: nothing is loaded only to be described. `digest` leaves out `git`,
    which says where the code came from and not where it ran, and `pools`, which depends on what was imported already.
    """

    digest: Digest
    python: str
    implementation: str
    system: str
    machine: str
    cpu: str
    cpu_count: int
    distributions: Mapping[str, str]
    settings: Mapping[str, str]
    pools: tuple[ThreadPool, ...]
    lock_digest: Digest | None
    git: GitState | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How the present environment relates to a recorded one; `differences` are sentences, the gravest first."""

    verdict: Verdict
    differences: tuple[str, ...]
