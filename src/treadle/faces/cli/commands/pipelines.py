"""`treadle pipelines`: what is published, what a run of it would do, and a run in a process of `treadle up`."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong

Name = Annotated[str, "the pipeline"]
Parameters = Annotated[
    list[str] | None, Option("a parameter; text, or JSON where it is JSON; repeat it", short="p", metavar="NAME=VALUE")
]
Seed = Annotated[int, "what the seeds of steps are derived from"]
FromStep = Annotated[str | None, Option("run this step again whatever is known, and what then differs", metavar="STEP")]


def list_all(session: Session) -> None:
    """Every pipeline that is published or has run, with its newest run and what starts it."""
    lines = session.client.pipelines.list()

    def draw(paper: Paper) -> None:
        rows = [
            (
                one.name,
                one.target or "not published",
                one.runs[0].status if one.runs else "",
                one.runs[0].recorded_at if one.runs else "",
                len(one.triggers) or "",
                one.next_at or "",
            )
            for one in lines
        ]
        paper.table(
            ("pipeline", "code", "newest run", "at", "triggers", "next"),
            rows,
            empty="No pipeline yet: treadle run pipeline.py, or treadle publish",
        )

    session.out.show(lines, draw)


def show(session: Session, name: Name, *, limit: Annotated[int, "so many of its newest runs"] = 20) -> None:
    """One pipeline: what is live of it, and its newest runs."""
    sheet = session.client.pipelines.get(pipeline=name, runs=limit)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "pipeline": sheet.name,
                "code": sheet.target or "not published: treadle publish",
                "publication": sheet.publication,
                "published": sheet.published_at,
                "by": sheet.published_by,
                "next": sheet.next_at,
            }
        )
        paper.line()
        paper.table(
            ("run", "status", "at", "by"),
            [(one.id, one.status, one.recorded_at, one.actor) for one in sheet.runs],
            empty="It has not run yet.",
        )

    session.out.show(sheet, draw)


def plan(
    session: Session, name: Name, *, parameters: Parameters = None, seed: Seed = 0, from_step: FromStep = None
) -> None:
    """Says which steps a run of the published code would run, and why. Runs none."""
    found = session.client.pipelines.plan(pipeline=name, parameters=_given(parameters), seed=seed, from_step=from_step)

    def draw(paper: Paper) -> None:
        rows = [(one.verdict, one.path, "; ".join(one.why) or f"known from {one.reused_from}") for one in found.steps]
        paper.table(("", "step", "why"), rows, empty="The pipeline has no steps.")
        if found.ends_at:
            paper.line(f"… {found.ends_at}")

    session.out.show(found, draw)


def run(
    session: Session,
    name: Name,
    *,
    parameters: Parameters = None,
    seed: Seed = 0,
    fresh: Annotated[bool, "use nothing that is known"] = False,
    from_step: FromStep = None,
    reason: Annotated[str, "why, for those who come later"] = "",
) -> None:
    """Has `treadle up` run the published code, whatever its limits. Here and now runs: treadle run."""
    firing = session.client.pipelines.run(
        pipeline=name, parameters=_given(parameters), seed=seed, fresh=fresh, from_step=from_step, reason=reason
    )
    text = f"{name} starts with the next look of `treadle up` ({firing.id}). See: treadle triggers show {name}"
    session.out.show(firing, lambda paper: paper.line(text))


def _given(pairs: list[str] | None) -> dict[str, Any]:
    """The parameters as JSON; what they have to be is for the pipeline to say."""
    given: dict[str, Any] = {}
    for pair in pairs or ():
        name, sign, text = pair.partition("=")
        if not sign or not name.isidentifier():
            raise UsageWrong(f"{pair!r} is no parameter.", why="A parameter is written name=value.", fix="-p rate=0.1")
        try:
            given[name] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            given[name] = text
    return given
