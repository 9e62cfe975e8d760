"""What is served is what the snapshots give offline, to the last bit, whatever landed, expired, died or ran at once."""

from __future__ import annotations

import contextlib
import struct
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.systems.features.online.making import MOMENT, START, World, at
from treadle.ground.clock import from_micros, to_micros
from treadle.ground.errors import InvalidInput
from treadle.systems.features import windows
from treadle.systems.features.joining import join_features
from treadle.systems.features.online import documents
from treadle.systems.features.online.embedded import SqliteOnlineStore
from treadle.systems.features.online.errors import AlreadyMaterialized, NotServable
from treadle.systems.features.online.reader import BEHIND, EXPIRED, FOUND, MISSING, FeatureReader
from treadle.systems.features.views import FeatureService, FeatureView

KEYS = ["a", "b", "c"]
ROW = st.tuples(
    st.sampled_from(KEYS),
    st.integers(0, 40),
    st.integers(-2, 12),
    st.floats(-1e6, 1e6) | st.just(-0.0),
    st.integers(0, 6),
)
ROWS = st.lists(ROW, min_size=1, max_size=5)


def make_rows(rows: list[tuple[str, int, int, float, int]]) -> pl.DataFrame:
    """Rows of (key, event hour, hours until known, amount, number of the event)."""
    return pl.DataFrame(
        [(key, at(event), at(event + late), amount, number) for key, event, late, amount, number in rows],
        schema={"who": pl.String, "event_at": MOMENT, "known_at": MOMENT, "amount": pl.Float64, "number": pl.Int64},
        orient="row",
    )


def make_view(**changes: Any) -> FeatureView:
    parts: dict[str, Any] = {
        "name": "spending",
        "keys": {"customer": "who"},
        "dataset": "payments",
        "event_time": "event_at",
        "known_at": "known_at",
        "ttl": timedelta(hours=20),
        "event_key": ["number"],
        "features": {
            "amount": "amount",
            "half": pl.col("amount") / 2,
            "n": windows.count(hours=5),
            "total": windows.total("amount", hours=9),
            "mean": windows.mean("amount", last=2),
            "big": windows.count(hours=30, where=pl.col("amount") > 0),
        },
    }
    return FeatureView(**{**parts, **changes})


def serve(world: World, view: FeatureView) -> FeatureReader:
    """A reader that knows a service of the view's name, and takes its time from the world."""
    service = FeatureService(name=view.name, views=[view], features=list(view.features))
    (document,) = [one for one in documents.list_views(world.store) if one.digest == view.digest]
    said = documents.ServiceDocument(
        service=service.name, digest=service.digest, features=list(view.features), views=[(view.name, document.space)]
    )
    documents.put_service(world.store, said, 1)
    return FeatureReader(world.store, clock=lambda: to_micros(world.now), refresh_s=0)


def bits(value: Any) -> Any:
    if isinstance(value, list):
        return [bits(item) for item in value]
    return struct.pack(">d", value) if isinstance(value, float) else value


def offline(world: World, view: FeatureView, keys: list[Any], version: int, as_of: list[int]) -> list[tuple[Any, ...]]:
    """What a training set says of some entities as of their moments, from the snapshot of that version."""
    [(held, name)] = [(held, asked) for asked, held in view.key_map.items()]
    snapshot = world.landed.snapshots[view.dataset][version - 1]
    rows = world.landed.scan("default", snapshot).collect()
    if view.known_at == "live":
        rows = rows.with_columns(
            _landed_at=pl.col("_landing").replace_strict(world.landed.landings, return_dtype=MOMENT)
        )
    entities = pl.DataFrame(
        {
            name: pl.Series(keys, dtype=view.rows(rows).schema[held]),
            "as_of": pl.Series(map(from_micros, as_of), dtype=MOMENT),
        }
    )
    table = join_features(entities, [view], {view.dataset: rows}, as_of="as_of").table
    return [tuple(bits(row[feature]) for feature in view.features) for row in table.to_pylist()]


def check(world: World, view: FeatureView, keys: list[Any] | None = None) -> list[str]:
    """Holds every served vector against the offline one that it says it is; answers the statuses."""
    reader = serve(world, view)
    (name,) = view.key_map
    asked = [*(keys or KEYS)]
    asked.append(-99 if isinstance(asked[0], int) else "nobody")
    served = reader.read(view.name, [{name: key} for key in asked])
    for version in {version for (version,) in served.versions}:
        places = [place for place in range(len(asked)) if served.versions[place] == (version,)]
        as_of = [served.as_of[place][0] for place in places]
        expected = offline(world, view, [asked[place] for place in places], version, as_of)
        for place, answer in zip(places, expected, strict=True):
            if served.statuses[place] == (EXPIRED,):  # forgotten by now; the moment that is exact may lie before that
                kept = zip(view.features, answer, strict=True)
                answer = tuple(None if name in view.row_features else value for name, value in kept)
            assert tuple(map(bits, served.values[place])) == answer, (asked[place], served)
    return [status[0] for status in served.statuses]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(SqliteOnlineStore(tmp_path / "online.db"))


ACTS = st.one_of(
    st.tuples(st.just("land"), ROWS),
    st.tuples(st.just("wait"), st.floats(0.25, 12)),
    st.tuples(st.just("materialize"), st.sampled_from([1, 2, 1000])),
    st.tuples(st.just("materialize"), st.sampled_from([1, 1000])),
    st.tuples(st.just("race"), ROWS, st.floats(0.25, 8)),
    st.tuples(st.just("die"), st.integers(0, 3)),
    st.tuples(st.just("lose"), st.integers(0, 4)),
    st.tuples(st.just("compact"), st.booleans()),
)


class Dies(Exception):
    """The process ends here."""


def act(world: World, view: FeatureView, step: tuple[Any, ...]) -> None:
    """Does one thing that may happen to a store of features."""
    match step:
        case ("land", rows):
            world.landed.land("payments", make_rows(rows), world.now)
        case ("wait", hours):
            world.now += timedelta(hours=hours)
        case ("materialize", at_once):
            world.materializer(at_once=at_once).materialize(view)
        case ("race", rows, hours):
            _race(world, view, rows, hours)
        case ("die", after):
            _die(world, view, after)
        case ("lose", place):
            rows = world.landed.rows("payments")
            if len(rows) > 1:
                world.landed.replace_all(
                    "payments", [rows.slice(0, place % len(rows)), rows.slice(place % len(rows) + 1)]
                )
        case ("compact", _):
            world.landed.replace_all("payments", [world.landed.rows("payments")])


def _race(world: World, view: FeatureView, rows: list[Any], hours: float) -> None:
    """While one materialiser works, rows land, and another one that is newer comes and goes."""
    began = world.now

    def overtake(point: str) -> None:
        if world.now == began and point.startswith("wrote"):
            world.now += timedelta(hours=hours)
            world.landed.land("payments", make_rows(rows), world.now)
            world.materializer().materialize(view)

    world.materializer(at_once=1, at=overtake).materialize(view)


def _die(world: World, view: FeatureView, after: int, at_once: int = 1) -> None:
    points: list[str] = []

    def die(point: str) -> None:
        points.append(point)
        if len(points) > after:
            raise Dies

    with contextlib.suppress(Dies):
        world.materializer(at_once=at_once, at=die).materialize(view)


@given(st.data(), ROWS, st.lists(ACTS, max_size=8))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_serves_what_a_full_recomputation_gives(tmp_path_factory, data, first, acts):
    live_through(tmp_path_factory, data, first, acts)


@pytest.mark.soak
@given(st.data(), ROWS, st.lists(ACTS, max_size=14))
@settings(max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_long_history_serves_what_a_full_recomputation_gives(tmp_path_factory, data, first, acts):
    live_through(tmp_path_factory, data, first, acts)


def live_through(tmp_path_factory: Any, data: Any, first: list[Any], acts: list[Any]) -> None:
    """After each step every served vector is the offline one of its own moment; after the last, that of now."""
    world = World(SqliteOnlineStore(tmp_path_factory.mktemp("history") / "online.db"), now=at(10))
    view = make_view()
    world.landed.land("payments", make_rows(first))
    world.materializer().materialize(view)
    for step in acts:
        act(world, view, step)
        check(world, view)

    world.materializer().materialize(view)

    statuses = check(world, view)
    served = serve(world, view).read(view.name, [{"customer": key} for key in KEYS])
    assert BEHIND not in statuses
    assert set(served.as_of) == {(to_micros(world.now),)}
    assert set(served.versions) == {(len(world.landed.snapshots["payments"]),)}
    world.now += timedelta(hours=data.draw(st.floats(0, 50)))
    check(world, view)
    world.store.close()


@pytest.mark.parametrize("known_at", [timedelta(hours=1), "live"])
def test_views_of_any_known_at_serve_what_is_offline(world, known_at):
    view = make_view(known_at=known_at, event_key=(), ttl=None)
    world.now = at(3)
    world.landed.land("payments", make_rows([("a", 2, 0, 1.5, 1), ("b", 3, 0, 2.5, 2)]), at(3))
    world.materializer().materialize(view)
    for hours in (3, 3.5, 4, 7, 8, 12, 13):
        world.now = at(hours)
        check(world, view)
    world.landed.land("payments", make_rows([("b", 4, 0, 4.5, 3)]), at(13))

    world.materializer().materialize(view)

    assert check(world, view) == [FOUND, FOUND, MISSING, MISSING]


def test_only_what_landings_touched_or_time_changed_is_computed(world):
    view = make_view(features={"amount": "amount", "n": windows.count(hours=5)}, event_key=(), ttl=None)
    world.landed.land("payments", make_rows([("a", 0, 0, 1.0, 1), ("b", 2, 0, 2.0, 2), ("c", 2, 0, 3.0, 3)]))
    world.now = at(3)
    first = world.materializer().materialize(view)
    world.landed.land("payments", make_rows([("b", 3, 0, 4.0, 4)]))
    world.now = at(5.5)

    second = world.materializer().materialize(view)
    third = world.materializer().materialize(view)

    assert (first.entities, first.landed, first.expired) == (3, 3, 0)
    assert (second.entities, second.landed, second.expired) == (2, 1, 1)  # b landed, a's only outcome is five hours old
    assert (third.entities, third.written) == (0, 0)
    check(world, view)


def test_files_that_both_snapshots_hold_are_not_read_to_see_what_is_new(world):
    view = make_view(event_key=())
    for _ in range(5):
        world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1)]))
    world.materializer().materialize(view)
    world.landed.land("payments", make_rows([("b", 1, 0, 1.0, 1)]))
    world.landed.reads.clear()

    world.materializer().materialize(view)

    assert ["file_0005"] in world.landed.reads


def test_a_row_that_moved_to_another_file_is_not_new(world):
    view = make_view(event_key=())
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1)]))
    world.landed.land("payments", make_rows([("b", 1, 0, 1.0, 1)]))
    world.materializer().materialize(view)
    world.landed.replace_all("payments", [world.landed.rows("payments")])
    world.landed.land("payments", make_rows([("c", 1, 0, 1.0, 1)]))

    assert world.materializer().materialize(view).landed == 1


def test_rows_that_are_gone_leave_no_value_behind(world):
    view = make_view(event_key=())
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1), ("b", 1, 0, 1.0, 1)]))
    world.now = at(2)
    world.materializer().materialize(view)
    world.landed.replace_all("payments", [world.landed.rows("payments").filter(pl.col("who") == "a")])

    world.materializer().materialize(view)

    assert check(world, view) == [FOUND, MISSING, MISSING, MISSING]


@pytest.mark.parametrize("at_once", [1, 1000])
def test_rows_that_vanished_during_a_first_materialisation_that_died_are_not_served(world, at_once):
    view = make_view(event_key=())
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1), ("b", 1, 0, 1.0, 1)]))
    world.now = at(2)
    _die(world, view, 2 if at_once == 1 else 0, at_once)
    world.landed.replace_all("payments", [world.landed.rows("payments").filter(pl.col("who") == "a")])

    world.materializer().materialize(view)

    assert check(world, view) == [FOUND, MISSING, MISSING, MISSING]


def test_a_killed_materialisation_goes_on_and_writes_each_piece_once(world):
    view = make_view(event_key=())
    keys = [f"k{n}" for n in range(40)]
    world.landed.land("payments", make_rows([(key, 1, 0, 1.0, 1) for key in keys]))
    pieces: list[str] = []

    def die(point: str) -> None:
        pieces.append(point)
        if len(pieces) == 5:
            raise Dies

    with pytest.raises(Dies):
        world.materializer(at_once=4, at=die).materialize(view)
    again: list[str] = []
    answer = world.materializer(at_once=4, at=again.append).materialize(view)

    # The fifth piece was written, but the note of it was not.
    assert pieces == [f"wrote piece {n}" for n in range(5)]
    assert again == [f"wrote piece {n}" for n in range(4, 10)] + ["before the watermark"]
    assert answer.resumed
    assert answer.entities == 40
    world.now = at(5)
    check(world, view, keys=keys)


def test_a_killed_materialisation_is_finished_and_then_brought_up_to_what_landed_since(world):
    view = make_view(event_key=())
    world.landed.land("payments", make_rows([(key, 1, 0, 1.0, 1) for key in KEYS]))
    _die(world, view, 1)
    world.now = at(4)
    world.landed.land("payments", make_rows([("a", 3, 0, 7.0, 2)]))

    answer = world.materializer(at_once=1).materialize(view)

    assert answer.resumed
    assert (answer.version, answer.until) == (2, at(4))
    assert serve(world, view).read("spending", [{"customer": "a"}]).values[0][0] == 7.0
    check(world, view)


def test_nothing_is_served_before_all_of_it_is_there(world):
    view = make_view(event_key=())
    world.landed.land("payments", make_rows([(key, 1, 0, 1.0, 1) for key in KEYS]))

    _die(world, view, 3)  # after the last piece, before the watermark

    assert documents.list_views(world.store) == []


def test_the_time_to_live_is_kept_when_it_is_read(world):
    view = make_view(event_key=())
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1)]))
    world.now = at(2)
    world.materializer().materialize(view)
    reader = serve(world, view)

    for hours, status, amount in ((21, BEHIND, 1.0), (21.001, EXPIRED, None)):
        world.now = at(hours)
        served = reader.read("spending", [{"customer": "a"}])
        assert (served.statuses[0], served.values[0][0], served.values[0][5]) == ((status,), amount, 1)
    world.now = at(21)
    world.materializer().materialize(view)
    assert check(world, view)[0] == FOUND


def test_values_do_not_go_back_in_time_and_the_future_is_not_served(world):
    view = make_view(event_key=())
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1)]))
    world.now = at(4)
    world.materializer().materialize(view)

    with pytest.raises(AlreadyMaterialized):
        world.materializer().materialize(view, until=at(3))
    with pytest.raises(InvalidInput):
        world.materializer().materialize(view, until=at(5))
    world.now = at(3)  # another host, whose clock is behind
    assert world.materializer().materialize(view).until == at(4)


def test_a_changed_definition_has_records_of_its_own(world):
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1)]))
    world.now = at(2)
    one, other = make_view(event_key=()), make_view(event_key=(), features={"amount": pl.col("amount") * 10})
    world.materializer().materialize(one)
    world.materializer().materialize(other)

    assert check(world, one)[0] == FOUND
    assert check(world, other)[0] == FOUND
    assert len({document.space for document in documents.list_views(world.store)}) == 2


def test_a_column_that_is_widened_serves_old_and_new_records(world):
    view = make_view(features={"number": "number"}, event_key=(), ttl=None)
    narrow = make_rows([("a", 1, 0, 1.0, 7), ("b", 1, 0, 1.0, 8)]).with_columns(pl.col("number").cast(pl.Int32))
    world.landed.land("payments", narrow)
    world.now = at(2)
    world.materializer().materialize(view)
    world.landed.files["file_0000"] = world.landed.files["file_0000"].with_columns(pl.col("number").cast(pl.Int64))
    world.landed.land("payments", make_rows([("b", 2, 0, 1.0, 2**40)]))

    world.materializer().materialize(view)

    reader = serve(world, view)
    assert reader.read("spending", [{"customer": "a"}, {"customer": "b"}]).values == [(7,), (2**40,)]


def test_keys_of_several_columns_and_of_numbers_are_found(world):
    rows = make_rows([("a", 1, 0, 1.0, 1), ("ab", 1, 0, 2.0, -5), ("a", 1, 0, 3.0, 2**40)])
    world.landed.land("payments", rows)
    world.now = at(2)
    both = make_view(keys=["who", "number"], event_key=(), features={"amount": "amount"})
    number = make_view(name="numbers", keys=["number"], event_key=(), features={"amount": "amount"})
    world.materializer().materialize(both)
    world.materializer().materialize(number)

    found = serve(world, both).read(
        "spending", [{"who": "a", "number": 2**40}, {"who": "ab", "number": -5}, {"who": "ab", "number": 1}]
    )

    assert [values[0] for values in found.values] == [3.0, 2.0, None]
    check(world, number, keys=[1, -5, 2**40])


def test_a_key_that_cannot_be_looked_up_is_refused(world):
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1)]).with_columns(who=pl.struct("who")))

    with pytest.raises(NotServable):
        world.materializer().materialize(make_view(event_key=()))


def test_progress_is_told_up_to_the_whole(world):
    view = make_view(event_key=())
    world.landed.land("payments", make_rows([(f"k{n}", 1, 0, 1.0, 1) for n in range(9)]))
    told: list[tuple[str, int, int]] = []

    world.materializer(at_once=3).materialize(view, progress=lambda *words: told.append(words))

    assert told[-1] == ("spending", 9, 9)
    assert [count for _, _, count in told] == [9, 9, 9]
    assert world.now == START


HOUR = timedelta(hours=1)
SHAPES: dict[str, dict[str, Any]] = {
    "tiles": {
        "features": {
            "closed": windows.total("amount", hours=4, tile=HOUR),
            "open": windows.total("amount", hours=6, tile=2 * HOUR, edge="open"),
            "greatest": windows.greatest("amount", hours=3),
        }
    },
    "sessions": {
        "features": {
            "length": windows.duration(session=2 * HOUR, lateness=HOUR),
            "sum": windows.total("amount", session=3 * HOUR, lateness=2 * HOUR),
        }
    },
    "lists": {"features": {"last": windows.values("amount", last=3), "distinct": windows.distinct("number", hours=7)}},
}


@pytest.mark.parametrize("shape", SHAPES)
@given(data=st.data())
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_shape_of_view_serves_what_is_offline(tmp_path_factory, shape, data):
    world = World(SqliteOnlineStore(tmp_path_factory.mktemp("shapes") / "online.db"), now=at(10))
    view = make_view(ttl=None, **SHAPES[shape])
    world.landed.land("payments", make_rows(data.draw(ROWS)))
    for _ in range(3):
        world.materializer().materialize(view)
        for hours in (0, 0.5, 3.7):
            world.now += timedelta(hours=hours)
            check(world, view)
        world.landed.land("payments", make_rows(data.draw(ROWS)))
    world.store.close()


def test_a_view_of_a_query_serves_what_is_offline(world):
    """Its keys and events are the query's, so a landing that the query drops touches nobody."""
    view = make_view(
        ttl=None,
        keys={"customer": "whose"},
        event_key=["which"],
        sql="select who as whose, number as which, event_at, known_at, amount * 2 as twice from payments where amount > 0",
        features={"twice": "twice", "n": windows.count(hours=5)},
    )
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1), ("b", 2, 0, -1.0, 2), ("c", 2, 1, 3.0, 3)]))
    world.now = at(4)
    world.materializer().materialize(view)
    world.landed.land("payments", make_rows([("a", 3, 0, -1.0, 4), ("b", 3, 0, 5.0, 3)]))  # b takes over c's event

    answer = world.materializer().materialize(view)

    assert answer.landed == 2
    assert check(world, view) == [FOUND, FOUND, FOUND, MISSING]


def test_forecasts_are_refused_with_the_reason(world):
    world.landed.land("payments", make_rows([("a", 1, 0, 1.0, 1)]))

    with pytest.raises(NotServable) as refusal:
        world.materializer().materialize(make_view(event_key=(), features={"x": "amount"}, target_time="when"))

    assert "forecasts" in refusal.value.what
