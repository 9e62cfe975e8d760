"""Intervals beside each other: a forest plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.faces.plots.scales import Scale, extent, tick_text, ticks
from treadle.faces.plots.svg import Html, drawing, tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A named value with its interval. colour: a class of the page (`good`, `quiet`, `c1` …)."""

    name: str
    value: float
    lower: float | None
    upper: float | None
    colour: str = "c1"
    say: str = ""
    beside: str = ""


def forest(
    rows: Sequence[Interval], *, width: int, label: str, reference: float | None = None, signed: bool = False
) -> Html:
    """Answers an SVG with a line a row: the name, the interval, the value in words on the right."""
    left, right, tall, top = (170, 130, 26, 8) if width > 600 else (104, 66, 26, 8)
    bounds = [bound for row in rows for bound in (row.value, row.lower, row.upper) if bound is not None]
    low, high = extent([*bounds, *([] if reference is None else [reference])])
    height = top + tall * len(rows) + 24
    x = Scale(low, high, left, width - right)
    parts = []
    marks = ticks(low, high, about=max(3, (width - left - right) // 90))
    for value in marks:
        text = tick_text(value, marks)
        text = f"+{text}" if signed and value > 0 else text
        parts.append(tag("line", x1=x(value), x2=x(value), y1=top, y2=height - 22, class_="grid"))
        parts.append(tag("text", text, x=x(value), y=height - 7, class_="tick middle"))
    if reference is not None:
        parts.append(tag("line", x1=x(reference), x2=x(reference), y1=top, y2=height - 22, class_="reference"))
    for place, row in enumerate(rows):
        parts.append(_row(row, x, top + tall * (place + 0.5), left, width))
    return drawing(width, height, parts, label=label)


def _row(row: Interval, x: Scale, y: float, left: int, width: int) -> Html:
    whisker = None
    if row.lower is not None and row.upper is not None:
        whisker = tag("line", x1=x(row.lower), x2=x(row.upper), y1=y, y2=y, class_="whisker thick")
    return tag(
        "g",
        tag("title", row.say or row.name),
        tag("text", row.name, x=left - 12, y=y + 4, class_="tick end strong"),
        whisker,
        tag("circle", cx=x(row.value), cy=y, r=4.5, class_="dot"),
        tag("text", row.beside, x=width - 4, y=y + 4, class_="tick end"),
        class_=row.colour,
    )
