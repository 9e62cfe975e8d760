"""Bars: a histogram as SVG, frequent values as bars in a table, and a histogram as one line of text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from treadle.faces.plots.svg import Html, drawing, tag

_EIGHTHS = "▁▂▃▄▅▆▇█"


def sparkline(counts: Sequence[float]) -> str:
    """Counts as bars of text, one sign each; a blank where there is nothing."""
    most = max(counts, default=0.0)
    if most <= 0:
        return ""
    return "".join(" " if n <= 0 else _EIGHTHS[min(7, int(8 * n / most))] for n in counts)


def histogram(
    counts: Sequence[float],
    *,
    width: int,
    label: str,
    says: Callable[[int], str],
    height: int = 72,
    ends: tuple[str, str] = ("", ""),
    colour: str = "c1",
) -> Html:
    """Bars side by side on one line. says: what is said of the n-th when one points at it. ends: below first and last."""
    most = max(counts, default=0.0) or 1.0
    foot = 16 if any(ends) else 2
    floor = height - foot
    step = width / max(1, len(counts))
    gap = min(2.0, step / 5)
    bars = []
    for place, n in enumerate(counts):
        tall = max(1.0, (floor - 4) * n / most) if n > 0 else 0.0
        about = tag("title", says(place))
        bars.append(tag("rect", about, x=place * step + gap / 2, y=floor - tall, width=step - gap, height=tall, rx=1.5))
    return drawing(
        width,
        height,
        tag("g", bars, class_=f"bars {colour}"),
        tag("line", x1=0, x2=width, y1=floor + 0.5, y2=floor + 0.5, class_="axis"),
        tag("text", ends[0], x=0, y=height - 3, class_="tick") if ends[0] else None,
        tag("text", ends[1], x=width, y=height - 3, class_="tick end") if ends[1] else None,
        label=label,
    )


def value_bars(values: Sequence[tuple[str, float, str]], *, colour: str = "c1") -> Html:
    """Values with bars behind them: what, the share of the longest bar (0 to 1), and what is written at its end."""
    rows = [
        tag(
            "li",
            tag("span", what, class_="what"),
            tag("span", tag("i", style=f"width:{100 * min(1.0, max(0.0, share)):.1f}%"), class_="bar"),
            tag("span", said, class_="said"),
        )
        for what, share, said in values
    ]
    return tag("ol", rows, class_=f"value-bars {colour}")
