"""`treadle datasets query` and `export`: questions in SQL, and rows as files."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from treadle.faces.cli.commands.datasets import At, Name
from treadle.faces.cli.output import encoded
from treadle.faces.cli.rendering import Paper, bytes_text, duration
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong

Format = Literal["parquet", "csv", "jsonl", "arrow"]


def query(
    session: Session,
    sql: Annotated[str, "one SELECT; its tables are datasets"],
    *,
    limit: Annotated[
        int, "show at most so many rows (10,000 at the highest); csv, jsonl and files have them all"
    ] = 100,
    format: Annotated[
        Literal["table", "json", "csv", "jsonl", "parquet", "arrow"] | None,
        "how to write the rows (default: a table, or by the file's suffix)",
    ] = None,
    output: Annotated[Path | None, Option("write all rows to this file", short="o")] = None,
) -> None:
    """Asks a question in SQL, of any snapshots.

    A table is a dataset as it is now; flights@v3, flights@golden, flights@fix and flights@2013-04-01 are it at a version,
    a tag, on a branch and at a time. A name that is no plain word is put into double quotes. The engine sees the named
    snapshots alone: no files, no network.

      treadle datasets query "select carrier, avg(arr_delay) from flights group by 1 order by 2 desc"
      treadle datasets query "select count(*) from flights anti join flights@v3 using (_landing, _row)"
    """
    if output is not None or format in ("parquet", "arrow", "csv", "jsonl"):
        form = _form(output, format)
        _write(session, session.client.datasets.export(sql=sql, format=form), output, form)
        return
    answer = session.client.datasets.query(sql=sql, limit=limit)
    if format == "json":
        names = [column.name for column in answer.columns]
        session.out.stdout.write(encoded([dict(zip(names, row, strict=True)) for row in answer.rows]) + "\n")
    else:
        session.out.show(answer, lambda paper: _draw(paper, answer))
    if answer.is_cut:
        session.out.note(f"There are more than these {len(answer.rows)} rows: --limit N (10,000 at most), or -o FILE.")


def export(
    session: Session,
    name: Name,
    *,
    at: At = None,
    format: Annotated[Format | None, "the form of the file (default: by its suffix, else parquet)"] = None,
    output: Annotated[Path | None, Option("the file to write (default: standard output)", short="o")] = None,
) -> None:
    """Writes all rows of a snapshot as one file, with the two columns that identify each row."""
    form = _form(output, format)
    _write(session, session.client.datasets.export(name=name, at=at, format=form), output, form)


def _draw(paper: Paper, answer: Any) -> None:
    paper.table([column.name for column in answer.columns], answer.rows, empty="No rows.")
    seen = ", ".join(dict.fromkeys(answer.snapshots.values()))
    rows = "1 row" if len(answer.rows) == 1 else f"{len(answer.rows)} rows"
    paper.line(f"{rows} in {duration(answer.seconds)}" + (f" of {seen}" if seen else ""), style="dim")


def _form(output: Path | None, format: str | None) -> str:
    """The form that was asked for, or that the file's suffix says."""
    if format in ("parquet", "csv", "jsonl", "arrow"):
        return str(format)
    if format is not None:
        raise UsageWrong(f"A file is no {format}.", fix="--format parquet, csv, jsonl or arrow")
    suffix = "" if output is None else output.suffix.lower()
    known = {
        ".parquet": "parquet",
        ".csv": "csv",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".arrow": "arrow",
        ".ipc": "arrow",
    }
    if suffix and suffix not in known:
        raise UsageWrong(f"{suffix!r} says no form.", fix="--format parquet, csv, jsonl or arrow")
    return known.get(suffix, "parquet")


def _write(session: Session, pieces: Iterable[Any], output: Path | None, form: str) -> None:
    """Writes the pieces to the file, which appears when it is whole; or to standard output."""
    if output is None:
        if form in ("parquet", "arrow") and sys.stdout.isatty():
            raise UsageWrong(f"{form} is not for a terminal.", fix="Write it to a file: -o FILE, or into a pipe.")
        for piece in pieces:
            sys.stdout.buffer.write(piece.data)
        sys.stdout.buffer.flush()
        return
    draft, size = output.with_name(f".{output.name}.part"), 0
    try:
        with draft.open("wb") as file:
            for piece in pieces:
                size += file.write(piece.data)
        draft.replace(output)
    finally:
        draft.unlink(missing_ok=True)
    session.out.show(
        {"path": str(output), "bytes": size, "format": form},
        lambda paper: paper.line(f"{output}: {bytes_text(size)} of {form}"),
    )
