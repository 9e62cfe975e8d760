"""The digest of a frame: names, types, nulls, values and the order of rows, and nothing of how they lie in memory.

Format `treadle.frame.v1`. Integers are little-endian; H is SHA-256, 32 bytes; types have the names of `logical`.

    digest  = H( "treadle.frame.v1\\n"  u64 rows  u32 columns
                 for each column:  u32 length, name in UTF-8;  u32 length, type name in UTF-8;  NODE )

    NODE    = H( u64 rows  u64 nulls  [ H(validity) if nulls > 0 ]  CONTENT )     of a column, or of a level of a nested one

    CONTENT by type
        null                      nothing
        bool                      H(one bit a row)
        utf8, binary              H(one u32 a row: length in bytes)  H(the bytes of all rows, end to end)
        list, map                 H(one u32 a row: number of elements)  NODE of all elements, end to end
                                  (those of a map are struct<key,value>)
        fixed_list                NODE of the elements of the rows that are not null
        struct                    for each field: NODE, its rows null where the struct is
        extension                 CONTENT of its storage
        all others                H(the values, each in its fixed width)
                                  decimal: two's complement, 16 bytes up to precision 38, above it 32

Bits are packed eight to a byte, the first row in the lowest bit, the last byte filled up with zeros; validity 1 means a value.
A row that is null counts as zero: its bits are 0, its length is 0, it has no bytes or elements. Every NaN is written as the
quiet one with no payload (0x7ff8…, 0x7fc0…, 0x7e00); -0.0 and 0.0 differ.

Each H runs along its whole column, so how the column is cut into chunks cannot be seen, and a column of plain numbers is hashed
where it lies. Columns are hashed in parallel. Cost: about 0.6 s a GB on one core (that of sha256), a few MiB beyond the table;
nested columns with nulls are copied once, one column at a time.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from treadle.ground.frames.convert import to_arrow
from treadle.ground.frames.errors import ColumnNotSupported
from treadle.ground.frames.logical import logical_name

if TYPE_CHECKING:
    import numpy as np

PREFIX = b"treadle.frame.v1\n"

_WINDOW_ROWS = 1 << 16
"""Rows worked on at once where a copy is needed: it stays in the processor's cache."""

_PARALLEL_BYTES = 4 << 20
_MAX_LENGTH = 0xFFFF_FFFF
_NAN = {2: 0x7E00, 4: 0x7FC0_0000, 8: 0x7FF8_0000_0000_0000}


def frame_digest(value: Any, *, threads: int | None = None) -> str:
    """`sha256:…` of a frame's logical content; the same for Arrow, Polars and pandas.

    value: anything that `to_arrow` takes. threads: at most so many columns at once; None is one for each core, up to 8.
    Raises ColumnNotSupported for unions and cells of 4 GiB, NotAFrame, IndexNotNamed.
    """
    table = to_arrow(value)
    columns = [
        (name, logical_name(column.type), column)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    workers = min(len(columns), threads or min(8, os.cpu_count() or 1))
    if workers > 1 and table.nbytes > _PARALLEL_BYTES:
        with ThreadPoolExecutor(workers, thread_name_prefix="treadle-digest") as pool:
            nodes = list(pool.map(lambda entry: _node(entry[2].type, entry[2].chunks), columns))
    else:
        nodes = [_node(column.type, column.chunks) for _, _, column in columns]
    whole = hashlib.sha256(PREFIX + struct.pack("<QI", table.num_rows, len(columns)))
    for (name, kind, _), node in zip(columns, nodes, strict=True):
        whole.update(_text(name) + _text(kind) + node)
    return "sha256:" + whole.hexdigest()


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<I", len(data)) + data


def _node(kind: Any, parts: list[Any]) -> bytes:
    """NODE of the parts of one column, end to end."""
    from pyarrow import types

    kind, parts = _decoded(kind, parts)
    rows = sum(len(part) for part in parts)
    nulls = rows if types.is_null(kind) else sum(part.null_count for part in parts)
    node = hashlib.sha256(struct.pack("<QQ", rows, nulls))
    if nulls and not types.is_null(kind):
        node.update(_validity(parts))
    for piece in _content(kind, parts):
        node.update(piece)
    return node.digest()


def _decoded(kind: Any, parts: list[Any]) -> tuple[Any, list[Any]]:
    """Without extension and run-end encoding, and without the dictionaries that cannot be decoded window by window."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind, parts = kind.storage_type, [part.storage for part in parts]
        elif types.is_run_end_encoded(kind):
            kind, parts = kind.value_type, [pc.run_end_decode(part) for part in parts]
        elif types.is_dictionary(kind) and _is_decoded_at_once(kind, parts):
            kind, parts = kind.value_type, [part.dictionary_decode() for part in parts]
        else:
            return kind, parts


def _is_decoded_at_once(kind: Any, parts: list[Any]) -> bool:
    from pyarrow import types

    value = kind.value_type
    odd = types.is_nested(value) or types.is_dictionary(value) or types.is_null(value)
    return odd or isinstance(value, _extension()) or any(part.dictionary.null_count for part in parts)


def _extension() -> Any:
    import pyarrow as pa

    return pa.BaseExtensionType


def _content(kind: Any, parts: list[Any]) -> Iterator[bytes]:
    from pyarrow import types

    value = kind.value_type if types.is_dictionary(kind) else kind
    if types.is_null(value):
        return
    if types.is_struct(value):
        flattened = [part.flatten() for part in parts]
        for place, field in enumerate(value):
            yield _node(field.type, [fields[place] for fields in flattened])
    elif types.is_map(value):
        yield from _lists(_map_as_list(value), [part.cast(_map_as_list(value)) for part in parts])
    elif types.is_fixed_size_list(value):
        yield _node(value.value_type, [part.flatten() for part in parts])
    elif types.is_nested(value):
        yield from _lists(value, parts)
    elif types.is_boolean(value):
        yield _bits(parts)
    elif _has_lengths(value):
        yield from _strings(parts)
    else:
        yield _numbers(value, parts)


def _lists(kind: Any, parts: list[Any]) -> Iterator[bytes]:
    import pyarrow.compute as pc

    lengths = hashlib.sha256()
    for window in _windows(parts):
        lengths.update(_lengths(_fixed(pc.list_value_length(window)), window))
    yield lengths.digest()
    yield _node(kind.value_type, [part.flatten() for part in parts])


def _map_as_list(kind: Any) -> Any:
    import pyarrow as pa

    return pa.list_(pa.struct([pa.field("key", kind.key_type), pa.field("value", kind.item_type)]))


def _has_lengths(kind: Any) -> bool:
    from pyarrow import types

    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_binary_view(kind)
    )


def _strings(parts: list[Any]) -> Iterator[bytes]:
    """The lengths, and the bytes: hashed where they lie, unless something hides under a null."""
    lengths, content = hashlib.sha256(), hashlib.sha256()
    for window in _windows(parts):
        array = _with_offsets(window)
        sizes, start, end = _spans(array)
        if array.null_count and bool((sizes * (1 - _mask(array))).any()):
            array = _emptied(array)
            sizes, start, end = _spans(array)
        lengths.update(_lengths(sizes, array))
        if end > start:
            content.update(memoryview(array.buffers()[2])[start:end])
    yield lengths.digest()
    yield content.digest()


def _with_offsets(array: Any) -> Any:
    """The same strings as (large) string or binary, whose offsets can be read."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if types.is_string_view(array.type):
        return array.cast(pa.large_string())
    if types.is_binary_view(array.type):
        return array.cast(pa.large_binary())
    return array


def _spans(array: Any) -> tuple[np.ndarray[Any, Any], int, int]:
    """Length of each row, and where the bytes of all rows begin and end in the buffer."""
    import numpy as np
    from pyarrow import types

    wide = types.is_large_string(array.type) or types.is_large_binary(array.type)
    buffer = array.buffers()[1]
    if not len(array) or buffer is None:
        return np.zeros(len(array), np.int64), 0, 0
    dtype = np.dtype("<i8" if wide else "<i4")
    offsets = np.frombuffer(buffer, dtype, len(array) + 1, array.offset * dtype.itemsize)
    return np.diff(offsets), int(offsets[0]), int(offsets[-1])


def _emptied(array: Any) -> Any:
    """The same rows with nothing under the nulls, which stay null."""
    import pyarrow.compute as pc

    return pc.if_else(array.is_valid(), pc.fill_null(array, b"" if "binary" in str(array.type) else ""), None)


def _lengths(sizes: np.ndarray[Any, Any], array: Any) -> memoryview:
    """One u32 a row, zero under nulls."""
    import numpy as np

    if array.null_count:
        sizes = sizes * _mask(array)
    if sizes.dtype.itemsize > 4 and len(sizes) and int(sizes.max()) > _MAX_LENGTH:
        raise ColumnNotSupported(
            "A single cell holds 4 GiB or more, which a frame's digest cannot say.",
            fix="Keep such values in files, and their paths or digests in the frame.",
        )
    return _raw(sizes.astype("<u4", copy=False) if sizes.dtype != np.dtype("<i4") else np.ascontiguousarray(sizes))


def _numbers(kind: Any, parts: list[Any]) -> bytes:
    from pyarrow import types

    values = hashlib.sha256()
    floating, decimal = types.is_floating(kind), types.is_decimal(kind)
    for part in parts:
        if not part.null_count and not floating and not decimal and not types.is_dictionary(part.type):
            values.update(_raw(_fixed(part)))
            continue
        for window in _windows([part]):
            array = window.dictionary_decode() if types.is_dictionary(window.type) else window
            numbers = _fixed(array)
            if array.null_count:
                numbers = _zeroed(numbers, _mask(array))
            if floating:
                numbers = _one_nan(numbers)
            elif decimal:
                numbers = _widened(numbers, 16 if kind.precision <= 38 else 32)
            values.update(_raw(numbers))
    return values.digest()


def _fixed(array: Any) -> np.ndarray[Any, Any]:
    """The values of a fixed-width array where they lie: shape (n,) of whole words, or (n, words or bytes)."""
    import numpy as np

    width = array.type.byte_width
    word = next(size for size in (8, 4, 2, 1) if width % size == 0) if width else 1
    buffer = array.buffers()[1]
    if not len(array) or not width or buffer is None:
        return np.zeros(0, np.uint8)
    words = np.frombuffer(buffer, f"<u{word}", len(array) * (width // word), array.offset * width)
    return words if word == width else words.reshape(len(array), width // word)


def _zeroed(numbers: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    numbers = numbers.copy()
    numbers[mask == 0] = 0
    return numbers


def _one_nan(words: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    width = words.dtype.itemsize
    if words.dtype != np.dtype(f"<u{width}") or width not in _NAN:
        return words
    found = np.isnan(words.view(f"<f{width}"))
    return np.where(found, words.dtype.type(_NAN[width]), words) if found.any() else words


def _widened(words: np.ndarray[Any, Any], width: int) -> np.ndarray[Any, Any]:
    """Two's complement integers of 4, 8, 16 or 32 bytes a row, in `width` bytes a row."""
    import numpy as np

    rows = len(words)
    have = words.nbytes // rows if rows else width
    if have == width:
        return words
    if have > width:
        return words[:, : width // 8]
    low = (words.view("<i4").astype("<i8") if have == 4 else words.view("<i8")).reshape(rows, -1)
    wide = np.empty((rows, width // 8), "<i8")
    wide[:, : low.shape[1]] = low
    wide[:, low.shape[1] :] = (low[:, -1] >> 63)[:, None]
    return wide


def _validity(parts: list[Any]) -> bytes:
    bits = _BitHash()
    for part in parts:
        buffer = part.buffers()[0] if part.null_count else None
        if buffer is not None:
            bits.packed(buffer, part.offset, len(part))
        else:
            bits.ones(len(part))
    return bits.digest()


def _bits(parts: list[Any]) -> bytes:
    """The values of a bool column, zero under nulls."""
    from pyarrow import types

    bits = _BitHash()
    for part in parts:
        array = part.dictionary_decode() if types.is_dictionary(part.type) else part
        if not array.null_count:
            bits.packed(array.buffers()[1], array.offset, len(array))
            continue
        for window in _windows([array]):
            values = _unpacked(window.buffers()[1], window.offset, len(window))
            bits.append(values * _mask(window) if window.null_count else values)
    return bits.digest()


class _BitHash:
    """H over bits that come in runs of any length; up to seven wait for their byte."""

    __slots__ = ("_hash", "_rest")

    def __init__(self) -> None:
        import numpy as np

        self._hash = hashlib.sha256()
        self._rest = np.zeros(0, np.uint8)

    def packed(self, buffer: Any, offset: int, count: int) -> None:
        """Bits as Arrow packs them."""
        if not count:
            return
        if not len(self._rest) and offset % 8 == 0:
            whole = count // 8
            self._hash.update(memoryview(buffer)[offset // 8 : offset // 8 + whole])
            offset, count = offset + whole * 8, count % 8
        for start in range(0, count, _WINDOW_ROWS):
            self.append(_unpacked(buffer, offset + start, min(_WINDOW_ROWS, count - start)))

    def ones(self, count: int) -> None:
        import numpy as np

        for start in range(0, count, _WINDOW_ROWS):
            self.append(np.ones(min(_WINDOW_ROWS, count - start), np.uint8))

    def append(self, bits: np.ndarray[Any, Any]) -> None:
        import numpy as np

        joined = np.concatenate([self._rest, bits]) if len(self._rest) else bits
        whole = len(joined) - len(joined) % 8
        self._hash.update(_raw(np.packbits(joined[:whole], bitorder="little")))
        self._rest = joined[whole:].copy()

    def digest(self) -> bytes:
        import numpy as np

        self._hash.update(_raw(np.packbits(self._rest, bitorder="little")))
        return self._hash.digest()


def _mask(array: Any) -> np.ndarray[Any, Any]:
    """One byte a row: 1 for a value, 0 for a null."""
    import numpy as np

    buffer = array.buffers()[0]
    return np.ones(len(array), np.uint8) if buffer is None else _unpacked(buffer, array.offset, len(array))


def _unpacked(buffer: Any, offset: int, count: int) -> np.ndarray[Any, Any]:
    import numpy as np

    first = offset // 8
    packed = np.frombuffer(buffer, np.uint8, (offset + count + 7) // 8 - first, first)
    return np.unpackbits(packed, bitorder="little")[offset - first * 8 : offset - first * 8 + count]


def _raw(numbers: np.ndarray[Any, Any]) -> memoryview:
    import numpy as np

    flat = np.ascontiguousarray(numbers)
    return flat.reshape(-1).view(np.uint8).data if flat.size else memoryview(b"")


def _windows(parts: list[Any]) -> Iterator[Any]:
    for part in parts:
        for start in range(0, len(part), _WINDOW_ROWS):
            yield part.slice(start, _WINDOW_ROWS)
