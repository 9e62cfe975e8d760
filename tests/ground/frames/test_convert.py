"""Frames pass between libraries, or say why they cannot."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from treadle.ground.frames import (
    ColumnNotSupported,
    IndexNotNamed,
    NotAFrame,
    frame_digest,
    is_column,
    is_frame,
    to_arrow,
    to_numpy,
    to_pandas,
    to_polars,
)

COLUMNS = {"n": [1, 2], "s": ["a", None]}


@pytest.mark.parametrize(
    "frame",
    [
        pa.table(COLUMNS),
        pa.table(COLUMNS).to_batches()[0],
        pl.DataFrame(COLUMNS),
        pl.LazyFrame(COLUMNS),
        pd.DataFrame(COLUMNS),
    ],
    ids=lambda frame: type(frame).__name__,
)
def test_every_library_becomes_every_other(frame: Any) -> None:
    assert is_frame(frame)
    assert to_arrow(frame).to_pydict() == COLUMNS
    assert to_polars(frame).to_dict(as_series=False) == COLUMNS
    assert to_pandas(frame)["n"].tolist() == [1, 2]
    assert to_numpy(to_polars(frame).select("n")).tolist() == [[1], [2]]


def test_a_duckdb_relation_is_a_frame() -> None:
    relation = duckdb.sql("select 1 as a, 'x' as b")
    assert is_frame(relation)
    assert frame_digest(relation) == frame_digest(pa.table({"a": pa.array([1], pa.int32()), "b": ["x"]}))


def test_columns_are_told_from_frames() -> None:
    assert all(
        is_column(value) and not is_frame(value)
        for value in (pl.Series([1]), pd.Series([1]), pa.array([1]), pa.chunked_array([[1]]))
    )
    assert not any(is_frame(value) or is_column(value) for value in ([1], {"a": [1]}, np.ones(3), 7, "text", None))
    assert to_arrow(pd.Series([1, 2], name="x")).column_names == ["x"]
    assert to_arrow(pa.array(["a"])).to_pydict() == {"": ["a"]}


def test_asking_what_a_value_is_imports_no_library() -> None:
    code = "import sys; from treadle.ground.frames import is_frame; is_frame({}); print([m for m in ('pandas','polars','pyarrow','numpy') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_a_named_index_becomes_a_column() -> None:
    frame = pd.DataFrame({"x": [1.0, 2.0]}, index=pd.Index(["a", "b"], name="id"))
    assert to_arrow(frame).to_pydict() == {"id": ["a", "b"], "x": [1.0, 2.0]}
    pairs = pd.DataFrame({"x": [1]}, index=pd.MultiIndex.from_tuples([(1, "a")], names=["p", "q"]))
    assert to_arrow(pairs).column_names == ["p", "q", "x"]


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"x": [1, 2, 3]}).iloc[1:],
        pd.DataFrame({"x": [1]}, index=["a"]),
        pd.DataFrame({"x": [1]}, index=pd.Index([4], name="x")),
        pd.DataFrame({"x": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)], names=["p", None])),
        pd.DataFrame([[1, 2]]),
    ],
)
def test_an_index_that_would_be_lost_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(IndexNotNamed) as refusal:
        to_arrow(frame)
    assert refusal.value.fix


def test_pandas_types_survive_the_way_through_arrow() -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "c": pd.Categorical(["a", "b"], categories=["b", "a"], ordered=True),
            "t": pd.to_datetime(["2013-01-01", "2014-01-01"], utc=True),
            "s": ["x", None],
        }
    )
    pd.testing.assert_frame_equal(to_pandas(to_arrow(frame)), frame)


def test_columns_that_arrow_cannot_hold_are_refused_by_name() -> None:
    with pytest.raises(ColumnNotSupported, match="thing"):
        to_arrow(pl.DataFrame({"thing": [object()]}, schema={"thing": pl.Object}))
    with pytest.raises(ColumnNotSupported, match="big"):
        to_arrow(pl.DataFrame({"big": [1]}, schema={"big": pl.Int128}))
    with pytest.raises(ColumnNotSupported) as refusal:
        to_arrow(pd.DataFrame({"mixed": [1, "a", 2.5]}))
    assert "mixed" in refusal.value.why
    with pytest.raises(ColumnNotSupported, match="Polars"):
        to_polars(pa.table({"d": pa.array([1], pa.decimal256(60, 0))}))
    with pytest.raises(ColumnNotSupported, match="Polars"):
        to_polars(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))


def test_numpy_arrays_have_columns() -> None:
    assert to_arrow(np.array([[1, 2], [3, 4]])).to_pydict() == {"column_0": [1, 3], "column_1": [2, 4]}
    assert to_arrow(np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")])).to_pydict() == {"a": [1], "b": [2.5]}
    with pytest.raises(NotAFrame):
        to_arrow(np.zeros((2, 2, 2)))


def test_what_is_no_frame_is_named() -> None:
    with pytest.raises(NotAFrame, match="list"):
        to_arrow([1, 2])
