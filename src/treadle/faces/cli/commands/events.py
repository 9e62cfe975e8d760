"""`treadle events` and `treadle audit`: what happened, and the proof that nobody has changed it since."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from treadle.faces.cli.output import compact
from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option


def list_all(
    session: Session,
    *,
    limit: Annotated[int, "at most so many"] = 50,
    kind: Annotated[list[str] | None, Option("only this kind; repeat it", metavar="KIND")] = None,
    subject: Annotated[str | None, "only about this: dataset/flights, run_…"] = None,
    before: Annotated[int | None, "only before this position, for the next page"] = None,
) -> None:
    """Events, the newest first."""
    events = session.client.events.list(limit=limit, kinds=kind or [], subject=subject, before=before)

    def draw(paper: Paper) -> None:
        rows = [(one.position, one.recorded_at, one.kind, one.subject, one.actor, cell(one.body)) for one in events]
        paper.table(("position", "at", "kind", "about", "by", "facts"), rows, empty="No events yet.")

    session.out.show(events, draw)


def show(session: Session, event: Annotated[str, "the event's id (evt_…)"]) -> None:
    """One event with its place in the chain."""
    found = session.client.events.get(event=event)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "event": found.id,
                "kind": found.kind,
                "about": found.subject,
                "by": found.actor,
                "at": found.recorded_at,
                "of": found.event_at,
                "position": found.position,
                "hash": found.hash,
                **{f"  {name}": cell(value) for name, value in found.body.items()},
            }
        )

    session.out.show(found, draw)


def verify(session: Session) -> int:
    """Recomputes the whole chain. Exit code 1 when an event was changed, removed or added."""
    found = session.client.audit.verify()

    def draw(paper: Paper) -> None:
        broken = found.broken
        paper.sheet(
            {
                "chain": "broken" if broken else "kept",
                "events": found.count,
                "head": found.head,
                "broken at": broken and broken.position,
                "event": broken and broken.event,
                "problem": broken and broken.problem,
            }
        )

    session.out.show(found, draw)
    return int(found.broken is not None)


def export(session: Session, file: Annotated[Path | None, "where to (default: stdout)"] = None) -> None:
    """Writes the log as JSON lines, which anybody can verify offline with the few lines of docs/reference/audit.md."""
    lines = session.client.audit.export()
    if file is None:
        for line in lines:
            session.out.stdout.write(compact(line) + "\n")
        return
    with file.open("w", encoding="utf-8") as stream:
        count = sum(1 for line in lines if stream.write(compact(line) + "\n"))
    answer = {"file": file, "events": count - 1}
    session.out.show(answer, lambda paper: paper.line(f"{count - 1} events are in {file}."))
