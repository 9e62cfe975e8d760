"""What clean-up and examination answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from treadle.kernel.vocabulary.datasets import TableCleanUp

Verdict = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanUp:
    """What a clean-up did, or with `is_dry_run` would do. Bytes are those of the artifacts, counted once each.

    condemned: artifacts that nothing needs any more; they are deleted after the grace unless something asks for them
    again. deleted: artifacts condemned longer ago than the grace. orphans: blobs that no artifact names; what a deleted
    artifact held is among them. unreadable: the artifact whose parts could not be known, and why; then no blob is removed.
    """

    is_dry_run: bool
    artifacts: int
    artifact_bytes: int
    kept: int
    condemned: int
    condemned_bytes: int
    deleted: int
    deleted_bytes: int
    orphans: int
    orphan_bytes: int
    unreadable: str = ""
    tables: Sequence[TableCleanUp] = ()
    """The files of datasets, which are counted apart from artifacts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at: what was found, and what to do about it where something is wrong."""

    name: str
    verdict: Verdict
    found: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """All checks of `treadle doctor`."""

    checks: Sequence[Check]

    @property
    def is_sound(self) -> bool:
        """Whether nothing failed; warnings are allowed."""
        return all(check.verdict != "failed" for check in self.checks)
