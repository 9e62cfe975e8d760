"""The numbers of runs: small integers under which everything that is logged in a run is found.

A process takes them from the store in blocks, so that making a run asks for none, and two processes that make runs at
once do not wait for each other. A number that was taken and not used is a gap, and nothing more.
"""

from __future__ import annotations

import threading

from treadle.kernel.store import Statements, Store

sql = Statements(__package__)

_BLOCK = 64


class RunNumbers:
    """Hands out numbers, each once, over all processes."""

    def __init__(self, store: Store) -> None:
        self._store, self._lock = store, threading.Lock()
        self._blocks: dict[str, list[int]] = {}

    def take(self, project: str) -> int:
        """A number that no run of the project has. Not to be called within a transaction."""
        with self._lock:
            block = self._blocks.setdefault(project, [])
            if not block:
                block.extend(reversed(self._next_block(project)))
            return block.pop()

    def _next_block(self, project: str) -> range:
        values = {"project": project, "noun": "run", "after_first": 1 + _BLOCK, "count": _BLOCK}
        row = self._store.write(lambda tx: tx.find(sql.take_numbers, values))
        assert row is not None, "the statement answers the row that it wrote"
        return range(row[0] - _BLOCK, row[0])
