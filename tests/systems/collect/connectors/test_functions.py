"""Python functions, and what yields records, are sources like any other."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from treadle.faces.sdk import sources
from treadle.ground.errors import TreadleError


def numbers(home: Home, name: str = "days") -> list[Any]:
    frame = home.datasets.scan("default", home.datasets.snapshot("default", name)).collect()
    return sorted(frame["n"])


def test_a_function_that_takes_nothing_gives_all_there_is(home):
    there = [1, 2, 3]

    @sources.source
    def days():
        yield pl.DataFrame({"n": there[:2]})
        yield pa.table({"n": there[2:]})

    home.datasets.land(ADA, "days", days)
    there[:] = [7, 8, 9]
    [second] = home.datasets.land(ADA, "days", days)

    assert (numbers(home), second.kind) == ([7, 8, 9], "replace")
    assert days.name == "days"


def test_a_function_with_a_cursor_column_is_given_the_newest_value(home):
    given_: list[Any] = []
    rows = [{"n": 1, "at": 10}, {"n": 2, "at": 20}]

    @sources.source(cursor="at")
    def days(since):
        given_.append(since)
        yield from (row for row in rows if since is None or row["at"] >= since)

    home.datasets.land(ADA, "days", days)
    rows += [{"n": 3, "at": 20}, {"n": 4, "at": 30}]
    home.datasets.land(ADA, "days", days)

    assert numbers(home) == [1, 2, 3, 4]
    assert given_ == [None, 20]
    assert home.datasets.land(ADA, "days", days) == []


def test_a_function_may_keep_a_place_of_its_own(home):
    pages = [[{"n": 1}], [{"n": 2}], [{"n": 2, "again": True}], [{"n": 3}]]

    @sources.source(name="api")
    def days(place):
        start = 0 if place is None else place["page"]
        for number in range(start, 3):
            yield pages[number if number < 2 else 3], {"page": number + 1}
            yield pages[2], {"page": number + 1}  # the same page twice

    [first] = home.datasets.land(ADA, "days", days, limit=1)
    home.datasets.land(ADA, "days", days)

    assert first.rows_in == 1
    assert numbers(home) == [1, 2, 3]
    assert home.datasets.land(ADA, "days", days) == []


@pytest.mark.parametrize(
    "item",
    [
        pl.DataFrame({"n": [1, 2]}),
        pa.table({"n": [1, 2]}),
        pd.DataFrame({"n": [1, 2]}),
        [{"n": 1}, {"n": 2}],
    ],
    ids=["polars", "arrow", "pandas", "dicts"],
)
def test_rows_come_in_any_form(home, item):
    home.datasets.land(ADA, "days", sources.source(lambda: [item], name="days"))

    assert numbers(home) == [1, 2]


def test_a_resource_of_dlt_is_landed_by_its_name(home):
    class Resource:
        """What a dlt resource is to us: a name, and an iterable that can begin again."""

        name = "issues"

        def __iter__(self) -> Iterator[Any]:
            yield {"n": 1, "at": 1}
            yield [{"n": 2, "at": 2}, {"n": 3, "at": 3}]
            yield pa.table({"n": [4], "at": [4]})

    source = sources.dlt(Resource(), cursor="at")
    home.datasets.land(ADA, "days", source)

    assert (source.name, numbers(home)) == ("issues", [1, 2, 3, 4])
    assert home.datasets.land(ADA, "days", sources.dlt(Resource(), cursor="at")) == []


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: sources.dlt(iter([{"n": 1}]), name="x"), "read once"),
        (lambda: sources.source(lambda: [[{"n": 1}]], name="x", key=["n"]), "cursor"),
        (lambda: sources.source(lambda place: [[{"n": 1}]], name="x"), "pairs"),
        (lambda: sources.source(lambda: [[{"n": 1}]], name="x", cursor="at"), "no column 'at'"),
        (lambda: sources.source(lambda: [[{"n": None, "at": None}]], name="x", cursor="at"), "null"),
        (
            lambda: sources.source(
                lambda: [pl.DataFrame({"at": [2]}), pl.DataFrame({"at": [1]})], name="x", cursor="at"
            ),
            "order",
        ),
    ],
)
def test_what_would_lose_rows_is_refused(home, make, says):
    with pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "days", make())

    assert says in " ".join(caught.value.sentences())


class Killed(BaseException):
    """The process ends here, as far as the landing can tell."""


POINTS = st.none() | st.sampled_from(["intent", "written", "planned", "committed main", "settled"])
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), max_size=8)


@settings(max_examples=8, deadline=None)
@given(rounds=st.lists(st.tuples(ROWS, st.integers(1, 3), POINTS), min_size=1, max_size=4))
def test_whatever_is_killed_each_row_of_a_function_lands_once(tmp_path_factory, rounds):
    rows: list[tuple[int, int]] = []
    size, point = [1], list[str | None]([None])

    @sources.source(cursor="at", overlap=10)
    def days(since):
        chosen = sorted((at, n) for n, at in rows if since is None or at >= since)
        for start in range(0, len(chosen), size[0]):
            yield [{"n": n, "at": at} for at, n in chosen[start : start + size[0]]]

    def die(reached: str) -> None:
        if reached == point[0]:
            raise Killed

    home = open_home(tmp_path_factory.mktemp("home"), at=die)
    for more, size[0], point[0] in rounds:
        rows += more
        with contextlib.suppress(Killed):
            home.datasets.land(ADA, "days", days)
        point[0] = None
    home.datasets.recover("default")
    home.datasets.land(ADA, "days", days)

    found: Counter[Any] = Counter()
    if rows:
        frame = home.datasets.scan("default", home.datasets.snapshot("default", "days")).collect()
        found = Counter(frame.select("n", "at").rows())
    home.store.close()
    assert found == Counter(rows)
