"""What identity asks of the outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from treadle.kernel.store import Transaction


class Journal(Protocol):
    """Where changes are remembered: the event log."""

    def append(
        self,
        tx: Transaction,
        *,
        project: str,
        kind: str,
        subject: str,
        actor: str,
        body: Mapping[str, Any] | None = None,
    ) -> str:
        """Adds an event to the transaction; answers its id."""
