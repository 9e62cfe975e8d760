"""`treadle incidents`: what went wrong with data, opened once a cause."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session

IncidentId = Annotated[str, "the incident's id"]


def list_all(
    session: Session,
    *,
    dataset: Annotated[str | None, "only those of this dataset"] = None,
    state: Annotated[str | None, "only those in this state (default: all that are not resolved)"] = None,
) -> None:
    """Incidents, the oldest first."""
    incidents = session.client.incidents.list(dataset=dataset, state=state)

    def draw(paper: Paper) -> None:
        rows = [
            (one.id, one.state, one.severity, one.dataset, one.rows, one.occurrences, one.assignee, one.title)
            for one in incidents
        ]
        columns = ("incident", "state", "severity", "dataset", "rows", "times", "with", "what")
        paper.table(columns, rows, empty="No incidents.")

    session.out.show(incidents, draw)


def show(session: Session, incident: IncidentId) -> None:
    """One incident: the rule, the cause, how many rows, since which landing, and who has it."""
    found = session.client.incidents.show(id=incident)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "incident": found.id,
                "state": found.state,
                "severity": found.severity,
                "what": found.title,
                "dataset": found.dataset,
                "rule": found.rule,
                "cause": found.cause,
                "rows": found.rows,
                "times": found.occurrences,
                "first landing": found.first_landing,
                "last landing": found.last_landing,
                "with": found.assignee,
                "note": found.note,
            }
        )

    session.out.show(found, draw)


def assign(
    session: Session,
    incident: IncidentId,
    assignee: Annotated[str, "whose it is"],
    *,
    note: Annotated[str, "what they should know"] = "",
) -> None:
    """Makes an incident somebody's."""
    found = session.client.incidents.assign(id=incident, assignee=assignee, note=note)
    session.out.show(found, lambda paper: paper.line(f"{found.id} is {found.assignee}'s."))


def mute(session: Session, incident: IncidentId, *, note: Annotated[str, "why"]) -> None:
    """Lets an incident go on counting without telling anybody."""
    found = session.client.incidents.mute(id=incident, note=note)
    session.out.show(found, lambda paper: paper.line(f"{found.id} is {found.state}."))


def resolve(
    session: Session,
    incident: IncidentId,
    *,
    note: Annotated[str, "what it was"],
    run: Annotated[str | None, "the run that mended it"] = None,
) -> None:
    """Closes an incident; the same cause opens a new one."""
    found = session.client.incidents.resolve(id=incident, note=note, fixing_run=run)
    session.out.show(found, lambda paper: paper.line(f"{found.id} is {found.state}."))
