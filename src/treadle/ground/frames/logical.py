"""The logical name of an Arrow type: what a column means, without how it lies in memory.

    null  bool  int8 … int64  uint8 … uint64  float16 float32 float64
    utf8                     string, large_string, string_view
    binary                   binary, large_binary, binary_view;   fixed_binary[n] is a type of its own
    decimal[p,s]             32, 64, 128 and 256 bits wide alike
    date[day]  date[ms]      time[unit]   timestamp[unit]   timestamp[unit,"zone"]   duration[unit]   interval[…]
    list<T>                  list, large_list, list_view, large_list_view;   fixed_list[n]<T>
    struct<"name":T,…>       map<K,V>
    extension["name","metadata in hex"]<T>      Arrow's own types: their text in hex, e.g. of extension<arrow.uuid>

A dictionary (categorical, enum) and a run-end encoding have the name of the values that they stand for. Whether a field
may be null, and what the item of a list is called, is no part of the name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from treadle.ground.frames.errors import ColumnNotSupported

if TYPE_CHECKING:
    import pyarrow as pa

_RENAMED = {
    "string": "utf8",
    "large_string": "utf8",
    "string_view": "utf8",
    "large_binary": "binary",
    "binary_view": "binary",
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
    "date32[day]": "date[day]",
    "date64[ms]": "date[ms]",
    "month_interval": "interval[month]",
    "day_time_interval": "interval[day_time]",
    "month_day_nano_interval": "interval[month_day_nano]",
}


def logical_name(kind: pa.DataType) -> str:
    """The name under which a type enters a digest. Raises ColumnNotSupported for unions."""
    from pyarrow import types

    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return logical_name(kind.value_type)
    if isinstance(kind, _extension_base()):
        parts = f"{_quoted(kind.extension_name)},{_quoted(_extension_metadata(kind).hex())}"
        return f"extension[{parts}]<{logical_name(kind.storage_type)}>"
    if types.is_nested(kind):
        return _nested(kind)
    return _plain(kind)


def _nested(kind: Any) -> str:
    from pyarrow import types

    if types.is_struct(kind):
        fields = (f"{_quoted(field.name)}:{logical_name(field.type)}" for field in kind)
        return f"struct<{','.join(fields)}>"
    if types.is_map(kind):
        return f"map<{logical_name(kind.key_type)},{logical_name(kind.item_type)}>"
    if types.is_fixed_size_list(kind):
        return f"fixed_list[{kind.list_size}]<{logical_name(kind.value_type)}>"
    if types.is_union(kind):
        raise ColumnNotSupported(
            f"A column of type {kind} has no digest: its rows have different types.",
            fix="Split it into one column for each type.",
        )
    return f"list<{logical_name(kind.value_type)}>"


def _plain(kind: Any) -> str:
    from pyarrow import types

    if types.is_decimal(kind):
        return f"decimal[{kind.precision},{kind.scale}]"
    if types.is_timestamp(kind):
        return f"timestamp[{kind.unit}]" if kind.tz is None else f"timestamp[{kind.unit},{_quoted(kind.tz)}]"
    if types.is_time(kind):
        return f"time[{kind.unit}]"
    if types.is_fixed_size_binary(kind):
        return f"fixed_binary[{kind.byte_width}]"
    name = str(kind)
    return _RENAMED.get(name, name)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _extension_base() -> Any:
    import pyarrow as pa

    return pa.BaseExtensionType


def _extension_metadata(kind: Any) -> bytes:
    serialize = getattr(kind, "__arrow_ext_serialize__", None)
    if serialize is not None:
        return bytes(serialize())
    return str(
        kind
    ).encode()  # Arrow's own (uuid, tensors) have no serialiser in Python; their text names every parameter
