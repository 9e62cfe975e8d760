"""Parquet and Arrow files: columns with types of their own."""

from __future__ import annotations

import io
import zoneinfo
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from treadle.ground.frames import to_polars
from treadle.systems.collect.errors import UnreadableSource

_PARQUET_MARK, _ARROW_MARK = b"PAR1", b"ARROW1"
_AGAIN = "Fetch or export it again."


def parquet(name: str, data: bytes) -> pl.DataFrame:
    """The rows of a Parquet file. Raises UnreadableSource for one that is cut off, damaged, or says what cannot be."""
    check_parquet(name, data[:4], data[-4:], len(data))
    frame: pl.DataFrame = _guarded(name, lambda: _read_parquet(name, io.BytesIO(data)))
    return frame


def parquet_pieces(name: str, path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """As `parquet`, so many rows at a time."""
    with path.open("rb") as file:
        begin = file.read(4)
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - 4))
        check_parquet(name, begin, file.read(4), size)
        count = _guarded(name, lambda: _rows_of(name, file))
    for start in range(0, count, rows):
        piece = pl.scan_parquet(path).slice(start, rows)
        yield _guarded(name, piece.collect)


def arrow(name: str, data: bytes) -> pl.DataFrame:
    """The rows of an Arrow file or stream. Raises UnreadableSource."""
    frames = list(_arrow_batches(name, io.BytesIO(data)))
    return pl.concat(frames, rechunk=False) if len(frames) > 1 else frames[0]


def arrow_pieces(name: str, path: Path) -> Iterator[pl.DataFrame]:
    """As `arrow`, a record batch at a time."""
    with path.open("rb") as file:
        yield from _arrow_batches(name, file)


def check_parquet(name: str, begin: bytes, end: bytes, size: int) -> None:
    if size < 12 or begin != _PARQUET_MARK or end != _PARQUET_MARK:
        raise UnreadableSource(
            f"{name} is no whole Parquet file.",
            why="It does not begin and end with the format's mark, as one does whose writing was cut off.",
            fix=_AGAIN,
        )


def _read_parquet(name: str, file: BinaryIO) -> pl.DataFrame:
    _rows_of(name, file)
    file.seek(0)
    return pl.read_parquet(file)


def _rows_of(name: str, file: BinaryIO) -> int:
    import pyarrow.parquet as pq

    found = pq.ParquetFile(file)
    _check_schema(name, found.schema_arrow)
    return int(found.metadata.num_rows)


def _arrow_batches(name: str, file: BinaryIO) -> Iterator[pl.DataFrame]:
    import pyarrow as pa

    is_file = file.read(len(_ARROW_MARK)) == _ARROW_MARK
    file.seek(0)
    try:
        with (pa.ipc.open_file if is_file else pa.ipc.open_stream)(file) as reader:
            _check_schema(name, reader.schema)
            batches = (reader.get_batch(at) for at in range(reader.num_record_batches)) if is_file else iter(reader)
            yield to_polars(pa.Table.from_batches([], reader.schema))
            for batch in batches:
                yield to_polars(pa.Table.from_batches([batch]))
    except (pa.ArrowException, OSError) as error:
        raise UnreadableSource(f"{name} is no whole Arrow file.", why=str(error).splitlines()[0], fix=_AGAIN) from error


def _check_schema(name: str, schema: Any) -> None:
    """What would end the reader in a panic, or mean two things, is said in words."""
    import pyarrow as pa

    seen: set[str] = set()
    for column in schema:
        if column.name in seen:
            raise UnreadableSource(
                f"{name} has two columns {column.name!r}.",
                fix="Give every column a name of its own; which of the two is meant cannot be guessed.",
                column=column.name,
            )
        seen.add(column.name)
        zone = column.type.tz if pa.types.is_timestamp(column.type) else None
        if zone is not None and not _is_zone(zone):
            raise UnreadableSource(
                f"{name}: the times of the column {column.name!r} are said to be of the zone {zone!r}, which does not exist.",
                fix="Write them in UTC, or in a zone of the IANA database such as 'Europe/Berlin'.",
                column=column.name,
            )


def _is_zone(zone: str) -> bool:
    if zone[:1] in "+-":
        return True
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _guarded(name: str, read: Any) -> Any:
    import pyarrow as pa

    try:
        return read()
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        raise _damaged(name, error) from error
    except BaseException as error:  # a panic of the Rust reader is no Exception, and would end a worker
        if type(error).__name__ != "PanicException":
            raise
        raise _damaged(name, error) from error


def _damaged(name: str, error: BaseException) -> UnreadableSource:
    return UnreadableSource(f"{name} is a damaged Parquet file.", why=str(error).splitlines()[0], fix=_AGAIN)
