"""The walk down: everything that came from a thing, so that one knows what is touched when it turns out to be wrong."""

from __future__ import annotations

from treadle.kernel.catalog import LineageRows, Run, RunRows
from treadle.kernel.store import Reader
from treadle.loops.provenance.records import Node
from treadle.systems.train import Models, ModelVersion


class Downward:
    """One walk down from a run, an artifact or a snapshot."""

    def __init__(self, reader: Reader, project: str, models: Models) -> None:
        self._reader, self._project, self._models = reader, project, models
        self._runs, self._edges = RunRows(), LineageRows()
        self._shown: set[str] = set()

    def run(self, run: Run, relation: str = "") -> Node:
        """What a run made, and who used that."""
        title = f"{run.kind} {run.path}"
        if run.id in self._shown:
            return Node(kind="run", id=run.id, title=title, relation=relation, note="shown above")
        self._shown.add(run.id)
        children = [self.version(version) for version in self._models.of_run(self._reader, self._project, run.id)]
        if run.root == run.id:
            inside = self._runs.children(self._reader, self._project, run.id)
            children += [self.run(step, "its step") for step in inside]
        for edge in self._edges.of_run(self._reader, self._project, run.id):
            if edge.direction == "out":
                children += self.users(edge.digest, run.id)
        facts = {"status": run.status, "by": f"{run.actor} on {run.host}"}
        return Node(kind="run", id=run.id, title=title, relation=relation, facts=facts, children=children)

    def users(self, digest: str, producer: str | None) -> list[Node]:
        """The runs that used these bytes as made by that producer; by any, when none is named."""
        found = []
        for edge in self._edges.of_digest(self._reader, self._project, digest):
            if edge.direction == "in" and (producer is None or edge.producer == producer):
                run = self._runs.find(self._reader, self._project, edge.run)
                if run is not None:
                    found.append(self.run(run, f"used as {edge.role} by"))
        return found

    def version(self, version: ModelVersion) -> Node:
        """A model version that came of it, with the aliases that stand on it."""
        aliases = [
            ref
            for ref in ("champion", "challenger")
            if self._models.holder(self._reader, self._project, version.model, ref) == version.number
        ]
        return Node(
            kind="model version",
            id=version.subject,
            title=f"{version.model} version {version.number}",
            relation="registered as",
            facts={"aliases": ", ".join(aliases)} if aliases else {},
        )
