"""Records hold features to the last bit: packed and opened again, nothing is rounded, widened or lost."""

from __future__ import annotations

import contextlib
import math
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from treadle.ground.frames.digest import frame_digest
from treadle.systems.features.online.errors import NotServable, RecordCorrupt
from treadle.systems.features.online.layout import FOREVER, HAS_ROW, NEVER, Layout, as_of, read_stamp, stamp
from treadle.systems.features.online.packing import Heads, frame_of, layout_of, pack_frame

SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    pl.Boolean(): st.booleans(),
    pl.Int8(): st.integers(-(2**7), 2**7 - 1),
    pl.Int16(): st.integers(-(2**15), 2**15 - 1),
    pl.Int32(): st.integers(-(2**31), 2**31 - 1),
    pl.Int64(): st.integers(-(2**63), 2**63 - 1),
    pl.UInt8(): st.integers(0, 2**8 - 1),
    pl.UInt16(): st.integers(0, 2**16 - 1),
    pl.UInt32(): st.integers(0, 2**32 - 1),
    pl.UInt64(): st.integers(0, 2**64 - 1),
    pl.Float32(): st.floats(width=32),
    pl.Float64(): st.floats(),
    pl.Date(): st.dates(),
    pl.Time(): st.times(),
    pl.Datetime("us"): st.datetimes(),
    pl.Datetime("ms", "UTC"): st.datetimes(timezones=st.just(UTC)).map(lambda d: d.replace(microsecond=0)),
    pl.Datetime("us", "UTC"): st.datetimes(timezones=st.just(UTC)),
    pl.Datetime("us", "Europe/Zurich"): st.datetimes(
        datetime(1900, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)
    ),
    pl.Datetime("ns", "America/New_York"): st.datetimes(
        datetime(1900, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)
    ),
    pl.Duration("us"): st.timedeltas(timedelta(days=-90_000), timedelta(days=90_000)),
    pl.Duration("ns"): st.timedeltas(timedelta(days=-90_000), timedelta(days=90_000)),
    pl.String(): st.text(max_size=12),
    pl.Binary(): st.binary(max_size=12),
    pl.Decimal(38, 9): st.decimals(-(10**20), 10**20, places=9),
    pl.Decimal(10, 2): st.decimals(-(10**7), 10**7, places=2),
    pl.Enum(["a", "bb", ""]): st.sampled_from(["a", "bb", ""]),
    pl.Null(): st.none(),
}


def nested(inner: dict[Any, st.SearchStrategy[Any]]) -> dict[Any, st.SearchStrategy[Any]]:
    found: dict[Any, st.SearchStrategy[Any]] = {}
    for dtype, values in inner.items():
        if isinstance(dtype, pl.Null | pl.Enum):
            continue
        found[pl.List(dtype)] = st.lists(st.none() | values, max_size=3)
        found[pl.Struct({"one": dtype, "two": pl.Float64()})] = st.fixed_dictionaries(
            {"one": st.none() | values, "two": st.none() | st.floats()}
        )
    return found


ONE_DEEP = nested(SCALARS)
TWO_DEEP = nested({dtype: ONE_DEEP[dtype] for dtype in list(ONE_DEEP)[::5]})
ARRAYS = {pl.Array(pl.Float64(), 2): st.lists(st.none() | st.floats(), min_size=2, max_size=2)}
TYPES = {**SCALARS, **ONE_DEEP, **TWO_DEEP, **ARRAYS}


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    dtypes = draw(st.lists(st.sampled_from(list(TYPES)), min_size=1, max_size=10))
    rows = draw(st.integers(0, 4))
    columns = [
        pl.Series(f"f{place}", draw(st.lists(st.none() | TYPES[dtype], min_size=rows, max_size=rows)), dtype=dtype)
        for place, dtype in enumerate(dtypes)
    ]
    return pl.DataFrame(columns)


def heads(count: int) -> Heads:
    moments = np.arange(count, dtype=np.int64)
    return Heads(7, 1_000, moments + 2_000, moments - 5, moments + 9, np.full(count, HAS_ROW, np.uint8))


@given(frames())
@settings(max_examples=40, deadline=None)
def test_every_type_comes_back_to_the_last_bit(frame):
    layout = layout_of(frame)

    records = pack_frame(frame, layout, heads(len(frame)))
    again = Layout.read(layout.document)
    back = frame_of(again, [again.raw(record).values for record in records])

    expected = frame.with_columns(pl.col(pl.Enum(["a", "bb", ""])).cast(pl.String))
    assert again.number == layout.number
    assert back.schema == expected.schema
    assert_frame_equal(back, expected, check_exact=True)
    assert frame_digest(back.to_arrow()) == frame_digest(expected.to_arrow())


def test_python_gets_the_very_values():
    frame = pl.DataFrame(
        {
            "minus_zero": [-0.0],
            "nan": [math.nan],
            "third": [1 / 3],
            "big": [2**53 + 1],
            "huge": pl.Series([2**64 - 1], dtype=pl.UInt64),
            "money": pl.Series([Decimal("12345678901234567890.10")], dtype=pl.Decimal(38, 2)),
            "day": [date(2026, 2, 28)],
            "clock": [time(23, 59, 59, 999_999)],
            "when": pl.Series([datetime(2026, 7, 1, 12, tzinfo=UTC)]).dt.convert_time_zone("Europe/Zurich"),
            "span": [timedelta(microseconds=1)],
            "words": [["a", None, "é"]],
            "pair": [{"x": 1, "y": [0.5]}],
            "nothing": pl.Series([None], dtype=pl.Float64),
        }
    )
    layout = layout_of(frame)

    values = layout.open(pack_frame(frame, layout, heads(1))[0]).values

    assert struct.pack(">d", values[0]) == struct.pack(">d", -0.0)
    assert math.isnan(values[1])
    assert values[2:7] == (1 / 3, 2**53 + 1, 2**64 - 1, Decimal("12345678901234567890.10"), date(2026, 2, 28))
    assert values[7] == time(23, 59, 59, 999_999)
    assert values[8].isoformat() == "2026-07-01T14:00:00+02:00"
    assert values[9:] == (timedelta(microseconds=1), ["a", None, "é"], {"x": 1, "y": [0.5]}, None)


def test_nanoseconds_are_not_rounded_away():
    frame = pl.DataFrame(
        {"t": pl.Series([1_234_567_891]).cast(pl.Datetime("ns", "UTC")), "c": pl.Series([7]).cast(pl.Time)}
    )
    layout = layout_of(frame)

    values = layout.open(pack_frame(frame, layout, heads(1))[0]).values

    assert values == (np.datetime64(1_234_567_891, "ns"), np.timedelta64(7, "ns"))


@given(st.integers(0, 2**63), st.integers(-(2**62), 2**62), st.integers(0, 2**63), st.integers(-(2**62), 2**62))
@settings(max_examples=100, deadline=None)
def test_stamps_are_ordered_as_bytes(version, moment, other_version, other_moment):
    one, other = stamp(version, moment), stamp(other_version, other_moment)

    assert (one < other) == ((version, moment) < (other_version, other_moment))
    assert read_stamp(one) == (version, moment)


def test_head_says_when_the_values_are_exact():
    frame = pl.DataFrame({"x": [1.5]})
    layout = layout_of(frame)
    record = layout.open(pack_frame(frame, layout, heads(1))[0])

    assert record[:6] == (7, 1_000, 2_000, -5, 9, HAS_ROW)
    assert as_of(record, 500) == 1_000
    assert as_of(record, 1_500) == 1_500
    assert as_of(record, 9_999) == 1_999
    assert as_of(record._replace(valid_until=FOREVER), 9_999) == 9_999
    assert NEVER < -(2**62)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_damaged_record_is_an_error_of_ours_or_other_values_but_never_a_crash(data):
    frame = pl.DataFrame({"x": [1.5], "s": ["word"], "l": [[["a"], None]], "d": [Decimal("1.5")]})
    layout = layout_of(frame)
    record = bytearray(pack_frame(frame, layout, heads(1))[0])
    for _ in range(data.draw(st.integers(1, 4))):
        record[data.draw(st.integers(0, len(record) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(record[: data.draw(st.integers(0, len(record)))])

    for damaged in (bytes(record), cut):
        with contextlib.suppress(RecordCorrupt):
            layout.open(damaged)


def test_a_type_that_cannot_be_kept_is_named_with_its_feature():
    with pytest.raises(NotServable) as refusal:
        layout_of(pl.DataFrame({"thing": pl.Series([object()], dtype=pl.Object)}))

    assert "'thing'" in refusal.value.what
