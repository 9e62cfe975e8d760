"""What a landing answers, and what it makes."""

from __future__ import annotations

import itertools
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.kernel.catalog import LineageRows
from treadle.kernel.governance import Caller, PermissionDenied
from treadle.systems.collect import CreateDataset, Datasets, FrameSource, NamedDataset
from treadle.systems.collect.errors import (
    ColumnNameRefused,
    DatasetNameRefused,
    DatasetProtected,
    LandingOvertaken,
    SchemaMismatch,
    TypeNotStorable,
)
from treadle.systems.collect.landing import Landings, Order
from treadle.systems.collect.records import Batch, Landing

THINGS = pl.DataFrame({"n": [1, 2, 3], "text": ["x", None, "z"]})


def rows_of(datasets: Datasets, name: str, at: str | None = None) -> pl.DataFrame:
    return datasets.scan("default", datasets.snapshot("default", name, at)).collect()


def test_a_frame_becomes_a_snapshot_whose_rows_are_identified(datasets: Datasets) -> None:
    [landing] = datasets.land(ADA, "things", THINGS)

    rows = rows_of(datasets, "things")
    assert (landing.rows_in, landing.rows_kept, landing.rows_refused, landing.version) == (3, 3, 0, 1)
    assert rows.select("n", "text").equals(THINGS)
    assert rows["_landing"].unique().to_list() == [landing.id]
    assert rows["_row"].to_list() == [0, 1, 2]


def test_each_landing_is_a_snapshot_and_older_ones_stay(datasets: Datasets) -> None:
    datasets.land(ADA, "things", THINGS)
    datasets.land(ADA, "things", THINGS.head(1))

    assert rows_of(datasets, "things", "1").height == 3
    assert rows_of(datasets, "things", "2").height == 4
    assert [s.version for s in datasets.history(ADA, NamedDataset(name="things"))] == [1, 2]


def test_arrow_and_pandas_land_as_polars_does(datasets: Datasets) -> None:
    datasets.land(ADA, "a", THINGS)
    datasets.land(ADA, "b", THINGS.to_arrow())
    datasets.land(ADA, "c", pa.table(THINGS.to_arrow()).to_pandas())

    a, b, c = (datasets.snapshot("default", name).content_id for name in "abc")
    assert a == b == c


def test_the_same_rows_in_the_same_order_have_the_same_content_id(datasets: Datasets) -> None:
    for name in ("a", "b"):
        datasets.land(ADA, name, THINGS)
        datasets.land(ADA, name, THINGS.reverse())
    datasets.land(ADA, "c", THINGS.reverse())
    datasets.land(ADA, "c", THINGS)

    a, b, c = (datasets.snapshot("default", name) for name in "abc")
    assert a.content_id == b.content_id != c.content_id
    assert a.layout_digest != b.layout_digest


def test_a_key_lands_once(datasets: Datasets) -> None:
    [first] = datasets.land(ADA, "things", THINGS, key="monday")
    [again] = datasets.land(ADA, "things", THINGS, key="monday")

    assert again == first
    assert datasets.snapshot("default", "things").rows == 3


def test_a_landing_leaves_an_event_a_ref_a_run_and_an_edge(home: Home) -> None:
    [landing] = home.datasets.land(ADA, "things", THINGS)

    [event] = [e for e in home.events.about("default", "dataset/things") if e.kind == "dataset.landed"]
    assert event.body["rows_kept"] == 3
    snapshot = home.datasets.snapshot("default", "things")
    with home.store.read() as reader:
        assert home.refs.get(reader, "default", "dataset/things@main").target == snapshot.id
        [edge] = LineageRows().of_run(reader, "default", landing.run or "")
    assert (edge.direction, edge.role, edge.digest) == ("out", "things@1", snapshot.content_id)
    assert home.events.verify("default").broken is None


def test_the_times_of_events_are_kept(datasets: Datasets) -> None:
    times = [datetime(2013, 1, 2, tzinfo=UTC), datetime(2013, 1, 9, tzinfo=UTC)]
    datasets.create(ADA, CreateDataset(name="things", event_column="at"))

    datasets.land(ADA, "things", pl.DataFrame({"at": times}))

    snapshot = datasets.snapshot("default", "things")
    assert [snapshot.event_from_at, snapshot.event_to_at] == times


def test_columns_may_be_added(datasets: Datasets) -> None:
    datasets.land(ADA, "things", THINGS)
    datasets.land(ADA, "things", THINGS.with_columns(more=pl.lit(1.5)))
    datasets.land(ADA, "things", THINGS.select("n"))

    assert rows_of(datasets, "things")["more"].to_list() == [None] * 3 + [1.5] * 3 + [None] * 3
    assert rows_of(datasets, "things")["text"].null_count() == 5


def test_a_column_without_values_takes_its_type_from_the_first_that_comes(datasets: Datasets) -> None:
    datasets.land(ADA, "things", pl.DataFrame({"n": [1], "speed": [None]}))
    assert rows_of(datasets, "things")["speed"].to_list() == [None]

    datasets.land(ADA, "things", pl.DataFrame({"n": [2], "speed": [90.5]}))

    assert rows_of(datasets, "things")["speed"].to_list() == [None, 90.5]


def test_values_that_fit_are_cast_and_others_refused(datasets: Datasets) -> None:
    datasets.land(ADA, "things", THINGS)

    datasets.land(ADA, "things", pl.DataFrame({"n": [4.0]}))
    with pytest.raises(SchemaMismatch) as caught:
        datasets.land(ADA, "things", pl.DataFrame({"n": [5.0, 5.5]}))

    assert "row 1 has 5.5" in caught.value.why
    assert rows_of(datasets, "things")["n"].to_list() == [1, 2, 3, 4]
    assert [la.state for la in datasets.landings(ADA, NamedDataset(name="things"))][-1] == "abandoned"


def test_rows_that_do_not_fit_go_to_quarantine_by_choice(datasets: Datasets) -> None:
    datasets.land(ADA, "things", THINGS)

    mixed = pl.DataFrame({"n": ["4", "four", "5"], "text": ["a", "b", "c"]})
    [landing] = datasets.land(ADA, "things", mixed, on_mismatch="quarantine")

    aside = rows_of(datasets, "things.quarantine")
    assert (landing.rows_in, landing.rows_kept, landing.rows_refused) == (3, 2, 1)
    assert landing.refused_by == {"collect.type:n": 1}
    assert aside["_raw"].to_list() == ['{"n": "four", "text": "b"}']
    assert aside["_row"].to_list() == [1]
    assert rows_of(datasets, "things")["_row"].to_list() == [0, 1, 2, 0, 2]


@pytest.mark.parametrize(
    ("frame", "error"),
    [
        (pl.DataFrame({"_row": [1]}), ColumnNameRefused),
        (pl.DataFrame({"a": [1], "A": [1]}), ColumnNameRefused),
        (pl.DataFrame({" ": [1]}), ColumnNameRefused),
        (pl.DataFrame({"t": [1]}).select(pl.col("t").cast(pl.Duration)), TypeNotStorable),
    ],
)
def test_frames_that_no_open_table_can_hold_are_refused(
    datasets: Datasets, frame: pl.DataFrame, error: type[Exception]
) -> None:
    with pytest.raises(error):
        datasets.land(ADA, "things", frame)


@pytest.mark.parametrize("name", ["", "../etc", "Flights", "a b", "x.quarantine", "a/b", "1st"])
def test_names_that_cannot_be_datasets_are_refused(datasets: Datasets, name: str) -> None:
    with pytest.raises(DatasetNameRefused):
        datasets.land(ADA, name, THINGS)


def test_whoever_may_only_read_lands_nothing(datasets: Datasets) -> None:
    reader = Caller(project="default", actor="eve", permissions=frozenset({"dataset.read"}))

    with pytest.raises(PermissionDenied):
        datasets.land(reader, "things", THINGS)


def test_a_function_goes_on_where_it_stopped(datasets: Datasets) -> None:
    def numbers(cursor: str | None):
        for n in range(int(cursor or 0), int(cursor or 0) + 2):
            yield pl.DataFrame({"n": [n]}), str(n + 1)

    datasets.land(ADA, "numbers", FrameSource(numbers))
    datasets.land(ADA, "numbers", FrameSource(numbers))

    assert rows_of(datasets, "numbers")["n"].to_list() == [0, 1, 2, 3]


def test_a_page_that_comes_twice_lands_once(datasets: Datasets) -> None:
    def pages(cursor: str | None):
        yield pl.DataFrame({"n": [1]}), "p1"
        yield pl.DataFrame({"n": [1]}), "p1"
        yield pl.DataFrame({"n": [2]}), "p2"

    datasets.land(ADA, "numbers", FrameSource(pages))

    assert rows_of(datasets, "numbers")["n"].to_list() == [1, 2]


def test_a_source_that_fails_half_way_keeps_what_has_landed(datasets: Datasets) -> None:
    def broken(cursor: str | None):
        yield pl.DataFrame({"n": [1]}), "1"
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        datasets.land(ADA, "numbers", FrameSource(broken))

    assert rows_of(datasets, "numbers")["n"].to_list() == [1]


def test_a_landing_is_never_taken_for_dead_by_another_thread_of_its_process(
    datasets: Datasets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may look for what a crash left as soon as the intent can be seen."""
    begin = Landings._begin

    def begin_and_be_looked_at(landings: Landings, order: Order, landing: str) -> Landing | None:
        earlier = begin(landings, order, landing)
        assert landings.recover(order.project, order.dataset) == []
        return earlier

    monkeypatch.setattr(Landings, "_begin", begin_and_be_looked_at)

    [landed] = datasets.land(ADA, "things", THINGS)

    assert landed.rows_kept == 3


def test_threads_that_land_at_once_lose_nothing(datasets: Datasets) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: datasets.land(ADA, "numbers", pl.DataFrame({"n": [n]})), range(20)))

    assert sorted(rows_of(datasets, "numbers")["n"]) == list(range(20))
    assert [s.version for s in datasets.history(ADA, NamedDataset(name="numbers"))] == list(range(1, 21))


def test_processes_that_land_at_once_lose_nothing(home: Home) -> None:
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        import polars as pl
        from tests.systems.collect.conftest import ADA, open_home
        home = open_home(Path(sys.argv[1]))
        for n in range(int(sys.argv[2]), int(sys.argv[2]) + 10):
            home.datasets.land(ADA, "numbers", pl.DataFrame({"n": [n]}))
    """)
    started = [
        subprocess.Popen([sys.executable, "-c", program, home.folder, str(first)], cwd=Path(__file__).parents[3])
        for first in (0, 100)
    ]

    assert [process.wait(120) for process in started] == [0, 0]

    snapshots = home.datasets.history(ADA, NamedDataset(name="numbers"))
    assert sorted(rows_of(home.datasets, "numbers")["n"]) == [*range(10), *range(100, 110)]
    assert [s.delta_version for s in snapshots] == sorted(s.delta_version for s in snapshots)


numbers = itertools.count()
values = st.one_of(st.integers(-5, 5), st.just("x"), st.floats(allow_nan=False, width=32), st.none())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(values, min_size=1, max_size=6), min_size=1, max_size=3))
def test_what_comes_in_is_kept_or_refused_and_nothing_else(datasets: Datasets, batches: list[list[object]]) -> None:
    dataset = f"d{next(numbers)}"
    landed = []
    for batch in batches:
        frame = pl.DataFrame({"v": pl.Series(batch, strict=False)})
        landed += datasets.land(ADA, dataset, frame, on_mismatch="quarantine")

    assert all(la.rows_in == la.rows_kept + la.rows_refused == len(b) for la, b in zip(landed, batches, strict=True))
    assert all(sum(la.refused_by.values()) == la.rows_refused for la in landed)
    head, aside = (datasets.find_snapshot("default", dataset + end) for end in ("", ".quarantine"))
    total = (head.rows if head else 0) + (aside.rows if aside else 0)
    assert total == sum(map(len, batches))


def test_what_lands_while_a_source_is_read_as_a_whole_is_not_left_in_its_midst(datasets: Datasets) -> None:
    class Whole:
        name, types = "whole", dict[str, str]()

        def batches(self, cursor: str | None, seen: object, known: object) -> Iterator[Batch]:
            def frames() -> Iterator[pl.DataFrame]:
                yield pl.DataFrame({"n": [1]})
                if not rows_of(datasets, "things")["n"].is_in([9]).any():
                    datasets.land(ADA, "things", pl.DataFrame({"n": [9]}))

            yield Batch(frames=frames(), replaces=True)

    datasets.land(ADA, "things", pl.DataFrame({"n": [0]}))

    with pytest.raises(LandingOvertaken):
        datasets.land(ADA, "things", Whole())
    assert rows_of(datasets, "things")["n"].to_list() == [0, 9]
    datasets.land(ADA, "things", Whole())

    assert rows_of(datasets, "things")["n"].to_list() == [1]


def test_nothing_lands_where_the_head_is_protected_and_what_was_planned_before_still_stands(tmp_path: Path) -> None:
    """A protection that comes between the plan and its end would else leave the landing for ever without one."""
    rows = pl.DataFrame({"n": [1]})

    def protect(home: Home) -> None:
        name = "dataset/numbers@main"
        home.store.write(lambda tx: home.refs.protect(tx, "default", name, {"approvals": 1}, actor="ada"))

    home = open_home(tmp_path)
    home.datasets.land(ADA, "numbers", rows)
    late = open_home(tmp_path, at=lambda point: protect(home) if point == "planned" else None, store=home.store)

    late.datasets.land(ADA, "numbers", rows)
    with pytest.raises(DatasetProtected, match="Nothing lands"):
        home.datasets.land(ADA, "numbers", rows)

    assert home.datasets.snapshot("default", "numbers").rows == 2
    assert home.datasets.recover("default") == []
    home.store.close()
