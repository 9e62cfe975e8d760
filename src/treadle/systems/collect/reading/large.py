"""A file that may not fit into memory, read a piece at a time.

What a column is, the whole file says: so text is read twice, once to find the types of all pieces together, once to hand
over the rows in these. Where the dataset knows every column already, once is enough: what does not fit is then a matter
of the landing. Lines that are no rows are named either way.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol, cast

import polars as pl

from treadle.systems.collect.errors import UnreadableSource
from treadle.systems.collect.reading import columnar, delimited, json_lines
from treadle.systems.collect.reading.records import Pieces, Reading
from treadle.systems.collect.reading.times import as_times, with_times
from treadle.systems.collect.reading.unpacking import codec_of, no_encoding, wrong_encoding
from treadle.systems.collect.reading.whole import format_of, no_file, separator_of
from treadle.systems.collect.records import Malformed

LARGE_BYTES = 256 << 20
"""From here on a file is read in pieces: at once it would take five times its size of memory."""
PIECE_CHARS = 32 << 20
PIECE_ROWS = 500_000
_MAX_RECORD_CHARS = 1 << 30
_LOOK_BYTES = 1 << 20


def is_large(path: Path) -> bool:
    """Whether a file is better read in pieces. An archive of type .zip never is: its end has to be there first."""
    try:
        return path.suffix.lower() != ".zip" and path.stat().st_size >= LARGE_BYTES
    except OSError:
        return False


def read_pieces(path: Path, how: Reading, known: Mapping[str, str]) -> Pieces:
    """The rows of a file, and the lines that are none; as `read_file`, and raising what it raises, some of it later."""
    name = path.name
    inner = name.removesuffix(".gz")
    kind = format_of(name, inner, how)
    if inner != name and kind in ("parquet", "arrow"):
        raise UnreadableSource(
            f"{name}: packed {kind} of this size is not read.", fix="Unpack it; it is packed inside."
        )
    found = Pieces(frames=())
    if kind == "parquet":
        found.frames = _with_facts(path, found, columnar.parquet_pieces(name, path, PIECE_ROWS))
    elif kind == "arrow":
        found.frames = _with_facts(path, found, columnar.arrow_pieces(name, path))
    else:
        text = _Text(path, how.encoding)
        form: _Form = _Delimited(name, separator_of(inner, how), how, known) if kind == "csv" else _Lines(name, how)
        found.frames = _with_facts(path, found, _read_text(text, form, known, found.malformed))
    return found


def _with_facts(path: Path, found: Pieces, frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    with path.open("rb") as file:
        found.facts |= {"sha256": "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()}
    found.facts["bytes"] = path.stat().st_size
    yield from frames


class _Form(Protocol):
    """One format of text: how a piece of it becomes rows."""

    is_quoted: bool
    """Whether a line break may stand inside of a value."""

    def start(self) -> None:
        """The next piece is the file's first."""

    def divide(self, text: str, first_line: int) -> tuple[Any, list[Malformed]]:
        """What of a piece is rows, in the form's own terms, and the lines that are none."""

    def rows(self, good: Any, types: dict[str, pl.DataType] | None) -> pl.DataFrame:
        """Rows in the types given, or in those that the piece needs."""

    def together(self, one: pl.DataType, other: pl.DataType) -> pl.DataType:
        """The type that holds what two pieces hold, as one reading of both would have found."""


@dataclass
class _Delimited:
    name: str
    separator: str
    how: Reading
    known: Mapping[str, str]
    header: list[str] | None = None
    header_line: str = ""
    is_quoted: bool = True

    def start(self) -> None:
        self.header = None

    def divide(self, text: str, first_line: int) -> tuple[str, list[Malformed]]:
        delimited.check_text(self.name, text)
        if self.header is None:
            body = text.lstrip("\r\n")
            self.header = delimited.header_of(self.name, body, self.separator)
            first_line += text.count("\n", 0, len(text) - len(body))
            lines = body.split("\n", 1 + _line_breaks(body, self.separator))
            self.header_line = "\n".join(lines[:-1]) + "\n" if len(lines) > 1 else body
            text, first_line = body[len(self.header_line) :], first_line + self.header_line.count("\n")
        return delimited.without_ragged(
            self.name, text, self.separator, len(self.header), self.how.malformed, first_line
        )

    def rows(self, good: str, types: dict[str, pl.DataType] | None) -> pl.DataFrame:
        texts = delimited.texts_of(self.known, self.header or ())
        plain = {name: pl.String() if _is_text(dtype) else dtype for name, dtype in (types or {}).items()}
        frame = delimited.parsed(self.name, self.header_line + good, self.separator, self.how, plain or texts)
        return with_times(frame, except_for=texts) if types is None else as_times(frame, types)

    def together(self, one: pl.DataType, other: pl.DataType) -> pl.DataType:
        return _wider(one, other) if one.is_numeric() and other.is_numeric() else pl.String()


def _line_breaks(text: str, separator: str) -> int:
    """How many line breaks stand inside of the header's names."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    next(reader, None)
    return max(0, reader.line_num - 1)


@dataclass
class _Lines:
    name: str
    how: Reading
    is_quoted: bool = False

    def start(self) -> None:
        """Every line stands for itself."""

    def divide(self, text: str, first_line: int) -> tuple[list[str], list[Malformed]]:
        good, malformed = json_lines.divided(text, first_line)
        json_lines.refuse(self.name, malformed, self.how.malformed)
        return good, malformed

    def rows(self, good: list[str], types: dict[str, pl.DataType] | None) -> pl.DataFrame:
        return json_lines.parsed(self.name, good, types)

    def together(self, one: pl.DataType, other: pl.DataType) -> pl.DataType:
        return _wider(one, other)


def _read_text(
    text: _Text, form: _Form, known: Mapping[str, str], malformed: list[Malformed]
) -> Iterator[pl.DataFrame]:
    types = None if isinstance(form, _Delimited) and _knows_all(text, form, known) else _types_of(text, form)
    form.start()
    for piece, first_line in text.pieces(is_quoted=form.is_quoted):
        good, broken = form.divide(piece, first_line)
        malformed += broken
        yield form.rows(good, types)


def _knows_all(text: _Text, form: _Delimited, known: Mapping[str, str]) -> bool:
    """Whether the dataset has every column of the header."""
    form.start()
    for piece, first_line in text.pieces(is_quoted=True):
        form.divide(piece, first_line)
        break
    return set(form.header or ()) <= set(known)


def _types_of(text: _Text, form: _Form) -> dict[str, pl.DataType]:
    """The types of the columns over all pieces."""
    found: dict[str, pl.DataType] = {}
    form.start()
    for piece, first_line in text.pieces(is_quoted=form.is_quoted):
        good, _ = form.divide(piece, first_line)
        for column in form.rows(good, None).iter_columns():
            says = pl.Null() if column.null_count() == len(column) else column.dtype  # nothing of the type
            one = found.get(column.name, pl.Null())
            found[column.name] = says if one == pl.Null else _joined(form, one, says)
    return found


def _joined(form: _Form, one: pl.DataType, other: pl.DataType) -> pl.DataType:
    return one if other == one or other == pl.Null else form.together(one, other)


def _wider(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    frames = [pl.DataFrame(schema={"": dtype}) for dtype in (one, other)]
    return pl.concat(frames, how="vertical_relaxed").schema[""]


def _is_text(dtype: pl.DataType) -> bool:
    """Whether a column is read as text first: a time, and one without any value."""
    return dtype in (pl.Date, pl.Null) or isinstance(dtype, pl.Datetime)


class _Text:
    """The text of a file in pieces that end with a record. Raises UnreadableSource for another encoding."""

    def __init__(self, path: Path, encoding: str) -> None:
        self._path, self._encoding = path, encoding

    def pieces(self, *, is_quoted: bool) -> Iterator[tuple[str, int]]:
        """(text, number of its first line), from the beginning. is_quoted: a line break within quotes ends no record."""
        rest, line = "", 1
        end_of = _end_of_records if is_quoted else lambda text: text.rfind("\n") + 1
        for chunk in self._chunks():
            rest += chunk
            end = end_of(rest)
            if end:
                yield rest[:end], line
                line += rest.count("\n", 0, end)
                rest = rest[end:]
            elif len(rest) > _MAX_RECORD_CHARS:
                raise delimited.unclosed(self._path.name, line, "a record does not end within a gigabyte")
        if rest:
            yield rest, line

    def _chunks(self) -> Iterator[str]:
        lines = 1
        try:
            is_old = (
                b"\r" in self._begin() and b"\n" not in self._begin()
            )  # lines that end with a carriage return alone
            newline = None if is_old else ""
            with self._opened() as raw, io.TextIOWrapper(raw, codec_of(self._encoding), newline=newline) as text:
                while chunk := text.read(PIECE_CHARS):
                    yield chunk
                    lines += chunk.count("\n")
        except LookupError as error:
            raise no_encoding(self._encoding) from error
        except UnicodeDecodeError as error:
            lines += error.object.count(b"\n", 0, error.start)
            byte = error.object[error.start]
            raise wrong_encoding(self._path.name, self._encoding, self._begin(), lines, byte) from error
        except (gzip.BadGzipFile, EOFError) as error:
            raise UnreadableSource(
                f"{self._path.name} is no whole archive: {error}.", fix="Fetch or export it again."
            ) from error
        except OSError as error:
            raise no_file(self._path, error) from error

    def _opened(self) -> IO[bytes]:
        is_packed = self._path.suffix.lower() == ".gz"
        return cast("IO[bytes]", gzip.open(self._path, "rb")) if is_packed else self._path.open("rb")

    def _begin(self) -> bytes:
        with self._opened() as raw:
            return raw.read(_LOOK_BYTES)


def _end_of_records(text: str) -> int:
    """Where the last whole record of a text ends; 0 when none does. A line break ends one where quotes before it pair."""
    end = text.rfind("\n") + 1
    if '"' not in text:
        return end
    quotes = text.count('"', 0, end)
    while end and quotes % 2:
        earlier = text.rfind("\n", 0, end - 1) + 1
        quotes -= text.count('"', earlier, end)
        end = earlier
    return end
