"""`treadle triggers`: what starts pipelines by itself, and a start by hand."""

from __future__ import annotations

from typing import Annotated, Any

from treadle.faces.cli.rendering import Paper
from treadle.faces.cli.session import Session

Name = Annotated[str, "the pipeline"]


def list_all(session: Session) -> None:
    """Every schedule and trigger that is live."""
    lines = session.client.triggers.list()

    def draw(paper: Paper) -> None:
        paper.table(
            ("pipeline", "when", "in / about", "next", "counted"),
            [
                (one.pipeline, _when(one), one.about, "paused" if one.is_paused else one.next_at or "", _counted(one))
                for one in lines
            ],
            empty="Nothing starts by itself: give a pipeline a schedule or triggers, and publish it.",
        )

    session.out.show(lines, draw)


def show(
    session: Session,
    name: Name,
    *,
    limit: Annotated[int, "so many of its newest firings"] = 20,
) -> None:
    """What starts a pipeline, its limits, and what was started and refused, with the reason."""
    sheet = session.client.triggers.get(pipeline=name, firings=limit)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "pipeline": sheet.pipeline,
                "limits": _given(sheet.limits) or "none",
                "window": _given(sheet.window) or "all",
                "now": sheet.refused_now or "would start",
            }
        )
        paper.line()
        paper.table(
            ("when", "in / about", "next", "counted"),
            [
                (_when(one), one.about, "paused" if one.is_paused else one.next_at or "", _counted(one))
                for one in sheet.triggers
            ],
            empty="Nothing but a hand starts it.",
        )
        paper.line()
        paper.table(
            ("for", "state", "by", "run", "because"),
            [(one.moment, one.state, one.source, one.run or "", one.reason or "") for one in sheet.firings],
            empty="Nothing was started yet.",
        )

    session.out.show(sheet, draw)


def fire(
    session: Session,
    name: Name,
    *,
    reason: Annotated[str, "why, for those who come later"] = "",
    ignore_limits: Annotated[bool, "whatever its cool-down and its budget say"] = False,
) -> None:
    """Has `treadle up` start a pipeline as it was published, within its limits."""
    firing = session.client.triggers.fire(pipeline=name, reason=reason, ignore_limits=ignore_limits)

    def draw(paper: Paper) -> None:
        if firing.state == "refused":
            paper.line(f"{name} is not started. {firing.reason}")
        else:
            paper.line(f"{name} starts with the next look of `treadle up` ({firing.id}).")

    session.out.show(firing, draw)


def pause(session: Session, name: Name) -> None:
    """Lets nothing start a pipeline by itself until it is resumed; by hand it still starts."""
    lines = session.client.triggers.pause(pipeline=name)
    session.out.show(lines, lambda paper: paper.line(f"{name} is paused. Again: treadle triggers resume {name}"))


def resume(session: Session, name: Name) -> None:
    """Lets a paused pipeline start by itself again, from now on; what fell due meanwhile is passed over."""
    lines = session.client.triggers.resume(pipeline=name)
    session.out.show(lines, lambda paper: paper.line(f"{name} starts by itself again."))


def _when(line: Any) -> str:
    return line.when if line.kind == "schedule" else f"on {line.when}"


def _counted(line: Any) -> str:
    return "" if line.counted is None else f"{line.counted:,} of {line.wanted:,.0f}"


def _given(record: Any) -> str:
    """What a record says beyond its defaults: `cool_down_s 3600, max_runs 2`."""
    if record is None:
        return ""
    values = {name: getattr(record, name) for name in record.__dataclass_fields__}
    return ", ".join(f"{name} {value}" for name, value in values.items() if value)
