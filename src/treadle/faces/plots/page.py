"""A page of one file: what it is called, sections, tables, figures for wide and narrow readers, and a tree of reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from treadle.faces.plots.svg import Html, joined, tag

WIDE, NARROW = 920, 350
"""The widths for which a figure is drawn, in pixels; `page.css` shows the one that fits."""


@dataclass(frozen=True, slots=True)
class Branch:
    """A node of a tree: how it hangs on the one above, what it is, what is said beside it, and what hangs below."""

    title: str
    relation: str = ""
    beside: str = ""
    below: Sequence[Branch] = field(default_factory=list)


def page(title: str, *body: object, subtitle: str = "", foot: object = "") -> str:
    """The HTML document, style included; it asks nothing of the network. Light or dark, as the reader's system is."""
    style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(style)),
    )
    top = tag("header", tag("h1", title), tag("p", subtitle, class_="lead") if subtitle else None)
    below = tag("footer", foot) if foot else None
    return f"<!doctype html>\n{tag('html', head, tag('body', tag('main', top, *body, below)), lang='en')}\n"


def section(title: str, *body: object, note: object = "", id: str = "") -> Html:
    """A part of the page under a heading; the note says in a sentence or two how to read it."""
    said = tag("p", note, class_="note") if note else None
    return tag("section", tag("h2", title), said, *body, id=id or None)


def figure(draw: Callable[[int], Html], caption: object = "") -> Html:
    """A drawing in both widths; the page shows one of them."""
    wide = tag("div", draw(WIDE), class_="wide")
    narrow = tag("div", draw(NARROW), class_="narrow")
    return tag("figure", wide, narrow, tag("figcaption", caption) if caption else None)


def grid(*parts: object) -> Html:
    """Parts side by side where there is room, below each other where there is none."""
    return tag("div", *parts, class_="grid-of-parts")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "Nothing.") -> Html:
    """Rows under their columns; numbers stand to the right. It scrolls by itself where it is too wide for the page."""
    cells = [list(row) for row in rows]
    if not cells:
        return tag("p", empty, class_="note")
    right = [all(isinstance(row[place], int | float | None) for row in cells) for place in range(len(columns))]
    sides = ["number" if each else None for each in right]
    head = tag("tr", [tag("th", name, class_=side) for name, side in zip(columns, sides, strict=True)])
    body = [
        tag("tr", [tag("td", _cell(value), class_=side) for value, side in zip(row, sides, strict=True)])
        for row in cells
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", body)), class_="scrolls")


def listing(facts: Iterable[tuple[str, object]]) -> Html:
    """Figures in large type with what they are, side by side."""
    return tag("dl", [tag("div", tag("dt", name), tag("dd", value)) for name, value in facts], class_="facts")


def legend(entries: Iterable[tuple[str, str]]) -> Html:
    """What the colours mean: (class, name)."""
    return tag("p", [tag("span", tag("i", class_=colour), name) for colour, name in entries], class_="legend")


def tree(root: Branch, *, open_to: int = 4) -> Html:
    """A tree of reasons. What hangs deeper than `open_to` is folded, and opened by a click."""
    return tag("ul", _branch(root, open_to), class_="tree")


def _branch(branch: Branch, depth: int) -> Html:
    said = [
        tag("span", branch.relation, class_="relation") if branch.relation else None,
        tag("b", branch.title),
        tag("span", branch.beside, class_="beside") if branch.beside else None,
    ]
    if not branch.below:
        return tag("li", said)
    below = tag("ul", [_branch(one, depth - 1) for one in branch.below])
    return tag("li", tag("details", tag("summary", said), below, open="" if depth > 0 else None))


def _cell(value: object) -> Html:
    if value is None:
        return joined(["–"])
    if isinstance(value, float):
        return joined([f"{value:.4f}"])
    if isinstance(value, int) and not isinstance(value, bool):
        return joined([f"{value:,}"])
    return joined([value])
