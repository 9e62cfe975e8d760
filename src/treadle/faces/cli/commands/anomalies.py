"""`treadle datasets anomalies`: how each landing compares with those before it."""

from __future__ import annotations

from typing import Annotated, Any

from treadle.faces.cli.commands.datasets import Name
from treadle.faces.cli.rendering import Paper, cell, duration
from treadle.faces.cli.session import Session

_WIDTH = 21


def anomalies(
    session: Session,
    name: Name,
    *,
    limit: Annotated[int, "show so many of the newest landings (120 at most are compared)"] = 30,
    check: Annotated[bool, "judge what landed since, and open incidents; `treadle up` does so by itself"] = False,
) -> None:
    """Landings with the rows that were expected of each and what was unlike those before it.

    Volume, arrival, columns, missing values, distinct values and distributions are compared with earlier landings, with
    the rhythm of the week and the day. A contract can mute kinds and columns and set the sensitivity.
    """
    if check:
        session.client.anomalies.check(dataset=name)
    found = session.client.anomalies.history(dataset=name, limit=limit)
    session.out.show(found, lambda paper: _draw(paper, found))


def _draw(paper: Paper, found: Any) -> None:
    rows = [
        (
            one.version if one.version is not None else "–",
            one.landed_at,
            one.rows,
            _expected(one.volume),
            _band(one.volume),
            duration(one.gap.seen) if one.gap is not None else "",
            _said(one, found.is_on),
        )
        for one in reversed(found.landings)
    ]
    columns = ("version", "landed", "rows", "expected", "band", "after", "unlike those before")
    paper.table(columns, rows, empty=f"Nothing has landed in {found.dataset} yet.")
    if not rows:
        return
    paper.line()
    if found.overdue is not None:
        paper.line(f"Late: {found.overdue.seen}; expected {found.overdue.expected}.", style="yellow")
    elif found.due_at is not None:
        paper.line(f"The next landing is expected by {cell(found.due_at)}.", style="dim")
    said = f"At most {found.false_alarms:g} of 100 landings without trouble raise an alarm; the first {found.warm_up} are learned from."
    paper.line(said if found.is_on else "The contract has switched anomalies off.", style="dim")
    if found.muted:
        paper.line(f"Muted by the contract: {', '.join(found.muted)}.", style="dim")


def _said(one: Any, is_on: bool) -> str:
    if one.warming:
        return "learning"
    if not one.anomalies:
        return ""
    parts = []
    for anomaly in one.anomalies:
        where = (
            f" of {', '.join(anomaly.columns[:3])}{', …' if len(anomaly.columns) > 3 else ''}"
            if anomaly.columns
            else ""
        )
        parts.append(f"{anomaly.kind}{where}: expected {anomaly.expected}, seen {anomaly.seen}")
    return "; ".join(parts)


def _expected(band: Any) -> str:
    if band is None:
        return ""
    return f"{band.low:,.0f} – {band.high:,.0f}" if band.high < 1e15 else f"from {band.low:,.0f}"


def _band(band: Any) -> str:
    """The band as brackets on a line of fixed width, the landing as a dot: inside, or at the edge where it is beyond."""
    if band is None or band.seen is None or not band.low < band.high < 1e15:
        return ""
    margin = (band.high - band.low) * 0.4 or 1.0
    low, high = band.low - margin, band.high + margin

    def place(value: float) -> int:
        share = float((min(max(value, low), high) - low) / (high - low))
        return round(share * (_WIDTH - 1))

    line = [" "] * _WIDTH
    for at in range(place(band.low), place(band.high) + 1):
        line[at] = "─"
    line[place(band.low)], line[place(band.high)] = "├", "┤"
    line[place(band.seen)] = "●"
    return "".join(line)
