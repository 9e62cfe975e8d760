"""What is asked for branches, and what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeBranch:
    """Asks for a branch that begins at a snapshot: the newest of main, or the one `at` a place, on any branch."""

    name: str
    branch: str
    at: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedBranch:
    """Asks about one branch."""

    name: str
    branch: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeBranch:
    """Asks for a branch's rows on main. delete: whether the branch ends with it; else it goes on from where main is then."""

    name: str
    branch: str
    delete: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchInfo:
    """A branch: `base` is the snapshot it began at, `head` its newest; ahead and behind count snapshots since then.

    dataset: its full name, under which it lands and is read like any dataset.
    """

    branch: str
    dataset: str
    base: str
    base_version: int
    head: str
    ahead: int
    behind: int
    rows: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What a merge did.

    how: `fast-forward` where main stood where the branch began; `replayed` where it had moved on and the branch's files were
    put on top; `nothing` where the branch had changed nothing.
    """

    how: Literal["fast-forward", "replayed", "nothing"]
    version: int
    snapshot: str
    rows_added: int
    rows_removed: int
    landings: int
