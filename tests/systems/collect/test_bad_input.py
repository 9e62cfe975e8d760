"""What real files and sources do wrong: each has a clear error or goes to quarantine, and nothing is lost or bent."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.systems.collect.conftest import ADA
from treadle.ground.errors import TreadleError
from treadle.systems.collect import Datasets
from treadle.systems.collect.errors import ColumnNameRefused, TypeNotStorable, UnreadableSource
from treadle.systems.collect.reading import Reading
from treadle.systems.collect.records import Landing
from treadle.systems.collect.sources import FileSource, FrameSource


def landed(datasets: Datasets, folder: Path, data: bytes, name: str = "a.csv", **options: Any) -> Landing:
    (folder / name).write_bytes(data)
    how = {key: options.pop(key) for key in ("malformed", "encoding") if key in options}
    (landing,) = datasets.land(ADA, "things", FileSource(name, root=folder, reading=Reading(**how)), **options)
    return landing


def rows(datasets: Datasets, dataset: str = "things") -> pl.DataFrame:
    found = datasets.scan("default", datasets.snapshot("default", dataset)).collect()
    return found.drop("_landing", "_row")


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


# Text


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_any_system_ends_them(datasets: Datasets, tmp_path: Path, ending: str) -> None:
    landed(datasets, tmp_path, ending.join(["a,b", "1,x", "2,y", ""]).encode())

    assert rows(datasets).rows() == [(1, "x"), (2, "y")]


def test_empty_lines_are_no_rows(datasets: Datasets, tmp_path: Path) -> None:
    assert landed(datasets, tmp_path, b"\n\na,b\n\n1,x\r\n\r\n2,y\n\n").rows_in == 2


def test_an_empty_line_is_a_missing_value_where_there_is_one_column(datasets: Datasets, tmp_path: Path) -> None:
    landed(datasets, tmp_path, b"a\n1\n\n2\n")

    assert rows(datasets)["a"].to_list() == [1, None, 2]


def test_a_header_without_rows_lands_no_snapshot_and_no_error(datasets: Datasets, tmp_path: Path) -> None:
    landing = landed(datasets, tmp_path, b"a,b\n")

    assert (landing.rows_in, landing.snapshot) == (0, None)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,a\n1,2\n", "twice"),
        (b"a,A\n1,2\n", "case alone"),
        (b"a,,b\n1,2,3\n", "no name"),
        (b"_row,b\n1,2\n", "_row"),
        (b"", "empty"),
        (b"a,b\n1,\0\n", "NUL"),
        ("a,b\n1,ä\n".encode("utf-16"), "utf-16"),
        ("a,b\n1,ä\n".encode("latin-1"), "latin-1"),
        (b'a,b\n1,"x\n2,y\n', "quote"),
    ],
)
def test_a_file_that_cannot_be_understood_lands_nothing_and_says_why(
    datasets: Datasets, tmp_path: Path, data: bytes, said: str
) -> None:
    with pytest.raises(TreadleError) as raised:
        landed(datasets, tmp_path, data)

    assert said in " ".join(raised.value.sentences())
    assert raised.value.fix or raised.value.why
    assert datasets.find_snapshot("default", "things") is None


def test_a_column_of_mixed_types_is_text(datasets: Datasets, tmp_path: Path) -> None:
    landed(datasets, tmp_path, b"a\n" + b"1\n" * 20_000 + b"x\n")

    assert rows(datasets)["a"].to_list()[-2:] == ["1", "x"]


def test_a_value_of_another_type_than_the_column_is_refused_or_put_aside_whole(
    datasets: Datasets, tmp_path: Path
) -> None:
    landed(datasets, tmp_path, b"a,b\n1,x\n", "1.csv")

    with pytest.raises(TreadleError) as raised:
        landed(datasets, tmp_path, b"a,b\n2,y\ntwo,z\n", "2.csv")
    assert "two" in " ".join(raised.value.sentences())
    landing = landed(datasets, tmp_path, b"a,b\n2,y\ntwo,z\n", "3.csv", on_mismatch="quarantine")

    assert (landing.rows_in, landing.rows_kept, landing.rows_refused) == (2, 1, 1)
    assert '"two"' in rows(datasets, "things.quarantine")["_raw"][0]


def test_digits_of_other_scripts_are_text(datasets: Datasets, tmp_path: Path) -> None:
    landed(datasets, tmp_path, "a\n１\n٢\n".encode())

    assert rows(datasets)["a"].to_list() == ["１", "٢"]


def test_whole_numbers_beyond_64_bits_keep_every_digit(datasets: Datasets, tmp_path: Path) -> None:
    landed(datasets, tmp_path, b"a\n99999999999999999999999\n1\n")

    assert rows(datasets)["a"].to_list() == [Decimal("99999999999999999999999"), Decimal(1)]


def test_a_cell_of_ten_megabytes_is_a_cell(datasets: Datasets, tmp_path: Path) -> None:
    cell = b'"' + b"x\n," * 3_500_000 + b'"'
    landed(datasets, tmp_path, b"a,b\n1," + cell + b"\n2,y\n")

    assert [len(text) for text in rows(datasets)["b"]] == [len(cell) - 2, 1]


def test_ten_thousand_columns_are_columns(datasets: Datasets, tmp_path: Path) -> None:
    names = [f"c{n}" for n in range(10_000)]
    landed(datasets, tmp_path, (",".join(names) + "\n" + ",".join("1" for _ in names) + "\n").encode())

    assert rows(datasets).columns == names


NAMES = [
    "näme", "日本語", "😀", "a b", 'x"y', "it's", "robert'); drop table dataset;--", "a.b", "a/b", "../../etc/passwd",
    "${table}", "%s", "{0}", "a\tb", "n\nl", "\x01", "select", "-1", "__class__", "a" * 5000,
]  # fmt: skip


def test_names_are_names_whatever_they_look_like(datasets: Datasets) -> None:
    datasets.land(ADA, "things", pl.DataFrame({name: [at] for at, name in enumerate(NAMES)}))
    datasets.land(ADA, "things", pl.DataFrame({name: [at] for at, name in enumerate(NAMES)}))

    found = rows(datasets)
    assert found.columns == NAMES
    assert found.rows() == [tuple(range(len(NAMES)))] * 2


@pytest.mark.parametrize("name", ["", "   ", "..", "../x", "a/b", "a\\b", "A", "x" * 101, "a b", "a\0b", "ä", "-rf"])
def test_a_name_of_a_dataset_is_never_a_path(datasets: Datasets, name: str) -> None:
    with pytest.raises(TreadleError):
        datasets.land(ADA, name, pl.DataFrame({"a": [1]}))


# JSON


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"a":' * 3000 + b"1" + b"}" * 3000, "too deep"),
        (b'{"a":"\\ud800"}', ""),
        (b'{"a":NaN}', ""),
        (b'{"a":1e999}', "range"),
        (b"[1]", "no object"),
        (b"{'a':1}", ""),
    ],
)
def test_a_line_that_is_no_object_is_put_aside_with_its_text(
    datasets: Datasets, tmp_path: Path, line: bytes, why: str
) -> None:
    data = b'{"a":1}\n' + line + b'\n{"a":2}\n'
    with pytest.raises(TreadleError):
        landed(datasets, tmp_path, data, "a.jsonl")

    landing = landed(datasets, tmp_path, data, "b.jsonl", malformed="quarantine")

    assert (landing.rows_in, landing.rows_kept, landing.rows_refused) == (3, 2, 1)
    (raw,) = rows(datasets, "things.quarantine")["_raw"].to_list()
    assert raw.startswith("line 2:")
    assert why in raw
    assert line.decode() in raw


# Times


@pytest.mark.parametrize("moment", ["0000-00-00", "2024-02-30", "2024-13-01", "99999-01-01"])
def test_dates_that_do_not_exist_are_text_and_stay_as_they_were_written(
    datasets: Datasets, tmp_path: Path, moment: str
) -> None:
    landed(datasets, tmp_path, f"at\n2024-01-01\n{moment}\n".encode())

    assert rows(datasets)["at"].to_list() == ["2024-01-01", moment]


def test_a_date_that_does_not_exist_is_put_aside_where_the_column_holds_dates(
    datasets: Datasets, tmp_path: Path
) -> None:
    landed(datasets, tmp_path, b"at,n\n2024-02-28,1\n", "1.csv")

    landing = landed(datasets, tmp_path, b"at,n\n2024-02-29,2\n2024-02-30,3\n", "2.csv", on_mismatch="quarantine")

    assert (landing.rows_kept, landing.rows_refused) == (1, 1)
    assert "2024-02-30" in rows(datasets, "things.quarantine")["_raw"][0]


def test_the_first_and_the_last_year_are_years(datasets: Datasets, tmp_path: Path) -> None:
    landed(datasets, tmp_path, b"at\n0001-01-01T00:00:00Z\n9999-12-31T23:59:59.999999Z\n")

    assert rows(datasets)["at"].dt.year().to_list() == [1, 9999]


@pytest.mark.parametrize("unit", ["ms", "ns"])
def test_a_moment_that_no_microsecond_holds_is_never_bent(datasets: Datasets, unit: str) -> None:
    value = 2**60 if unit == "ms" else 1_001  # the year 36,000,000, and a nanosecond after a microsecond
    good = 5 if unit == "ms" else 5_000
    frame = pl.DataFrame({"n": [1, 2], "at": pl.Series([good, value], dtype=pl.Int64).cast(pl.Datetime(unit))})

    with pytest.raises(TreadleError):
        datasets.land(ADA, "things", frame)
    (landing,) = datasets.land(ADA, "things", frame, on_mismatch="quarantine")

    assert (landing.rows_kept, landing.rows_refused) == (1, 1)
    assert rows(datasets)["n"].to_list() == [1]
    assert f"{value} {unit} since 1970" in rows(datasets, "things.quarantine")["_raw"][0]


def test_nested_moments_are_never_bent_either(datasets: Datasets) -> None:
    inner = pl.Series([1_001], dtype=pl.Int64).cast(pl.Datetime("ns"))
    frame = pl.DataFrame({"s": [{"at": 1}]}).select(pl.struct(inner.alias("at")).alias("s"))

    with pytest.raises(TreadleError):
        datasets.land(ADA, "things", frame)


def test_a_zone_that_does_not_exist_is_named(datasets: Datasets, tmp_path: Path) -> None:
    table = pa.table({"at": pa.array([1], pa.timestamp("us", "Mars/Phobos"))})

    with pytest.raises(TreadleError) as raised:
        landed(datasets, tmp_path, parquet(table), "a.parquet")

    assert "Mars/Phobos" in str(raised.value)


def test_an_hour_that_a_zone_leaves_out_is_a_moment_all_the_same(datasets: Datasets, tmp_path: Path) -> None:
    """Times with an offset are moments; the night in March on which Berlin's clocks jump changes nothing about them."""
    landed(datasets, tmp_path, b"at\n2024-03-31T02:30:00+01:00\n2024-03-31T02:30:00+02:00\n")

    assert rows(datasets)["at"].to_list() == [
        datetime(2024, 3, 31, 2, 30, tzinfo=timezone(timedelta(hours=hours))) for hours in (1, 2)
    ]


def test_a_time_of_the_clock_is_no_moment(datasets: Datasets) -> None:
    datasets.land(ADA, "things", pl.DataFrame({"at": [datetime(2024, 1, 1, tzinfo=UTC)]}))

    with pytest.raises(TreadleError):
        datasets.land(ADA, "things", pl.DataFrame({"at": [datetime(2024, 1, 1)]}))


# Parquet


@pytest.mark.parametrize("cut", [0, 3, 11, 60, -1, -9])
def test_a_truncated_parquet_file_lands_nothing(datasets: Datasets, tmp_path: Path, cut: int) -> None:
    data = parquet(pa.table({"n": list(range(100))}))

    with pytest.raises(TreadleError):
        landed(datasets, tmp_path, data[:cut], "a.parquet")

    assert datasets.find_snapshot("default", "things") is None


@pytest.mark.parametrize("place", range(4, 400, 36))
def test_a_parquet_file_with_flipped_bytes_ends_in_an_error_of_ours_or_in_rows(
    datasets: Datasets, tmp_path: Path, place: int
) -> None:
    data = bytearray(parquet(pa.table({"n": list(range(100)), "t": ["x"] * 100})))
    data[place : place + 8] = bytes(255 - byte for byte in data[place : place + 8])

    try:
        count = landed(datasets, tmp_path, bytes(data), "a.parquet").rows_in
    except (UnreadableSource, TypeNotStorable, ColumnNameRefused):
        count = 100

    assert count == 100


def test_columns_of_the_same_name_in_parquet_are_named(datasets: Datasets, tmp_path: Path) -> None:
    table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])

    with pytest.raises(TreadleError) as raised:
        landed(datasets, tmp_path, parquet(table), "a.parquet")

    assert "two columns 'a'" in str(raised.value)


# Sources


def test_a_source_that_repeats_a_page_and_then_fails_keeps_each_page_once(datasets: Datasets) -> None:
    def pages(cursor: str | None) -> Iterator[tuple[pl.DataFrame, str]]:
        for page in range(int(cursor or -1) + 1, 4):
            for _ in range(2):
                yield pl.DataFrame({"page": [page]}), str(page)
            if page == 2 and cursor is None:
                raise ConnectionError("the line went dead")

    with pytest.raises(ConnectionError):
        datasets.land(ADA, "things", FrameSource(pages, name="pages"))
    datasets.land(ADA, "things", FrameSource(pages, name="pages"))

    assert rows(datasets)["page"].to_list() == [0, 1, 2, 3]


def test_columns_are_added_unless_the_landing_is_told_not_to(datasets: Datasets) -> None:
    datasets.land(ADA, "things", pl.DataFrame({"name": ["x"]}), new_columns="refuse")

    with pytest.raises(TreadleError) as raised:
        datasets.land(ADA, "things", pl.DataFrame({"name": ["y"], "nmae": ["z"]}), new_columns="refuse")
    datasets.land(ADA, "things", pl.DataFrame({"name": ["y"], "nmae": ["z"]}))

    assert "'nmae'" in str(raised.value)
    assert "name" in (raised.value.why or "")
    assert rows(datasets).rows() == [("x", None), ("y", "z")]
