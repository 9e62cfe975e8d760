"""Incidents about data on the graph: the landings that showed the cause, and everything that rests on what they made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from treadle.loops.provenance.downward import Downward
from treadle.loops.provenance.records import Node
from treadle.loops.provenance.upward import Upward
from treadle.loops.provenance.words import moment
from treadle.systems.prepare.records import Incident, Occurrence, ShowIncident

_SHOWN = 3


def why_incident(up: Upward, id: str) -> Node:
    """An incident with the contract whose rule failed and the landings that showed it: the first, and the newest ones.

    Raises IncidentNotFound.
    """
    incident, seen = _found(up, id)
    shown = [*seen[:1], *seen[1:][-_SHOWN + 1 :]]
    children = [_landing(up, one) for one in shown]
    more = len(seen) - len(shown)
    note = f"Shown in {more} more landings." if more else ""
    if incident.contract is not None:
        children.append(up.artifact(incident.contract, relation="judged by"))
    return replace(_node(incident), children=children, note=note)


def incident_impact(up: Upward, down: Downward, id: str) -> Node:
    """What used the data in which the cause was seen: every snapshot from the first such landing on."""
    incident, seen = _found(up, id)
    first = next((one.snapshot for one in seen if one.snapshot is not None), None)
    snapshot = None if first is None else up.landed.snapshot(up.reader, first)
    if snapshot is None:
        return replace(_node(incident), note="Nothing of those landings came into the dataset.")
    return down.landed(_node(incident), incident.dataset, snapshot)


def _found(up: Upward, id: str) -> tuple[Incident, list[Occurrence]]:
    incidents, asked = up.sources.incidents, ShowIncident(id=id)
    return incidents.show(up.caller, asked), list(incidents.history(up.caller, asked).occurrences)


def _landing(up: Upward, seen: Occurrence) -> Node:
    node = up.landing_by_id(seen.landing, "seen in")
    facts = {**node.facts, **({"rows of the incident": seen.rows} if seen.rows else {})}
    children = list(node.children)
    if seen.snapshot is not None:
        children.append(up.snapshot_by_id(seen.snapshot, "made"))
    return replace(node, facts=facts, children=children)


def _node(incident: Incident) -> Node:
    facts: dict[str, Any] = {
        "state": incident.state,
        "severity": incident.severity,
        "rule": incident.rule,
        **({"rows": incident.rows} if incident.rows else {}),
        "times": incident.occurrences,
        "opened": moment(incident.opened_at),
        **({"with": incident.assignee} if incident.assignee else {}),
        **({"mended by": incident.fixing_run} if incident.fixing_run else {}),
    }
    return Node(kind="incident", id=f"incident/{incident.id}", title=incident.title, facts=facts)
