"""Codec of NumPy arrays: an .npy file, memory-mapped when it is read.

The digest is that of type, shape and values in C order: not of strides, byte order or Fortran layout. Every NaN is alike, -0.0
is kept, the padding of structured types is skipped. Large arrays are mapped copy-on-write: a step may change its own
copy, and never the stored one.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from treadle.ground import frames
from treadle.kernel.artifacts.codecs.base import Codec, Draft, Shelf, Source, identity_of_hash, placed
from treadle.kernel.artifacts.errors import BlobCorrupt, NotLoadable, NotStorable
from treadle.kernel.artifacts.records import Artifact

if TYPE_CHECKING:
    import numpy as np

_WINDOW_BYTES = 1 << 20
_IN_MEMORY_BYTES = 1 << 20
_PIECE_BYTES = 8 << 20


class Arrays:
    """np.ndarray of numbers, booleans, times, fixed-width text, and structs of them."""

    name, kind = "array/npy", "array"

    def accepts(self, value: Any) -> bool:
        return hasattr(value, "__array_finalize__") and hasattr(value, "dtype")

    def draft(self, value: np.ndarray[Any, Any], shelf: Shelf) -> Draft:
        _check(value)
        return ArrayDraft(self, shelf, value)

    def load(self, source: Source, as_type: Any) -> Any:
        array = _read(source)
        wanted = f"{getattr(as_type, '__module__', '').partition('.')[0]}.{getattr(as_type, '__name__', '')}"
        if as_type is None or wanted == "numpy.ndarray":
            return array
        if wanted == "polars.DataFrame":
            return frames.to_polars(frames.to_arrow(array))
        if wanted == "pandas.DataFrame":
            return frames.to_pandas(frames.to_arrow(array))
        if wanted == "pyarrow.Table":
            return frames.to_arrow(array)
        raise NotLoadable(
            f"A stored array cannot be loaded as {getattr(as_type, '__name__', as_type)}.",
            fix="Annotate the parameter with np.ndarray, or leave the annotation out.",
        )

    def parts(self, source: Source) -> Iterable[str]:
        return ()


class ArrayDraft:
    """An array on its way."""

    __slots__ = ("_array", "_codec", "_digest", "_shelf")

    def __init__(self, codec: Codec, shelf: Shelf, array: np.ndarray[Any, Any]) -> None:
        self._codec, self._shelf, self._array = codec, shelf, array
        self._digest = ""

    def digest(self) -> str:
        self._digest = self._digest or array_digest(self._array)
        return self._digest

    def store(self) -> Artifact:
        import numpy as np

        array = np.asarray(self._array)
        meta = {"shape": list(array.shape), "dtype": str(array.dtype)}
        header = _header(array)
        if array.nbytes < _IN_MEMORY_BYTES:
            return placed(self._codec, self._shelf, self.digest(), header + array.tobytes(), meta)
        with self._shelf.blobs.create() as writer:
            writer.write(header)
            for piece in _pieces(array, _PIECE_BYTES):
                writer.write(_bytes(piece))
            info = writer.commit()
        return Artifact(
            digest=self.digest(),
            kind=self._codec.kind,
            codec=self._codec.name,
            size_bytes=info.size_bytes,
            blob=info.digest,
            meta=meta,
        )


def array_digest(array: np.ndarray[Any, Any]) -> str:
    """The digest of type, shape and values: H("treadle.array.v1\\n" H(JSON of [type, shape] "\\n" values)).

    Type: NumPy's description in little-endian, e.g. "<f8", or [[name, type, shape], …] of a struct, whose fields are hashed
    one after another, each as a whole column.
    """
    state = hashlib.sha256(json.dumps([_type_name(array.dtype), list(array.shape)]).encode() + b"\n")
    _update(state, array)
    return identity_of_hash("array", state.digest())


def _type_name(dtype: np.dtype[Any]) -> Any:
    if dtype.subdtype is not None:
        return [_type_name(dtype.subdtype[0]), list(dtype.subdtype[1])]
    if dtype.names is None:
        return dtype.newbyteorder("<").str
    return [[name, _type_name(dtype[name])] for name in dtype.names]


def _update(state: Any, array: np.ndarray[Any, Any]) -> None:
    import numpy as np

    if array.dtype.names is not None:
        for name in array.dtype.names:
            _update(state, array[name])
        return
    if array.dtype.kind not in "fc" and array.flags.c_contiguous and array.dtype == array.dtype.newbyteorder("<"):
        state.update(_bytes(array))
        return
    for window in _pieces(array, _WINDOW_BYTES):
        window = window.astype(window.dtype.newbyteorder("<"), copy=False)
        if array.dtype.kind in "fc":
            real = window.reshape(-1).view(window.real.dtype)
            found = np.isnan(real)
            if found.any():
                window = np.where(found, real.dtype.type("nan"), real)
        state.update(_bytes(window))


def _pieces(array: np.ndarray[Any, Any], size: int) -> Iterable[np.ndarray[Any, Any]]:
    """Contiguous pieces in C order of about so many bytes, copied only where the array is not contiguous."""
    import numpy as np

    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        step = max(1, size // max(1, array.itemsize))
        for start in range(0, flat.shape[0], step):
            yield flat[start : start + step]
        return
    row = max(1, array.nbytes // max(1, array.shape[0]))
    step = max(1, size // row)
    for start in range(0, array.shape[0], step):
        yield np.ascontiguousarray(array[start : start + step]).reshape(-1)


def _bytes(array: np.ndarray[Any, Any]) -> memoryview:
    import numpy as np

    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.nbytes else memoryview(b"")


def _header(array: np.ndarray[Any, Any]) -> bytes:
    """The .npy header for the values in C order, aligned to 64 bytes."""
    import numpy as np

    head = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_2_0(head, described)
    return head.getvalue()


def _read(source: Source) -> np.ndarray[Any, Any]:
    import numpy as np

    path = source.path() if source.artifact.size_bytes >= _IN_MEMORY_BYTES else None
    try:
        if path is not None:
            return np.asarray(np.load(path, mmap_mode="c", allow_pickle=False))
        return np.load(io.BytesIO(source.bytes()), allow_pickle=False)  # type: ignore[no-any-return]
    except (ValueError, EOFError) as problem:
        raise BlobCorrupt(
            f"The stored array {source.artifact.digest} cannot be read.",
            why=str(problem),
            fix="Find all damaged artifacts with: treadle doctor. Run the step that made it again.",
        ) from problem


def _check(array: np.ndarray[Any, Any]) -> None:
    import numpy as np

    if type(array) not in (np.ndarray, np.memmap):
        raise NotStorable(
            f"An array of type {type(array).__module__}.{type(array).__qualname__} cannot be stored exactly.",
            fix="Return its parts, for a masked array: (array.filled(0), array.mask), or numpy.asarray(array).",
        )
    if array.dtype.hasobject or array.dtype.kind in "OT":
        raise NotStorable(
            f"An array of {array.dtype} cannot be stored: it holds Python objects.",
            fix="Give it a type: array.astype(float), or array.astype('U') for text.",
        )
