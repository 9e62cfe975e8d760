"""How answers look in a terminal: tables, sheets, trees, and how long and how long ago.

Rich is imported when the first thing is drawn. Colour means state and nothing else, and is left out where the output is
no terminal or `NO_COLOR` is set; into a pipe a table is written at its full width, so that no id is ever cut.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_PIPE_COLUMNS = 10_000

STATE_COLOURS = {
    **dict.fromkeys(
        (
            "ok",
            "done",
            "succeeded",
            "healthy",
            "live",
            "passed",
            "kept",
            "identical",
            "champion",
            "recovered",
            "resolved",
        ),
        "green",
    ),
    **dict.fromkeys(("running", "cached", "reused", "waiting", "queued", "pending", "open", "warming"), "cyan"),
    **dict.fromkeys(("late", "warning", "retrying", "cancelled", "degraded", "refused", "draining"), "yellow"),
    **dict.fromkeys(("failed", "crashed", "broken", "lost", "critical", "different", "corrupt"), "red"),
}
"""The colour of a word of state."""


class Branch:
    """A node of a tree: a text, what is said beside it, and what hangs below it."""

    def __init__(self, text: str, beside: str = "", below: Iterable[Branch] = ()) -> None:
        self.text, self.beside, self.below = text, beside, list(below)

    def add(self, text: str, beside: str = "") -> Branch:
        """A new branch below this one."""
        branch = Branch(text, beside)
        self.below.append(branch)
        return branch


class Paper:
    """What a command draws on."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        self._stream = stream
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The Rich console behind it."""
        if self._console is None:
            from rich.console import Console

            class HonestConsole(Console):
                def on_broken_pipe(self) -> None:
                    raise BrokenPipeError  # Rich would end the process with code 1

            stream = self._stream or sys.stdout
            width = None if stream.isatty() else _PIPE_COLUMNS
            self._console = HonestConsole(
                file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False
            )
        return self._console

    def line(self, text: str = "", style: str = "") -> None:
        """One line of text; it wraps at the terminal's edge."""
        self._print(text, style)

    def title(self, text: str) -> None:
        """A heading, with space above it."""
        self._print(f"\n{text}", "bold")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "Nothing yet.") -> None:
        """A table with one line a row; numbers stand to the right, words of state have their colour.

        Text in the last column may wrap, no other does. Without rows it says so.
        """
        from rich.table import Table
        from rich.text import Text

        rows = [tuple(row) for row in rows]
        if not rows:
            self.line(empty, style="dim")
            return
        table = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
        for place, name in enumerate(columns):
            numbers = all(
                isinstance(row[place], int | float | None) and not isinstance(row[place], bool) for row in rows
            )
            last = place == len(columns) - 1
            table.add_column(name, justify="right" if numbers else "left", no_wrap=not last, overflow="fold")
        for row in rows:
            table.add_row(*(Text(cell(value), style=STATE_COLOURS.get(str(value), "")) for value in row))
        self._print(table)

    def sheet(self, facts: Mapping[str, object]) -> None:
        """Facts of one thing, a line each; a fact that is None is left out."""
        from rich.table import Table
        from rich.text import Text

        sheet = Table(box=None, pad_edge=False, show_header=False, show_edge=False)
        sheet.add_column(style="dim", no_wrap=True)
        sheet.add_column(overflow="fold")
        for name, value in facts.items():
            if value is not None:
                sheet.add_row(name, Text(cell(value), style=STATE_COLOURS.get(str(value), "")))
        self._print(sheet)

    def tree(self, root: Branch) -> None:
        """A tree, the root first; what is said beside a node is dim."""
        from rich.text import Text
        from rich.tree import Tree

        def drawn(branch: Branch) -> Text:
            text = Text(branch.text, style=STATE_COLOURS.get(branch.text, ""))
            return text.append(f"  {branch.beside}", style="dim") if branch.beside else text

        def grow(tree: Tree, branches: list[Branch]) -> None:
            for branch in branches:
                grow(tree.add(drawn(branch)), branch.below)

        tree = Tree(drawn(root), guide_style="dim")
        grow(tree, root.below)
        self._print(tree)

    def _print(self, drawing: Any, style: str = "") -> None:
        """Draws; into a pipe without the spaces that pad a line's end."""
        if self.console.is_terminal:
            self.console.print(drawing, style=style or None)
            return
        with self.console.capture() as captured:
            self.console.print(drawing, style=style or None)
        lines = captured.get().split("\n")
        (self._stream or sys.stdout).write("\n".join(line.rstrip() for line in lines))


def cell(value: object) -> str:
    """A value as a table shows it: times to the second in UTC, floats to four digits or more, collections in short."""
    if value is None:
        return "–"
    if value is True or value is False:
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={cell(entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(cell(entry) for entry in value)
    return str(value)


def number(value: float) -> str:
    """Four digits, and never fewer than stand before the point: `0.01235`, `1121.35`, `999999`; `1.2e+18` where no eye reads on."""
    if not 1000 <= abs(value) < 1e15:
        return f"{value:.4g}"
    return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"


def moment(at: datetime) -> str:
    """A time as `2013-04-01 03:00:00Z`."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def duration(seconds: float | None) -> str:
    """A length of time in two units at most: `3 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return "–"
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else f"{seconds * 1000:.1f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {unit} {rest} {small}" if rest else f"{whole // size} {unit}"
    raise AssertionError("a minute or more has a unit")


def ago(at: datetime, now: datetime) -> str:
    """How long ago a time was, in one unit: `just now`, `5 min ago`, `in 2 h`."""
    seconds = (now - at).total_seconds()
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if abs(seconds) >= size:
            count = int(abs(seconds) // size)
            return f"{count} {unit} ago" if seconds > 0 else f"in {count} {unit}"
    return "just now"


def bytes_text(count: int) -> str:
    """A size in the largest unit that leaves a number of one or more: `0 B`, `3.4 MB`."""
    size: Any = count
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def short_digest(digest: str) -> str:
    """A digest in twelve letters, for tables where the whole is one command away."""
    return digest.removeprefix("sha256:")[:12]
