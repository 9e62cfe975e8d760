"""What lies between two snapshots, against what a reader of both would find."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.systems.collect import NamedDataset
from treadle.systems.collect.comparing.records import CompareSnapshots, Comparison
from treadle.systems.collect.comparing.service import Comparisons
from treadle.systems.collect.errors import ColumnNotFound, SnapshotNotFound
from treadle.systems.collect.records import RestoreSnapshot


def diff(home: Home, before: str, after: str | None = None, **options: object) -> Comparison:
    request = CompareSnapshots(name="prices", before=before, after=after, **options)  # type: ignore[arg-type]
    return Comparisons(home.datasets.lookup).diff(ADA, request)


def land(home: Home, **columns: object) -> None:
    home.datasets.land(ADA, "prices", pl.DataFrame(columns))


def folder_of(home: Home) -> Path:
    return Path(home.datasets.lookup.get("default", "prices").dataset.location)


def test_landings_add_rows_and_no_file_is_opened_for_it(home: Home) -> None:
    land(home, sku=["a", "b"], price=[1, 2])
    land(home, sku=["c"], price=[3])
    for path in folder_of(home).glob("data/*.parquet"):
        path.write_bytes(b"\0" * path.stat().st_size)  # of the right size, and unreadable

    found = diff(home, "1", distributions=False)

    assert (found.rows.added, found.rows.removed, found.rows.same) == (1, 0, 2)
    assert (found.rows.files_shared, found.rows.files_read) == (1, 0)
    assert (found.before.version, found.after.version, found.is_same) == (1, 2, False)


def test_a_restore_takes_rows_away_again(home: Home) -> None:
    land(home, sku=["a"], price=[1])
    land(home, sku=["b"], price=[2])
    home.datasets.restore(ADA, RestoreSnapshot(name="prices", at="1"))

    back, round_trip = diff(home, "2"), diff(home, "1")

    assert (back.rows.added, back.rows.removed, back.rows.same) == (0, 1, 1)
    assert round_trip.is_same
    assert (round_trip.rows.added, round_trip.rows.removed, round_trip.rows.files_shared) == (0, 0, 1)


def test_a_compaction_changes_no_row(home: Home) -> None:
    for n in range(4):
        land(home, sku=[f"{n}"], price=[n])
    DeltaTable(folder_of(home)).optimize.compact()
    home.datasets.adopt(ADA, NamedDataset(name="prices"))

    found = diff(home, "4", key=["sku"])

    assert found.is_same
    assert (found.rows.added, found.rows.removed, found.rows.changed, found.rows.same) == (0, 0, 0, 4)
    assert (found.rows.files_shared, found.rows.files_read) == (0, 5)
    assert found.by_key is not None
    assert (found.by_key.inserted, found.by_key.deleted, found.by_key.updated) == (0, 0, 0)


def test_a_value_that_another_engine_changed_is_noticed(home: Home) -> None:
    land(home, sku=["a", "b"], price=[1, 2])
    DeltaTable(folder_of(home)).update(updates={"price": "9"}, predicate="sku = 'b'")
    home.datasets.adopt(ADA, NamedDataset(name="prices"))

    found = diff(home, "1", "2")

    assert (found.rows.added, found.rows.removed, found.rows.changed, found.rows.same) == (0, 0, 1, 1)


def test_columns_that_came_went_and_got_a_type_are_named(home: Home) -> None:
    land(home, sku=["a"], price=[None])
    land(home, sku=["b"], price=[2.5], stock=[1])

    there, back = diff(home, "1", "2"), diff(home, "2", "1")

    assert [(column.name, column.type) for column in there.schema.added] == [("stock", "long")]
    assert [(one.name, one.before, one.after) for one in there.schema.retyped] == [("price", "void", "double")]
    assert [column.name for column in back.schema.removed] == ["stock"]


def test_rows_are_compared_by_a_key_with_examples_and_counts(home: Home) -> None:
    land(home, sku=["a", "b", "c", None], price=[1.0, 2.0, float("nan"), 4.0], stock=[1, 1, None, 1])
    home.datasets.land(ADA, "next", pl.DataFrame({"sku": ["b", "c", "d", None], "price": [2.0, float("nan"), 7.0, 5.0], "stock": [9, None, 1, 1]}))  # fmt: skip

    found = diff(home, "1", "next@1", key=["sku"]).by_key

    assert found is not None
    assert (found.inserted, found.deleted, found.updated) == (1, 1, 2)
    assert found.columns == {"price": 1, "stock": 1}
    assert [(one.key, one.before, one.after) for one in found.examples_updated] == [
        ({"sku": "b"}, {"stock": 1}, {"stock": 9}),
        ({"sku": None}, {"price": 4.0}, {"price": 5.0}),
    ]
    assert found.examples_inserted == [{"sku": "d", "price": 7.0, "stock": 1}]
    assert found.examples_deleted == [{"sku": "a", "price": 1.0, "stock": 1}]


def test_a_key_that_lands_again_is_an_update_though_its_old_row_stays(home: Home) -> None:
    land(home, sku=["a", "b"], price=[1, 2])
    land(home, sku=["b", "c"], price=[20, 3])

    found = diff(home, "1", key=["sku"]).by_key

    assert found is not None
    assert (found.inserted, found.deleted, found.updated, found.repeated_after) == (1, 0, 1, 1)
    assert found.examples_updated[0].after == {"price": 20}


def test_a_key_has_to_be_a_column_of_both(home: Home) -> None:
    land(home, sku=["a"])
    land(home, sku=["a"], stock=[1])

    with pytest.raises(ColumnNotFound) as caught:
        diff(home, "1", "2", key=["skuu"])
    with pytest.raises(ColumnNotFound, match="stock"):
        diff(home, "1", "2", key=["stock"])
    with pytest.raises(SnapshotNotFound):
        diff(home, "7")

    assert "sku" in caught.value.why


def test_values_that_moved_are_told_from_values_that_did_not(home: Home) -> None:
    n = 2000
    land(home, wind=[k % 50 for k in range(n)], hub=["EWR", "JFK"] * (n // 2), gust=[None] * n, at=list(range(n)), id=[f"{k:05}" for k in range(n)])  # fmt: skip
    home.datasets.land(ADA, "later", pl.DataFrame({"wind": [25 + k % 50 for k in range(n)], "hub": ["EWR", "JFK"] * (n // 2), "gust": [1.5] * n, "at": list(range(n)), "id": [f"{k:05}" for k in range(n)]}))  # fmt: skip

    columns = {column.name: column for column in diff(home, "1", "later@1").columns}

    assert (columns["wind"].kind, columns["wind"].reading) == ("number", "far apart")
    assert columns["wind"].before.quantiles == [0, 12, 24, 37, 49]
    assert columns["wind"].after.mean == pytest.approx(49.5)
    assert (columns["hub"].kind, columns["hub"].reading, columns["hub"].stability) == ("category", "alike", 0.0)
    assert columns["hub"].before.shares == {"EWR": 0.5, "JFK": 0.5}
    assert (columns["at"].reading, columns["id"].kind, columns["id"].reading) == ("alike", "text", "alike")
    assert "gust" not in columns  # its type came with its first values


def test_a_column_that_lost_its_values_has_moved(home: Home) -> None:
    land(home, wind=[1.0] * 1000)
    home.datasets.land(ADA, "later", pl.DataFrame({"wind": [1.0] * 500 + [None] * 500}))

    [wind] = diff(home, "1", "later@1").columns

    assert (wind.before.null_share, wind.after.null_share, wind.reading) == (0.0, 0.5, "far apart")


def test_few_rows_say_nothing_about_a_distribution(home: Home) -> None:
    land(home, wind=[1, 2, 3])
    land(home, wind=[9])

    [wind] = diff(home, "1").columns

    assert wind.reading == "too few rows"


@pytest.mark.parametrize("values", [[], [None], [float("inf"), 1.0], [[1, 2]], [b"x"], [True], ["x"]])
def test_whatever_a_column_holds_it_can_be_compared_with_itself(home: Home, values: list[object]) -> None:
    land(home, x=pl.Series(values or [None], dtype=pl.Float64 if not values else None))

    for column in diff(home, "1", "1").columns:
        assert column.stability in (None, 0.0)


ROWS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=5)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.one_of(ROWS, st.integers(1, 3), st.just("compact")), min_size=2, max_size=6))
def test_any_history_is_compared_as_a_reader_of_both_ends_would(
    tmp_path_factory: pytest.TempPathFactory, steps: list[object]
) -> None:
    home = open_home(tmp_path_factory.mktemp("history"))
    land(home, k=[0], v=[0])
    for step in steps:
        versions = home.datasets.snapshot("default", "prices").version
        if isinstance(step, list):
            land(home, k=[k for k, _ in step], v=[v for _, v in step])
        elif isinstance(step, int):
            home.datasets.restore(ADA, RestoreSnapshot(name="prices", at=str(min(step, versions))))
        else:
            DeltaTable(folder_of(home)).optimize.compact()
            home.datasets.adopt(ADA, NamedDataset(name="prices"))
    frames = {}
    for one in home.datasets.history(ADA, NamedDataset(name="prices")):
        frames[one.version] = home.datasets.scan(
            "default", home.datasets.snapshot("default", "prices", str(one.version))
        ).collect()
    newest = max(frames)

    for version, frame in frames.items():
        found = diff(home, str(version), str(newest), key=["k"], distributions=False)
        old, new = ({row[:2]: row[2:] for row in each.iter_rows()} for each in (frame, frames[newest]))
        assert found.rows.added == len(new.keys() - old.keys())
        assert found.rows.removed == len(old.keys() - new.keys())
        assert found.rows.same == len(new.keys() & old.keys())
        before, after = ({row[2]: row[3] for row in each.iter_rows()} for each in (frame, frames[newest]))
        assert found.by_key is not None
        assert found.by_key.inserted == len(after.keys() - before.keys())
        assert found.by_key.deleted == len(before.keys() - after.keys())
        assert found.by_key.updated == sum(after[k] != before[k] for k in after.keys() & before.keys())
    home.store.close()


def test_a_table_whose_rows_have_no_identity_is_compared_by_counting(home: Home) -> None:
    land(home, k=[1], v=[1])
    write_deltalake(folder_of(home), pl.DataFrame({"k": [2], "v": [2]}).to_arrow(), mode="append", schema_mode="merge")
    home.datasets.adopt(ADA, NamedDataset(name="prices"))

    found = diff(home, "1", "2", key=["k"])

    assert (found.rows.added, found.rows.same) == (1, 1)
    assert found.by_key is not None
    assert found.by_key.examples_inserted == [{"k": 2, "v": 2}]
