"""A heat map: rows of names, columns of time, a shade for how far each value is beyond what is normal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from treadle.faces.plots.svg import Html, drawing, tag

STEPS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Heat:
    """A cell. level: 1 is the threshold; above it the cell is in the colour of alarm. marked: an alert opened here."""

    level: float
    say: str
    marked: bool = False


def heat_map(
    rows: Sequence[str],
    columns: Sequence[str],
    cells: Mapping[tuple[int, int], Heat],
    *,
    width: int,
    label: str,
    heads: Mapping[int, str] | None = None,
) -> Html:
    """Answers an SVG. cells: by (row, column); a missing one stays empty. heads: texts above columns, by place."""
    left = 148 if width > 600 else 104
    side, top = (width - left - 8) / max(len(columns), 1), 20
    tall = max(13.0, min(18.0, side))
    parts: list[Html] = []
    for place, name in enumerate(rows):
        parts.append(tag("text", name, x=left - 8, y=top + place * tall + tall * 0.72, class_="tick end"))
    for place, text in sorted((heads or {}).items()):
        parts.append(tag("text", text, x=left + place * side, y=top - 7, class_="tick"))
    for (row, column), cell in sorted(cells.items()):
        parts.append(_cell(cell, left + column * side, top + row * tall, side, tall))
    return drawing(width, top + len(rows) * tall + 4, parts, label=label)


def shade(level: float) -> str:
    """The class of a cell: `h0` to `h5` up to the threshold, `h6` to `h8` beyond it."""
    if level <= 1.0:
        return f"h{max(0, round(level * STEPS))}"
    return "h6" if level <= 1.25 else "h7" if level <= 2.0 else "h8"


def _cell(cell: Heat, x: float, y: float, side: float, tall: float) -> Html:
    box = tag(
        "rect",
        tag("title", cell.say),
        x=x + 0.5,
        y=y + 0.5,
        width=max(side - 1.0, 1.0),
        height=tall - 1.0,
        rx=1.5,
        class_=shade(cell.level),
    )
    mark = (
        tag("circle", cx=x + side / 2, cy=y + tall / 2, r=min(side, tall) * 0.2, class_="mark") if cell.marked else None
    )
    return tag("g", box, mark) if mark else box
