"""Frames, columns and arrays pass between steps without changing what they say."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from treadle.ground.frames import frame_digest
from treadle.kernel.artifacts import Artifacts, BlobCorrupt, LocalBlobs, NotLoadable

FRAME = pl.DataFrame(
    {
        "n": [1, None, 3],
        "x": [0.5, float("nan"), None],
        "s": ["a", None, "c"],
        "c": pl.Series(["u", "v", "u"], dtype=pl.Categorical),
        "e": pl.Series(["lo", "hi", "lo"], dtype=pl.Enum(["lo", "hi", "unused"])),
        "l": [[1, 2], None, []],
        "t": pl.Series([0, 1, None], dtype=pl.Datetime("us", "Europe/Berlin")),
    }
)


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    return Artifacts(LocalBlobs(tmp_path / "blobs"))


def large(rows: int = 200_000) -> pa.Table:
    numbers = np.arange(rows)
    return pa.table({"n": numbers, "s": pa.array([f"row {n % 100}" for n in range(rows)])})


def test_a_polars_frame_comes_back_with_all_its_types(artifacts: Artifacts) -> None:
    artifact = artifacts.put(FRAME)
    back = artifacts.load(artifact)

    assert back.schema == FRAME.schema
    assert back.equals(FRAME)
    assert artifact.digest == frame_digest(FRAME) == artifacts.digest(FRAME)
    assert artifact.meta["rows"] == 3


@pytest.mark.parametrize("value", [FRAME.drop("c", "e"), large()], ids=["small", "large"])
@pytest.mark.parametrize("library", [pa.Table, pl.DataFrame, pl.LazyFrame, pd.DataFrame])
def test_the_consumer_chooses_the_library(artifacts: Artifacts, value: Any, library: Any) -> None:
    artifact = artifacts.put(value)
    back = artifacts.load(artifact, library)

    assert isinstance(back, library)
    assert artifacts.load(artifact, library | None).__class__ is back.__class__
    assert isinstance(artifacts.load(artifact, Annotated[library, "rows"]), library)
    if library is not pd.DataFrame:  # pandas has no nulls in integers, and no NaN beside nulls
        assert artifacts.digest(back) == artifact.digest


def test_numbers_can_be_asked_for_as_an_array(artifacts: Artifacts) -> None:
    artifact = artifacts.put(pl.DataFrame({"a": [1, 2], "b": [0.5, None]}))
    np.testing.assert_array_equal(artifacts.load(artifact, np.ndarray), [[1.0, 0.5], [2.0, np.nan]])


def test_a_frame_is_not_loaded_as_something_else(artifacts: Artifacts) -> None:
    with pytest.raises(NotLoadable) as refusal:
        artifacts.load(artifacts.put(FRAME), dict)
    assert "pl.DataFrame" in refusal.value.fix


def test_what_leaves_the_choice_open_gives_what_was_put(artifacts: Artifacts) -> None:
    artifact = artifacts.put(pd.DataFrame({"a": [1]}))
    for annotation in (None, Any, object, "pl.DataFrame", pl.DataFrame | pd.DataFrame):
        assert isinstance(artifacts.load(artifact, annotation), pd.DataFrame)


def test_pandas_types_come_back(artifacts: Artifacts) -> None:
    frame = pd.DataFrame(
        {
            "i": pd.array([1, None], dtype="Int64"),
            "c": pd.Categorical(["b", "a"], ["b", "a"], ordered=True),
            "s": ["x", None],
        }
    )
    pd.testing.assert_frame_equal(artifacts.load(artifacts.put(frame)), frame)


def test_large_frames_are_memory_mapped_and_not_copied(artifacts: Artifacts) -> None:
    artifact = artifacts.put(large())
    before = pa.total_allocated_bytes()

    table = artifacts.load(artifact)

    assert table.num_rows == 200_000
    assert pa.total_allocated_bytes() - before < 100_000
    assert artifacts.path(artifact) is not None


def test_equal_frames_of_two_libraries_share_their_digest_and_bytes(artifacts: Artifacts) -> None:
    arrow, polars = artifacts.put(large()), artifacts.put(pl.from_arrow(large()))
    chunked = artifacts.put(pa.concat_tables([large().slice(0, 777), large().slice(777)]))

    assert arrow.digest == polars.digest == chunked.digest


def test_a_small_slice_of_a_large_frame_is_stored_small(artifacts: Artifacts) -> None:
    views = pa.table(
        {"s": pa.array([f"a text longer than twelve bytes {n}" for n in range(100_000)], pa.string_view())}
    )
    for whole in (large(), views, pl.from_arrow(views)):
        assert artifacts.put(whole[5:8] if isinstance(whole, pl.DataFrame) else whole.slice(5, 3)).size_bytes < 4096


def test_frames_with_thousands_of_chunks_and_changing_dictionaries_are_stored(artifacts: Artifacts) -> None:
    pieces = [pa.table({"s": pa.array([f"v{n}", "w"]).dictionary_encode(), "n": [n, n]}) for n in range(3000)]
    table = pa.concat_tables(pieces)

    artifact = artifacts.put(table)
    back = artifacts.load(artifact)

    assert back["n"].num_chunks < 10
    assert artifact.size_bytes < 500_000
    assert back["s"].to_pylist() == table["s"].to_pylist()


@pytest.mark.parametrize(
    "table",
    [
        pa.table({}),
        pa.table({"a": pa.array([], pa.int64())}),
        pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]),
    ],
    ids=["no columns", "no rows", "one name twice"],
)
def test_odd_tables_come_back(artifacts: Artifacts, table: pa.Table) -> None:
    assert artifacts.load(artifacts.put(table)).equals(table)


@pytest.mark.parametrize(
    "column",
    [
        pl.Series("x", [1, 2]),
        pd.Series([1.5, 2], name="x"),
        pd.Series(["a"]),
        pa.chunked_array([["a"], ["b"]]),
        pa.array([1]),
    ],
)
def test_a_column_comes_back_as_what_it_was(artifacts: Artifacts, column: Any) -> None:
    artifact = artifacts.put(column)
    back = artifacts.load(artifact)

    assert artifact.kind == "series"
    assert list(back) == list(column)
    assert isinstance(back, type(column))
    assert getattr(back, "name", None) == getattr(column, "name", None)
    assert artifacts.load(artifact, np.ndarray).shape == (len(column),)


def test_a_column_is_not_a_frame_of_one_column(artifacts: Artifacts) -> None:
    assert artifacts.digest(pl.Series("x", [1])) != artifacts.digest(pl.DataFrame({"x": [1]}))
    assert artifacts.digest(pl.Series("x", [1])) == artifacts.digest(pd.Series([1], name="x"))


def test_a_torn_frame_is_refused(artifacts: Artifacts) -> None:
    artifact = artifacts.put(large())
    assert artifact.blob is not None
    file = artifacts.blobs.path(artifact.blob)
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1000] + b"\0" * 1000)

    with pytest.raises(BlobCorrupt, match="cannot be read"):
        artifacts.load(artifact)
    assert "hash" in (artifacts.verify(artifact) or "")


arrays = hnp.arrays(
    dtype=st.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(endianness="?"),
        hnp.floating_dtypes(endianness="?"),
        hnp.complex_number_dtypes(),
    ),
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)


@settings(max_examples=150, deadline=None)
@given(arrays)
def test_an_array_is_what_it_says_however_it_lies(array: np.ndarray[Any, Any]) -> None:
    artifacts = Artifacts(LocalBlobs(Path("/nonexistent/treadle")))
    artifact = artifacts.put(array)
    back = artifacts.load(artifact)

    np.testing.assert_array_equal(back, array)
    assert back.shape == array.shape
    assert back.dtype == array.dtype
    strided = np.repeat(array[..., None], 2, -1)[..., 0]
    for other in (
        np.asfortranarray(array),
        array.astype(array.dtype.newbyteorder("<")),
        array.astype(array.dtype.newbyteorder(">")),
        strided,
    ):
        if other.shape == array.shape:
            assert artifacts.digest(other) == artifact.digest


@settings(max_examples=80, deadline=None)
@given(arrays, arrays)
def test_arrays_that_differ_have_other_digests(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> None:
    artifacts = Artifacts(LocalBlobs(Path("/nonexistent/treadle")))
    small = other.dtype.newbyteorder("<")
    alike = (
        one.shape == other.shape
        and one.dtype.newbyteorder("<") == small
        and np.array_equal(np.signbit(one.real), np.signbit(other.real))
    )
    alike = alike and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    if not alike and not (one.dtype.kind == "c" or np.isnan(one).any()):
        assert artifacts.digest(one) != artifacts.digest(other)


def test_nan_is_one_in_arrays_and_zero_has_a_sign(artifacts: Artifacts) -> None:
    odd = np.array([0xFFF8_0000_0000_0001], np.uint64).view(np.float64)
    assert artifacts.digest(odd) == artifacts.digest(np.array([np.nan]))
    assert artifacts.digest(np.array([-0.0])) != artifacts.digest(np.array([0.0]))


@pytest.mark.parametrize(
    "array",
    [
        np.array(["a", "bcd"]),
        np.array([b"a", b"bcd"]),
        np.array(["2013-01-01"], "datetime64[s]"),
        np.array([(1, 2.5, "x")], np.dtype([("a", "i1"), ("b", "f8"), ("c", "U3")], align=True)),
        np.zeros((2,), [("m", "f4", (2, 2))]),
        np.float64([]),
        np.array(5),
        np.asfortranarray(np.random.default_rng(0).normal(size=(700, 300))),
        np.random.default_rng(0).normal(size=(300_000,)),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}"[:30],
)
def test_arrays_of_every_type_come_back(artifacts: Artifacts, array: np.ndarray[Any, Any]) -> None:
    artifact = artifacts.put(array)
    back = artifacts.load(artifact, np.ndarray)

    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    assert artifacts.verify(artifact, deep=True) is None


def test_padding_in_structs_cannot_be_seen(artifacts: Artifacts) -> None:
    dtype = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    clean, dirty = np.zeros(3, dtype), np.frombuffer(b"\xff" * 3 * dtype.itemsize, dtype).copy()
    for name in dtype.names or ():
        dirty[name] = clean[name]
    assert artifacts.digest(dirty) == artifacts.digest(clean)


def test_a_step_may_change_its_own_copy_of_an_array(artifacts: Artifacts) -> None:
    artifact = artifacts.put(np.zeros(300_000))
    mine = artifacts.load(artifact)
    mine[0] = 7

    assert artifacts.load(artifact)[0] == 0
    assert artifacts.verify(artifact, deep=True) is None


def test_plain_values_load_no_library() -> None:
    code = """
        import sys
        from pathlib import Path
        from treadle.kernel.artifacts import Artifacts, LocalBlobs
        artifacts = Artifacts(LocalBlobs(Path("unused")))
        artifacts.load(artifacts.put({"a": [1, (2.5, None)], "b": "text"}))
        heavy = ("numpy", "pandas", "polars", "pyarrow", "sklearn", "skops", "lightgbm", "xgboost", "onnx", "torch")
        print([name for name in heavy if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
