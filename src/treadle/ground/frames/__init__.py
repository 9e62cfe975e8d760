"""Frames: the same table in Arrow, Polars, pandas or NumPy, and the digest of what it says."""

from treadle.ground.frames.convert import (
    is_column,
    is_frame,
    to_arrow,
    to_numpy,
    to_pandas,
    to_polars,
)
from treadle.ground.frames.digest import frame_digest
from treadle.ground.frames.errors import ColumnNotSupported, IndexNotNamed, NotAFrame

__all__ = [
    "ColumnNotSupported",
    "IndexNotNamed",
    "NotAFrame",
    "frame_digest",
    "is_column",
    "is_frame",
    "to_arrow",
    "to_numpy",
    "to_pandas",
    "to_polars",
]
