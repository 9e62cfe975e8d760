"""SQL on snapshots: every version by its name, and nothing of the machine underneath."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.systems.collect.conftest import ADA, Home
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.systems.collect.errors import (
    DatasetNotFound,
    QueryFailed,
    QueryRefused,
    QueryTooLarge,
    QueryTooLong,
    SnapshotNotFound,
)
from treadle.systems.collect.querying.records import Answer, ExportRows, QueryDatasets
from treadle.systems.collect.querying.sandbox import Limits
from treadle.systems.collect.querying.service import Queries
from treadle.systems.collect.querying.statements import read
from treadle.systems.collect.records import TagSnapshot


@pytest.fixture
def flights(home: Home) -> Home:
    """Flights in two versions, the second with a column more, and weather with a name that SQL has to quote."""
    home.datasets.land(ADA, "flights", pl.DataFrame({"origin": ["JFK", "EWR"], "delay": [5, 50]}))
    home.datasets.land(ADA, "flights", pl.DataFrame({"origin": ["LGA"], "delay": [500], "tail": ["N1"]}))
    home.datasets.land(ADA, "weather.hourly-v2", pl.DataFrame({"origin": ["JFK", "LGA"], "wind": [7.5, None]}))
    home.tags.tag(ADA, TagSnapshot(name="flights", tag="golden", at="1"))
    return home


def ask(home: Home, sql: str, *, limit: int = 1000, limits: Limits | None = None) -> Answer:
    return Queries(home.datasets.lookup, limits).query(ADA, QueryDatasets(sql=sql, limit=limit))


def test_a_query_reads_the_newest_snapshot_and_says_which_it_was(flights: Home) -> None:
    answer = ask(flights, "select origin, delay * 2 as twice, tail from flights order by delay")

    assert answer.rows == [["JFK", 10, None], ["EWR", 100, None], ["LGA", 1000, "N1"]]
    assert [(column.name, column.type) for column in answer.columns] == [
        ("origin", "string"), ("twice", "int64"), ("tail", "string"),
    ]  # fmt: skip
    assert answer.snapshots == {"flights": "flights@2"}


@pytest.mark.parametrize(
    "table", ["flights@v1", "flights@1", "flights@golden", '"flights@v1"', "/* flights@9 */ flights@golden -- x@1"]
)
def test_a_table_may_be_any_snapshot(flights: Home, table: str) -> None:
    answer = ask(flights, f"select count(*), 'a@b', $$c@d$$ from {table}\n")

    assert answer.rows == [[2, "a@b", "c@d"]]
    assert set(answer.snapshots.values()) == {"flights@1"}


def test_snapshots_of_one_and_of_several_datasets_are_joined(flights: Home) -> None:
    joined = ask(flights, 'select f.origin, w.wind from flights f join "weather.hourly-v2" w using (origin) order by 1')
    changed = ask(flights, "select b.origin from flights b anti join flights@v1 a on a._landing = b._landing")

    assert joined.rows == [["JFK", 7.5], ["LGA", None]]
    assert changed.rows == [["LGA"]]


def test_a_name_with_a_point_needs_no_quotes(home: Home) -> None:
    home.datasets.land(ADA, "late.predictions", pl.DataFrame({"n": [1]}))

    assert ask(home, "select sum(n) from late.predictions").rows == [[1]]


def test_what_a_with_clause_gives_is_no_dataset(flights: Home) -> None:
    answer = ask(
        flights, "with late as (select * from flights where delay > 10), x as (select 1) select count(*) from late"
    )

    assert answer.rows == [[2]]
    assert ask(flights, "with flights as (select * from flights limit 1) select count(*) from flights").rows == [[1]]


def test_time_travel_by_a_moment(flights: Home) -> None:
    first = flights.datasets.snapshot("default", "flights", "1").recorded_at.isoformat().replace("+00:00", "Z")

    assert ask(flights, f"select count(*) from flights@{first}").rows == [[2]]


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/passwd')",
        "select * from glob('/etc/*')",
        "select * from duckdb_settings()",
        "select * from parquet_metadata('x')",
        "select * from query('select 1')",
        "select current_setting('allowed_paths')",
        "copy flights to '/tmp/x.csv'",
        "attach '/tmp/x.db'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        "pragma database_list",
        "create table x as select 1",
        "export database '/tmp/x'",
        "with x as (insert into flights values (1) returning *) select * from x",
        "select 1; select 2",
        "explain select 1",
        "",
        "selec 1",
        "select 'it",
    ],
)
def test_what_is_no_question_to_datasets_is_refused_before_anything_runs(sql: str) -> None:
    with pytest.raises(QueryRefused):
        read(sql)


@pytest.mark.parametrize(
    "sql", ["select * from '/etc/passwd'", "select * from information_schema.tables", "from sqlite_schema"]
)
def test_a_table_is_a_dataset_and_no_file_or_catalog(flights: Home, sql: str) -> None:
    with pytest.raises(DatasetNotFound):
        ask(flights, sql)


def test_the_engine_itself_is_closed(flights: Home) -> None:
    """Were a statement to pass the first look, it would still reach nothing: asked here around that look."""
    from treadle.systems.collect.querying.sandbox import Scanned, carried_out

    snapshot = flights.datasets.snapshot("default", "flights")
    scanned = {("flights",): Scanned(flights.datasets.lookup.folder("default", snapshot), snapshot)}
    secret = flights.folder / "secret.csv"
    secret.write_text("a\n1\n")
    target = flights.folder / "stolen.csv"
    own = flights.datasets.lookup.folder("default", snapshot) / snapshot.files[0].path
    before = own.read_bytes()

    for sql in (
        f"select * from read_csv('{secret}')",
        f"select * from '{secret}'",
        f"copy flights to '{target}'",
        f"copy (select 1) to '{own}' (format csv)",
        "set enable_external_access = true",
        "set allowed_paths = ['/etc/passwd']",
        f"attach '{flights.folder}/x.db'",
        "install httpfs",
        "select * from read_csv('http://127.0.0.1:1/x.csv')",
    ):
        with pytest.raises(QueryFailed), carried_out(sql, scanned, Limits()) as reader:
            reader.read_all()

    assert not target.exists()
    assert own.read_bytes() == before


def test_near_names_are_offered(flights: Home) -> None:
    with pytest.raises(DatasetNotFound) as caught:
        ask(flights, "select * from fligths")
    with pytest.raises(SnapshotNotFound):
        ask(flights, "select * from flights@v9")
    with pytest.raises(QueryFailed) as wrong:
        ask(flights, "select orgin from flights")

    assert "flights" in caught.value.why
    assert "origin" in f"{wrong.value.why} {wrong.value.fix}"


def test_more_rows_than_asked_for_are_cut_with_a_note(home: Home) -> None:
    home.datasets.land(ADA, "numbers", pl.DataFrame({"n": range(200_000)}))

    answer = ask(home, "select n from numbers", limit=10)
    all_of_them = ask(home, "select n from numbers limit 10", limit=10)
    most = ask(home, "select n from numbers", limit=10**9)

    assert (len(answer.rows), answer.is_cut) == (10, True)
    assert (len(all_of_them.rows), all_of_them.is_cut) == (10, False)
    assert (len(most.rows), most.is_cut) == (10_000, True)


def test_a_query_that_takes_too_long_is_stopped(home: Home) -> None:
    with pytest.raises(QueryTooLong, match=r"0\.2 seconds"):
        ask(
            home,
            "select count(*) from range(100000000) a, range(100000) b where (a.range ^ 2) % 7 = b.range",
            limits=Limits(timeout_s=0.2),
        )


def test_a_query_that_takes_too_much_memory_is_stopped_and_spills_nothing(home: Home) -> None:
    with pytest.raises(QueryTooLarge, match="GiB"):
        ask(home, "select list(range) from range(50000000)", limits=Limits(memory_bytes=64 << 20))


def test_a_query_takes_its_own_permission(flights: Home) -> None:
    queries = Queries(flights.datasets.lookup)
    labeller = Caller(project="default", actor="lea", permissions=frozenset({"label.write", "dataset.read"}))

    with pytest.raises(PermissionDenied, match="lea"):
        queries.query(labeller, QueryDatasets(sql="select 1"))
    with pytest.raises(PermissionDenied):
        queries.export(labeller, ExportRows(name="flights"))


EVERY_TYPE = pl.DataFrame(
    {
        "whole": pl.Series([1, None], dtype=pl.Int16),
        "big": pl.Series([2**63, 1], dtype=pl.UInt64),
        "real": [0.5, float("nan")],
        "single": pl.Series([0.5, None], dtype=pl.Float32),
        "yes": [True, None],
        "text": ["ü'\"", None],
        "raw": [b"\x00\xff", None],
        "day": pl.Series(["2013-04-01", None]).str.to_date(),
        "at": pl.Series(["2013-04-01T12:00:00Z", None]).str.to_datetime(time_zone="UTC", time_unit="us"),
        "clock": pl.Series(["2013-04-01T12:00:00", None]).str.to_datetime(time_unit="us"),
        "list": [[1, 2], None],
        "pair": [{"a": 1, "b": "x"}, {"a": None, "b": None}],
        "nothing": [None, None],
    }
)


def test_every_type_of_an_open_table_comes_through(home: Home) -> None:
    home.datasets.land(ADA, "types", EVERY_TYPE)
    home.datasets.land(ADA, "types", EVERY_TYPE.head(1))
    snapshot = home.datasets.snapshot("default", "types")
    queries = Queries(home.datasets.lookup)

    asked = queries.frame("default", queries.question("default", "select * from types"))
    scanned = home.datasets.scan("default", snapshot).collect()

    assert_frame_equal(asked.drop("nothing"), scanned.drop("nothing"))
    assert asked["nothing"].null_count() == 3


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv", "jsonl"])
def test_an_export_holds_every_row_whatever_its_form(home: Home, form: str) -> None:
    frame = pl.DataFrame({"n": range(150_000), "text": ["a,b\n"] * 150_000})
    home.datasets.land(ADA, "numbers", frame)
    read_back = {"parquet": pl.read_parquet, "arrow": pl.read_ipc, "csv": pl.read_csv, "jsonl": pl.read_ndjson}[form]

    pieces = list(Queries(home.datasets.lookup).export(ADA, ExportRows(name="numbers", format=form)))  # type: ignore[arg-type]
    few = Queries(home.datasets.lookup).export(ADA, ExportRows(sql="select n from numbers where n < 2", format=form))  # type: ignore[arg-type]

    whole = read_back(io.BytesIO(b"".join(piece.data for piece in pieces)))
    assert len(pieces) > 1
    assert whole.select("n", "text").equals(frame)
    assert whole.columns[:2] == ["_landing", "_row"]
    assert read_back(io.BytesIO(b"".join(piece.data for piece in few)))["n"].to_list() == [0, 1]


def test_an_export_of_nothing_has_its_columns(home: Home) -> None:
    home.datasets.land(ADA, "numbers", pl.DataFrame({"n": [1]}))
    none = Queries(home.datasets.lookup).export(ADA, ExportRows(sql="select n from numbers where n > 1", format="csv"))

    assert b"".join(piece.data for piece in none) == b"n\n"


def test_a_form_that_cannot_hold_a_column_says_so(home: Home) -> None:
    home.datasets.land(ADA, "lists", pl.DataFrame({"n": [[1]]}))

    with pytest.raises(QueryRefused, match="csv"):
        list(Queries(home.datasets.lookup).export(ADA, ExportRows(name="lists", format="csv")))


def test_a_home_with_quotes_and_brackets_in_its_path_is_read(tmp_path: Path) -> None:
    from tests.systems.collect.conftest import open_home

    home = open_home(tmp_path / "it's [a] *home*")
    home.datasets.land(ADA, "numbers", pl.DataFrame({"n": [1]}))

    assert ask(home, "select n from numbers").rows == [[1]]
    home.store.close()


def test_an_address_is_told_from_text_and_from_operators() -> None:
    assert set(read("select 'x@1', \"col@2\" from a@v1, b").tables) == {("a@v1",), ("b",)}
    assert set(read("select -@x from a").tables) == {("a",)}
    assert set(read("select * from a@2013-04-01T12:00:00Z)".replace(")", "")).tables) == {("a@2013-04-01T12:00:00Z",)}
