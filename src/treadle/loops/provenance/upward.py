"""The walk up: from a run, an artifact, a model version or a snapshot to everything that it came from.

An edge names the run that made what it uses, so the walk never guesses. Where bytes were reused from an earlier run the
node says so and goes on there. Scalars are shown with the run that used them, and not walked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from treadle.kernel.artifacts import Artifact
from treadle.kernel.catalog import ArtifactRows, Edge, LineageRows, Run, RunRows
from treadle.kernel.events import EventLog
from treadle.kernel.store import Reader
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.loops.provenance.ports import Landings
from treadle.loops.provenance.records import Node
from treadle.systems.train import Models, ModelVersion

_SCALARS = frozenset({"value", "text"})


class Upward:
    """One walk: it remembers what it has shown, and shows nothing twice."""

    def __init__(
        self, reader: Reader, project: str, models: Models, landings: Landings, events: EventLog, *, depth: int = 64
    ) -> None:
        self._reader, self._project, self._models = reader, project, models
        self._landings, self._events, self._depth = landings, events, depth
        self._runs, self._edges, self._artifacts = RunRows(), LineageRows(), ArtifactRows()
        self._shown: set[str] = set()

    def model_version(self, version: ModelVersion, relation: str = "") -> Node:
        """A registered version: who made its bytes, from what, and what it was judged by."""
        facts: dict[str, Any] = {
            "version": f"{version.model} version {version.number}",
            "digest": version.digest,
            "registered": f"{version.recorded_at:%Y-%m-%d %H:%M:%S} by {version.actor}",
            **{f"metric {name}": value for name, value in version.metrics.items()},
        }
        children: list[Node] = []
        if version.run is not None:
            children.append(self.run_by_id(version.run, "trained by"))
        return Node(
            kind="model version",
            id=version.subject,
            title=f"{version.model} version {version.number}",
            relation=relation,
            facts=facts,
            children=children,
            note=""
            if version.run
            else "It was registered from outside of any run; nothing more is known of its making.",
        )

    def run_by_id(self, run_id: str, relation: str = "") -> Node:
        """A run by its id; a node that says so when it is gone."""
        run = self._runs.find(self._reader, self._project, run_id)
        if run is None:
            return Node(kind="run", id=run_id, title=run_id, relation=relation, note="The run is no longer recorded.")
        return self.run(run, relation)

    def run(self, run: Run, relation: str = "") -> Node:
        """A run with its code, environment, cause and inputs."""
        title = f"{run.kind} {run.path}"
        if run.id in self._shown or len(self._shown) > 10_000:
            return Node(kind="run", id=run.id, title=title, relation=relation, note="shown above")
        self._shown.add(run.id)
        children = []
        if run.reused_from is not None:
            children.append(self.run_by_id(run.reused_from, "its outputs were reused from"))
        else:
            children += self._inputs(self._edges.of_run(self._reader, self._project, run.id))
        if run.root != run.id:
            children.append(self.root(run.root, "inside"))
        return Node(kind="run", id=run.id, title=title, relation=relation, facts=_facts_of_run(run), children=children)

    def root(self, run_id: str, relation: str = "") -> Node:
        """The pipeline run around a step: code, environment, and what caused it."""
        run = self._runs.find(self._reader, self._project, run_id)
        if run is None:
            return Node(kind="run", id=run_id, title=run_id, relation=relation, note="The run is no longer recorded.")
        title = f"{run.kind} {run.path}"
        if run.id in self._shown:
            return Node(kind="run", id=run.id, title=title, relation=relation, note="shown above")
        self._shown.add(run.id)
        children = [
            self._described(digest, kind)
            for digest, kind in ((run.bundle_digest, "code"), (run.environment_digest, "environment"))
            if digest is not None
        ]
        if run.caused_by is not None:
            children.append(self._cause(run.caused_by))
        return Node(kind="run", id=run.id, title=title, relation=relation, facts=_facts_of_run(run), children=children)

    def artifact(self, digest: str, producer: str | None = None, relation: str = "") -> Node:
        """An artifact with the run that made it; of several makers the oldest, when none is named."""
        found = self._artifacts.find(self._reader, self._project, digest)
        if producer is not None and producer.startswith("snap_"):
            return self.snapshot_by_id(producer, relation)
        makers = [producer] if producer else self._edges.producers(self._reader, self._project, digest)
        facts = {"digest": digest, **_facts_of_artifact(found)}
        if len(makers) > 1:
            facts["makers"] = len(makers)
        is_walked = found is None or found.kind not in _SCALARS or producer is not None
        children = [self.run_by_id(makers[0], "made by")] if makers and makers[0] and is_walked else []
        title = f"{found.kind if found else 'artifact'} {digest[7:19]}"
        return Node(kind="artifact", id=digest, title=title, relation=relation, facts=facts, children=children)

    def snapshot_by_id(self, snapshot_id: str, relation: str = "") -> Node:
        """A snapshot by its id."""
        snapshot = self._landings.snapshot_of(self._reader, self._project, snapshot_id)
        if snapshot is None:
            note = "The snapshot is no longer recorded."
            return Node(kind="snapshot", id=snapshot_id, title=snapshot_id, relation=relation, note=note)
        return self.snapshot(snapshot, relation)

    def snapshot(self, snapshot: Snapshot, relation: str = "") -> Node:
        """A snapshot of a dataset, with the landing that made it and the run in which it landed."""
        title = f"{snapshot.dataset} version {snapshot.version}"
        if snapshot.id in self._shown:
            return Node(kind="snapshot", id=snapshot.id, title=title, relation=relation, note="shown above")
        self._shown.add(snapshot.id)
        facts = {
            "rows": snapshot.rows,
            "bytes": snapshot.bytes,
            "content": snapshot.content_id,
            "recorded": f"{snapshot.recorded_at:%Y-%m-%d %H:%M:%S}",
        }
        children = []
        if snapshot.landing is not None:
            origin = self._landings.origin_of(self._reader, self._project, snapshot.landing)
            children.append(
                Node(
                    kind="landing",
                    id=snapshot.landing,
                    title=str(origin.get("source", snapshot.landing)),
                    relation="landed from",
                    facts=origin,
                )
            )
        if snapshot.run is not None:
            children.append(self.run_by_id(snapshot.run, "landed by"))
        return Node(kind="snapshot", id=snapshot.id, title=title, relation=relation, facts=facts, children=children)

    def _inputs(self, edges: Iterable[Edge]) -> list[Node]:
        return [
            self.artifact(edge.digest, edge.producer, relation=f"input {edge.role}")
            for edge in edges
            if edge.direction == "in"
        ]

    def _described(self, digest: str, kind: str) -> Node:
        found = self._artifacts.find(self._reader, self._project, digest)
        note = "" if found else "Its bytes are no longer recorded."
        meta = dict(found.meta) if found else {}
        return Node(
            kind=kind,
            id=digest,
            title=f"{kind} {digest[7:19]}",
            relation=kind,
            facts={"digest": digest, **meta},
            note=note,
        )

    def _cause(self, event_id: str) -> Node:
        event = self._events.find(self._project, event_id)
        if event is None:
            return Node(kind="event", id=event_id, title=event_id, relation="caused by")
        return Node(
            kind="event",
            id=event.id,
            title=f"{event.kind} of {event.subject}",
            relation="caused by",
            facts={"recorded": f"{event.recorded_at:%Y-%m-%d %H:%M:%S}", **event.body},
        )


def _facts_of_run(run: Run) -> dict[str, Any]:
    facts: dict[str, Any] = {"status": run.status}
    if run.params:
        facts["parameters"] = run.params
    if run.seed is not None:
        facts["seed"] = run.seed
    if run.code_digest is not None:
        facts["code"] = run.code_digest
    facts["by"] = f"{run.actor} on {run.host}"
    if run.started_at is not None:
        facts["started"] = f"{run.started_at:%Y-%m-%d %H:%M:%S}"
        if run.ended_at is not None:
            facts["took_s"] = round((run.ended_at - run.started_at).total_seconds(), 3)
    return facts


def _facts_of_artifact(artifact: Artifact | None) -> dict[str, Any]:
    if artifact is None:
        return {}
    facts: dict[str, Any] = {"kind": artifact.kind, "bytes": artifact.size_bytes}
    if artifact.inline is not None and artifact.kind in _SCALARS and artifact.size_bytes <= 200:
        facts["value"] = artifact.inline.decode("utf-8", "replace")
    facts.update({name: artifact.meta[name] for name in ("rows", "columns", "class") if name in artifact.meta})
    return facts
