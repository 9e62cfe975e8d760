"""Lineage: runs with their inputs and outputs, and the walk along them.

An edge names the run that made what it uses, so the walk never guesses which of several makers of equal bytes is meant.
"""

from __future__ import annotations

from collections.abc import Iterable

from treadle.kernel.catalog.records import Edge
from treadle.kernel.store import Reader, Statements, Transaction

sql = Statements(__package__)


class LineageRows:
    """The edges of a store."""

    def record(self, tx: Transaction, project: str, edges: Iterable[Edge]) -> None:
        """Adds edges; one that is known already (same run, direction and role) stays as it is."""
        rows = [
            {
                "project": project,
                "run": edge.run,
                "direction": edge.direction,
                "role": edge.role,
                "digest": edge.digest,
                "producer": edge.producer,
            }
            for edge in edges
        ]
        if rows:
            tx.put_many(sql.record_edge, rows)

    def of_run(self, reader: Reader, project: str, run: str) -> list[Edge]:
        """What a run used and made, by direction and role."""
        rows = reader.all(sql.edges_of_run, {"project": project, "run": run})
        return [Edge(run=r, direction=d, role=role, digest=digest, producer=p) for r, d, role, digest, p in rows]

    def of_digest(self, reader: Reader, project: str, digest: str) -> list[Edge]:
        """Who made an artifact and who used it."""
        rows = reader.all(sql.edges_of_digest, {"project": project, "digest": digest})
        return [Edge(run=r, direction=d, role=role, digest=digest, producer=p) for r, d, role, digest, p in rows]

    def producers(self, reader: Reader, project: str, digest: str) -> list[str]:
        """The runs that made the artifact's bytes, oldest first."""
        return [edge.run for edge in self.of_digest(reader, project, digest) if edge.direction == "out"]
