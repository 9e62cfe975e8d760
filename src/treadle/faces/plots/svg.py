"""Elements as text. What is written is escaped unless it is `Html`, so no name of a column or a model becomes markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: object) -> Html:
    """An element. Attributes that are None are left out; `class_` is `class`, `stroke_width` is `stroke-width`.

    Numbers are written with two decimals at most: a hundredth of a pixel is enough.
    """
    parts = [name]
    for key, value in attributes.items():
        if value is not None:
            parts.append(f'{key.rstrip("_").replace("_", "-")}="{escape(number(value), quote=True)}"')
    inner = joined(content)
    opening = " ".join(parts)
    return Html(f"<{opening}>{inner}</{name}>" if inner or name not in _EMPTY else f"<{opening}/>")


def joined(content: Iterable[object]) -> Html:
    """Pieces one after another; whatever is no markup is escaped, None is nothing, lists are opened."""
    found: list[str] = []
    for piece in content:
        if piece is None:
            continue
        if isinstance(piece, Html):
            found.append(piece)
        elif isinstance(piece, list | tuple):
            found.append(joined(piece))
        else:
            found.append(escape(str(piece), quote=False))
    return Html("".join(found))


def number(value: object) -> str:
    """A value as an attribute says it."""
    if isinstance(value, float):
        text = f"{value:.2f}".rstrip("0").rstrip(".")
        return "0" if text in ("-0", "") else text
    return str(value)


def path(points: Iterable[tuple[float, float]], *, closed: bool = False) -> str:
    """The `d` of a path through points."""
    steps = [f"{'L' if place else 'M'}{number(float(x))} {number(float(y))}" for place, (x, y) in enumerate(points)]
    return "".join(steps) + ("Z" if closed and steps else "")


def drawing(width: float, height: float, *content: object, label: str) -> Html:
    """A picture of this size in its own units; `label` is what a screen reader says of it."""
    return tag(
        "svg", *content, viewBox=f"0 0 {number(width)} {number(height)}", role="img", aria_label=label, class_="plot"
    )


_EMPTY = {"line", "rect", "circle", "path", "br", "meta"}
