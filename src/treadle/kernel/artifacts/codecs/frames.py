"""Codec of frames and single columns: an Arrow IPC file, memory-mapped when it is read.

The file is not compressed: it can then be read where it lies, which costs a millisecond whatever its size. (The 336,776 flights of
2013: 63 MB read in 1.2 ms; with lz4 20 MB in 106 ms, with zstd 9 MB in 85 ms; measured in November 2026 on 2 cores.) Dictionaries, chunks and pandas' notes stay in
the file as they came: they are storage, no identity (see `treadle.ground.frames`).

The consumer chooses the library: `load(artifact, pl.DataFrame)`. Without a choice the value comes back as what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from treadle.ground import frames
from treadle.ground.frames.convert import maker
from treadle.kernel.artifacts.codecs.base import Codec, Draft, Shelf, Source, identity, placed
from treadle.kernel.artifacts.errors import BlobCorrupt, NotLoadable, NotStorable
from treadle.kernel.artifacts.records import Artifact

if TYPE_CHECKING:
    import pyarrow as pa

_IN_MEMORY_BYTES = 1 << 20
_BATCH_ROWS = 1 << 20
_SMALL_CHUNK_ROWS = 4096


class Frames:
    """Tables of Arrow, Polars, pandas, and of whatever exports an Arrow stream."""

    name, kind = "frame/arrow", "frame"

    def accepts(self, value: Any) -> bool:
        return frames.is_frame(value)

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        return FrameDraft(self, shelf, frames.to_arrow(value), ".".join(maker(value)).strip("."))

    def load(self, source: Source, as_type: Any) -> Any:
        return _as_frame(read_table(source), as_type, source.meta.get("origin", ""))

    def parts(self, source: Source) -> Iterable[str]:
        return ()


class Columns:
    """One column: a Series or an Arrow array. Its digest is that of a frame of one column, set apart."""

    name, kind = "series/arrow", "series"

    def accepts(self, value: Any) -> bool:
        return frames.is_column(value)

    def draft(self, value: Any, shelf: Shelf) -> Draft:
        return FrameDraft(self, shelf, frames.to_arrow(value), ".".join(maker(value)))

    def load(self, source: Source, as_type: Any) -> Any:
        return _as_column(read_table(source), as_type, source.meta.get("origin", ""))

    def parts(self, source: Source) -> Iterable[str]:
        return ()


class FrameDraft:
    """A table on its way: hashed once, while it is written."""

    __slots__ = ("_codec", "_digest", "_origin", "_shelf", "_table")

    def __init__(self, codec: Codec, shelf: Shelf, table: pa.Table, origin: str) -> None:
        self._codec, self._shelf, self._table, self._origin = codec, shelf, table, origin
        self._digest = ""

    def digest(self) -> str:
        if not self._digest:
            digest = frames.frame_digest(self._table)
            self._digest = digest if self._codec.kind == "frame" else identity(self._codec.kind, digest.encode())
        return self._digest

    def store(self) -> Artifact:
        table = _storable(self._table)
        meta = {"rows": table.num_rows, "columns": len(table.column_names), "origin": self._origin}
        if table.nbytes < _IN_MEMORY_BYTES:
            return placed(self._codec, self._shelf, self.digest(), _ipc_bytes(table), meta)
        with ThreadPoolExecutor(1, thread_name_prefix="treadle-frame") as pool:
            digest = pool.submit(self.digest)
            with self._shelf.blobs.create() as writer:
                _write_ipc(table, writer)
                info = writer.commit()
            return Artifact(
                digest=digest.result(),
                kind=self._codec.kind,
                codec=self._codec.name,
                size_bytes=info.size_bytes,
                blob=info.digest,
                meta=meta,
            )


def read_table(source: Source) -> pa.Table:
    """The stored table, memory-mapped where it is a file."""
    import pyarrow as pa

    path = source.path()
    try:
        opened = pa.memory_map(str(path)) if path is not None else pa.BufferReader(source.bytes())
        return pa.ipc.open_file(opened).read_all()
    except (pa.ArrowInvalid, OSError) as problem:
        raise BlobCorrupt(
            f"The stored frame {source.artifact.digest} cannot be read.",
            why=f"Arrow says: {problem}",
            fix="Find all damaged artifacts with: treadle doctor. Run the step that made it again.",
            digest=source.artifact.digest,
        ) from problem


def _storable(table: pa.Table) -> pa.Table:
    """With one dictionary a column, and without thousands of tiny chunks or slices of huge view buffers."""
    import pyarrow as pa
    from pyarrow import types

    table = _without_views(table)
    if any(types.is_dictionary(kind) for kind in table.schema.types):
        table = table.unify_dictionaries()
    chunks = max((column.num_chunks for column in table.columns), default=0)
    if chunks > 8 and table.num_rows / chunks < _SMALL_CHUNK_ROWS:
        table = table.combine_chunks()
    try:
        table.schema.serialize()
    except pa.ArrowException as problem:
        raise NotStorable("The table cannot be written as an Arrow file.", why=str(problem)) from problem
    return table


def _without_views(table: pa.Table) -> pa.Table:
    """String views as large strings: a slice of views would be written with all of the buffers that it was cut from."""
    import pyarrow as pa
    from pyarrow import types

    for place, field in enumerate(table.schema):
        plain = None
        if types.is_string_view(field.type):
            plain = pa.large_string()
        elif types.is_binary_view(field.type):
            plain = pa.large_binary()
        if plain is not None:
            table = table.set_column(place, field.with_type(plain), table.column(place).cast(plain))
    return table


def _write_ipc(table: pa.Table, sink: Any) -> None:
    import pyarrow as pa

    with pa.PythonFile(_ArrowSink(sink), mode="w") as stream, pa.ipc.new_file(stream, table.schema) as writer:
        writer.write_table(table, max_chunksize=_BATCH_ROWS)


def _ipc_bytes(table: pa.Table) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


class _ArrowSink:
    """A blob writer with the face of a Python file, as Arrow asks for; closing it commits nothing."""

    def __init__(self, writer: Any) -> None:
        self._writer, self.closed = writer, False

    def write(self, data: Any) -> int:
        return int(self._writer.write(data))

    def flush(self) -> None: ...

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _as_frame(table: pa.Table, as_type: Any, origin: str) -> Any:
    wanted = _wanted(as_type) or origin
    make = _FRAME_MAKERS.get(wanted)
    if make is None and as_type is None:
        return table
    if make is None:
        raise _cannot(as_type, "frame", "pa.Table, pl.DataFrame, pl.LazyFrame, pd.DataFrame or np.ndarray")
    return make(table)


def _as_column(table: pa.Table, as_type: Any, origin: str) -> Any:
    wanted = _wanted(as_type) or origin
    make = _COLUMN_MAKERS.get(wanted)
    if make is None:
        raise _cannot(as_type, "column", "pl.Series, pd.Series, pa.ChunkedArray or np.ndarray")
    return make(table)


def _wanted(as_type: Any) -> str:
    if as_type is None:
        return ""
    root = getattr(as_type, "__module__", "").partition(".")[0]
    return f"{root}.{getattr(as_type, '__name__', as_type)}"


def _cannot(as_type: Any, what: str, kinds: str) -> NotLoadable:
    return NotLoadable(
        f"A stored {what} cannot be loaded as {getattr(as_type, '__name__', as_type)}.",
        fix=f"Annotate the parameter with one of {kinds}, or leave it out.",
    )


def _polars_series(table: pa.Table) -> Any:
    return frames.to_polars(table).to_series(0)


def _pandas_series(table: pa.Table) -> Any:
    series = frames.to_pandas(table).iloc[:, 0]
    return series.rename(None) if series.name == "" else series


_FRAME_MAKERS: dict[str, Callable[[Any], Any]] = {
    "pyarrow.Table": lambda table: table,
    "pyarrow.RecordBatch": lambda table: table.combine_chunks().to_batches()[0],
    "pyarrow.RecordBatchReader": lambda table: table.to_reader(),
    "polars.DataFrame": frames.to_polars,
    "polars.LazyFrame": lambda table: frames.to_polars(table).lazy(),
    "pandas.DataFrame": frames.to_pandas,
    "numpy.ndarray": frames.to_numpy,
}
_COLUMN_MAKERS: dict[str, Callable[[Any], Any]] = {
    "polars.Series": _polars_series,
    "pandas.Series": _pandas_series,
    "pyarrow.ChunkedArray": lambda table: table.column(0),
    "pyarrow.Array": lambda table: table.column(0).combine_chunks(),
    "numpy.ndarray": lambda table: _polars_series(table).to_numpy(),
    "pyarrow.Table": lambda table: table,
    "polars.DataFrame": frames.to_polars,
    "pandas.DataFrame": frames.to_pandas,
}
