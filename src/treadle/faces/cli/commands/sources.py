"""`treadle sources`: where data comes from, as treadle.toml declares it."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

from treadle.faces.cli.output import compact
from treadle.faces.cli.rendering import Paper, bytes_text
from treadle.faces.cli.session import Session

Name = Annotated[str, "the source, as treadle.toml names it"]
_REDRAW_S = 0.1


def list_all(session: Session) -> None:
    """Every source that treadle.toml declares, and how far it has come."""
    found = session.client.sources.list()

    def draw(paper: Paper) -> None:
        columns = ("source", "kind", "dataset", "runs", "batches", "rows", "landed", "problem")
        rows = [
            (
                one.name,
                one.kind,
                one.dataset,
                one.schedule or "by hand",
                one.batches,
                one.rows,
                one.landed_at,
                one.problem,
            )
            for one in found
        ]
        paper.table(columns, rows, empty="No sources yet. Declare one in treadle.toml: [sources.NAME]")

    session.out.show(found, draw)


def show(session: Session, name: Name) -> None:
    """One source: its options, its cursor, its newest landings."""
    sheet = session.client.sources.get(name=name)

    def draw(paper: Paper) -> None:
        source = sheet.source
        facts = {"source": source.name, "kind": source.kind, "dataset": source.dataset}
        facts |= {"runs": source.schedule or "by hand", "cursor": source.cursor, "problem": source.problem or None}
        paper.sheet(facts | {f"  {option}": compact(value) for option, value in source.options.items()})
        paper.line()
        _landings(paper, sheet.landings, empty="Nothing has landed from it yet.")

    session.out.show(sheet, draw)


def check(session: Session, name: Name, *, rows: Annotated[int, "how many of its first rows to show"] = 5) -> int:
    """Connects, shows the first rows and their columns, and says what is wrong. Exit code 1 when something is.

    Nothing lands, and nothing is acknowledged.
    """
    found = session.client.sources.check(name=name, rows=rows)

    def draw(paper: Paper) -> None:
        if found.columns:
            listed = [(column.name, column.type, column.lands_as or "new") for column in found.columns]
            paper.table(("column", "type", "in the dataset"), listed)
            paper.line()
            names = [column.name for column in found.columns]
            paper.table(names, [[row.get(column) for column in names] for row in found.rows], empty="No rows now.")
            paper.line()
        for problem in found.problems:
            paper.line(f"problem: {problem}", "red")
        for note in found.notes:
            paper.line(f"note: {note}")
        paper.line(f"Ready: treadle sources run {name}" if found.is_ready else "Not ready.")

    session.out.show(found, draw)
    return int(not found.is_ready)


def run(session: Session, name: Name, *, limit: Annotated[int | None, "land at most so many batches"] = None) -> None:
    """Lands what is new, one snapshot a batch; with --json one landing a line, as it stands.

    Stop it whenever you like: what has landed stays, and the next run goes on there.
    """
    progress = _Progress(name, shown=not session.out.as_json)
    landings = []
    try:
        for landing in session.client.sources.run(name=name, limit=limit):
            landings.append(landing)
            progress.add(landing)
            if session.out.as_json:
                session.out.stdout.write(compact(landing) + "\n")
                session.out.stdout.flush()
    finally:
        progress.end()
    if not session.out.as_json:
        paper = Paper(session.out.stdout)
        _landings(paper, landings, empty="Nothing new.")
        if landings:
            paper.line(progress.line())


def _landings(paper: Paper, landings: list[Any], *, empty: str) -> None:
    columns = ("landing", "state", "version", "rows in", "kept", "refused", "size", "seconds")
    rows = [
        (
            one.id,
            one.state,
            one.version,
            one.rows_in,
            one.rows_kept,
            one.rows_refused,
            bytes_text(one.bytes),
            one.seconds,
        )
        for one in landings
    ]
    paper.table(columns, rows, empty=empty)


class _Progress:
    """A line on a terminal that says how much has landed, and how fast."""

    def __init__(self, name: str, *, shown: bool) -> None:
        self._name, self._shown = name, shown and sys.stderr.isatty()
        self._rows = self._bytes = self._batches = 0
        self._begun = time.monotonic()
        self._drawn = 0.0

    def add(self, landing: Any) -> None:
        self._batches += 1
        self._rows += landing.rows_in
        self._bytes += landing.bytes
        now = time.monotonic()
        if self._shown and now - self._drawn > _REDRAW_S:
            self._drawn = now
            sys.stderr.write(f"\r\x1b[2K{self.line()}")
            sys.stderr.flush()

    def line(self) -> str:
        """`orders  3 batches  300,000 rows  4.1 MB  in 1.5 s  200,000 rows/s`."""
        seconds = max(time.monotonic() - self._begun, 1e-9)
        batches = f"{self._batches} batch{'' if self._batches == 1 else 'es'}"
        rate = f"{self._rows / seconds:,.0f} rows/s"
        return "  ".join(
            [self._name, batches, f"{self._rows:,} rows", bytes_text(self._bytes), f"in {seconds:.1f} s", rate]
        )

    def end(self) -> None:
        if self._shown and self._drawn:
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()
