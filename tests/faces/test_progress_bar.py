"""What a person sees while a pipeline runs."""

from __future__ import annotations

import io
import threading
from pathlib import Path

from rich.console import Console

from tests.kernel.engine.engines import opened, rows
from treadle.faces.cli.progress_bar import ProgressBar, shown
from treadle.kernel.engine import pipeline, step
from treadle.kernel.engine.reporting import progress
from treadle.kernel.engine.session import Session


def test_the_line_names_what_runs_and_how_far_it_is(tmp_path: Path) -> None:
    screen = io.StringIO()
    seen: list[str] = []
    bars: list[ProgressBar] = []
    drawn = threading.Event()

    def show(session: Session, name: str) -> ProgressBar:
        bars.append(ProgressBar(session, name, console=Console(file=screen, force_terminal=True, width=100), delay_s=0))
        return bars[0]

    @step
    def slow(x: int) -> int:
        progress(2, 5, "epochs")
        seen.append(bars[0].line())
        for _ in range(500):
            if "epochs" in screen.getvalue():
                drawn.set()
                break
            drawn.wait(0.01)
        print("kept")
        return x

    @pipeline
    def shining() -> int:
        return slow(1)

    with opened(tmp_path, show=show) as engine:
        run = engine.run(shining, {})
        assert rows(engine, "select content from log_chunk") == [("kept\n",)]

    assert run.status == "done", run.error
    assert seen == ["shining  0 of 1 steps  slow 40% epochs"]
    assert "shining" in screen.getvalue()


def test_nothing_is_shown_where_nobody_looks(tmp_path: Path) -> None:
    with opened(tmp_path, show=shown) as engine:

        @pipeline
        def silent() -> int:
            return 1

        assert engine.run(silent, {}).status == "done"
