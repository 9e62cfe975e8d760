"""An API is read page by page: no record is lost and none comes twice, whatever the network and the API do."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.systems.collect.conftest import ADA, Home, open_home
from tests.systems.collect.connectors.api import Api, Asked, Said, api
from treadle.ground.errors import TreadleError
from treadle.kernel.engine.secrets import redacted
from treadle.systems.collect.connectors.http import HttpSource, PageReader
from treadle.systems.collect.connectors.steps import SteppedSource

PAGING = {
    "page": {"style": "page", "size": 2, "size_param": "per_page"},
    "offset": {"style": "offset", "size": 2, "size_param": "limit"},
    "cursor": {"style": "cursor", "next": "meta.next", "param": "after"},
    "address": {"style": "cursor", "next": "meta.url"},
    "link": {"style": "link"},
}


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def source(url: str, clock: Clock | None = None, **options: object) -> SteppedSource:
    import msgspec

    clock = clock or Clock()
    asked = msgspec.convert({"url": url, **options}, HttpSource)
    asked.open("records", Path())
    reader = PageReader(asked, sleep=clock.sleep, clock=lambda: clock.now, rng=random.Random(1))
    return SteppedSource("records", reader)


def paged(items: list[dict[str, object]], style: str, served: Api | None = None):
    """How an API divides its items into pages of two."""

    def answer(asked: Asked) -> Said:
        start = {
            "page": lambda: (int(asked.params.get("page", 1)) - 1) * 2,
            "offset": lambda: int(asked.params.get("offset", 0)),
        }.get(style, lambda: int(asked.params.get("after", 0)))()
        chosen, following = items[start : start + 2], start + 2
        there = following < len(items)
        meta = {"next": str(following) if there else None, "url": f"/list?after={following}" if there else None}
        headers = {"Link": f'</list?after={following}>; rel="next", </list>; rel="first"'} if there else {}
        return Said({"data": chosen, "meta": meta}, headers=headers)

    return answer


def numbered(*ids: int) -> list[dict[str, object]]:
    return [{"id": n, "name": f"n{n}"} for n in ids]


def ids(home: Home) -> list[int]:
    snapshot = home.datasets.snapshot("default", "records")
    return sorted(home.datasets.scan("default", snapshot).collect()["id"])


@pytest.mark.parametrize("style", list(PAGING))
def test_pages_land_one_by_one_and_a_later_run_lands_what_was_added(home, style):
    items = numbered(1, 2, 3, 4, 5)
    with api() as served:
        served.answer = paged(items, style)
        records = lambda: source(served.url + "/list", records="data", paging=PAGING[style])  # noqa: E731
        first = home.datasets.land(ADA, "records", records())
        items += numbered(6, 7, 8)
        second = home.datasets.land(ADA, "records", records())

        assert [one.rows_in for one in first] == [2, 2, 1]
        assert sum(one.rows_in for one in second) == 3
        assert ids(home) == [1, 2, 3, 4, 5, 6, 7, 8]
        assert home.datasets.land(ADA, "records", records()) == []


def test_what_helps_is_tried_again_and_retry_after_is_kept(home):
    clock, answers = (
        Clock(),
        [Said(status=503), Said(status=429, headers={"Retry-After": "17"}), Said([{"id": 1}], cut=True)],
    )
    with api(lambda asked: answers.pop(0) if answers else Said(numbered(1))) as served:
        home.datasets.land(ADA, "records", source(served.url, clock))

    assert ids(home) == [1]
    assert len(clock.slept) == 3
    assert clock.slept[1] == 17
    assert 0.25 <= clock.slept[0] <= 0.5


def test_an_api_that_stays_away_is_an_error_that_says_how_long_it_was_tried(home):
    with api(lambda asked: Said(status=500)) as served, pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "records", source(served.url, tries=3))

    assert (caught.value.code, caught.value.retryable) == ("source.unreachable", True)
    assert "Tried 3 times" in caught.value.why


def test_requests_are_paced(home):
    clock = Clock()
    with api() as served:
        served.answer = paged(numbered(1, 2, 3, 4, 5), "page")
        home.datasets.land(
            ADA, "records", source(served.url, clock, records="data", paging=PAGING["page"], requests_per_s=2)
        )

    assert clock.slept == [0.5, 0.5]


def test_a_page_that_comes_again_for_the_next_one_ends_the_list_and_is_not_landed_twice(home):
    items = numbered(1, 2, 3, 4)
    paging = {"style": "page"}
    with api() as served:
        honest = paged(items, "page")
        served.answer = lambda asked: honest(Asked(asked.path, {"page": str(min(int(asked.params["page"]), 2))}, {}))
        home.datasets.land(ADA, "records", source(served.url, records="data", paging=paging))
        served.answer = honest
        items += numbered(5)
        home.datasets.land(ADA, "records", source(served.url, records="data", paging=paging))

    assert ids(home) == [1, 2, 3, 4, 5]


def test_records_that_changed_since_the_newest_are_asked_for(home):
    items = [{"id": 1, "at": "2024-01-01T00:00:00Z"}, {"id": 2, "at": "2024-01-02T00:00:00Z"}]

    def answer(asked: Asked) -> Said:
        return Said([item for item in items if str(item["at"]) >= asked.params.get("since", "")])

    with api(answer) as served:
        changes = lambda: source(served.url, since={"param": "since", "field": "at"})  # noqa: E731
        home.datasets.land(ADA, "records", changes())
        items += [{"id": 3, "at": "2024-01-02T00:00:00Z"}, {"id": 4, "at": "2024-01-03T00:00:00Z"}]
        home.datasets.land(ADA, "records", changes())
        assert home.datasets.land(ADA, "records", changes()) == []

    assert ids(home) == [1, 2, 3, 4]
    assert [one.params.get("since") for one in served.asked] == [None, "2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z"]


def test_late_records_within_the_overlap_land_once(home):
    items = [{"id": 1, "at": 100}, {"id": 2, "at": 200}]

    def answer(asked: Asked) -> Said:
        return Said([item for item in items if int(item["at"]) >= int(asked.params.get("since", 0))])

    with api(answer) as served:
        changes = lambda: source(served.url, since={"param": "since", "field": "at", "overlap": 50})  # noqa: E731
        home.datasets.land(ADA, "records", changes())
        items += [{"id": 3, "at": 160}]
        home.datasets.land(ADA, "records", changes())
        home.datasets.land(ADA, "records", changes())

    assert ids(home) == [1, 2, 3]


def test_all_pages_together_replace_what_was_there(home):
    items = numbered(1, 2, 3)
    with api() as served:
        served.answer = paged(items, "page")
        everything = lambda: source(served.url, records="data", paging=PAGING["page"], mode="replace")  # noqa: E731
        home.datasets.land(ADA, "records", everything())
        del items[0]
        [second] = home.datasets.land(ADA, "records", everything())

    assert (ids(home), second.version) == ([2, 3], 2)


@pytest.mark.parametrize(
    ("format", "body"),
    [("csv", b"id,code\n1,007\n2,008\n"), ("jsonl", b'{"id":1,"code":"007"}\n{"id":2,"code":"008"}\n')],
)
def test_bodies_may_be_csv_or_json_lines(home, format, body):
    with api(lambda asked: Said(body)) as served:
        declared = SteppedSource("records", source(served.url, format=format).reader, {"code": "string"})
        home.datasets.land(ADA, "records", declared)

    assert ids(home) == [1, 2]


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ({"token": "secret://api"}, "authorization", "Bearer t0psecret"),
        ({"username": "ada", "password": "secret://api"}, "authorization", "Basic YWRhOnQwcHNlY3JldA=="),
        ({"api_key": "env://THE_KEY"}, "x-api-key", "t0psecret"),
        ({"headers": {"X-Team": "env://THE_KEY"}}, "x-team", "t0psecret"),
    ],
)
def test_credentials_are_sent_to_the_declared_host_and_no_other(home, monkeypatch, options, header, value):
    monkeypatch.setenv("TREADLE_SECRET_API", "t0psecret")
    monkeypatch.setenv("THE_KEY", "t0psecret")
    with api(lambda asked: Said(numbered(1))) as elsewhere, api() as served:
        served.answer = lambda asked: Said(status=302, headers={"Location": elsewhere.url + "/list"})
        home.datasets.land(ADA, "records", source(served.url, **options))

    assert served.asked[0].headers[header] == value
    assert header not in elsewhere.asked[0].headers
    assert ids(home) == [1]


def test_a_secret_parameter_is_sent_and_stands_in_no_cursor(home, monkeypatch):
    monkeypatch.setenv("THE_KEY", "t0psecret")
    items = numbered(1, 2, 3)

    def answer(asked: Asked) -> Said:
        assert asked.params["api_key"] == "t0psecret"
        said = paged(items, "address")(asked)
        if said.body["meta"]["url"]:
            said.body["meta"]["url"] += "&api_key=t0psecret"
        return said

    with api(answer) as served:
        keyed = source(served.url, records="data", paging=PAGING["address"], params={"api_key": "env://THE_KEY"})
        landings = home.datasets.land(ADA, "records", keyed)

    assert len(served.asked) == 2
    assert "t0psecret" not in repr(landings)
    assert "t0psecret" not in (home.folder / "treadle.db").read_bytes().decode("latin-1")


def test_a_next_page_on_another_host_is_refused(home):
    body = {"data": numbered(1), "next": "http://evil.example/list"}
    paging = {"style": "cursor", "next": "next"}

    with api(lambda asked: Said(body)) as served, pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "records", source(served.url, records="data", paging=paging))

    assert caught.value.code == "source.refused"
    assert "another host" in caught.value.what


@pytest.mark.parametrize(
    ("said", "says"),
    [
        (Said("no", status=401), "credential"),
        (Said("no", status=404), "`url`"),
        (Said(b"<html>"), "JSON"),
        (Said({"items": []}), "records ="),
        (Said([1, 2]), "records ="),
        (Said(b"x" * 2000), "larger"),
    ],
)
def test_what_is_no_answer_is_refused_in_plain_words(home, said, says):
    with api(lambda asked: said) as served, pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "records", source(served.url, records="data", max_bytes=1000))

    assert caught.value.code == "source.refused"
    assert says in " ".join(caught.value.sentences())


def test_an_api_that_says_our_secret_back_does_not_get_it_into_an_error(home, monkeypatch):
    monkeypatch.setenv("TREADLE_SECRET_API", "t0psecret")

    def answer(asked: Asked) -> Said:
        return Said({"sent": asked.headers["authorization"]}, status=400)

    with api(answer) as served, pytest.raises(TreadleError) as caught:
        home.datasets.land(ADA, "records", source(served.url, token="secret://api"))

    assert "t0psecret" not in repr(caught.value.sentences())
    assert redacted("t0psecret") == "•••"


class Killed(BaseException):
    """The process ends here, as far as the landing can tell."""


TROUBLES = st.sampled_from(
    ["none", "error", "cut", "repeat", "kill intent", "kill written", "kill planned", "kill settled"]
)


@settings(max_examples=8, deadline=None)
@given(
    style=st.sampled_from(list(PAGING)),
    rounds=st.lists(st.tuples(st.integers(0, 4), st.lists(TROUBLES, max_size=8)), max_size=4),
)
def test_whatever_repeats_breaks_or_is_killed_each_record_lands_once(tmp_path_factory, style, rounds):
    folder, items, troubles = tmp_path_factory.mktemp("home"), [], []
    last: list[Said] = []

    def next_trouble(*kinds: str) -> str:
        return troubles.pop(0) if troubles and troubles[0].startswith(kinds) else "none"

    def answer(asked: Asked) -> Said:
        trouble = next_trouble("error", "cut", "repeat", "none")
        if trouble == "error":
            return Said(status=500)
        if trouble == "repeat" and last:
            return last[-1]
        said = paged(items, style)(asked)
        last.append(said)
        return Said(said.body, headers=said.headers, cut=trouble == "cut")

    def die(point: str) -> None:
        if next_trouble("kill").removeprefix("kill ") == point:
            raise Killed

    home = open_home(folder, at=die)
    with api(answer) as served:
        read = lambda: home.datasets.land(  # noqa: E731
            ADA, "records", source(served.url, records="data", paging=PAGING[style], tries=20, key=["id"])
        )
        for added, troubles[:] in rounds:
            items += numbered(*range(len(items), len(items) + added))
            last.clear()
            with contextlib.suppress(Killed):
                read()
        troubles.clear()
        home.datasets.recover("default")
        read()

    found = Counter(ids(home)) if items else Counter()
    home.store.close()
    assert found == Counter(range(len(items)))


def test_nested_records_keep_their_form(home):
    with api(lambda asked: Said([{"id": 1, "who": {"name": "Ada", "tags": ["a", "b"]}}])) as served:
        home.datasets.land(ADA, "records", source(served.url))

    frame = home.datasets.scan("default", home.datasets.snapshot("default", "records")).collect()
    assert frame["who"].to_list() == [{"name": "Ada", "tags": ["a", "b"]}]
    assert isinstance(frame.schema["who"], pl.Struct)
