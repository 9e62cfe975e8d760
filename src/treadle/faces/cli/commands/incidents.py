"""`treadle incidents`: what went wrong with data, opened once a cause, and what was done about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from treadle.faces.cli.rendering import Paper, cell, moment
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong, read_time

if TYPE_CHECKING:
    from treadle.loops.provenance import Node
    from treadle.systems.prepare.records import Incident, IncidentHistory

IncidentId = Annotated[str, "the incident's id"]
_LENGTHS = {"min": 60, "h": 3600, "d": 86400, "w": 604800}


def list_all(
    session: Session,
    *,
    dataset: Annotated[str | None, "only those of this dataset"] = None,
    state: Annotated[str | None, "open, muted, recovered, resolved, or all (default: open and muted ones)"] = None,
    assignee: Annotated[str | None, Option("only those that somebody has", metavar="WHO")] = None,
) -> None:
    """Incidents, the oldest first."""
    incidents = session.client.incidents.list(dataset=dataset, state=state, assignee=assignee)

    def draw(paper: Paper) -> None:
        rows = [
            (one.id, one.state, one.severity, one.dataset, one.rows, one.occurrences, one.assignee, one.title)
            for one in incidents
        ]
        columns = ("incident", "state", "severity", "dataset", "rows", "times", "with", "what")
        paper.table(columns, rows, empty="No incidents.")

    session.out.show(incidents, draw)


def show(session: Session, incident: IncidentId) -> None:
    """One incident: the rule, how many rows, since which landing, what rests on the data, what was done and said."""
    import msgspec

    found = session.client.incidents.show(id=incident)
    history = session.client.incidents.history(id=incident)
    touched = _touched(session.client.provenance.impact(id=f"incident/{found.id}"))

    def draw(paper: Paper) -> None:
        _draw_facts(paper, found)
        paper.title("touches")
        paper.sheet({name: cell(entry) for name, entry in touched.items() if entry} or {"nothing": "so far"})
        _draw_history(paper, history)

    answer: dict[str, Any] = {**msgspec.to_builtins(found), "touches": touched}
    answer |= {name: msgspec.to_builtins(getattr(history, name)) for name in ("occurrences", "acts", "comments")}
    session.out.show(answer, draw)


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


def comment(session: Session, incident: IncidentId, text: Annotated[str, "what there is to say"]) -> None:
    """Says something about an incident, for those who come later."""
    history = session.client.incidents.comment(id=incident, text=text)
    session.out.show(history, lambda paper: _draw_comments(paper, history))


def mute(
    session: Session,
    incident: IncidentId,
    *,
    note: Annotated[str, "why"],
    until: Annotated[str | None, Option("when it is open again: a time, or 3d from now", metavar="WHEN")] = None,
) -> None:
    """Lets an incident go on counting without telling anybody."""
    found = session.client.incidents.mute(id=incident, note=note, until=_when(until))
    said = "" if found.muted_until is None else f" until {moment(found.muted_until)}"
    session.out.show(found, lambda paper: paper.line(f"{found.id} is {found.state}{said}."))


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


def reopen(session: Session, incident: IncidentId, *, note: Annotated[str, "why it is not over"]) -> None:
    """Opens an incident again that was resolved or has recovered."""
    found = session.client.incidents.reopen(id=incident, note=note)
    session.out.show(found, lambda paper: paper.line(f"{found.id} is {found.state}."))


def _draw_facts(paper: Paper, found: Incident) -> None:
    paper.sheet(
        {
            "incident": found.id,
            "state": found.state,
            "severity": found.severity,
            "what": found.title,
            "dataset": found.dataset,
            "rule": found.rule,
            "rows": found.rows or None,
            "times": found.occurrences,
            "clean since": f"{found.clean_landings} landings" if found.clean_landings else None,
            "first landing": found.first_landing,
            "last landing": found.last_landing,
            "with": found.assignee,
            "note": found.note or None,
            "muted until": found.muted_until,
            "mended by": found.fixing_run,
            "look at": f"treadle quarantine list {found.dataset} --rule {found.rule}"
            if found.cause == "rows"
            else None,
        }
    )


def _draw_history(paper: Paper, history: IncidentHistory) -> None:
    paper.title("history")
    paper.table(
        ("when", "who", "what", ""),
        [(one.recorded_at, one.actor, one.kind.partition(".")[2], cell(one.facts)) for one in history.acts],
    )
    if history.comments:
        paper.title("said")
        _draw_comments(paper, history)


def _draw_comments(paper: Paper, history: IncidentHistory) -> None:
    paper.table(("when", "who", "says"), [(one.recorded_at, one.actor, one.text) for one in history.comments])


def _touched(impact: Node) -> dict[str, Any]:
    """What rests on the data of an incident, counted and named."""
    nodes = list(impact.walk())[1:]
    found = {kind: dict.fromkeys(node.title for node in nodes if node.kind == kind) for kind in _KINDS}
    aliases = {node.title: node.facts.get("is now") for node in nodes if node.kind == "model version"}
    models = [f"{title} ({aliases[title]})" if aliases.get(title) else title for title in found["model version"]]
    return {
        "snapshots": list(found["snapshot"]),
        "runs": len({node.id for node in nodes if node.kind == "run"}),
        "model versions": models,
        "endpoints": list(found["revision"]),
        "predictions": sum(
            int(facts.get("predictions", 0))
            for facts in {node.id: node.facts for node in nodes if node.kind == "revision"}.values()
        ),
    }


_KINDS = ("snapshot", "model version", "revision")


def _when(text: str | None) -> datetime | None:
    """A time, or a length of time from now. Raises UsageWrong."""
    if text is None:
        return None
    for unit, seconds in _LENGTHS.items():
        number = text.removesuffix(unit)
        if number != text and number.isdecimal():
            return datetime.now(UTC) + timedelta(seconds=int(number) * seconds)
    found = read_time(text)
    if found is not None and found <= datetime.now(UTC):
        raise UsageWrong(f"{text!r} is over.", fix="Give a time to come, or 3d.")
    return found
