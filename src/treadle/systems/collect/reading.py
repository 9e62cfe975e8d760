"""Reading files that people made: CSV (also zipped), JSON lines, Parquet; what is broken is named, never skipped.

Polars fills short CSV lines with nulls and cannot say which line was too long, so lines are counted here first: without
quotes by one vectorised pass, with quotes by Python's own reader.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import polars as pl
from polars.exceptions import PolarsError

from treadle.ground.digests import of_bytes
from treadle.ground.errors import did_you_mean
from treadle.systems.collect.errors import UnreadableSource
from treadle.systems.collect.records import Malformed

FORMATS = ("csv", "jsonl", "parquet")
_BY_SUFFIX = {".csv": "csv", ".tsv": "csv", ".txt": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_SHOWN = 5
_INFERRED_FROM = 10_000
_SAMPLE = 100
_TIMES: tuple[tuple[str, Callable[[pl.Expr], pl.Expr]], ...] = (
    (r"^\d{4}-\d{2}-\d{2}$", lambda text: text.str.to_date("%Y-%m-%d", strict=False)),
    (
        r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$",
        lambda text: text.str.to_datetime("%+", time_unit="us", strict=False).dt.convert_time_zone("UTC"),
    ),
    (
        r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\.\d+)?$",
        lambda text: text.str.replace(" ", "T").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False),
    ),
)
"""Forms of ISO 8601, and how each becomes a date, a moment, or a time of the clock without a zone."""

OnMalformed = Literal["refuse", "quarantine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files are read. `null_values` are cells that mean nothing; `separator` None is a tab for .tsv, else a comma."""

    format: str | None = None
    encoding: str = "utf-8"
    null_values: Sequence[str] = ("", "NA")
    separator: str | None = None
    malformed: OnMalformed = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a file held."""

    frame: pl.DataFrame
    malformed: list[Malformed]
    sha256: str
    size: int


def read_file(path: Path, how: Reading, known: Mapping[str, str]) -> Content:
    """The rows of a file, and the lines that are none.

    known: types of columns as the Delta protocol names them; those that are text are read as text, so that `007` stays.
    Raises UnreadableSource for a file that is missing, empty, truncated or not what it claims.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableSource(f"{path.name} cannot be read: {error.strerror}.", path=str(path)) from error
    sha256, size = of_bytes(data), len(data)
    name, data = _unpacked(path.name, data)
    kind = how.format or _BY_SUFFIX.get(Path(name).suffix.lower())
    if kind not in FORMATS:
        raise UnreadableSource(
            f"{path.name}: the format {kind or Path(name).suffix!r} is not read here.",
            fix=f"Say which it is: format='csv', 'jsonl' or 'parquet'. {did_you_mean(kind or '', FORMATS)}",
        )
    if not data:
        raise UnreadableSource(
            f"{path.name} is empty.", fix="Is the export still being written? Land it when it is done."
        )
    malformed: list[Malformed] = []
    if kind == "parquet":
        frame = _parquet(path.name, data)
    elif kind == "jsonl":
        frame, malformed = _json_lines(path.name, _decoded(path.name, data, how.encoding), how)
    else:
        separator = how.separator or ("\t" if name.lower().endswith(".tsv") else ",")
        frame, malformed = _csv(path.name, _decoded(path.name, data, how.encoding), separator, how, known)
    return Content(frame=frame, malformed=malformed, sha256=sha256, size=size)


def _unpacked(name: str, data: bytes) -> tuple[str, bytes]:
    try:
        if name.endswith(".gz"):
            return name.removesuffix(".gz"), gzip.decompress(data)
        if not name.endswith(".zip"):
            return name, data
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [m for m in archive.namelist() if not m.endswith("/") and not m.startswith("__MACOSX")]
            if len(members) != 1:
                raise UnreadableSource(
                    f"{name} holds {len(members)} files; one is expected.", fix="Unpack it, and land the files."
                )
            return members[0], archive.read(members[0])
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError) as error:
        raise UnreadableSource(f"{name} is no whole archive: {error}.", fix="Fetch or export it again.") from error


def _decoded(name: str, data: bytes, encoding: str) -> str:
    try:
        return data.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except LookupError as error:
        raise UnreadableSource(
            f"There is no encoding {encoding!r}.", fix="Common ones: utf-8, latin-1, cp1252."
        ) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableSource(
            f"{name} is not {encoding}: line {line} holds the byte 0x{data[error.start]:02x}.",
            why="Exports from older systems are often latin-1 or cp1252.",
            fix="Land it with encoding='latin-1' if that is what it is.",
            line=line,
        ) from error


def _csv(
    name: str, text: str, separator: str, how: Reading, known: Mapping[str, str]
) -> tuple[pl.DataFrame, list[Malformed]]:
    if "\0" in text:
        raise UnreadableSource(f"{name} holds NUL bytes: it is no text, or UTF-16.", fix="Say its encoding: utf-16.")
    header = next(csv.reader(io.StringIO(text), delimiter=separator), [])
    _check_header(name, header)
    text, malformed = _without_ragged(name, text, separator, len(header), how.malformed)
    texts = {column: pl.String for column, kind in known.items() if kind == "string" and column in header}
    data = text.encode()
    for rows in (_INFERRED_FROM, None):
        try:
            frame = pl.read_csv(
                io.BytesIO(data),
                separator=separator,
                null_values=list(how.null_values),
                infer_schema_length=rows,
                schema_overrides=texts,
                raise_if_empty=False,
            )
        except PolarsError as error:
            if rows is None:
                raise UnreadableSource(f"{name} is no CSV that can be read.", why=str(error).splitlines()[0]) from error
            continue  # a later row holds what the first ones did not: infer from all of them
        break
    return with_times(frame, except_for=texts), malformed


def with_times(frame: pl.DataFrame, except_for: Iterable[str] = ()) -> pl.DataFrame:
    """The frame with ISO 8601 dates and times in place of text, in columns where every value is one.

    Polars can infer times while it reads, at twenty times the cost (23 s for 336,776 rows; polars 2.1).
    """
    found = []
    for name, dtype in frame.schema.items():
        if dtype != pl.String or name in set(except_for):
            continue
        sample = frame[name].drop_nulls().head(_SAMPLE)
        for pattern, expression in _TIMES:
            if sample.len() and sample.str.contains(pattern).all():
                times = frame.select(expression(pl.col(name))).to_series()
                if times.null_count() == frame[name].null_count():
                    found.append(times)
                break
    return frame.with_columns(found)


def _check_header(name: str, header: Sequence[str]) -> None:
    seen: set[str] = set()
    for column in header:
        if column in seen:
            raise UnreadableSource(
                f"{name} names the column {column!r} twice in its header.",
                fix="Give every column a name of its own; which of the two is meant cannot be guessed.",
                column=column,
            )
        seen.add(column)


def _without_ragged(
    name: str, text: str, separator: str, width: int, choice: OnMalformed
) -> tuple[str, list[Malformed]]:
    """The text without lines of another width than the header, and those lines."""
    ragged = _ragged_quoted(name, text, separator, width) if '"' in text else _ragged_plain(text, separator, width)
    if not ragged:
        return text, []
    if choice == "refuse":
        shown = "; ".join(f"line {line.row}: {line.reason}" for line in ragged[:_SHOWN])
        raise UnreadableSource(
            f"{name} has {len(ragged):,} lines that do not have {width} fields.",
            why=shown + (" …" if len(ragged) > _SHOWN else ""),
            fix="Mend the file, or land with malformed='quarantine' to put such lines aside.",
            lines=len(ragged),
        )
    bad = {line.row + i for line in ragged for i in range(line.text.count("\n") + 1)}
    lines = text.split("\n")
    return "\n".join(line for number, line in enumerate(lines, 1) if number not in bad), ragged


def _ragged_plain(text: str, separator: str, width: int) -> list[Malformed]:
    lines = pl.Series(text.split("\n"), dtype=pl.String).str.strip_suffix("\r")
    counts = lines.str.count_matches(separator, literal=True) + 1
    bad = (counts != width) & (lines != "")
    return [_ragged(int(i) + 1, lines[int(i)], int(counts[int(i)]), width) for i in bad.arg_true()]


def _ragged_quoted(name: str, text: str, separator: str, width: int) -> list[Malformed]:
    lines = text.split("\n")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    found, first = [], 1
    csv.field_size_limit(1 << 30)
    try:
        for fields in reader:
            if fields and len(fields) != width:
                whole = "\n".join(lines[first - 1 : reader.line_num])
                found.append(_ragged(first, whole, len(fields), width))
            first = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableSource(
            f"{name}, line {first}: {error}.",
            why="A quote is opened and not closed, or stands inside a field; what follows cannot be told apart.",
            fix="Mend the line.",
            line=first,
        ) from error
    return found


def _ragged(row: int, text: str, fields: int, width: int) -> Malformed:
    return Malformed(row=row, text=text, reason=f"{fields} field{'s' if fields != 1 else ''} instead of {width}")


def _json_lines(name: str, text: str, how: Reading) -> tuple[pl.DataFrame, list[Malformed]]:
    good: list[str] = []
    malformed: list[Malformed] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeError) as error:
            malformed.append(Malformed(row=number, text=line, reason=str(error)))
            continue
        if isinstance(value, dict):
            good.append(line)
        else:
            malformed.append(Malformed(row=number, text=line, reason="no object"))
    if malformed and how.malformed == "refuse":
        shown = "; ".join(f"line {line.row}: {line.reason}" for line in malformed[:_SHOWN])
        raise UnreadableSource(
            f"{name} has {len(malformed):,} lines that are no JSON object.",
            why=shown,
            fix="Mend the file, or land with malformed='quarantine' to put such lines aside.",
            lines=len(malformed),
        )
    if not good:
        return pl.DataFrame(), malformed
    try:
        return pl.read_ndjson(io.StringIO("\n".join(good)), infer_schema_length=None), malformed
    except PolarsError as error:
        raise UnreadableSource(
            f"{name}: the lines do not agree on the type of a field.",
            why=str(error).splitlines()[0],
            fix="Write each field with one type.",
        ) from error


def _parquet(name: str, data: bytes) -> pl.DataFrame:
    if len(data) < 12 or data[:4] != b"PAR1" or data[-4:] != b"PAR1":
        raise UnreadableSource(
            f"{name} is no whole Parquet file.",
            why="It does not begin and end with the format's mark, as one does whose writing was cut off.",
            fix="Fetch or export it again.",
        )
    try:
        return pl.read_parquet(io.BytesIO(data))
    except PolarsError as error:
        raise UnreadableSource(f"{name} is a damaged Parquet file.", why=str(error).splitlines()[0]) from error
    except BaseException as error:  # a panic of the Rust reader is no Exception, and would end a worker
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableSource(f"{name} is a damaged Parquet file.", why=str(error).splitlines()[0]) from error
