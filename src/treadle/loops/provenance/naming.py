"""What an id names, and where the walk begins from it."""

from __future__ import annotations

from dataclasses import replace

from treadle.ground.digests import is_digest
from treadle.ground.errors import NotFound
from treadle.ground.ids import run_id_of
from treadle.kernel.catalog import ArtifactRows, RunRows
from treadle.kernel.vocabulary.datasets import RowId
from treadle.loops.provenance.downward import Downward
from treadle.loops.provenance.errors import NothingOfThatName
from treadle.loops.provenance.explaining import PredictionStory
from treadle.loops.provenance.landed import landing_node
from treadle.loops.provenance.records import Node
from treadle.loops.provenance.trouble import incident_impact, why_incident
from treadle.loops.provenance.upward import Upward
from treadle.loops.provenance.words import moment
from treadle.systems.serve import EndpointNamed
from treadle.systems.train import ModelNotFound, ModelVersion

_FORMS = (
    "An id is one of pred_…, run_… (or a run's 32 digits), snap_…, land_…, land_…:17, alert_…, evt_…, sha256:…, a model "
    "version (late-arrival/3, late-arrival@champion), endpoint/late-arrival or incident/inc_…."
)


def why(up: Upward, id: str, *, rows: int) -> Node:
    """Everything that the thing of this id came from. Raises NothingOfThatName, PredictionNotFound."""
    id = run_id_of(id) or id
    head = id.partition("_")[0]
    if head == "pred":
        return PredictionStory(up, rows=rows).tell(id)
    if head == "run":
        run = RunRows().get(up.reader, up.project, id)
        node = up.run(run)
        return replace(node, children=[*node.children, *up.results(run)]) if run.root == run.id else node
    if head == "snap":
        found = up.landed.snapshot(up.reader, id)
        if found is None:
            raise unknown(id)
        return up.snapshot(found)
    if head == "land":
        return _landed(up, id)
    if head == "alert":
        return up.alert(id, whole=True)
    if head == "evt":
        event = up.sources.events.find(up.project, id)
        if event is None:
            raise unknown(id)
        return up.event(event)
    if is_digest(id):
        if ArtifactRows().find(up.reader, up.project, id) is None:
            raise unknown(id)
        return up.artifact(id)
    if id.startswith("endpoint/"):
        return _endpoint(up, id.removeprefix("endpoint/"))
    if id.startswith(("incident/", "inc_")):
        return why_incident(up, id)
    return up.model_version(version_of(up, id))


def impact(up: Upward, down: Downward, id: str) -> Node:
    """Everything that came of the thing of this id. Raises NothingOfThatName."""
    id = run_id_of(id) or id
    head = id.partition("_")[0]
    if head == "run":
        return down.run(RunRows().get(up.reader, up.project, id))
    if head == "snap":
        found = up.landed.snapshot(up.reader, id)
        if found is None:
            raise unknown(id)
        return down.snapshot(found)
    if id.startswith(("incident/", "inc_")):
        return incident_impact(up, down, id)
    if head == "land":
        landing = up.landed.landing(up.reader, id.partition(":")[0])
        first = None if landing is None or landing.snapshot is None else up.landed.snapshot(up.reader, landing.snapshot)
        if landing is None or first is None:
            raise unknown(id)
        return down.landed(_landed(up, id), landing.dataset, first)
    if is_digest(id):
        code = down.code(id)
        if code is None and ArtifactRows().find(up.reader, up.project, id) is None:
            raise unknown(id)
        return code or down.artifact(id)
    if head in ("pred", "alert", "evt"):
        raise NothingOfThatName(f"Nothing is made of {id}.", fix=f"Ask where it comes from: treadle why {id}", id=id)
    return down.version(version_of(up, id), "")


def version_of(up: Upward, id: str) -> ModelVersion:
    """The model version of `model/late-arrival/3`, `late-arrival/3`, `late-arrival@champion` or, the newest,
    `late-arrival`. Raises NothingOfThatName, and ModelVersionNotFound for a model that has no such version."""
    name = id.removeprefix("model/")
    model, at, version = name.partition("@") if "@" in name else name.rpartition("/")
    if not at:
        model, version = name, "newest"
    try:
        return up.sources.models.resolve(up.reader, up.project, model, version)
    except ModelNotFound:
        found = up.sources.models.lookup.of_subject(up.reader, up.project, name)
        if found is None:
            raise unknown(id) from None
        return found


def unknown(id: str) -> NothingOfThatName:
    """The error for an id that names nothing."""
    return NothingOfThatName(f"Nothing here is called {id!r}.", why=_FORMS, id=id)


def _landed(up: Upward, id: str) -> Node:
    """A landing, or one row of it with its landing below."""
    landing_id, colon, _ = id.partition(":")
    landing = up.landed.landing(up.reader, landing_id)
    if landing is None:
        raise unknown(id)
    below = [] if landing.run is None else [up.run_by_id(landing.run, "in")]
    if not colon:
        return replace(landing_node(landing), children=below)
    try:
        row = up.landed.row(RowId.parse(id), landing.dataset, landing.snapshot)
    except ValueError:
        raise unknown(id) from None
    return replace(row, children=[landing_node(landing, "landed from"), *below])


def _endpoint(up: Upward, name: str) -> Node:
    """What an endpoint serves now, since when, and why."""
    try:
        endpoint = up.sources.endpoints.get(up.caller, EndpointNamed(endpoint=name)).endpoint
    except NotFound:
        raise unknown(f"endpoint/{name}") from None
    route = endpoint.route
    facts = {"since": f"{moment(route.recorded_at)} by {route.actor}"}
    if route.reason:
        facts["because"] = route.reason
    children = []
    for revision in endpoint.revisions:
        version = up.sources.models.resolve(up.reader, up.project, revision.model, revision.model_version)
        share = f"serves {route.weights.get(str(revision.number), 0):.0%}:"
        children.append(up.model_version(version, share))
    return Node(kind="endpoint", id=f"endpoint/{name}", title=name, facts=facts, children=children)
