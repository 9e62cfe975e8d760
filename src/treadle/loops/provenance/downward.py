"""The walk down: everything that came from a thing, so that one knows what is touched when it turns out to be wrong.

Runs, model versions with whatever aliases stand on them, and the endpoints that ever served one, with the number of
predictions that it made there. Repetitions of runs (verifications) are left out: nothing rests on them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from treadle.kernel.catalog import LineageRows, Run, RunRows
from treadle.kernel.engine.rerunning import KIND as VERIFICATION
from treadle.kernel.store import Statements
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.loops.provenance.counting import Served
from treadle.loops.provenance.records import SHOWN_ABOVE, Node
from treadle.loops.provenance.upward import Upward, landings_of_act
from treadle.loops.provenance.words import moment, short, title_of
from treadle.systems.serve import EndpointNamed
from treadle.systems.train import ModelVersion

sql = Statements(__package__)


class Downward:
    """One walk; it shows nothing twice."""

    def __init__(self, up: Upward, served: Served) -> None:
        self._up, self._served = up, served
        self._reader, self._project = up.reader, up.project
        self._runs, self._edges = RunRows(), LineageRows()
        self._shown: set[str] = set()

    def snapshot(self, snapshot: Snapshot) -> Node:
        """What used a snapshot."""
        facts = {"rows": snapshot.rows, "recorded": moment(snapshot.recorded_at)}
        title = f"{snapshot.dataset} version {snapshot.version}"
        children = self._holding(snapshot)
        return Node(kind="snapshot", id=snapshot.id, title=title, facts=facts, children=children, note=_none(children))

    def landed(self, node: Node, dataset: str, first: Snapshot) -> Node:
        """What used a landing or a row: every snapshot from its own on holds it."""
        children = self._held(dataset, first)
        return replace(node, children=children, note=_none(children))

    def _held(self, dataset: str, first: Snapshot) -> list[Node]:
        """The snapshots from one on that somebody has used, each once."""
        children = []
        for snapshot in (first, *self._up.landed.later(self._reader, first)):
            if snapshot.id in self._shown:
                continue
            users = self._holding(snapshot)
            if users:
                title = f"{dataset} version {snapshot.version}"
                children.append(Node(kind="snapshot", id=snapshot.id, title=title, relation="held by", children=users))
        return children

    def _holding(self, snapshot: Snapshot) -> list[Node]:
        self._shown.add(snapshot.id)
        return self._used(snapshot.content_id, snapshot.id)

    def _landed_by(self, run: Run) -> list[Node]:
        """What used the rows that a landing, or an act of landing, has landed."""
        found = []
        of_its_own = [str((run.params or {}).get("landing"))] if run.kind == "landing" else []
        for id in of_its_own or landings_of_act(self._up.sources, self._reader, run):
            landing = self._up.landed.landing(self._reader, id)
            if landing is None or landing.snapshot is None:
                continue
            first = self._up.landed.snapshot(self._reader, landing.snapshot)
            found += [] if first is None else self._held(landing.dataset, first)
        return found

    def run(self, run: Run, relation: str = "") -> Node:
        """What a run made, and who used that."""
        title = title_of(run)
        if run.id in self._shown:
            return Node(kind="run", id=run.id, title=title, relation=relation, note=SHOWN_ABOVE)
        self._shown.add(run.id)
        children = [self.version(version) for version in self._registered(run)]
        children += self._landed_by(run)
        made = [
            edge.digest for edge in self._edges.of_run(self._reader, self._project, run.id) if edge.direction == "out"
        ]
        for digest in dict.fromkeys(made):
            children += self._used(digest, run.id)
        if run.root == run.id:
            inside = self._runs.children(self._reader, self._project, run.id)
            children += [self.run(step, "its step") for step in inside if step.id not in self._shown]
        for digest in dict.fromkeys(made):
            values = {"project": self._project, "digest": digest, "producer": run.id}
            for (again,) in self._reader.all(sql.reusers, values):
                found = self._runs.find(self._reader, self._project, again)
                if found is not None and found.reused_from == run.id:
                    children.append(self.run(found, "reused by"))
        facts = {} if run.started_at is None else {"started": f"{moment(run.started_at)} by {run.actor}"}
        return Node(kind="run", id=run.id, title=title, relation=relation, facts=facts, children=children)

    def artifact(self, digest: str) -> Node:
        """What used these bytes, whoever made them."""
        edges = self._edges.of_digest(self._reader, self._project, digest)
        users = dict.fromkeys((edge.run, edge.role) for edge in edges if edge.direction == "in")
        children = self._runs_of(list(users))
        makers = [self._up.run_by_id(maker) for maker in self._up.makers(digest)]
        for version in self._versions_of(digest):
            children.append(self.version(version))
        facts = {"makers": ", ".join(maker.title for maker in makers)} if makers else {}
        title = f"artifact {short(digest)}"
        return Node(kind="artifact", id=digest, title=title, facts=facts, children=children, note=_none(children))

    def code(self, digest: str) -> Node | None:
        """The runs that ran this code bundle; None when none did."""
        rows = self._reader.all(sql.runs_of_bundle, {"project": self._project, "digest": digest})
        runs = [run for row in rows if (run := self._runs.find(self._reader, self._project, row[0])) is not None]
        children = [self.run(run, "run by") for run in runs if run.kind != VERIFICATION]
        return Node(kind="code", id=digest, title=f"bundle {short(digest)}", children=children) if children else None

    def version(self, version: ModelVersion, relation: str = "registered as") -> Node:
        """A model version, the aliases that stand on it, and where it served."""
        title = f"{version.model} version {version.number}"
        if version.subject in self._shown:
            return Node(kind="model version", id=version.subject, title=title, relation=relation, note=SHOWN_ABOVE)
        self._shown.add(version.subject)
        aliases = self._up.aliases(version)
        facts: dict[str, Any] = {"is now": ", ".join(aliases)} if aliases else {}
        children = self._serving(version)
        return Node(
            kind="model version", id=version.subject, title=title, relation=relation, facts=facts, children=children
        )

    def _serving(self, version: ModelVersion) -> list[Node]:
        found = []
        for endpoint in self._up.sources.endpoints.list(self._up.caller):
            sheet = self._up.sources.endpoints.get(self._up.caller, EndpointNamed(endpoint=endpoint.name))
            for revision in sheet.revisions:
                if (revision.model, revision.model_version) != (version.model, str(version.number)):
                    continue
                share = endpoint.route.weights.get(str(revision.number), 0.0)
                facts = {
                    "now": f"{share:.0%} of the traffic" if share else "no traffic",
                    "predictions": self._served.count(endpoint.name, revision.number),
                }
                title = f"{endpoint.name} revision {revision.number}"
                found.append(Node(kind="revision", id=revision.id, title=title, relation="deployed to", facts=facts))
        return found

    def _used(self, digest: str, producer: str) -> list[Node]:
        """The runs that used these bytes as made by that run, or as that snapshot."""
        rows = self._reader.all(sql.users_of, {"project": self._project, "digest": digest, "producer": producer})
        return self._runs_of([(run, role) for run, role in rows])

    def _runs_of(self, users: list[tuple[str, str]]) -> list[Node]:
        found = []
        for id, role in users:
            run = self._runs.find(self._reader, self._project, id)
            if run is None:
                continue
            root = run if run.root == run.id else self._runs.find(self._reader, self._project, run.root)
            if run.kind == "act" and run.name == "register":  # the version that it registered is shown instead
                continue
            if root is None or root.kind != VERIFICATION:
                found.append(self.run(run, f"as {role} in"))
        return found

    def _registered(self, run: Run) -> list[ModelVersion]:
        found: list[ModelVersion] = self._up.sources.models.of_run(self._reader, self._project, run.id)
        return [version for version in found if run.root == run.id or version.run == run.id]

    def _versions_of(self, digest: str) -> list[ModelVersion]:
        rows = self._reader.all(sql.versions_of_digest, {"project": self._project, "digest": digest})
        return [
            self._up.sources.models.resolve(self._reader, self._project, model, str(number)) for model, number in rows
        ]


def _none(children: list[Node]) -> str:
    return "" if children else "Nothing has used it."
