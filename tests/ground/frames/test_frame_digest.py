"""A frame's digest says what the frame says, however it lies in memory."""

from __future__ import annotations

import hashlib
import itertools
import math
import struct
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.ground.frames import ColumnNotSupported, frame_digest, to_arrow

quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

floats = st.floats(width=64, allow_nan=True)
texts = st.text(max_size=12)
COLUMNS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int8": (pa.int8(), st.integers(-128, 127)),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "bool": (pa.bool_(), st.booleans()),
    "float32": (pa.float32(), st.floats(width=32)),
    "float64": (pa.float64(), floats),
    "text": (pa.string(), texts),
    "binary": (pa.binary(), st.binary(max_size=12)),
    "fixed": (pa.binary(3), st.binary(min_size=3, max_size=3)),
    "decimal": (pa.decimal128(20, 2), st.decimals(-(10**17), 10**17, places=2)),
    "date": (pa.date32(), st.dates()),
    "moment": (pa.timestamp("us", "Europe/Berlin"), st.integers(0, 2**50)),
    "list": (pa.list_(pa.int16()), st.lists(st.one_of(st.none(), st.integers(-9, 9)), max_size=4)),
    "pair": (pa.list_(pa.float64(), 2), st.lists(floats, min_size=2, max_size=2)),
    "struct": (
        pa.struct([("x", pa.int32()), ("y", pa.string())]),
        st.fixed_dictionaries({"x": st.one_of(st.none(), st.integers(0, 9)), "y": texts}),
    ),
    "map": (pa.map_(pa.string(), pa.int64()), st.lists(st.tuples(texts, st.integers(0, 9)), max_size=3)),
    "texts": (pa.list_(pa.string()), st.lists(texts, max_size=3)),
    "nothing": (pa.null(), st.none()),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    names = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=3, unique=True))
    rows = draw(st.integers(0, 40))
    columns = {}
    for name in names:
        kind, values = COLUMNS[name]
        cells = draw(st.lists(st.one_of(values, st.none()), min_size=rows, max_size=rows))
        columns[name] = pa.array(cells, kind)
    return pa.table(columns)


def cut(table: pa.Table, places: list[int]) -> pa.Table:
    """The same rows, every chunk a slice out of an array of its own."""
    edges = [0, *sorted(place % (table.num_rows + 1) for place in places), table.num_rows]
    slices = [table.slice(start, end - start) for start, end in itertools.pairwise(edges)]
    copies = [
        pa.concat_tables([piece, piece, piece]).combine_chunks().slice(piece.num_rows, piece.num_rows)
        for piece in slices
    ]
    return pa.concat_tables(copies)


@quick
@given(tables(), st.lists(st.integers(0, 100), max_size=5))
def test_digest_ignores_chunks_and_slices(table: pa.Table, places: list[int]) -> None:
    assert frame_digest(cut(table, places)) == frame_digest(table)


@quick
@given(tables(), st.data())
def test_digest_changes_with_any_cell(table: pa.Table, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(table.column_names))
    if table.num_rows == 0 or name == "nothing":
        return
    place = data.draw(st.integers(0, table.num_rows - 1))
    cells = table.column(name).to_pylist()
    other = None if cells[place] is not None else pa.array([_any_cell(name)], COLUMNS[name][0]).to_pylist()[0]
    cells[place] = other

    changed = table.set_column(table.column_names.index(name), name, pa.array(cells, COLUMNS[name][0]))

    assert frame_digest(changed) != frame_digest(table)


def _any_cell(name: str) -> Any:
    zeros = {
        "text": "",
        "binary": b"",
        "fixed": b"\0\0\0",
        "decimal": Decimal(0),
        "list": [],
        "pair": [0.0, 0.0],
        "map": [],
    }
    return {**zeros, "struct": {"x": None, "y": None}, "texts": [], "bool": False}.get(name, 0)


@quick
@given(st.lists(st.one_of(st.none(), texts), max_size=50), st.lists(st.integers(0, 100), max_size=3))
def test_all_kinds_of_text_are_one(cells: list[str | None], places: list[int]) -> None:
    plain = pa.table({"s": pa.array(cells, pa.string())})
    kinds = [
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.uint32(), pa.large_string()),
    ]
    others = [pa.table({"s": pa.array(cells, pa.string()).cast(kind)}) for kind in kinds]
    others += [
        pa.table({"s": pc.run_end_encode(pa.array(cells, pa.string()))}),
        pl.DataFrame({"s": cells}, schema={"s": pl.String}),
    ]
    others += [pl.DataFrame({"s": cells}, schema={"s": pl.Categorical})]

    found = {
        frame_digest(cut(other, places) if isinstance(other, pa.Table) and _can_be_cut(other) else other)
        for other in others
    }

    assert found == {frame_digest(plain)}


def _can_be_cut(table: pa.Table) -> bool:
    return not isinstance(table.schema.types[0], pa.RunEndEncodedType)


def test_binary_and_list_kinds_are_one() -> None:
    cells = [b"a", None, b"a binary that is longer than twelve"]
    assert (
        len(
            {
                frame_digest(pa.table({"b": pa.array(cells, kind)}))
                for kind in (pa.binary(), pa.large_binary(), pa.binary_view())
            }
        )
        == 1
    )
    lists = [[1, 2], None, [], [3]]
    item = pa.int64()
    kinds = (
        pa.list_(item),
        pa.large_list(item),
        pa.list_view(item),
        pa.large_list_view(item),
        pa.list_(pa.field("other", item)),
    )
    assert len({frame_digest(pa.table({"l": pa.array(lists, kind)})) for kind in kinds}) == 1


@pytest.mark.parametrize("kind", [pa.decimal32(5, 2), pa.decimal64(5, 2), pa.decimal128(5, 2), pa.decimal256(5, 2)])
def test_decimal_widths_are_one(kind: pa.DataType) -> None:
    cells = [Decimal("-1.25"), None, Decimal("999.99"), Decimal(0)]
    assert frame_digest(pa.table({"d": pa.array(cells, kind)})) == frame_digest(
        pa.table({"d": pa.array(cells, pa.decimal128(5, 2))})
    )


def test_nan_is_one_and_zero_has_a_sign() -> None:
    odd = np.array([0xFFF8_0000_0000_0001, 0x7FF0_0000_0000_0001], np.uint64).view(np.float64)
    assert frame_digest(pa.table({"x": odd})) == frame_digest(pa.table({"x": [math.nan, math.nan]}))
    assert frame_digest(pa.table({"x": [-0.0]})) != frame_digest(pa.table({"x": [0.0]}))
    assert frame_digest(pa.table({"x": [math.nan]})) != frame_digest(pa.table({"x": pa.array([None], pa.float64())}))


@pytest.mark.parametrize(
    ("kind", "width"),
    [(pa.int64(), 8), (pa.float32(), 4), (pa.decimal128(9, 1), 16), (pa.int8(), 1), (pa.month_day_nano_interval(), 16)],
)
def test_what_lies_under_a_null_cannot_be_seen(kind: pa.DataType, width: int) -> None:
    validity = pa.py_buffer(b"\x05")
    clean = pa.Array.from_buffers(
        kind, 3, [validity, pa.py_buffer(b"\x01" * width + b"\x00" * width + b"\x01" * width)]
    )
    dirty = pa.Array.from_buffers(
        kind, 3, [validity, pa.py_buffer(b"\x01" * width + b"\x77" * width + b"\x01" * width)]
    )
    assert frame_digest(pa.table({"x": dirty})) == frame_digest(pa.table({"x": clean}))


def test_text_and_lists_under_a_null_cannot_be_seen() -> None:
    validity, offsets = pa.py_buffer(b"\x05"), pa.py_buffer(np.array([0, 1, 4, 5], np.int32).tobytes())
    dirty = pa.Array.from_buffers(pa.string(), 3, [validity, offsets, pa.py_buffer(b"axxxb")])
    assert frame_digest(pa.table({"s": dirty})) == frame_digest(pa.table({"s": ["a", None, "b"]}))
    child = pa.array([1, 7, 7, 7, 2])
    lists = pa.Array.from_buffers(pa.list_(pa.int64()), 3, [validity, offsets], children=[child])
    assert frame_digest(pa.table({"l": lists})) == frame_digest(pa.table({"l": [[1], None, [2]]}))
    pairs = pa.Array.from_buffers(pa.list_(pa.int64(), 1), 3, [validity], children=[pa.array([1, 7, 2])])
    assert frame_digest(pa.table({"p": pairs})) == frame_digest(
        pa.table({"p": pa.array([[1], None, [2]], pa.list_(pa.int64(), 1))})
    )
    parts = pa.Array.from_buffers(pa.struct([("x", pa.int64())]), 3, [validity], children=[pa.array([1, 7, 2])])
    assert frame_digest(pa.table({"t": parts})) == frame_digest(pa.table({"t": [{"x": 1}, None, {"x": 2}]}))


def test_null_entries_of_a_dictionary_are_nulls() -> None:
    encoded = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0]), pa.array(["a", None]))
    assert frame_digest(pa.table({"s": encoded})) == frame_digest(pa.table({"s": ["a", None, None, "a"]}))


def test_bits_are_aligned_across_chunks_of_any_length() -> None:
    cells = [None if place % 7 == 0 else place % 3 == 0 for place in range(1000)]
    whole = pa.table({"b": pa.array(cells, pa.bool_())})
    odd = pa.concat_tables([whole.slice(start, 13) for start in range(0, 1000, 13)])
    assert frame_digest(odd) == frame_digest(whole)


def test_large_tables_cross_windows_and_threads() -> None:
    rng = np.random.default_rng(5)
    rows = 150_001
    mask = rng.random(rows) < 0.2
    text = pa.array([f"v{n % 977}" for n in range(rows)], mask=mask)
    table = pa.table(
        {"x": pa.array(rng.normal(size=rows), mask=mask), "s": text, "b": pa.array(rng.random(rows) < 0.5, mask=mask)}
    )
    pieces = pa.concat_tables([table.slice(start, 70_003) for start in range(0, rows, 70_003)])

    assert frame_digest(pieces, threads=1) == frame_digest(table, threads=3)
    assert frame_digest(pl.from_arrow(table)) == frame_digest(table)


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"b": [1, 2], "a": ["x", "y"]}),
        pa.table({"a": ["x", "y"], "c": [1, 2]}),
        pa.table({"a": ["y", "x"], "b": [2, 1]}),
        pa.table({"a": ["x", "y"], "b": pa.array([1, 2], pa.int32())}),
        pa.table({"a": ["x", "y"], "b": [1.0, 2.0]}),
        pa.table({"a": [b"x", b"y"], "b": [1, 2]}),
        pa.table({"a": ["xy", ""], "b": [1, 2]}),
        pa.table({"a": ["x", "y", "z"], "b": [1, 2, 3]}),
        pa.table({"a": ["x", "y"]}),
        pa.table({"a": ["x", "y"], "b": [1, 2], "n": [None, None]}),
    ],
    ids=lambda table: str(table.schema).replace("\n", " "),
)
def test_names_types_values_and_order_count(other: pa.Table) -> None:
    assert frame_digest(other) != frame_digest(pa.table({"a": ["x", "y"], "b": [1, 2]}))


def test_units_and_zones_count() -> None:
    kinds = [pa.timestamp(unit, zone) for unit in ("ms", "us", "ns") for zone in (None, "UTC", "Europe/Berlin")]
    kinds += [pa.duration("s"), pa.time64("us"), pa.time64("ns"), pa.date64(), pa.int64(), pa.uint64()]
    found = {frame_digest(pa.table({"t": pa.array([0, 86_400_000], pa.int64()).cast(kind)})) for kind in kinds}
    assert len(found) == len(kinds)


def test_decimal_scale_counts() -> None:
    assert frame_digest(pa.table({"d": pa.array([Decimal(1)], pa.decimal128(9, 0))})) != frame_digest(
        pa.table({"d": pa.array([Decimal(1)], pa.decimal128(9, 2))})
    )


def test_boundaries_between_nested_rows_count() -> None:
    one, other = pa.table({"l": [[1, 2], [3]]}), pa.table({"l": [[1], [2, 3]]})
    assert frame_digest(one) != frame_digest(other)
    assert frame_digest(pa.table({"l": pa.array([[1, 2]], pa.list_(pa.int64(), 2))})) != frame_digest(
        pa.table({"l": [[1, 2]]})
    )


def test_the_three_libraries_agree() -> None:
    columns = {"n": [1, 2, 3], "x": [0.5, None, -0.0], "s": ["a", None, "c"], "b": [True, False, True]}
    arrow = pa.table(columns)
    moment = pa.array([0, 1, None], pa.timestamp("us"))
    arrow = arrow.append_column("t", moment)

    assert frame_digest(pl.from_arrow(arrow)) == frame_digest(arrow)
    assert frame_digest(arrow.to_pandas()) == frame_digest(arrow)
    assert frame_digest(pd.DataFrame(columns)) == frame_digest(pl.DataFrame(columns))
    assert frame_digest(pl.DataFrame(columns).lazy()) == frame_digest(pl.DataFrame(columns))


def test_schema_metadata_and_nullability_do_not_count() -> None:
    table = pa.table({"a": [1]})
    strict = pa.table(
        {"a": [1]},
        schema=pa.schema([pa.field("a", pa.int64(), nullable=False, metadata={"k": "v"})], metadata={"x": "y"}),
    )
    assert frame_digest(strict) == frame_digest(table)


def test_extension_types_count_with_their_storage() -> None:
    raw = pa.array([b"0123456789abcdef"], pa.binary(16))
    uuid = pa.ExtensionArray.from_storage(pa.uuid(), raw)
    assert frame_digest(pa.table({"u": uuid})) != frame_digest(pa.table({"u": raw}))
    assert frame_digest(pa.table({"u": uuid})) == frame_digest(
        pa.table({"u": pa.chunked_array([uuid.slice(0, 0), uuid])})
    )


def test_the_format_can_be_written_down_by_hand() -> None:
    """Pins `treadle.frame.v1`: digests live in stores for years, so this value never changes."""

    def h(*parts: bytes) -> bytes:
        return hashlib.sha256(b"".join(parts)).digest()

    numbers = h(struct.pack("<QQ", 3, 1), h(b"\x05"), h(struct.pack("<qqq", 7, 0, -1)))
    words = h(struct.pack("<QQ", 3, 0), h(struct.pack("<III", 1, 0, 2)), h(b"abc"))
    column = struct.pack("<I", 1) + b"n" + struct.pack("<I", 5) + b"int64" + numbers
    column += struct.pack("<I", 1) + b"s" + struct.pack("<I", 4) + b"utf8" + words
    expected = "sha256:" + h(b"treadle.frame.v1\n", struct.pack("<QI", 3, 2), column).hex()

    assert frame_digest(pa.table({"n": [7, None, -1], "s": ["a", "", "bc"]})) == expected


def test_unions_are_refused_with_a_way_out() -> None:
    union = pa.UnionArray.from_dense(pa.array([0], pa.int8()), pa.array([0], pa.int32()), [pa.array([1])])
    with pytest.raises(ColumnNotSupported) as refusal:
        frame_digest(pa.table({"u": union}))
    assert "one column for each type" in refusal.value.fix


def test_frames_without_rows_or_columns_have_a_digest() -> None:
    assert frame_digest(pa.table({})) != frame_digest(pa.table({"a": pa.array([], pa.int64())}))
    assert frame_digest(pa.table({"a": pa.chunked_array([], pa.int64())})) == frame_digest(
        pa.table({"a": pa.array([], pa.int64())})
    )
    assert frame_digest(to_arrow(pl.DataFrame())) == frame_digest(pa.table({}))
