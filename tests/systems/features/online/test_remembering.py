"""A reader that remembers says what one without memory says, whoever writes, and within its room."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treadle.systems.features.online import documents
from treadle.systems.features.online.documents import ServiceDocument, ViewDocument
from treadle.systems.features.online.embedded import SqliteOnlineStore
from treadle.systems.features.online.entity_keys import EntityKeys, KeyKind
from treadle.systems.features.online.errors import EntityRefused
from treadle.systems.features.online.layout import HAS_ROW, HEAD, MIDDLE, NEVER, Layout, pack
from treadle.systems.features.online.ports import FOREVER, Entry
from treadle.systems.features.online.reader import FOUND, FeatureReader, Vectors

SPACE, TTL = "spending/1", 50
PEOPLE = 6


class Clock:
    """A time that is set by hand."""

    now = 0

    def __call__(self) -> int:
        return self.now


def record(
    layout: Layout,
    values: list[Any],
    version: int,
    moment: int,
    until: int = FOREVER,
    event_at: int = 0,
    flags: int = HAS_ROW,
) -> bytes:
    """A record as a materialisation writes it."""
    nulls = sum(1 << place for place, value in enumerate(values) if value is None)
    fixed = [values[place] if values[place] is not None else 0 for place in layout.fixed]
    head = layout.struct.pack(
        version, moment + MIDDLE, layout.number, until, event_at, event_at, flags,
        nulls.to_bytes(layout.null_bytes, "little"), *fixed,
    )  # fmt: skip
    packed = [b"" if values[place] is None else pack(layout.types[place], values[place]) for place in layout.varied]
    return head + b"".join(len(one).to_bytes(4, "big") + one for one in packed)


def publish(
    store: SqliteOnlineStore, layout: Layout, *, version: int = 1, until: int = 0,
    keys: tuple[tuple[str, KeyKind], ...] = (("customer", "int"),),
) -> None:  # fmt: skip
    """Makes the view and its service known to readers."""
    nobody = record(layout, [None] * len(layout.names), 0, 0, flags=0, event_at=NEVER)
    documents.put_layout(store, SPACE, layout)
    document = ViewDocument(
        view="spending", digest="d", space=SPACE, dataset="payments", snapshot="s", version=version, until=until, keys=keys,
        ttl=TTL, row_features=list(layout.names), layout=layout.number, nobody=nobody.hex(), written_at=0,
    )  # fmt: skip
    documents.put_view(store, document)
    service = ServiceDocument(service="risk", digest="d", features=list(layout.names), views=[("spending", SPACE)])
    documents.put_service(store, service, 1)


def said(found: Vectors) -> tuple[Any, ...]:
    return found.values, found.statuses, found.as_of, found.versions


def key_of(customer: int) -> bytes:
    return EntityKeys(["customer"], ["int"]).encode({"customer": customer})


LAYOUT = Layout(["amount", "place"], ["float64", "string"])
WHO = st.integers(0, PEOPLE)
ACTS = st.one_of(
    st.tuples(st.just("read"), st.lists(WHO, min_size=2, max_size=8)),
    st.tuples(st.just("read"), st.lists(WHO, min_size=2, max_size=8)),
    st.tuples(
        st.just("write"), st.lists(st.tuples(WHO, st.integers(1, 4), st.integers(-5, 60)), min_size=1, max_size=3)
    ),
    st.tuples(st.just("wait"), st.integers(-5, 40)),
    st.tuples(st.just("remove"), WHO),
    st.tuples(st.just("drop"), st.none()),
    st.tuples(st.just("many"), st.integers(60, 70)),
    st.tuples(st.just("publish"), st.integers(1, 4)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=st.lists(ACTS, max_size=14), room=st.sampled_from([3_000, 1 << 20]))
def test_what_is_remembered_is_what_the_store_says(tmp_path_factory, acts, room):
    """Written by one connection, read by another, as from two processes; values end, expire, and come back."""
    path = tmp_path_factory.mktemp("online") / "online.db"
    writer, clock = SqliteOnlineStore(path), Clock()
    publish(writer, LAYOUT)
    store = SqliteOnlineStore(path, read_only=True)
    options: dict[str, Any] = {"clock": clock, "refresh_s": 0}
    reader = FeatureReader(store, memory_bytes=room, **options)
    plain = FeatureReader(store, memory_bytes=0, **options)

    for number, (act, what) in enumerate(acts):
        match act:
            case "write":
                for who, version, lasts in what:
                    values = [float(number), f"place {number}" if who else None]
                    until, flags = clock.now + lasts if lasts > 0 else FOREVER, HAS_ROW if lasts > -5 else 0
                    entry = record(LAYOUT, values, version, clock.now, until, clock.now, flags)
                    writer.write(SPACE, [Entry(key_of(who), until, entry)])
            case "wait":
                clock.now += what
            case "remove":
                writer.remove(SPACE, [key_of(what)])
            case "drop":
                writer.drop(SPACE)
            case "many":  # more changes than the store keeps a note of
                for n in range(what):
                    entry = record(LAYOUT, [float(n), "many"], 9, clock.now + n)
                    writer.write(SPACE, [Entry(key_of(n % PEOPLE), FOREVER, entry)])
            case "publish":
                publish(writer, LAYOUT, version=what, until=clock.now)
            case "read":
                entities = [{"customer": who} for who in what]
                for _ in range(2):
                    assert said(reader.read("risk", entities)) == said(plain.read("risk", entities))
    store.close()
    writer.close()


def test_what_another_process_wrote_is_seen_by_the_next_read(tmp_path):
    path = tmp_path / "online.db"
    writer = SqliteOnlineStore(path)
    publish(writer, LAYOUT)
    entries = [Entry(key_of(who), FOREVER, record(LAYOUT, [1.0, "here"], 1, 0)) for who in range(PEOPLE)]
    writer.write(SPACE, entries)
    reader = FeatureReader(SqliteOnlineStore(path, read_only=True), clock=Clock())
    people = [{"customer": who} for who in range(PEOPLE)]
    assert reader.read("risk", people).values == reader.read("risk", people).values == [(1.0, "here")] * PEOPLE
    newer = record(LAYOUT, [2.0, "there"], 1, 0)
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from treadle.systems.features.online.embedded import SqliteOnlineStore\n"
        "from treadle.systems.features.online.ports import FOREVER, Entry\n"
        "key, record = map(bytes.fromhex, sys.argv[2:])\n"
        f"SqliteOnlineStore(Path(sys.argv[1])).write({SPACE!r}, [Entry(key, FOREVER, record)])\n"
    )

    subprocess.run([sys.executable, "-c", program, str(path), key_of(2).hex(), newer.hex()], check=True)

    values = reader.read("risk", people).values
    assert values == [(2.0, "there") if who == 2 else (1.0, "here") for who in range(PEOPLE)]


def test_nothing_is_stale_when_threads_read_while_another_writes(tmp_path):
    """Versions of a record only grow, for each reader."""
    writer = SqliteOnlineStore(tmp_path / "online.db")
    publish(writer, LAYOUT)
    reader = FeatureReader(SqliteOnlineStore(writer.path, read_only=True), clock=Clock())
    people, last, seen = [{"customer": who} for who in range(PEOPLE)], 150, []
    written = threading.Event()

    def write() -> None:
        for number in range(1, last + 1):
            values = [float(number), "somewhere"]
            entry = Entry(key_of(number % PEOPLE), FOREVER, record(LAYOUT, values, 1, 0))
            writer.write(SPACE, [entry])
        written.set()

    def read() -> None:
        before = [0.0] * PEOPLE
        while not written.is_set():
            now = [values[0] or 0.0 for values in reader.read("risk", people).values]
            seen.append(all(one >= other for one, other in zip(now, before, strict=True)))
            before = now

    threads = [threading.Thread(target=work) for work in (write, read, read)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(seen)
    newest = [values[0] for values in reader.read("risk", people).values]
    assert sorted(newest) == list(range(last - PEOPLE + 1, last + 1))


def test_memory_keeps_within_its_room(tmp_path):
    import tracemalloc

    writer = SqliteOnlineStore(tmp_path / "online.db")
    publish(writer, LAYOUT)
    texts = ["x" * 60, "y" * 5_000]
    entries = [Entry(key_of(who), FOREVER, record(LAYOUT, [float(who), texts[who % 2]], 1, 0)) for who in range(4_000)]
    writer.write(SPACE, entries)
    del entries
    most = 1 << 20
    reader = FeatureReader(writer, clock=Clock(), memory_bytes=most)
    reader.read("risk", [{"customer": 0}])

    tracemalloc.start()
    for start in range(0, 4_000, 100):
        reader.read("risk", [{"customer": who} for who in range(start, start + 100)])
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    (view,) = reader._plans["risk"].views
    assert view.memory is not None
    assert 500 < len(view.memory) <= view.memory.room < 2_000
    assert kept < most


@pytest.mark.parametrize("given", [[True, 1], ["1", 2], [1, None], [1, 2.0]])
def test_keys_that_only_look_alike_are_refused_as_without_memory(tmp_path, given):
    writer = SqliteOnlineStore(tmp_path / "online.db")
    publish(writer, LAYOUT)
    writer.write(SPACE, [Entry(key_of(who), FOREVER, record(LAYOUT, [1.0, ""], 1, 0)) for who in (1, 2)])
    reader = FeatureReader(writer, clock=Clock())
    assert reader.read("risk", [{"customer": 1}, {"customer": 2}]).statuses == [(FOUND,)] * 2

    with pytest.raises(EntityRefused):
        reader.read("risk", [{"customer": one} for one in given])
    with pytest.raises(EntityRefused):
        reader.read("risk", [{"customer": 1}, {}])


def test_keys_of_several_parts_are_remembered_by_all_of_them(tmp_path):
    writer, kinds = SqliteOnlineStore(tmp_path / "online.db"), (("shop", "text"), ("open", "bool"))
    publish(writer, LAYOUT, keys=kinds)
    keys = EntityKeys([name for name, _ in kinds], [kind for _, kind in kinds])
    shops = [{"open": is_open, "shop": name, "more": 1} for name in "ab" for is_open in (True, False)]
    for number, shop in enumerate(shops):
        writer.write(SPACE, [Entry(keys.encode(shop), FOREVER, record(LAYOUT, [float(number), None], 1, 0))])
    reader = FeatureReader(writer, clock=Clock())

    for _ in range(2):
        assert reader.read("risk", shops).values == [(float(number), None) for number in range(4)]
    writer.write(SPACE, [Entry(keys.encode(shops[1]), FOREVER, record(LAYOUT, [9.0, None], 2, 0))])

    assert [values[0] for values in reader.read("risk", shops).values] == [0.0, 9.0, 2.0, 3.0]
    assert reader.read("risk", []).values == []


def test_values_that_a_caller_could_change_are_not_kept(tmp_path):
    layout = Layout(["spent"], [["list", "float64"]])
    writer = SqliteOnlineStore(tmp_path / "online.db")
    publish(writer, layout)
    writer.write(SPACE, [Entry(key_of(who), FOREVER, record(layout, [[1.0, 2.0]], 1, 0)) for who in range(2)])
    reader = FeatureReader(writer, clock=Clock())
    people = [{"customer": 0}, {"customer": 1}]

    reader.read("risk", people).values[0][0].append(3.0)

    assert reader.read("risk", people).values == [([1.0, 2.0],)] * 2


def test_the_head_of_a_record_is_where_the_reader_looks_for_it():
    """The tests write records of their own: they must be those of a materialisation."""
    made = record(LAYOUT, [1.5, "here"], 3, 7, until=9, event_at=4)

    opened = LAYOUT.open(made)

    assert (opened.version, opened.evaluated_at, opened.valid_until, opened.event_at) == (3, 7, 9, 4)
    assert opened.values == (1.5, "here")
    assert HEAD.size == 45
