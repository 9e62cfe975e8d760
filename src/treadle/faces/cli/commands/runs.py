"""`treadle runs`: what ran, when, and how it ended."""

from __future__ import annotations

from typing import Annotated, Any

from treadle.faces.cli.output import compact
from treadle.faces.cli.rendering import Branch, Paper, cell, duration
from treadle.faces.cli.session import Session


def list_all(
    session: Session,
    *,
    kind: Annotated[str | None, "pipeline, tracking, study, act or landing (default: the first three)"] = None,
    limit: Annotated[int, "at most so many"] = 20,
    after: Annotated[str | None, "only those before this one, for the next page"] = None,
) -> None:
    """Runs of pipelines and of tracking clients, the newest first."""
    page = session.client.runs.list(kind=kind, limit=limit, after=after)

    def draw(paper: Paper) -> None:
        rows = [
            (
                one.id,
                one.status,
                one.kind,
                one.name,
                one.started_at,
                duration(seconds(one)),
                one.actor,
                cell(one.params),
            )
            for one in page.items
        ]
        paper.table(
            ("run", "status", "kind", "name", "started", "took", "by", "parameters"),
            rows,
            empty="No runs yet: treadle run pipeline.py",
        )
        if page.next:
            paper.line(f"More: treadle runs list --after {page.next}", style="dim")

    session.out.show(page, draw)


def show(session: Session, run: Annotated[str, "the run's id (run_…)"]) -> None:
    """One run with everything that ran inside it."""
    sheet = session.client.runs.get(run=run)

    def draw(paper: Paper) -> None:
        found = sheet.run
        paper.sheet(
            {
                "run": found.id,
                "status": found.status,
                "path": found.path,
                "parameters": cell(found.params) or None,
                "seed": found.seed,
                "started": found.started_at,
                "took": duration(seconds(found)),
                "by": f"{found.actor} on {found.host}" if found.host else found.actor,
                "inside": found.parent,
                "caused by": found.caused_by,
                "reused from": found.reused_from,
                "code": found.bundle_digest,
                "environment": found.environment_digest,
                "error": (found.error or {}).get("what"),
                "why": (found.error or {}).get("why"),
                "fix": (found.error or {}).get("fix"),
            }
        )
        if (found.error or {}).get("traceback"):
            paper.title("Traceback")
            paper.line(found.error["traceback"].rstrip())
        if sheet.below:
            paper.line()
            paper.tree(grown(found, sheet.below))

    session.out.show(sheet, draw)


def logs(
    session: Session,
    run: Annotated[str, "the run's id (run_…), of a pipeline or of a step"],
    *,
    follow: Annotated[bool, "go on until the run has ended"] = False,
) -> None:
    """What the steps of a run printed, a line each with the step before it; with --json one JSON document a line.

    What a step prints is written once a second while it works.
    """
    begun = ""
    for chunk in session.client.runs.logs(run=run, follow=follow):
        if session.out.as_json:
            session.out.stdout.write(compact(chunk) + "\n")
        else:
            step = chunk.path.partition("/")[2] or chunk.path
            for line in chunk.content.splitlines(keepends=True):
                if begun not in ("", step):
                    session.out.stdout.write("\n")  # another step's chunk ended in the middle of a line
                    begun = ""
                session.out.stdout.write(line if begun else f"{step} | {line}")
                begun = "" if line.endswith("\n") else step
        session.out.stdout.flush()
    if begun:
        session.out.stdout.write("\n")


def grown(root: Any, below: list[Any]) -> Branch:
    """The tree of a run and the runs inside it."""
    branches = {root.id: Branch(root.path, root.status)}
    for run in below:
        parent = branches.get(run.parent, branches[root.id])
        took = "" if run.status == "cached" else f", {duration(seconds(run))}"
        branches[run.id] = parent.add(run.path.rpartition("/")[2], f"{run.status}{took}  {run.id}")
    return branches[root.id]


def seconds(run: Any) -> float | None:
    """How long a run took, None while it runs."""
    if run.started_at is None or run.ended_at is None:
        return None
    return float((run.ended_at - run.started_at).total_seconds())
