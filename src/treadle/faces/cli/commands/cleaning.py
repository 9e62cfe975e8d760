"""`treadle datasets clean` and `treadle datasets changes`: a dataset made clean, and everything that was changed in it."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session
from treadle.systems.prepare.cleaning.records import Cleaning


def clean(
    session: Session,
    name: Annotated[str, "the dataset that is cleaned; it stays as it is"],
    *,
    to: Annotated[str | None, "where the clean rows land (default: the name without .raw, or with .clean)"] = None,
    at: Annotated[str | None, "a version, a tag, a snapshot's id or a time (default: the newest)"] = None,
    contract: Annotated[str | None, "the dataset whose contract says how (default: that of TO, else of NAME)"] = None,
    dry_run: Annotated[bool, "say what would come of it, and land nothing"] = False,
    again: Annotated[bool, "also when neither rows nor contract have changed"] = False,
) -> None:
    """Cleans a snapshot by the steps that a contract declares, and judges what comes out by its rules.

    Rows that cannot be made clean are held in the quarantine of TO. Every change is kept, and can be taken back.
    """
    asked = {"name": name, "to": to, "at": at, "contract": contract}
    if dry_run:
        done: Cleaning = session.client.cleanings.preview(**asked)
    else:
        done = session.client.cleanings.run(**asked, again=again)
    session.out.show(done, lambda paper: _draw(paper, done))


def _draw(paper: Paper, done: Cleaning) -> None:
    rows = [
        (one.rule, one.kind, one.cells, one.dropped, one.quarantined, cell(one.fitted) if one.fitted else None)
        for one in done.steps
    ]
    paper.table(("step", "kind", "cells", "dropped", "held", "with"), rows)
    paper.line()
    paper.sheet(
        {
            "from": f"{done.source} ({done.source_snapshot})",
            "into": done.dataset if done.landing else f"{done.dataset}, if it were landed",
            "landing": done.landing,
            "rows in": done.rows_in,
            "kept": done.rows_kept,
            "dropped": done.rows_dropped or None,
            "held by a step": done.rows_quarantined or None,
            "refused by a rule": done.rows_refused or None,
            "decided before": done.rows_decided or None,
        }
    )


def changes(
    session: Session,
    name: Annotated[str, "the dataset that was cleaned into"],
    *,
    at: Annotated[str | None, "a version, a tag, a snapshot's id or a time (default: the newest)"] = None,
    rule: Annotated[str | None, "only those of this step, or of the rule that refused"] = None,
    column: Annotated[str | None, "only those of this column"] = None,
    row: Annotated[str | None, "only those of this row"] = None,
    limit: Annotated[int, "at most so many"] = 100,
    after: Annotated[int, "go on after so many"] = 0,
) -> None:
    """What the cleaning behind a snapshot has changed: each cell before and after, and each row that left."""
    page = session.client.cleanings.changes(
        name=name, at=at, rule=rule, column=column, row=row, limit=limit, after=after
    )

    def draw(paper: Paper) -> None:
        rows = [
            (one.row, one.rule, one.outcome, one.column, _shown(one.before), _shown(one.after), one.survivor)
            for one in page.changes
        ]
        paper.table(
            ("row", "step", "what", "column", "before", "after", "stands for it"), rows, empty="No such changes."
        )
        if page.next is not None:
            paper.line()
            paper.line(f"{page.next} of {page.total}; go on with --after {page.next}", style="dim")

    session.out.show(page, draw)


def _shown(value: object) -> str | None:
    return repr(value) if isinstance(value, str) else None if value is None else cell(value)
