"""A file that fits into memory, read at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from treadle.ground.digests import of_bytes
from treadle.ground.errors import did_you_mean
from treadle.systems.collect.errors import UnreadableSource
from treadle.systems.collect.reading import columnar, delimited, json_lines
from treadle.systems.collect.reading.records import FORMATS, Content, Reading
from treadle.systems.collect.reading.times import with_times
from treadle.systems.collect.reading.unpacking import decoded, unpacked
from treadle.systems.collect.records import Malformed

_BY_SUFFIX = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


def read_file(path: Path, how: Reading, known: Mapping[str, str]) -> Content:
    """The rows of a file, and the lines that are none.

    known: types of columns as the Delta protocol names them; those that are text are read as text, so that `007` stays.
    Raises UnreadableSource for a file that is missing, empty, truncated or not what it claims.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise no_file(path, error) from error
    return read_content(path.name, data, how, known)


def read_content(name: str, data: bytes, how: Reading, known: Mapping[str, str]) -> Content:
    """The rows of a file that is in memory already, and the lines that are none; see `read_file`."""
    whole = name
    sha256, size = of_bytes(data), len(data)
    name, data = unpacked(name, data)
    kind = format_of(whole, name, how)
    if not data:
        raise empty(whole)
    malformed: list[Malformed] = []
    if kind == "parquet":
        frame = columnar.parquet(whole, data)
    elif kind == "arrow":
        frame = columnar.arrow(whole, data)
    elif kind == "jsonl":
        lines, malformed = json_lines.divided(decoded(whole, data, how.encoding))
        json_lines.refuse(whole, malformed, how.malformed)
        frame = json_lines.parsed(whole, lines)
    else:
        frame, malformed = _csv(whole, decoded(whole, data, how.encoding), separator_of(name, how), how, known)
    return Content(frame=frame, malformed=malformed, sha256=sha256, size=size)


def _csv(
    name: str, text: str, separator: str, how: Reading, known: Mapping[str, str]
) -> tuple[pl.DataFrame, list[Malformed]]:
    delimited.check_text(name, text)
    body = text.lstrip("\r\n")
    header = delimited.header_of(name, body, separator)
    first_line = 1 + text.count("\n", 0, len(text) - len(body))
    body, malformed = delimited.without_ragged(name, body, separator, len(header), how.malformed, first_line)
    texts = delimited.texts_of(known, header)
    return with_times(delimited.parsed(name, body, separator, how, texts), except_for=texts), malformed


def format_of(whole: str, name: str, how: Reading) -> str:
    """The format that was said, or that the name's end tells. Raises UnreadableSource."""
    suffix = Path(name).suffix
    kind = how.format or _BY_SUFFIX.get(suffix.lower())
    if kind in FORMATS:
        return kind
    raise UnreadableSource(
        f"{whole}: the format {kind or suffix!r} is not read here.",
        fix="Say which it is: format='csv', 'jsonl', 'parquet' or 'arrow'. "
        + (did_you_mean(kind, FORMATS) if kind else ""),
    )


def separator_of(name: str, how: Reading) -> str:
    return how.separator or ("\t" if name.lower().endswith(".tsv") else ",")


def empty(name: str) -> UnreadableSource:
    return UnreadableSource(f"{name} is empty.", fix="Is the export still being written? Land it when it is done.")


def no_file(path: Path, error: OSError) -> UnreadableSource:
    return UnreadableSource(f"{path.name} cannot be read: {error.strerror}.", path=str(path))
