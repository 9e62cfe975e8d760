"""`treadle datasets land-files`, `files`, `export-files`: folders as datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from treadle.faces.cli.commands.datasets import At, Name, OfBranch, on_branch
from treadle.faces.cli.rendering import Paper, bytes_text, duration
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option


def land(
    session: Session,
    name: Name,
    folder: Annotated[Path, "the folder; on a server, one of its inbox"],
    *,
    branch: OfBranch = None,
) -> None:
    """Makes a folder the newest snapshot of a dataset of files.

    New, changed and deleted files are told by size, time and bytes; what is as it was is not read again, and a folder that
    is as the newest snapshot has it makes none. Earlier snapshots keep what they held.
    """
    dataset = on_branch(name, branch)
    if session.settings.server:
        done = session.client.datasets.land_folder(dataset=dataset, folder=str(folder))
    else:
        done = session.workspace.dataset_files.land(session.workspace.caller, dataset, folder)

    def draw(paper: Paper) -> None:
        counts = [(count, word) for word, count in _counted(done) if count]
        words = ", ".join(f"{count:,} {word}" for count, word in counts) or "no files"
        paper.line(f"{dataset} is at version {done.version}: {words}.")
        paper.line(
            f"{bytes_text(done.bytes_read)} read, {bytes_text(done.bytes_stored)} stored, in {duration(done.seconds)}",
            style="dim",
        )

    session.out.show(done, draw)


def list_all(
    session: Session, name: Name, *, at: At = None, limit: Annotated[int, "show at most so many files"] = 100
) -> None:
    """The files of a snapshot, by path."""
    table = f"{name}@{at}" if at else name
    columns = "path, size, media_type, width, height, modified"
    sql = f'select {columns} from "{table.replace(chr(34), "")}" order by path'  # noqa: S608 - a name cannot hold a quote
    found = session.client.datasets.query(sql=sql, limit=limit)

    def draw(paper: Paper) -> None:
        rows = [
            (path, bytes_text(size), kind, None if width is None else f"{width} × {height}", modified)
            for path, size, kind, width, height, modified in found.rows
        ]
        paper.table(("path", "size", "kind", "picture", "modified"), rows, empty="No files.")
        if found.is_cut:
            paper.line(f"There are more than these {len(rows)}: --limit N", style="dim")

    session.out.show(found, draw)


def export(
    session: Session,
    name: Name,
    folder: Annotated[Path, "a folder that is new or empty"],
    *,
    at: At = None,
    path: Annotated[list[str] | None, Option("only this file; repeat it", metavar="PATH")] = None,
) -> None:
    """Writes the files of a snapshot below a folder, with their times. No path leads out of it."""
    from treadle.systems.collect.filesets.exporting import write_files

    count = write_files(folder, session.client.datasets.read_files(name=name, at=at, paths=path))
    session.out.show({"folder": str(folder), "files": count}, lambda paper: paper.line(f"{folder}: {count:,} files"))


def _counted(done: Any) -> list[tuple[str, int]]:
    return [(word, getattr(done, word)) for word in ("added", "changed", "deleted", "unchanged")]
