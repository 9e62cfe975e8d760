"""`treadle doctor` and `treadle gc`: whether all is sound, and what nobody needs any more."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.rendering import Paper, bytes_text
from treadle.faces.cli.session import Session


def doctor(session: Session, *, deep: Annotated[bool, "read every byte and compare its digest"] = False) -> int:
    """Looks at the store, the bytes, the event chain and the disk. Exit code 1 when something failed."""
    examination = session.client.storage.examine(deep=deep)

    def draw(paper: Paper) -> None:
        rows = [(one.verdict, one.name, one.found, one.fix) for one in examination.checks]
        paper.table(("", "looked at", "found", "what to do"), rows)

    session.out.show(examination, draw)
    return int(any(one.verdict == "failed" for one in examination.checks))


def gc(
    session: Session,
    *,
    dry_run: Annotated[bool, "say what would go, and leave it"] = False,
    retention_days: Annotated[int | None, "keep what is younger (default: the setting)"] = None,
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Condemns what no name, pin, deployment or recent run needs, and deletes what was condemned a grace ago.

    What is asked for again in the meantime is kept.
    """
    if not dry_run:
        session.confirm("Condemn what nothing needs, and delete what was condemned a grace ago?", yes=yes)
    days = session.settings.retention_days if retention_days is None else retention_days
    done = session.client.storage.clean(retention_days=days, is_dry_run=dry_run)

    def draw(paper: Paper) -> None:
        would = "would be " if done.is_dry_run else ""
        paper.table(
            ("", "artifacts", "size"),
            [
                ("there", done.artifacts, bytes_text(done.artifact_bytes)),
                (f"{would}condemned", done.condemned, bytes_text(done.condemned_bytes)),
                (f"{would}deleted", done.deleted, bytes_text(done.deleted_bytes)),
                ("named by no artifact", done.orphans, bytes_text(done.orphan_bytes)),
            ],
        )

    session.out.show(done, draw)
