"""CSV: what is broken is named, never skipped.

Polars fills short lines with nulls and cannot say which line was too long, so lines are counted here first: without
quotes by one vectorised pass, with quotes by Python's own reader. A line with nothing on it is no row, unless the file has
but one column.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import polars as pl
from polars.exceptions import PolarsError

from treadle.systems.collect.errors import UnreadableSource
from treadle.systems.collect.reading.records import SHOWN, OnMalformed, Reading
from treadle.systems.collect.records import Malformed

_INFERRED_FROM = 10_000
MAX_CELL_BYTES = 1 << 30


def header_of(name: str, text: str, separator: str) -> list[str]:
    """The names in the first line. Raises UnreadableSource when one stands there twice."""
    csv.field_size_limit(MAX_CELL_BYTES)
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error as error:
        raise UnreadableSource(f"{name}, line 1: {error}.", fix="Mend the header.", line=1) from error
    seen: set[str] = set()
    for column in header:
        if column in seen:
            raise UnreadableSource(
                f"{name} names the column {column!r} twice in its header.",
                fix="Give every column a name of its own; which of the two is meant cannot be guessed.",
                column=column,
            )
        seen.add(column)
    return header


def check_text(name: str, text: str) -> None:
    """Raises UnreadableSource for what is no text."""
    if "\0" in text:
        raise UnreadableSource(f"{name} holds NUL bytes: it is no text, or UTF-16.", fix="Say its encoding: utf-16.")


def parsed(
    name: str, text: str, separator: str, how: Reading, types: Mapping[str, pl.DataType | type[pl.DataType]]
) -> pl.DataFrame:
    """The rows of a text with a header, all lines of one width; types that are not given are inferred."""
    data = text.encode()
    for rows in (_INFERRED_FROM, None, 0):  # a later row may hold what the first ones did not; 0 is all as text
        try:
            return pl.read_csv(
                io.BytesIO(data),
                separator=separator,
                null_values=list(how.null_values),
                infer_schema_length=rows,
                schema_overrides=dict(types),
                raise_if_empty=False,
            )
        except PolarsError as error:
            problem = error
    raise UnreadableSource(
        f"{name} is no CSV that can be read.", why=str(problem).splitlines()[0], fix="Mend the file."
    ) from problem


def without_ragged(
    name: str, text: str, separator: str, width: int, choice: OnMalformed, first_line: int = 1
) -> tuple[str, list[Malformed]]:
    """The text without lines of another width than the header's, and those lines."""
    find = _in_quoted if '"' in text else _in_plain
    ragged, blank = find(name, text, separator, width, first_line)
    if ragged and choice == "refuse":
        shown = "; ".join(f"line {line.row}: {line.reason}" for line in ragged[:SHOWN])
        raise UnreadableSource(
            f"{name} has {len(ragged):,} lines that do not have {width} fields.",
            why=shown + (" …" if len(ragged) > SHOWN else ""),
            fix="Mend the file, or land with malformed='quarantine' to put such lines aside.",
            lines=len(ragged),
        )
    if not ragged and not blank:
        return text, []
    bad = blank | {line.row + i for line in ragged for i in range(line.text.count("\n") + 1)}
    lines = text.split("\n")
    return "\n".join(line for number, line in enumerate(lines, first_line) if number not in bad), ragged


def _in_plain(name: str, text: str, separator: str, width: int, first_line: int) -> tuple[list[Malformed], set[int]]:
    lines = pl.Series(text.split("\n"), dtype=pl.String).str.strip_suffix("\r")
    counts = lines.str.count_matches(separator, literal=True) + 1
    ragged = (counts != width) & (lines != "")
    blank = lines.head(-1) == "" if width > 1 else pl.Series([], dtype=pl.Boolean)
    found = [_ragged(int(i) + first_line, lines[int(i)], int(counts[int(i)]), width) for i in ragged.arg_true()]
    return found, {int(i) + first_line for i in blank.arg_true()}


def _in_quoted(name: str, text: str, separator: str, width: int, first_line: int) -> tuple[list[Malformed], set[int]]:
    lines = text.split("\n")
    csv.field_size_limit(MAX_CELL_BYTES)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found, blank, first = [], set[int](), 1
    try:
        for fields in reader:
            if fields and len(fields) != width:
                whole = "\n".join(lines[first - 1 : reader.line_num])
                found.append(_ragged(first + first_line - 1, whole, len(fields), width))
            elif not fields and width > 1:
                blank.add(first + first_line - 1)
            first = reader.line_num + 1
    except csv.Error as error:
        raise unclosed(name, first + first_line - 1, str(error)) from error
    return found, blank


def unclosed(name: str, line: int, problem: str) -> UnreadableSource:
    """The error for quotes that do not pair."""
    return UnreadableSource(
        f"{name}, line {line}: {problem}.",
        why="A quote is opened and not closed, or stands inside a field; what follows cannot be told apart.",
        fix="Mend the line.",
        line=line,
    )


def texts_of(known: Mapping[str, str], header: Sequence[str]) -> dict[str, type[pl.DataType]]:
    """Columns that the dataset holds as text are read as text, so that `007` stays."""
    return {column: pl.String for column, kind in known.items() if kind == "string" and column in set(header)}


def _ragged(row: int, text: str, fields: int, width: int) -> Malformed:
    return Malformed(row=row, text=text, reason=f"{fields} field{'s' if fields != 1 else ''} instead of {width}")
