"""What clean-up and examination ask of the other systems, each in one method."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from treadle.kernel.store import Reader
from treadle.kernel.vocabulary.datasets import TableCleanUp


class Roots(Protocol):
    """Digests that a system still needs: registered models and their probes, deployed revisions, published contracts."""

    def needed(self, reader: Reader, project: str) -> Iterable[str]: ...


class BlobUsers(Protocol):
    """Rows of a system that name blobs beside the artifacts': the files of tracking."""

    def blobs(self, reader: Reader) -> Iterable[str]:
        """The blobs that the rows of every project name: blobs are shared."""

    def uses(self, reader: Reader, blob: str) -> bool:
        """Whether a row of any project names the blob."""

    def sizes(self, reader: Reader, project: str) -> Iterable[tuple[str, str, int]]:
        """(what names it, blob, size in bytes) of a project's rows, sorted by blob."""

    def damaged(self, reader: Reader) -> Iterable[tuple[str, str]]:
        """(digest, problem) of the bytes that the system keeps in rows of its own, each read and compared."""


class Leftovers(Protocol):
    """What a system began and never ended: uploads in parts."""

    def sweep(self, before: datetime) -> int:
        """Removes what began before then; answers how much."""


class Holdings(Protocol):
    """Files that a system keeps in a form of its own: the tables of collect."""

    def clean(
        self, project: str, needed: Collection[str], *, since: int, before: int, is_dry_run: bool
    ) -> Sequence[TableCleanUp]:
        """What becomes of them. needed: digests and ids that runs and models use; times are microseconds.

        What was superseded before `since` and is held by nothing is condemned; what was condemned before `before` goes.
        """


class DataFiles(Protocol):
    """Files that a system keeps in a form of its own, to be looked at: the tables of collect."""

    def look_at(self, project: str, *, deep: bool) -> tuple[int, Sequence[tuple[str, str]]]:
        """How many there are, and (where, problem) of each that is not what was written; `deep` reads them all."""
