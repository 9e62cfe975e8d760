"""Batches of rows as the bytes of one file, piece by piece: nothing is held but the batch at hand."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import polars as pl
from polars.exceptions import PolarsError

from treadle.systems.collect.errors import QueryRefused
from treadle.systems.collect.querying.records import Format

if TYPE_CHECKING:
    import pyarrow as pa


def file_of(schema: pa.Schema, batches: Iterable[pa.RecordBatch], form: Format) -> Iterator[bytes]:
    """The file's bytes. Raises QueryRefused where the form cannot hold a column."""
    if form in ("parquet", "arrow"):
        return _columnar(schema, batches, form)
    return _lines(schema, batches, form)


class _Spout(io.RawIOBase):
    """A file that only grows; what was written is taken out piece by piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._place = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def write(self, data: object) -> int:
        piece = bytes(data)  # type: ignore[call-overload]
        self._pieces.append(piece)
        self._place += len(piece)
        return len(piece)

    def taken(self) -> bytes:
        found, self._pieces = b"".join(self._pieces), []
        return found


def _columnar(schema: pa.Schema, batches: Iterable[pa.RecordBatch], form: Format) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    spout = _Spout()
    try:
        writer = (
            pq.ParquetWriter(spout, schema, compression="zstd") if form == "parquet" else pa.ipc.new_file(spout, schema)
        )
        with writer:
            for batch in batches:
                writer.write_batch(batch)
                yield spout.taken()
        yield spout.taken()
    except pa.ArrowNotImplementedError as error:
        raise _unfit(form, str(error)) from error


def _lines(schema: pa.Schema, batches: Iterable[pa.RecordBatch], form: Format) -> Iterator[bytes]:
    try:
        if form == "csv":
            yield pl.DataFrame(schema=pl.from_arrow(schema.empty_table()).schema).write_csv().encode()  # type: ignore[union-attr]
        for batch in batches:
            frame = pl.DataFrame(pl.from_arrow(batch))
            text = frame.write_csv(include_header=False) if form == "csv" else frame.write_ndjson()
            yield text.encode()
    except PolarsError as error:
        raise _unfit(form, str(error).splitlines()[0]) from error


def _unfit(form: Format, why: str) -> QueryRefused:
    return QueryRefused(
        f"A column does not fit into {form}.", why=why, fix="Export as parquet, or cast the column in SQL."
    )
