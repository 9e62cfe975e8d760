"""What a person sees while the demo works: on a terminal a line that moves, elsewhere a line for each thing that happened.

It goes to stderr, since the answer on stdout is the table at the end.
"""

from __future__ import annotations

import time
from datetime import datetime
from types import TracebackType
from typing import Any

from treadle.faces.cli.output import Output

WIDTH = 28


class Watched:
    """Tells a year while it is lived through. Use it as a context; `say` and `doing` are what the season calls."""

    def __init__(self, output: Output, begins: datetime, ends: datetime) -> None:
        self._output, self._begins, self._ends = output, begins, ends
        self._began = time.monotonic()
        self._progress: Any = None
        self._task: Any = None

    def __enter__(self) -> Watched:
        if not self._output.as_json and self._output.stderr.isatty():
            self._progress = _moving_line(self._output)
            self._task = self._progress.add_task("", total=1.0, day="")
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def say(self, when: str, what: str) -> None:
        """Something has happened: on a day of the year, or before it began."""
        if self._progress is None:
            self._output.note(f"{time.monotonic() - self._began:6.1f} s  {when:10}  {what}")
            return
        from rich.text import Text

        text = Text(f"{when:10}  ", style="dim").append(what, style=_style(what))
        self._progress.console.print(text)

    def doing(self, day: datetime, what: str) -> None:
        """Something begins; `day` is how far the year has come."""
        if self._progress is not None:
            share = (day - self._begins) / (self._ends - self._begins)
            self._progress.update(self._task, completed=share, description=what, day=f"{day:%d %b %Y}")


def _style(what: str) -> str:
    if "alert" in what:
        return "red"
    return "green" if "promoted" in what.lower() else ""


def _moving_line(output: Output) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TimeElapsedColumn(),
        BarColumn(bar_width=WIDTH),
        TextColumn("{task.fields[day]}  {task.description}"),
        console=Console(file=output.stderr, highlight=False),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
