"""`treadle doctor` and `treadle gc`: whether all is sound, and what nobody needs any more."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from treadle.faces.cli.rendering import Paper, bytes_text
from treadle.faces.cli.session import Session

_SHOWN = 10


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
    """Removes what was deleted, then condemns what no name, pin, deployment or recent run needs.

    Experiments, runs and logged models that were deleted longer ago than the retention go for good, with their files;
    names of experiments become free. What registered versions came from is held. What was condemned a grace ago is
    deleted, unless something asked for it again, and so are bytes that nothing names any more.
    """
    if not dry_run:
        session.confirm("Remove what was deleted and what nothing needs, for good?", yes=yes)
    days = session.settings.retention_days if retention_days is None else retention_days
    emptied = session.client.trash.empty(retention_days=days, is_dry_run=dry_run)
    done = session.client.storage.clean(retention_days=days, is_dry_run=dry_run)

    def draw(paper: Paper) -> None:
        would = "would be " if done.is_dry_run else ""
        gone = f"{would}removed: deleted"
        paper.table(
            ("", "count", "size"),
            [
                (f"{gone} experiments", emptied.experiments, ""),
                (f"{gone} runs", emptied.runs, ""),
                (f"{gone} logged models", emptied.models, ""),
                ("their files", emptied.files, bytes_text(emptied.size_bytes)),
                ("of these, named by nothing else", "", bytes_text(emptied.freed_bytes)),
                ("artifacts there", done.artifacts, bytes_text(done.artifact_bytes)),
                (f"{would}condemned", done.condemned, bytes_text(done.condemned_bytes)),
                (f"{would}deleted", done.deleted, bytes_text(done.deleted_bytes)),
                ("named by no artifact", done.orphans, bytes_text(done.orphan_bytes)),
            ],
        )
        _tables(paper, done.tables, would)
        if emptied.held:
            paper.line("held: " + "; ".join(emptied.held[:_SHOWN]) + ("; …" if len(emptied.held) > _SHOWN else ""))

    session.out.show(msgspec.to_builtins(done) | {"trash": emptied}, draw)


def _tables(paper: Paper, tables: Any, would: str) -> None:
    """What becomes of the files of datasets, and what holds the rest."""
    touched = [one for one in tables if one.condemned or one.deleted or one.expired]
    if not touched:
        return
    paper.title("Datasets")
    rows = [
        (
            one.dataset,
            f"{sum(one.kept.values())} of {one.snapshots}",
            ", ".join(f"{reason} {count}" for reason, count in one.kept.items()),
            one.condemned,
            bytes_text(one.condemned_bytes),
            one.deleted,
            bytes_text(one.deleted_bytes),
            _versions(one.expired),
        )
        for one in touched
    ]
    columns = ("dataset", "held", "by", f"{would}condemned", "size", f"{would}deleted", "size", "versions that expire")
    paper.table(columns, rows)


def _versions(versions: Any) -> str:
    shown = ", ".join(str(version) for version in versions[:_SHOWN])
    return f"{shown}, …" if len(versions) > _SHOWN else shown or "–"
