"""Looking at datasets, naming their snapshots, going back, and living beside other engines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest
from deltalake import DeltaTable, TableFeatures, write_deltalake

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.kernel.vocabulary.datasets import RowId
from treadle.systems.collect import FileSource, LandFiles, NamedDataset
from treadle.systems.collect.delta_table import Table
from treadle.systems.collect.errors import (
    DataFileCorrupt,
    DatasetNameRefused,
    DatasetNotFound,
    ForeignTable,
    NoFileMatches,
    OutsideInbox,
    RowNotFound,
    SnapshotNotFound,
    TagNotFound,
)
from treadle.systems.collect.records import RestoreSnapshot, TagSnapshot, UntagSnapshot, WantedRows


def numbers(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"n": list(values)})


def folder_of(home: Home) -> Path:
    return next(folder for folder in (home.folder / "tables").iterdir() if not folder.name.endswith(".quarantine"))


def values(home: Home, at: str | None = None) -> list[int]:
    snapshot = home.datasets.snapshot("default", "numbers", at)
    return home.datasets.scan("default", snapshot).collect()["n"].to_list()


def test_a_snapshot_is_found_by_version_tag_id_and_time(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))
    home.datasets.land(ADA, "numbers", numbers(2))
    first = home.datasets.snapshot("default", "numbers", "1")
    home.tags.tag(ADA, TagSnapshot(name="numbers", tag="clean", at="1"))

    for at in ("1", "clean", first.id, first.recorded_at.isoformat()):
        assert values(home, at) == [1]
    assert values(home, "main") == values(home) == [1, 2]


@pytest.mark.parametrize("at", ["9", "nonsense", "snap_00000000000000000000000000", "1999-01-01"])
def test_a_snapshot_that_is_not_there_is_named_with_what_is(home: Home, at: str) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))

    with pytest.raises(SnapshotNotFound) as caught:
        home.datasets.get(ADA, NamedDataset(name="numbers", at=at))

    assert "newest version is 1" in caught.value.why


def test_a_dataset_that_is_not_there_is_answered_with_near_names(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))

    with pytest.raises(DatasetNotFound, match="numbrs") as caught:
        home.datasets.get(ADA, NamedDataset(name="numbrs"))

    assert "numbers" in caught.value.why


@pytest.mark.parametrize("tag", ["main", "12", "", "a/b", "@x", "2013-04-01", "snap_1"])
def test_a_tag_that_would_mislead_is_refused(home: Home, tag: str) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))

    with pytest.raises(DatasetNameRefused):
        home.tags.tag(ADA, TagSnapshot(name="numbers", tag=tag))


def test_restoring_makes_earlier_rows_the_newest_with_their_content_id(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))
    home.datasets.land(ADA, "numbers", numbers(2))

    restored = home.datasets.restore(ADA, RestoreSnapshot(name="numbers", at="1", reason="2 was wrong"))
    home.datasets.land(ADA, "numbers", numbers(3))

    assert (restored.version, restored.rows) == (3, 1)
    assert restored.content_id == home.datasets.snapshot("default", "numbers", "1").content_id
    assert (values(home, "2"), values(home, "3"), values(home)) == ([1, 2], [1], [1, 3])
    assert sorted(pl.scan_delta(str(folder_of(home))).collect()["n"]) == [1, 3]


def test_a_restored_dataset_can_go_forward_again(home: Home) -> None:
    for n in (1, 2, 3):
        home.datasets.land(ADA, "numbers", numbers(n))
    home.datasets.restore(ADA, RestoreSnapshot(name="numbers", at="1"))

    home.datasets.restore(ADA, RestoreSnapshot(name="numbers", at="3"))

    assert sorted(values(home)) == [1, 2, 3]


def test_rows_are_read_by_their_ids(home: Home) -> None:
    [first] = home.datasets.land(ADA, "numbers", numbers(1, 2, 3))
    [second] = home.datasets.land(ADA, "numbers", numbers(4))

    answer = home.datasets.rows(ADA, WantedRows(name="numbers", rows=[f"{second.id}:0", f"{first.id}:1"]))

    assert [row["n"] for row in answer.rows] == [4, 2]


def test_a_row_that_is_not_there_is_named(home: Home) -> None:
    [landing] = home.datasets.land(ADA, "numbers", numbers(1))

    with pytest.raises(RowNotFound, match=f"{landing.id}:7"):
        home.datasets.find_rows("default", "numbers", [RowId(landing.id, 0), RowId(landing.id, 7)])


def test_a_list_says_what_there_is(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1, 2))

    [summary] = home.datasets.list(ADA)

    assert (summary.name, summary.version, summary.rows) == ("numbers", 1, 2)


def test_what_another_engine_appends_is_adopted(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))
    write_deltalake(folder_of(home), numbers(7).to_arrow(), mode="append", schema_mode="merge")

    [adopted] = home.datasets.adopt(ADA, NamedDataset(name="numbers"))

    assert (adopted.version, adopted.rows, adopted.landing) == (2, 2, None)
    assert values(home) == [1, 7]
    assert "dataset.adopted" in [event.kind for event in home.events.about("default", "dataset/numbers")]
    assert home.datasets.adopt(ADA, NamedDataset(name="numbers")) == []


def test_a_landing_adopts_what_came_before_it(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))
    write_deltalake(folder_of(home), numbers(7).to_arrow(), mode="append", schema_mode="merge")
    home.datasets.land(ADA, "numbers", numbers(2))

    history = home.datasets.history(ADA, NamedDataset(name="numbers"))

    assert [snapshot.rows for snapshot in history] == [1, 2, 3]
    assert sorted(values(home)) == [1, 2, 7]


def test_a_compaction_by_another_engine_inherits_the_content_id(home: Home) -> None:
    for n in (1, 2, 3):
        home.datasets.land(ADA, "numbers", numbers(n))
    before = home.datasets.snapshot("default", "numbers")
    DeltaTable(folder_of(home)).optimize.compact()

    [after] = home.datasets.adopt(ADA, NamedDataset(name="numbers"))

    assert after.content_id == before.content_id
    assert after.layout_digest != before.layout_digest
    assert sorted(values(home)) == [1, 2, 3]
    assert values(home, str(before.version)) == [1, 2, 3]
    assert home.datasets.rows(ADA, WantedRows(name="numbers", rows=[f"{before.landing}:0"])).rows[0]["n"] == 3


def test_a_foreign_file_outside_the_table_is_refused(home: Home) -> None:
    from deltalake.transaction import AddAction

    home.datasets.land(ADA, "numbers", numbers(1))
    table = DeltaTable(folder_of(home))
    table.create_write_transaction([AddAction("../../x.parquet", 1, {}, 0, True, "{}")], "append", table.schema())

    with pytest.raises(ForeignTable, match="outside"):
        home.datasets.adopt(ADA, NamedDataset(name="numbers"))


def test_duckdb_and_polars_read_the_open_table(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1, 2))
    folder = folder_of(home)

    files = [str(folder / file.path) for file in home.datasets.snapshot("default", "numbers").files]
    assert duckdb.sql(f"select sum(n) from read_parquet({files})").fetchall() == [(3,)]
    assert pl.scan_delta(str(folder)).collect()["n"].to_list() == [1, 2]
    table = DeltaTable(folder)
    assert table.metadata().configuration["delta.logRetentionDuration"] == "interval 36500 days"


def test_a_damaged_file_is_noticed(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(*range(100)))
    snapshot = home.datasets.snapshot("default", "numbers")
    path = folder_of(home) / snapshot.files[0].path
    data = bytearray(path.read_bytes())

    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataFileCorrupt, match=path.name):
        home.datasets.verify("default", snapshot)
    path.write_bytes(data[:-10])
    with pytest.raises(DataFileCorrupt, match=path.name):
        home.datasets.scan("default", snapshot)
    path.unlink()
    with pytest.raises(DataFileCorrupt) as caught:
        home.datasets.scan("default", snapshot)
    assert "missing" in caught.value.why


def test_files_of_the_inbox_land_one_by_one_and_once(home: Home) -> None:
    inbox = home.folder / "inbox" / "2013"
    inbox.mkdir(parents=True)
    for month in (2, 3):
        (inbox / f"{month:02}.csv").write_text(f"n\n{month}\n")
    request = LandFiles(dataset="numbers", pattern="2013/*.csv")

    first = home.datasets.land_files(ADA, request)
    (inbox / "04.csv").write_text("n\n4\n")
    (inbox / "01.csv").write_text("n\n1\n")
    second = home.datasets.land_files(ADA, request)

    assert [landing.source["path"] for landing in first] == ["2013/02.csv", "2013/03.csv"]
    assert [landing.source["path"] for landing in second] == ["2013/01.csv", "2013/04.csv"]
    assert second[-1].cursor == "2013/04.csv"
    assert home.datasets.land_files(ADA, request) == []


def test_a_pattern_that_nothing_matches_is_refused_and_makes_no_dataset(home: Home) -> None:
    with pytest.raises(NoFileMatches, match="No file of the inbox matches") as refused:
        home.datasets.land_files(ADA, LandFiles(dataset="none", pattern="none-*.csv"))

    assert "inbox" in refused.value.why
    assert "none" not in [one.name for one in home.datasets.list(ADA)]


@pytest.mark.parametrize("pattern", ["/etc/*", "../*.csv", "a/../../b"])
def test_the_verb_takes_no_files_from_outside_the_inbox(home: Home, pattern: str) -> None:
    with pytest.raises(OutsideInbox):
        home.datasets.land_files(ADA, LandFiles(dataset="numbers", pattern=pattern))


def test_an_error_after_the_plan_is_mended_by_the_next_landing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (home.folder / "inbox").mkdir()
    (home.folder / "inbox" / "a.csv").write_text("n\n1\n")
    source = FileSource("*.csv", root=home.folder / "inbox")
    with monkeypatch.context() as patched:
        patched.setattr("treadle.systems.collect.delta_table.Table.commit", _no_space)
        with pytest.raises(OSError, match="No space"):
            home.datasets.land(ADA, "numbers", source)

    assert home.datasets.land(ADA, "numbers", source) == []

    assert values(home) == [1]


def _no_space(*args: object, **named: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_landing_that_is_in_the_log_is_not_put_there_again(home: Home) -> None:
    [landing] = home.datasets.land(ADA, "numbers", numbers(1))
    table = Table(folder_of(home))
    file = home.datasets.snapshot("default", "numbers").files[0]

    again = table.commit(landing.id, (), [file], after=-1, now_ms=0, name="numbers")

    assert (again, table.version()) == (1, 1)


def test_the_log_is_read_by_its_own_library_through_checkpoints(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("treadle.systems.collect.delta_table.CHECKPOINT_EVERY", 4)
    for n in range(10):
        home.datasets.land(ADA, "numbers", numbers(n).with_columns(pl.lit(0.5).alias(f"c{n // 6}")))
    folder = folder_of(home)

    assert len(list((folder / "_delta_log").glob("*.checkpoint.parquet"))) == 2
    assert sorted(pl.scan_delta(str(folder)).collect()["n"]) == list(range(10))
    assert DeltaTable(folder).transaction_version(home.datasets.snapshot("default", "numbers").landing or "") == 1
    assert {entry.name[-5:] for entry in (folder / "_delta_log").glob("*.*")} == {".json", "rquet"}


def test_a_table_whose_protocol_asks_for_more_is_written_by_the_library(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))
    feed = TableFeatures.ChangeDataFeed
    DeltaTable(folder_of(home)).alter.add_feature(feed, allow_protocol_versions_increase=True)

    home.datasets.land(ADA, "numbers", numbers(2))

    newest = sorted((folder_of(home) / "_delta_log").glob("*.json"))[-1]
    assert "delta-rs" in newest.read_text()
    assert values(home) == [1, 2]


def test_a_log_with_a_gap_is_named(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))
    for n in (7, 8):
        write_deltalake(folder_of(home), numbers(n).to_arrow(), mode="append", schema_mode="merge")
    (folder_of(home) / "_delta_log" / f"{2:020d}.json").unlink()

    with pytest.raises(DataFileCorrupt, match="log"):
        Table(folder_of(home)).version()
    assert values(home) == [1]


def test_a_tag_that_is_taken_away_names_nothing_and_its_history_stays(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))
    home.tags.tag(ADA, TagSnapshot(name="numbers", tag="golden", reason="checked by hand"))
    [tag] = home.tags.list(ADA, NamedDataset(name="numbers"))

    home.tags.untag(ADA, UntagSnapshot(name="numbers", tag="golden"))

    assert (tag.tag, tag.version, tag.actor, tag.reason) == ("golden", 1, "ada", "checked by hand")
    assert home.tags.list(ADA, NamedDataset(name="numbers")) == []
    with pytest.raises(SnapshotNotFound):
        home.datasets.snapshot("default", "numbers", "golden")
    with home.store.read() as reader:
        assert len(home.refs.history(reader, "default", "dataset/numbers@golden")) == 2
    with pytest.raises(TagNotFound):
        home.tags.untag(ADA, UntagSnapshot(name="numbers", tag="golden"))


def test_a_place_may_be_written_behind_the_name(home: Home) -> None:
    home.datasets.land(ADA, "numbers", numbers(1))
    home.datasets.land(ADA, "numbers", numbers(2))
    home.tags.tag(ADA, TagSnapshot(name="numbers", tag="first", at="v1"))

    assert home.datasets.snapshot("default", "numbers@v1").version == 1
    assert home.datasets.snapshot("default", "numbers@1").version == 1
    assert home.datasets.snapshot("default", "numbers@first").version == 1
    assert home.datasets.snapshot("default", "numbers@main").version == 2


def test_a_clock_that_goes_back_changes_neither_the_order_nor_what_a_time_finds(tmp_path: Path) -> None:
    now = [datetime(2013, 4, 1, 12, tzinfo=UTC)]
    home = open_home(tmp_path, clock=lambda: now[0])
    for hour in (12, 14, 11):
        now[0] = now[0].replace(hour=hour)
        home.datasets.land(ADA, "numbers", numbers(hour))

    history = home.datasets.history(ADA, NamedDataset(name="numbers"))
    found = [home.datasets.snapshot("default", "numbers", f"2013-04-01T{hour}:30Z").version for hour in range(11, 16)]

    assert [(one.version, one.recorded_at.hour) for one in history] == [(1, 12), (2, 14), (3, 11)]
    assert found == sorted(found) == [3, 3, 3, 3, 3]
    with pytest.raises(SnapshotNotFound):
        home.datasets.snapshot("default", "numbers", "2013-04-01T10:59Z")
    home.store.close()
