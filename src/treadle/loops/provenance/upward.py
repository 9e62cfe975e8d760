"""The walk up: from a run, an artifact, a model version or a snapshot to everything that it came from.

An edge names the run that made what it uses, so the walk never guesses. Where bytes were reused from an earlier run the
node says so and goes on there. Scalars are shown with the run that used them, and not walked. Nothing is shown twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from treadle.kernel.artifacts import Artifact
from treadle.kernel.catalog import ArtifactNotFound, ArtifactRows, Edge, LineageRows, Run, RunRows
from treadle.kernel.engine.journal import sql as engine_sql
from treadle.kernel.engine.publishing import get_publication
from treadle.kernel.engine.rerunning import KIND as VERIFICATION
from treadle.kernel.engine.scheduler import firing_of
from treadle.kernel.events.records import Event
from treadle.kernel.governance import Caller
from treadle.kernel.store import Reader
from treadle.kernel.vocabulary.datasets import Snapshot
from treadle.loops.provenance.landed import Landed, landing_node
from treadle.loops.provenance.records import SHOWN_ABOVE, Node
from treadle.loops.provenance.sources import Sources
from treadle.loops.provenance.words import bare, facts_of, moment, short, title_of
from treadle.systems.monitor.alerts import Alert
from treadle.systems.monitor.requests import ShowAlert
from treadle.systems.serve import EndpointNamed
from treadle.systems.train import ModelVersion

_SCALARS = frozenset({"value", "text"})
_LONGEST_VALUE = 120
_DEEPEST = 200


class Upward:
    """One walk: it remembers what it has shown, and shows nothing twice."""

    def __init__(self, sources: Sources, reader: Reader, caller: Caller) -> None:
        self.sources, self.reader, self.caller = sources, reader, caller
        self.project = caller.project
        self.landed = Landed(sources.datasets, sources.cleanings, caller.project)
        self._runs, self._edges, self._artifacts = RunRows(), LineageRows(), ArtifactRows()
        self._shown: set[str] = set()
        self._depth = 0

    # Models

    def model_version(self, version: ModelVersion, relation: str = "") -> Node:
        """A registered version: what stands on it, what it was judged by, and the run that made it."""
        title = f"{version.model} version {version.number}"
        if self._is_shown(version.subject):
            return Node(kind="model version", id=version.subject, title=title, relation=relation, note=SHOWN_ABOVE)
        aliases = self.aliases(version)
        facts: dict[str, Any] = {
            **({"is now": ", ".join(aliases)} if aliases else {}),
            "registered": f"{moment(version.recorded_at)} by {version.actor}",
            "digest": version.digest,
            **version.metrics,
        }
        for found in self.sources.evidence.about(self.reader, self.project, version.subject):
            facts[found.kind] = found.body.get("verdict", found.verdict)
        children: list[Node] = []
        note = "It was registered from outside of any run; nothing more is known of its making."
        if version.run is not None:
            children, note = [self.run_by_id(version.run, "trained by")], ""
        return Node(
            kind="model version", id=version.subject, title=title, relation=relation, facts=facts, children=children,
            note=note,
        )  # fmt: skip

    def aliases(self, version: ModelVersion) -> list[str]:
        """The aliases that stand on a version now, whatever they are called."""
        prefix = f"model/{version.line}@"
        refs = self.sources.refs.list(self.reader, self.project, prefix)
        return [ref.name.removeprefix(prefix) for ref in refs if ref.target == version.subject]

    # Runs

    def run_by_id(self, run_id: str, relation: str = "") -> Node:
        """A run by its id; a node that says so when it is gone."""
        run = self._runs.find(self.reader, self.project, run_id)
        if run is None:
            return Node(kind="run", id=run_id, title="a run", relation=relation, note="It is no longer recorded.")
        return self.run(run, relation)

    def run(self, run: Run, relation: str = "") -> Node:
        """A run with its inputs, and the pipeline run around it with code, environment and cause."""
        title = title_of(run)
        if self._is_shown(run.id):
            return Node(kind="run", id=run.id, title=title, relation=relation, note=SHOWN_ABOVE)
        if self._depth >= _DEEPEST:
            return Node(kind="run", id=run.id, title=title, relation=relation, note="Ask for it to go on from here.")
        self._depth += 1
        children: list[Node] = []
        if run.root == run.id:
            children += self._surroundings(run)
        elif run.root not in self._shown:
            children.append(self.run_by_id(run.root, "inside"))
        if run.reused_from is not None:
            children.append(self.run_by_id(run.reused_from, "reused from"))
        else:
            children += self._inputs(self._edges.of_run(self.reader, self.project, run.id))
        self._depth -= 1
        return Node(kind="run", id=run.id, title=title, relation=relation, facts=facts_of(run), children=children)

    def results(self, run: Run) -> list[Node]:
        """What a run has made, each with what it came from."""
        edges = self._edges.of_run(self.reader, self.project, run.id)
        return [self.artifact(each.digest, each.producer, each.role) for each in edges if each.direction == "out"]

    def _surroundings(self, run: Run) -> list[Node]:
        """Code, environment and cause of a root run."""
        environment = self._loaded(run.environment_digest)
        found: list[Node] = []
        if run.bundle_digest is not None:
            git = (environment or {}).get("git") or self._git_of_publication(run)
            found.append(self._code(run.bundle_digest, git))
        if run.environment_digest is not None:
            found.append(self._environment(run.environment_digest, environment))
        if run.caused_by is not None:
            found.append(self.cause(run.caused_by))
        return found

    def _git_of_publication(self, run: Run) -> dict[str, Any] | None:
        """Where published code stood in git: it runs away from its repository."""
        row = self.reader.find(engine_sql.publication_of_run, {"project": self.project, "run": run.id})
        if row is None:
            return None
        published = self._loaded(get_publication(self.reader, self.project, row[0]).environment)
        return (published or {}).get("git")

    def _code(self, digest: str, git: dict[str, Any] | None) -> Node:
        if self._is_shown(digest):
            return Node(kind="code", id=digest, title=f"bundle {short(digest)}", relation="code", note=SHOWN_ABOVE)
        facts: dict[str, Any] = {}
        if git and git.get("commit"):
            facts["commit"] = str(git["commit"])[:12]
            facts |= {"branch": git["branch"]} if git.get("branch") else {}
            facts |= {"with": "uncommitted changes"} if git.get("diff") else {}
        note = "" if self._loads(digest) else "Its bytes are gone."
        return Node(kind="code", id=digest, title=f"bundle {short(digest)}", relation="code", facts=facts, note=note)

    def _environment(self, digest: str, described: dict[str, Any] | None) -> Node:
        if described is None:
            note = "Its description is gone."
            return Node(kind="environment", id=digest, title=short(digest), relation="environment", note=note)
        title = f"Python {described.get('python')}, {len(described.get('distributions', {}))} distributions"
        if self._is_shown(digest):
            return Node(kind="environment", id=digest, title=title, relation="environment", note=SHOWN_ABOVE)
        facts = {
            "cpu": described.get("cpu"),
            **({"settings": described["settings"]} if described.get("settings") else {}),
        }
        return Node(kind="environment", id=digest, title=title, relation="environment", facts=facts)

    # Artifacts and snapshots

    def artifact(self, digest: str, producer: str | None = None, relation: str = "") -> Node:
        """An artifact with the run that made it; of several makers the oldest, when none is named."""
        if producer is not None and producer.startswith("snap_"):
            return self.snapshot_by_id(producer, relation)
        found = self._artifacts.find(self.reader, self.project, digest)
        kind = found.kind if found else "artifact"
        facts: dict[str, Any] = {} if found is None else _facts_of_artifact(found)
        makers = [producer] if producer else self.makers(digest)
        if len(makers) > 1:
            facts["makers"] = len(makers)
        is_walked = bool(makers) and not (kind in _SCALARS and "value" in facts and producer is None)
        note = "" if found else "Its bytes are no longer recorded."
        children = [self.run_by_id(makers[0], "made by")] if is_walked else []
        title = f"{kind} {short(digest)}"
        return Node(
            kind="artifact", id=digest, title=title, relation=relation, facts=facts, children=children, note=note
        )

    def makers(self, digest: str) -> list[str]:
        """The runs that made these bytes, oldest first; those that reused them, or made them again, are none."""
        edges = self._edges.of_digest(self.reader, self.project, digest)
        found = list(dict.fromkeys(edge.producer or edge.run for edge in edges if edge.direction == "out"))
        return found if len(found) < 2 else [id for id in found if not self._is_repetition(id)]

    def _is_repetition(self, run_id: str) -> bool:
        """Whether a run belongs to one that only made another again."""
        run = self._runs.find(self.reader, self.project, run_id)
        root = None if run is None else self._runs.find(self.reader, self.project, run.root)
        return root is not None and root.kind == VERIFICATION

    def snapshot_by_id(self, snapshot_id: str, relation: str = "") -> Node:
        """A snapshot by its id."""
        snapshot = self.landed.snapshot(self.reader, snapshot_id)
        if snapshot is None:
            note = "It is no longer recorded."
            return Node(kind="snapshot", id=snapshot_id, title="a snapshot", relation=relation, note=note)
        return self.snapshot(snapshot, relation)

    def snapshot(self, snapshot: Snapshot, relation: str = "") -> Node:
        """A snapshot of a dataset, with the landing that made it and the run in which it landed."""
        title = f"{snapshot.dataset} version {snapshot.version}"
        if self._is_shown(snapshot.id):
            return Node(kind="snapshot", id=snapshot.id, title=title, relation=relation, note=SHOWN_ABOVE)
        facts = {"rows": snapshot.rows, "recorded": moment(snapshot.recorded_at), "content": snapshot.content_id}
        children = [] if snapshot.landing is None else [self.landing_by_id(snapshot.landing, "landed from")]
        if snapshot.run is not None and snapshot.landing is not None and children:
            children = [replace(children[0], children=self._landed_rows(snapshot.run, snapshot.landing))]
        by = None if snapshot.run is None else self._runs.find(self.reader, self.project, snapshot.run)
        if by is not None and (by.kind != "landing" or by.root != by.id) and by.root not in self._shown:
            children.append(self.run_by_id(by.root, "landed by"))
        return Node(kind="snapshot", id=snapshot.id, title=title, relation=relation, facts=facts, children=children)

    def _landed_rows(self, run_id: str, landing: str) -> list[Node]:
        """What was landed: of a landing by itself its inputs, of one in a pipeline those of the act that names it."""
        run = self._runs.find(self.reader, self.project, run_id)
        if run is None:
            return []
        if run.kind == "landing":
            return self._inputs(self._edges.of_run(self.reader, self.project, run.id))
        for act in self._runs.children(self.reader, self.project, run.root):
            if landing in landings_of_act(self.sources, self.reader, act):
                return self._inputs(self._edges.of_run(self.reader, self.project, act.id))
        return []

    def landing_by_id(self, landing_id: str, relation: str = "") -> Node:
        """A landing by its id."""
        landing = self.landed.landing(self.reader, landing_id)
        if landing is None:
            note = "It is no longer recorded."
            return Node(kind="landing", id=landing_id, title="a landing", relation=relation, note=note)
        return landing_node(landing, relation)

    # Causes

    def cause(self, caused_by: str) -> Node:
        """What started a run: an event, a firing of a schedule, or a person who had another run made again."""
        if caused_by.startswith("run_"):
            return self.run_by_id(caused_by, "makes again")
        event = self.sources.events.find(self.project, caused_by)
        if event is not None:
            return self.event(event, "caused by")
        row = self.reader.find(engine_sql.find_firing, {"project": self.project, "id": caused_by})
        if row is None:
            return Node(kind="event", id=caused_by, title="something", relation="caused by")
        firing = firing_of(row)
        facts = {"publication": firing.publication}
        return Node(kind="firing", id=firing.id, title=firing.source, relation="caused by", facts=facts)

    def event(self, event: Event, relation: str = "") -> Node:
        """An event; with its alert, or the run that it is about."""
        if self._is_shown(event.id):
            title = f"{event.kind} {event.subject}"
            return Node(kind="event", id=event.id, title=title, relation=relation, note=SHOWN_ABOVE)
        facts: dict[str, Any] = {"recorded": f"{moment(event.recorded_at)} by {event.actor}"}
        if event.event_at is not None:
            facts["about"] = moment(event.event_at)
        children: list[Node] = []
        alert = event.body.get("alert")
        if isinstance(alert, str):
            children.append(self.alert(alert, "alert"))
        else:
            facts |= {name: bare(value) for name, value in event.body.items() if isinstance(value, str | int | float)}
        if event.subject.startswith("run_") and event.kind.startswith("run."):
            children.append(self.run_by_id(event.subject, "of"))
        title = f"{event.kind} {event.subject}"
        return Node(kind="event", id=event.id, title=title, relation=relation, facts=facts, children=children)

    def alert(self, alert_id: str, relation: str = "", *, whole: bool = False) -> Node:
        """An alert: what moved, in which window, and the model version whose predictions showed it.

        whole: that version is walked too. It is not where an alert is only a cause: models that replaced one another
        would all be told, back to the first.
        """
        alert = self.sources.alerts.show(self.caller, ShowAlert(alert=alert_id))
        title = f"{alert.kind} at {alert.endpoint}"
        if self._is_shown(alert.id):
            return Node(kind="alert", id=alert.id, title=title, relation=relation, note=SHOWN_ABOVE)
        worst = ", ".join(f"{symptom.column} {symptom.z:.3g}" for symptom in alert.symptoms[:3])
        more = len(alert.symptoms) - 3
        facts: dict[str, Any] = {
            "state": alert.state,
            "moved": worst + (f" and {more} more" if more > 0 else ""),
            "threshold": round(alert.threshold, 2),
            "window": moment(alert.first_window_at),
            "windows": alert.windows,
        }
        version = self._watched(alert)
        children = []
        if version is not None and whole:
            children.append(self.model_version(version, "watched"))
        elif version is not None:
            title_of_version = f"{version.model} version {version.number}"
            children.append(Node(kind="model version", id=version.subject, title=title_of_version, relation="watched"))
        return Node(kind="alert", id=alert.id, title=title, relation=relation, facts=facts, children=children)

    def _watched(self, alert: Alert) -> ModelVersion | None:
        known = {name for name, _ in self._endpoints()}
        if alert.endpoint not in known:
            return None
        sheet = self.sources.endpoints.get(self.caller, EndpointNamed(endpoint=alert.endpoint))
        for revision in sheet.revisions:
            if revision.model_version == alert.model_version:
                return self.sources.models.resolve(self.reader, self.project, revision.model, revision.model_version)
        return None

    def _endpoints(self) -> list[tuple[str, int]]:
        return [(each.name, each.route.number) for each in self.sources.endpoints.list(self.caller)]

    # Inside

    def _inputs(self, edges: Iterable[Edge]) -> list[Node]:
        return [
            self.artifact(edge.digest, edge.producer, relation=edge.role) for edge in edges if edge.direction == "in"
        ]

    def _loads(self, digest: str) -> bool:
        found = self._artifacts.find(self.reader, self.project, digest)
        return found is not None and self.sources.artifacts.stands(found)

    def _loaded(self, digest: str | None) -> dict[str, Any] | None:
        if digest is None:
            return None
        try:
            found: dict[str, Any] = self.sources.artifacts.load(self._artifacts.get(self.reader, self.project, digest))
        except ArtifactNotFound:
            return None
        return found

    def _is_shown(self, id: str) -> bool:
        """Whether it was shown before; from now on it is."""
        if id in self._shown:
            return True
        self._shown.add(id)
        return False


def landings_of_act(sources: Sources, reader: Reader, run: Run) -> list[str]:
    """The ids of the landings that an act made; none for whatever is no such act."""
    if run.kind != "act" or run.name not in ("land", "clean"):
        return []
    for edge in LineageRows().of_run(reader, run.project, run.id):
        artifact = ArtifactRows().find(reader, run.project, edge.digest) if edge.direction == "out" else None
        if artifact is not None and sources.artifacts.stands(artifact):
            return [str(each) for each in sources.artifacts.load(artifact)]
    return []


def _facts_of_artifact(artifact: Artifact) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for name in ("rows", "columns", "class"):
        if name in artifact.meta:
            found = artifact.meta[name]
            facts[name] = len(found) if name == "columns" and isinstance(found, list | tuple | dict) else found
    if artifact.inline is not None and artifact.kind in _SCALARS and artifact.size_bytes <= _LONGEST_VALUE:
        facts["value"] = artifact.inline.decode("utf-8", "replace")
    elif not facts:
        facts["bytes"] = artifact.size_bytes
    return facts
