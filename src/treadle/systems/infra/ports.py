"""What clean-up and examination ask of the other systems, each in one method."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from treadle.kernel.store import Reader
from treadle.systems.infra.records import Check


class Roots(Protocol):
    """Digests that a system still needs: registered models and their probes, deployed revisions, published contracts."""

    def needed(self, reader: Reader, project: str) -> Iterable[str]: ...


class Examiner(Protocol):
    """Looks at the soundness of what a system keeps: its tables' files, its logs."""

    def examine(self, project: str) -> Iterable[Check]: ...
