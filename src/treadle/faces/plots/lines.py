"""Lines over time: each with the band of its uncertainty, gaps where nothing is known, and flags for what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from treadle.faces.plots.scales import Scale, extent, month_starts, tick_text, ticks
from treadle.faces.plots.svg import Html, drawing, path, tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value at a moment, with the interval around it; `say` is shown when one points at it."""

    at: datetime
    value: float | None
    lower: float | None = None
    upper: float | None = None
    say: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points in order of time. colour: a class of the page, `c1` to `c8` or `quiet`."""

    name: str
    points: Sequence[Point]
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """Something that happened at a moment: a `rule` goes through the whole plot, an `alert` stands at its foot."""

    at: datetime
    say: str
    kind: Literal["rule", "refused", "alert"] = "rule"
    text: str = ""


def line_chart(
    lines: Sequence[Line],
    *,
    width: int,
    label: str,
    flags: Sequence[Flag] = (),
    reference: float | None = None,
    reference_text: str = "",
    height: int = 280,
    percent: bool = False,
    bounds: tuple[float, float] | None = None,
) -> Html:
    """The lines on one pair of axes; the x axis is the calendar in UTC. Answers an SVG of this width.

    reference: a level that matters, drawn across. bounds: of the y axis; by default those of what is drawn.
    """
    known = [point for line in lines for point in line.points if point.value is not None]
    moments = [point.at.timestamp() for line in lines for point in line.points] or [0.0, 1.0]
    values = [bound for point in known for bound in (point.value, point.lower, point.upper) if bound is not None]
    if reference is not None:
        values.append(reference)
    low, high = bounds or extent(values)
    left, right, top, foot = 46, 10, 22, 26 + (16 if any(flag.kind == "alert" for flag in flags) else 0)
    pad = (max(moments) - min(moments)) * 0.015
    x = Scale(min(moments) - pad, max(moments) + pad, left, width - right)
    y = Scale(low, high, height - foot, top)
    return drawing(
        width,
        height,
        _axes(x, y, width, percent=percent),
        _reference(reference, reference_text, x, y),
        [_flag(flag, x, y, height) for flag in flags],
        [_line(line, x, y) for line in lines],
        label=label,
    )


def _axes(x: Scale, y: Scale, width: int, *, percent: bool) -> Html:
    marks = ticks(y.low, y.high)
    parts = []
    for value in marks:
        text = f"{value:.0%}" if percent else tick_text(value, marks)
        parts.append(tag("line", x1=x.start, x2=x.end, y1=y(value), y2=y(value), class_="grid"))
        parts.append(tag("text", text, x=x.start - 8, y=y(value) + 4, class_="tick end"))
    for at, name in _thinned(month_starts(x.low, x.high), width):
        parts.append(tag("line", x1=x(at), x2=x(at), y1=y.start, y2=y.start + 4, class_="axis"))
        parts.append(tag("text", name, x=x(at), y=y.start + 17, class_="tick middle"))
    parts.append(tag("line", x1=x.start, x2=x.end, y1=y.start, y2=y.start, class_="axis"))
    return tag("g", parts)


def _thinned(marks: list[tuple[float, str]], width: int) -> list[tuple[float, str]]:
    fit = max(1, (width - 60) // 44)
    return marks[:: max(1, -(-len(marks) // fit))]


def _reference(value: float | None, text: str, x: Scale, y: Scale) -> Html | None:
    if value is None:
        return None
    line = tag("line", x1=x.start, x2=x.end, y1=y(value), y2=y(value), class_="reference")
    return tag("g", line, tag("text", text, x=x.end - 2, y=y(value) - 5, class_="tick end") if text else None)


def _flag(flag: Flag, x: Scale, y: Scale, height: int) -> Html:
    at = x.clamp(flag.at.timestamp())
    said = tag("title", flag.say)
    if flag.kind == "alert":
        foot = height - 14
        shape = path([(at, foot - 5), (at - 5, foot + 4), (at + 5, foot + 4)], closed=True)
        return tag("path", said, d=shape, class_="alert")
    rule = tag("line", x1=at, x2=at, y1=y.end - 4, y2=y.start, class_=flag.kind)
    text = tag("text", flag.text, x=at, y=y.end - 9, class_=f"flag middle {flag.kind}") if flag.text else None
    return tag("g", said, rule, text)


def _line(line: Line, x: Scale, y: Scale) -> Html:
    return tag("g", [_stretch(stretch, x, y) for stretch in _stretches(line.points)], class_=line.colour)


def _stretches(points: Sequence[Point]) -> list[list[Point]]:
    """Runs of points that are known; a missing value breaks the line."""
    found: list[list[Point]] = [[]]
    for point in points:
        if point.value is None:
            found.append([])
        else:
            found[-1].append(point)
    return [stretch for stretch in found if stretch]


def _stretch(points: list[Point], x: Scale, y: Scale) -> Html:
    places = [(x(point.at.timestamp()), y.clamp(point.value or 0.0)) for point in points]
    bands = [point for point in points if point.lower is not None and point.upper is not None]
    upper = [(x(point.at.timestamp()), y.clamp(point.upper or 0.0)) for point in bands]
    lower = [(x(point.at.timestamp()), y.clamp(point.lower or 0.0)) for point in bands]
    dots = [
        tag("circle", tag("title", point.say) if point.say else None, cx=px, cy=py, r=3.0, class_="dot")
        for point, (px, py) in zip(points, places, strict=True)
    ]
    single = upper and len(upper) == 1
    band = (
        tag("line", x1=upper[0][0], x2=upper[0][0], y1=upper[0][1], y2=lower[0][1], class_="whisker")
        if single
        else None
    )
    if len(upper) > 1:
        band = tag("path", d=path([*upper, *reversed(lower)], closed=True), class_="band")
    stroke = tag("path", d=path(places), class_="line") if len(places) > 1 else None
    return tag("g", band, stroke, dots)
