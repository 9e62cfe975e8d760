"""Errors of frames.

InvalidInput
├── NotAFrame               the value is no table of columns
├── ColumnNotSupported      a column holds what Arrow has no type for
└── IndexNotNamed           a pandas index (or its columns) would be lost or would change its meaning
"""

from __future__ import annotations

from treadle.ground.errors import InvalidInput


class NotAFrame(InvalidInput):
    code = "frame.not_a_frame"


class ColumnNotSupported(InvalidInput):
    code = "frame.column_not_supported"


class IndexNotNamed(InvalidInput):
    code = "frame.index_not_named"
