"""A file that is read in pieces holds the same rows, types and broken lines as one that is read at once."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA
from treadle.systems.collect import Datasets
from treadle.systems.collect.errors import UnreadableSource
from treadle.systems.collect.reading import Reading, large, read_content, read_file, read_pieces
from treadle.systems.collect.sources import FileSource


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "LARGE_BYTES", 1)
    monkeypatch.setattr(large, "PIECE_CHARS", 40)
    monkeypatch.setattr(large, "PIECE_ROWS", 3)


def in_pieces(path: Path, how: Reading, known: dict[str, str] | None = None) -> tuple[pl.DataFrame, list[int]]:
    found = read_pieces(path, how, known or {})
    frames = [frame for frame in found.frames if frame.width]
    assert found.facts["bytes"] == path.stat().st_size
    return pl.concat(frames) if frames else pl.DataFrame(), [line.row for line in found.malformed]


def at_once(path: Path, how: Reading, known: dict[str, str] | None = None) -> tuple[pl.DataFrame, list[int]]:
    content = read_file(path, how, known or {})
    return content.frame, [line.row for line in content.malformed]


CELLS = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(-1e6, 1e6).map(str),
    st.sampled_from(["", "NA", "true", "2013-01-01", "2013-01-01T06:00:00Z", "x", "007", "é"]),
    st.sampled_from(['"a,b"', '"two\nlines"', '"said ""so"""', '"win\r\ndows"', '""']),
)


@given(
    lines=st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), min_size=1, max_size=25),
    ending=st.sampled_from(["\n", "\r\n"]),
    known=st.sampled_from([{}, {"a": "string", "b": "string", "c": "string"}, {"a": "string"}]),
)
@settings(max_examples=60, deadline=None)
def test_csv_in_pieces_is_csv_at_once(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ending: str, known: dict[str, str]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(ending.join(["a,b,c", *lines, ""]).encode())
    how = Reading(malformed="quarantine")

    frame, broken = at_once(path, how, known)
    found, found_broken = in_pieces(path, how, known)

    assert found_broken == broken
    if known.keys() == {"a", "b", "c"} or frame.height == 0:
        assert found.height == frame.height
    else:
        assert found.to_dict(as_series=False) == frame.to_dict(as_series=False)


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 9) | st.none(), min_size=1), max_size=20))
@settings(max_examples=25, deadline=None)
def test_json_lines_in_pieces_are_json_lines_at_once(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, int | None]]
) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{broken\n[1]\n")
    how = Reading(malformed="quarantine")

    frame, broken = at_once(path, how)
    found, found_broken = in_pieces(path, how)

    assert found_broken == broken
    assert sorted(found.columns) == sorted(frame.columns)
    assert found.select(frame.columns).rows() == frame.rows()


def test_a_late_row_decides_the_type_of_the_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n,t,at\n" + "1,5,2013-01-01\n" * 20 + "2.5,x,soon\n")

    frame, _ = in_pieces(path, Reading())

    assert frame.schema == {"n": pl.Float64, "t": pl.String, "at": pl.String}
    assert frame["t"].to_list() == ["5"] * 20 + ["x"]


def test_times_stay_times(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("day,at\n" + "2013-01-01,2013-01-01T06:00:00+01:00\n" * 20)

    frame, _ = in_pieces(path, Reading())

    assert frame.schema == {"day": pl.Date, "at": pl.Datetime("us", "UTC")}
    assert frame["at"].null_count() == 0


def test_packed_and_encoded_text_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(("name\n" + "Müller\n" * 50).encode("latin-1")))

    assert in_pieces(path, Reading(encoding="latin-1"))[0]["name"].to_list() == ["Müller"] * 50


@pytest.mark.parametrize(
    ("data", "name", "said"),
    [
        (b"a,b\n" + b"1,2\n" * 50 + b"1,\xff\n", "a.csv", "line 52"),
        (b"a,b\n" + b"1,2\n" * 50 + b"1,2,3\n", "a.csv", "line 52"),
        (b'a,b\n1,"open\n' + b"1,2\n" * 50, "a.csv", "line 2"),
        (gzip.compress(b"a\n" + b"1\n" * 5000, mtime=0)[:-10], "a.csv.gz", "whole archive"),
        (b"PAR1" + b"x" * 100, "a.parquet", "whole Parquet"),
        (b"ARROW1" + b"x" * 100, "a.arrow", "whole Arrow"),
        ("a\n1\n".encode("utf-16"), "a.csv", "mark of utf-16"),
    ],
)
def test_what_is_broken_is_named_by_its_place_in_the_file(tmp_path: Path, data: bytes, name: str, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(UnreadableSource) as raised:
        in_pieces(path, Reading())

    assert said in " ".join(raised.value.sentences())


def test_parquet_and_arrow_are_read_in_pieces(tmp_path: Path) -> None:
    frame = pl.DataFrame({"n": range(20), "t": ["x", None] * 10})
    frame.write_parquet(tmp_path / "a.parquet", row_group_size=7)
    frame.write_ipc(tmp_path / "a.arrow")
    with pa.OSFile(str(tmp_path / "a.arrows"), "wb") as file, pa.ipc.new_stream(file, frame.to_arrow().schema) as out:
        out.write_table(frame.to_arrow(), max_chunksize=6)

    for name in ("a.parquet", "a.arrow", "a.arrows"):
        assert in_pieces(tmp_path / name, Reading())[0].equals(frame), name
        assert at_once(tmp_path / name, Reading())[0].equals(frame), name


def test_an_arrow_file_without_rows_has_its_columns() -> None:
    sink = io.BytesIO()
    pl.DataFrame(schema={"n": pl.Int64}).write_ipc(sink)

    assert read_content("a.arrow", sink.getvalue(), Reading(), {}).frame.schema == {"n": pl.Int64}


def test_a_large_file_lands_as_one_landing(datasets: Datasets, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("n,t\n" + "".join(f"{n},x\n" for n in range(100)) + "short\n")
    source = FileSource("a.csv", root=tmp_path, reading=Reading(malformed="quarantine"))

    (landing,) = datasets.land(ADA, "things", source)
    again = datasets.land(ADA, "things", source)

    assert (landing.rows_in, landing.rows_kept, landing.rows_refused) == (101, 100, 1)
    assert again == []
    rows = datasets.scan("default", datasets.snapshot("default", "things")).collect()
    assert rows["n"].to_list() == list(range(100))
    assert rows["_row"].to_list() == list(range(100))


def test_a_large_file_that_is_broken_at_its_end_lands_nothing(datasets: Datasets, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"n,t\n" + b"1,x\n" * 100 + b"2,\xff\n")

    with pytest.raises(UnreadableSource):
        datasets.land(ADA, "things", FileSource("a.csv", root=tmp_path))

    assert datasets.find_snapshot("default", "things") is None
