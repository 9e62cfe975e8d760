"""Files that people made: what is read, what is named as broken."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.systems.collect.errors import UnreadableSource
from treadle.systems.collect.reading import Content, Reading, read_file


def read(tmp_path: Path, data: bytes | str, name: str = "a.csv", known: dict[str, str] | None = None, **how) -> Content:
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_file(path, Reading(**how), known or {})


def test_csv_becomes_typed_columns_and_na_is_null(tmp_path: Path) -> None:
    content = read(tmp_path, "n,x,t,at\n1,NA,N1,2013-01-01T06:00:00Z\n,2.5,NA,2013-01-02T06:00:00Z\n")

    assert content.frame.schema == {"n": pl.Int64, "x": pl.Float64, "t": pl.String, "at": pl.Datetime("us", "UTC")}
    assert content.frame["x"].to_list() == [None, 2.5]
    assert content.frame["t"].to_list() == ["N1", None]


def test_text_that_looks_like_numbers_stays_text_where_the_dataset_says_so(tmp_path: Path) -> None:
    assert read(tmp_path, "code\n007\n", known={"code": "string"}).frame["code"].to_list() == ["007"]


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        (["2013-01-01", ""], pl.Date()),
        (["2013-01-01T06:00:00Z", "2013-01-01 07:00:00.5+01:00"], pl.Datetime("us", "UTC")),
        (["2013-01-01 06:00:00", "2013-01-01T06:00:00.25"], pl.Datetime("us")),
        (["2013-01-01", "soon"], pl.String()),
        (["2013-01-01"] * 200 + ["2013-02-30"], pl.String()),
        (["06:00"], pl.String()),
    ],
)
def test_times_are_recognised_where_every_value_is_one(tmp_path: Path, cells: list[str], dtype: pl.DataType) -> None:
    frame = read(tmp_path, "at,n\n" + "".join(f"{cell},1\n" for cell in cells)).frame

    assert frame.schema["at"] == dtype
    assert frame["at"].null_count() == cells.count("")


def test_a_later_row_may_widen_a_column(tmp_path: Path) -> None:
    assert read(tmp_path, "n\n" + "1\n" * 20_000 + "2.5\n").frame["n"].to_list()[-1] == 2.5


def test_zip_and_gzip_are_unpacked(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.csv", "n\n1\n")

    assert read(tmp_path, packed.getvalue(), "a.csv.zip").frame["n"].to_list() == [1]
    assert read(tmp_path, gzip.compress(b"n\n1\n"), "a.csv.gz").frame["n"].to_list() == [1]


def test_an_encoding_is_named_when_it_is_another(tmp_path: Path) -> None:
    data = "name\nWien\nMünchen\n".encode("latin-1")

    with pytest.raises(UnreadableSource) as caught:
        read(tmp_path, data)

    assert "line 3" in caught.value.what
    assert "latin-1" in caught.value.fix
    assert read(tmp_path, data, encoding="latin-1").frame["name"].to_list() == ["Wien", "München"]


def test_a_mark_of_byte_order_is_no_part_of_a_name(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffn\n1\n").frame.columns == ["n"]


@pytest.mark.parametrize("quote", ["", '"q",9\n'])
def test_lines_of_another_width_are_refused_or_put_aside(tmp_path: Path, quote: str) -> None:
    text = f"a,b\n{quote}x,1\ny\nz,2,3\nw,4\n"
    first = 4 if quote else 3

    with pytest.raises(UnreadableSource) as caught:
        read(tmp_path, text)
    content = read(tmp_path, text, malformed="quarantine")

    assert f"line {first}: 1 field instead of 2" in caught.value.why
    assert [(line.row, line.text) for line in content.malformed] == [(first, "y"), (first + 1, "z,2,3")]
    assert content.frame["a"].to_list()[-2:] == ["x", "w"]


def test_a_cell_may_hold_line_breaks(tmp_path: Path) -> None:
    content = read(tmp_path, 'a,b\n"one\ntwo",1\nx,2,3\n', malformed="quarantine")

    assert content.frame["a"].to_list() == ["one\ntwo"]
    assert [line.row for line in content.malformed] == [4]


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"", "a.csv", "is empty"),
        (b"a,b,a\n1,2,3\n", "a.csv", "twice"),
        (b'a,b\n"open,1\n', "a.csv", "quote"),
        (b"PK\x03\x04broken", "a.csv.zip", "archive"),
        (b"\x1f\x8bbroken", "a.csv.gz", "archive"),
        (b"PAR1 cut off", "a.parquet", "no whole Parquet"),
        (b"PAR1" + b"\x00" * 50 + b"\xff\xff\xff\x00PAR1", "a.parquet", "damaged"),
        (b"n\n1\n", "a.xyz", "not read here"),
        (b"a\x00b\n1\n", "a.csv", "NUL"),
        (b'{"a": 1}\n{broken\n', "a.jsonl", "no JSON object"),
    ],
)
def test_broken_files_are_named(tmp_path: Path, data: bytes, name: str, said: str) -> None:
    with pytest.raises(UnreadableSource) as caught:
        read(tmp_path, data, name)

    assert said in " ".join(caught.value.sentences())


def test_a_truncated_parquet_file_is_named(tmp_path: Path) -> None:
    whole = io.BytesIO()
    pl.DataFrame({"n": range(1000)}).write_parquet(whole)

    for cut in (8, 20, len(whole.getvalue()) // 2, len(whole.getvalue()) - 1):
        with pytest.raises(UnreadableSource):
            read(tmp_path, whole.getvalue()[:cut], "a.parquet")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match=r"gone\.csv"):
        read_file(tmp_path / "gone.csv", Reading(), {})


def test_json_lines_are_read_and_broken_ones_put_aside(tmp_path: Path) -> None:
    content = read(tmp_path, '{"n": 1}\n[1]\n\n{"n": 2, "t": "x"}\n{"n"', "a.jsonl", malformed="quarantine")

    assert content.frame.to_dicts() == [{"n": 1, "t": None}, {"n": 2, "t": "x"}]
    assert [line.row for line in content.malformed] == [2, 5]


cells = st.text(st.sampled_from('ab,"\n é'), max_size=4)


@given(rows=st.lists(st.lists(cells, min_size=1, max_size=4), max_size=8))
def test_every_line_is_a_row_or_named_as_broken(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    import csv

    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerows([["first", "second"], *rows])

    content = read(tmp_path_factory.mktemp("csv"), written.getvalue(), malformed="quarantine", null_values=("",))

    good = [row for row in rows if len(row) == 2]
    assert content.frame.height == len(good)
    assert len(content.malformed) == len(rows) - len(good)
