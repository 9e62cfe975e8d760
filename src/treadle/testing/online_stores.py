"""The conformance suite of online stores: subclass it, give the fixture `store`, and every promise of the port is tried."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import pytest

from treadle.systems.features.online.layout import stamp
from treadle.systems.features.online.ports import FOREVER, Entry, OnlineStore


def entry(key: bytes, version: int = 1, moment: int = 0, *, due: int = FOREVER, content: bytes = b"") -> Entry:
    """An entry whose record has this stamp and content."""
    return Entry(key, due, stamp(version, moment) + content)


class OnlineStoreConformance:
    """What every online store does. A store starts empty; `again` opens the same one a second time."""

    @pytest.fixture
    def store(self) -> OnlineStore:
        raise NotImplementedError("give the store to be tried")

    def test_what_was_written_is_read_in_the_order_of_the_keys(self, store: OnlineStore) -> None:
        entries = [entry(f"key{n}".encode(), content=bytes([n]) * n) for n in range(40)]

        assert store.write("space", entries) == 40

        asked = [b"key7", b"nobody", b"key0", b"key7", b"key39"]
        found = store.read("space", asked)
        assert [None if one is None else one[16:] for one in found] == [
            b"\x07" * 7,
            None,
            b"",
            b"\x07" * 7,
            b"\x27" * 39,
        ]
        assert store.read("space", []) == []

    def test_a_space_that_nobody_wrote_to_is_empty(self, store: OnlineStore) -> None:
        assert store.read("nowhere", [b"a", b"b"]) == [None, None]
        assert store.due("nowhere", FOREVER - 1) == []
        assert list(store.scan("nowhere")) == []
        assert store.spaces() == []
        store.drop("nowhere")
        store.remove("nowhere", [b"a"])

    def test_spaces_are_apart(self, store: OnlineStore) -> None:
        store.write("one", [entry(b"a", content=b"1")])
        store.write("two/with#signs", [entry(b"a", content=b"2")])

        assert store.read("one", [b"a"])[0] == stamp(1, 0) + b"1"
        assert store.read("two/with#signs", [b"a"])[0] == stamp(1, 0) + b"2"
        assert store.spaces() == ["one", "two/with#signs"]
        store.drop("one")
        assert store.read("one", [b"a"]) == [None]
        assert store.read("two/with#signs", [b"a"]) != [None]
        assert store.spaces() == ["two/with#signs"]

    @pytest.mark.parametrize(
        ("older", "newer"),
        [
            ((1, 5), (2, 5)),
            ((2, 4), (2, 5)),
            ((2, -5), (2, 3)),
            ((1, 9), (256, 0)),
            ((255, 0), (256, 0)),
            ((1, 127), (1, 128)),
        ],
    )
    def test_an_older_record_never_replaces_a_newer_one(
        self, store: OnlineStore, older: tuple[int, int], newer: tuple[int, int]
    ) -> None:
        assert store.write("space", [entry(b"a", *newer, content=b"new")]) == 1

        assert store.write("space", [entry(b"a", *older, content=b"old")]) == 0
        assert store.read("space", [b"a"]) == [stamp(*newer) + b"new"]
        assert store.write("space", [entry(b"b", *older, content=b"old")]) == 1
        assert store.write("space", [entry(b"b", *newer, content=b"new")]) == 1
        assert store.read("space", [b"b"]) == [stamp(*newer) + b"new"]

    def test_the_same_stamp_again_replaces(self, store: OnlineStore) -> None:
        store.write("space", [entry(b"a", 3, 3, content=b"first")])

        assert store.write("space", [entry(b"a", 3, 3, content=b"again")]) == 1
        assert store.read("space", [b"a"]) == [stamp(3, 3) + b"again"]

    def test_of_two_entries_with_one_key_the_newer_stays(self, store: OnlineStore) -> None:
        store.write("space", [entry(b"a", 2, content=b"new"), entry(b"a", 1, content=b"old"), entry(b"b")])

        assert store.read("space", [b"a"]) == [stamp(2, 0) + b"new"]

    def test_any_bytes_are_keys_and_records(self, store: OnlineStore) -> None:
        rng = random.Random(7)  # noqa: S311 -- the same bytes each time
        keys = [
            b"",
            b"\x00",
            b"\xff" * 40,
            b"%:{}*?\n'\"",
            "Zürich 東京".encode(),
            *(rng.randbytes(12) for _ in range(50)),
        ]
        entries = [entry(key, due=place, content=rng.randbytes(place * 7)) for place, key in enumerate(keys)]

        store.write("space", entries)

        assert store.read("space", keys) == [one.record for one in entries]
        assert dict(store.scan("space")) == {one.key: one.record for one in entries}
        assert sorted(store.due("space", len(keys))) == sorted(keys)

    def test_the_largest_key_that_is_promised_is_kept(self, store: OnlineStore) -> None:
        key = b"k" * store.capabilities.max_key_bytes

        store.write("space", [entry(key, due=3, content=b"x")])

        assert store.read("space", [key]) == [stamp(1, 0) + b"x"]
        assert store.due("space", 3) == [key]

    def test_due_names_the_keys_whose_time_has_come_and_follows_the_record(self, store: OnlineStore) -> None:
        store.write("space", [entry(b"a", due=10), entry(b"b", due=11), entry(b"c", due=-5), entry(b"d")])

        assert sorted(store.due("space", 10)) == [b"a", b"c"]
        assert store.due("space", -6) == []
        store.write("space", [entry(b"a", 2, due=99), entry(b"c", 0, due=1)])
        assert sorted(store.due("space", 11)) == [b"b", b"c"]
        store.write("space", [entry(b"b", 2)])
        store.remove("space", [b"c"])
        assert store.due("space", 98) == []
        assert sorted(store.due("space", FOREVER - 1)) == [b"a"]

    def test_moments_of_microseconds_are_told_apart(self, store: OnlineStore) -> None:
        now = 1_800_000_000_123_456
        store.write("space", [entry(b"a", due=now), entry(b"b", due=now + 1)])

        assert store.due("space", now) == [b"a"]

    def test_what_is_removed_is_gone_and_can_come_back_with_any_stamp(self, store: OnlineStore) -> None:
        store.write("space", [entry(b"a", 9), entry(b"b", 9)])

        store.remove("space", [b"a", b"nobody"])

        assert store.read("space", [b"a", b"b"]) == [None, stamp(9, 0)]
        assert store.write("space", [entry(b"a", 1)]) == 1

    def test_changes_name_what_was_written_and_removed_since(self, store: OnlineStore) -> None:
        store.write("space", [entry(b"a", 1), entry(b"b", 1)])
        mark, keys = store.changes("space", None)
        if not store.capabilities.tells_changes:
            assert (mark, keys) == (None, None)
            return
        assert mark is not None
        assert keys is None
        assert store.changes("space", mark) == (mark, ())

        store.write("space", [entry(b"a", 2)])
        store.remove("space", [b"c"])
        later, keys = store.changes("space", mark)
        store.drop("space")
        last, everything = store.changes("space", later)

        assert later is not None
        assert last is not None
        assert mark < later < last
        assert keys is None or {b"a", b"c"} <= set(keys)
        assert everything is None
        assert store.changes("space", last) == (last, ())

    def test_many_records_are_scanned_each_once(self, store: OnlineStore) -> None:
        entries = [entry(n.to_bytes(3, "big"), content=bytes([n % 251])) for n in range(3_500)]
        store.write("space", entries)

        found = list(store.scan("space"))

        assert len(found) == 3_500
        assert dict(found) == {one.key: one.record for one in entries}
        assert store.read("space", [one.key for one in entries]) == [one.record for one in entries]

    def test_writers_in_any_order_leave_the_newest(self, store: OnlineStore) -> None:
        """The rule that lets two materialisers loose at once."""
        waves: list[Sequence[Entry]] = [
            [entry(bytes([key]), version, due=version, content=bytes([version])) for key in range(30)]
            for version in range(1, 13)
        ]
        random.Random(3).shuffle(waves)  # noqa: S311 -- the same order each time
        errors: list[BaseException] = []

        def write(some: list[Sequence[Entry]]) -> None:
            try:
                for wave in some:
                    store.write("space", wave)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=write, args=(waves[part::3],)) for part in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert errors == []
        assert store.read("space", [bytes([key]) for key in range(30)]) == [stamp(12, 0) + b"\x0c"] * 30
        assert store.due("space", 11) == []
        assert len(store.due("space", 12)) == 30

    def test_threads_read_while_another_writes(self, store: OnlineStore) -> None:
        store.write("space", [entry(bytes([key]), 1) for key in range(100)])
        keys = [bytes([key]) for key in range(100)]
        missing: list[int] = []

        def read() -> None:
            for _ in range(30):
                missing.append(sum(one is None for one in store.read("space", keys)))

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for version in range(2, 12):
            store.write("space", [entry(bytes([key]), version) for key in range(100)])
        for thread in threads:
            thread.join()

        assert sum(missing) == 0
        assert len(missing) == 60
