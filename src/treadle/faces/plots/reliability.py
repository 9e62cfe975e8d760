"""What was promised against what came: a curve that lies on the diagonal when a probability means what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from treadle.faces.plots.scales import Scale
from treadle.faces.plots.svg import Html, drawing, path, tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One bin: the mean of what was promised, how often it came, and the interval of that."""

    promised: float
    came: float
    lower: float
    upper: float
    n: int


def reliability_chart(title: str, bins: Sequence[Promise], *, width: int, colour: str) -> Html:
    """Answers a square SVG, with the size of the bins as columns at its foot."""
    left, right, top, foot = 40, 10, 26, 30
    height = width
    x, y = Scale(0, 1, left, width - right), Scale(0, 1, height - foot, top)
    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(tag("line", x1=x.start, x2=x.end, y1=y(share), y2=y(share), class_="grid"))
        parts.append(tag("text", f"{share:.0%}", x=left - 7, y=y(share) + 4, class_="tick end"))
        parts.append(tag("text", f"{share:.0%}", x=x(share), y=height - 12, class_="tick middle"))
    parts.append(tag("line", x1=x(0), y1=y(0), x2=x(1), y2=y(1), class_="reference"))
    most = max((one.n for one in bins), default=1)
    for one in bins:
        tall = 40.0 * one.n / most
        parts.append(
            tag("rect", x=x(one.promised) - 5, y=y.start - tall, width=10, height=tall, rx=1.5, class_="column")
        )
    for one in bins:
        said = tag("title", f"promised {one.promised:.1%}, came {one.came:.1%} ({one.n:,} flights)")
        at = x(one.promised)
        parts.append(tag("line", x1=at, x2=at, y1=y(one.lower), y2=y(one.upper), class_="whisker"))
        parts.append(tag("circle", said, cx=at, cy=y(one.came), r=3.5, class_="dot"))
    line = tag("path", d=path([(x(one.promised), y(one.came)) for one in bins]), class_="line")
    head = tag("text", title, x=left, y=14, class_="flag")
    return drawing(
        width, height, head, tag("g", parts[: len(parts)], line, class_=colour), label=f"Reliability: {title}"
    )
