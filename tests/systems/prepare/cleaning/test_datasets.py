"""A dataset is cleaned into another: the original stays, every change is on record, and nothing is lost on the way."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.systems.prepare.cleaning.conftest import ROWS, SALES, Cafe, open_cafe
from tests.systems.prepare.conftest import ADA
from treadle.kernel.catalog import LineageRows
from treadle.systems.prepare.cleaning.records import ChangesOf, CleanDataset, Cleaning, CleaningsOf
from treadle.systems.prepare.errors import CleaningNotFound, CleaningOvertaken, CleaningRefused, ContractNotFound
from treadle.systems.prepare.records import DiscardRows, ListIncidents, ListQuarantine, ReleaseRows


def counts(done: Cleaning) -> tuple[int, ...]:
    return done.rows_kept, done.rows_dropped, done.rows_quarantined, done.rows_refused, done.rows_decided


def held(cafe: Cafe) -> dict[str, list[str]]:
    return {row.id: row.rules for row in cafe.shop.quarantine.list(ADA, ListQuarantine(dataset="sales")).rows}


def changes(cafe: Cafe, **asked: object) -> list[tuple[object, ...]]:
    page = cafe.cleanings.changes(ADA, ChangesOf(name="sales", **asked))  # type: ignore[arg-type]
    return [(one.row.partition(":")[2], one.rule, one.outcome, one.before, one.after) for one in page.changes]


def test_clean_rows_land_in_a_dataset_of_their_own_and_the_counts_add_up(cafe: Cafe) -> None:
    landing = cafe.land()

    done = cafe.clean()

    assert counts(done) == (3, 1, 1, 1, 0)
    assert done.rows_in == sum(counts(done))
    kept = cafe.shop.rows("sales")
    assert kept.select("shop", "price").rows() == [("Main Street", 1.5), ("Harbour", 2.0), ("Market", 0.0)]
    assert kept.select("_landing", "_row").rows() == [(landing.id, 0), (landing.id, 1), (landing.id, 3)]
    assert cafe.shop.rows("sales.raw").drop("_landing", "_row").equals(ROWS)


def test_rows_that_cannot_be_made_clean_are_held_with_the_step_that_held_them(cafe: Cafe) -> None:
    landing = cafe.land()

    cafe.clean()

    rows = cafe.shop.quarantine.list(ADA, ListQuarantine(dataset="sales")).rows
    assert {row.id: row.rules for row in rows} == {
        f"{landing.id}:4": ["price.cast"],
        f"{landing.id}:5": ["price.range"],
    }
    [free] = [row for row in rows if row.rules == ["price.cast"]]
    assert (free.values, free.raw) == ({"shop": "Market", "price": None}, '{"price": "free"}')
    incidents = cafe.shop.incidents.list(ADA, ListIncidents(dataset="sales"))
    assert {(one.rule, one.cause, one.rows, one.assignee) for one in incidents} == {
        ("price.cast", "rows", 1, "bea"),
        ("price.range", "rows", 1, "bea"),
    }


def test_every_change_is_on_record_by_rule_and_row(cafe: Cafe) -> None:
    cafe.land()

    done = cafe.clean()

    assert changes(cafe, rule="shop.text")[:2] == [
        ("0", "shop.text", "changed", " main  street", "Main Street"),
        ("1", "shop.text", "changed", "harbour ", "Harbour"),
    ]
    assert changes(cafe, rule="price.clip") == [("3", "price.clip", "changed", -3.0, 0.0)]
    assert changes(cafe, rule="one_of_each") == [("2", "one_of_each", "dropped", None, None)]
    assert changes(cafe, row=f"{done.source_snapshot}:9") == []
    of_one = cafe.cleanings.changes(ADA, ChangesOf(name="sales", rule="one_of_each")).changes[0]
    assert str(of_one.survivor).endswith(":1")
    with pytest.raises(CleaningRefused, match=r"no step 'price\.clp'"):
        changes(cafe, rule="price.clp")


def test_changes_come_in_pages_that_neither_skip_nor_repeat(cafe: Cafe) -> None:
    cafe.land()
    cafe.clean()
    whole = cafe.cleanings.changes(ADA, ChangesOf(name="sales", limit=1000))

    found, after = [], 0
    while after is not None:
        page = cafe.cleanings.changes(ADA, ChangesOf(name="sales", limit=2, after=after))
        found += page.changes
        after = page.next  # type: ignore[assignment]

    assert found == list(whole.changes)
    assert len(found) == whole.total


def test_what_was_cleaned_is_computed_again_from_what_came_of_it(cafe: Cafe) -> None:
    cafe.land()
    cafe.clean()

    assert_frame_equal(cafe.cleanings.restored("default", "sales"), cafe.shop.rows("sales.raw"))
    with pytest.raises(CleaningNotFound):
        cafe.cleanings.restored("default", "sales.raw")


def test_a_preview_says_what_would_come_and_lands_nothing(cafe: Cafe) -> None:
    cafe.land()

    foreseen = cafe.cleanings.preview(ADA, CleanDataset(name="sales.raw"))

    assert cafe.shop.datasets.find_snapshot("default", "sales") is None
    done = cafe.clean()
    assert counts(foreseen) == counts(done)
    assert (foreseen.landing, foreseen.steps) == (None, done.steps)


def test_the_landing_names_the_snapshot_that_it_was_made_of(cafe: Cafe) -> None:
    cafe.land()
    cafe.clean()

    source, snapshot = (cafe.shop.datasets.snapshot("default", name) for name in ("sales.raw", "sales"))
    assert snapshot.run is not None
    with cafe.shop.store.read() as reader:
        edges = LineageRows().of_run(reader, "default", snapshot.run)
    assert [(e.role, e.digest, e.producer) for e in edges if e.direction == "in"] == [
        ("rows", source.content_id, source.id)
    ]


def test_the_same_rows_are_not_cleaned_twice_and_others_take_their_place(cafe: Cafe) -> None:
    cafe.land()
    first = cafe.clean()

    again = cafe.clean()
    cafe.land(pl.DataFrame({"shop": ["quay"], "price": ["7"]}))
    third = cafe.clean()

    assert again == first
    assert counts(third) == (4, 1, 1, 1, 0)
    assert cafe.shop.rows("sales")["shop"].to_list() == ["Main Street", "Harbour", "Market", "Quay"]
    listed = cafe.cleanings.list(ADA, CleaningsOf(name="sales"))
    assert [one.landing for one in listed] == [third.landing, first.landing]


def test_what_a_person_has_decided_stays_when_it_is_cleaned_anew(cafe: Cafe) -> None:
    landing = cafe.land()
    cafe.clean()
    free, dear = f"{landing.id}:4", f"{landing.id}:5"
    mend = {free: {"price": 0.5}}
    cafe.shop.quarantine.release(ADA, ReleaseRows(dataset="sales", rows=[free], reason="a gift", mended=mend))
    cafe.shop.quarantine.discard(ADA, DiscardRows(dataset="sales", rows=[dear], reason="a slip"))

    cafe.land(pl.DataFrame({"shop": ["quay"], "price": ["7"]}))
    done = cafe.clean()

    assert counts(done) == (4, 1, 0, 0, 2)
    assert done.rows_in == sum(counts(done))
    assert cafe.shop.rows("sales").filter(pl.col("_row") == 4)["price"].to_list() == [0.5]
    now = cafe.shop.quarantine.list(ADA, ListQuarantine(dataset="sales", state="all"))
    assert (now.held, now.mended, now.discarded, len(now.rows)) == (0, 1, 1, 2)


def test_rows_that_pass_a_mended_contract_are_held_no_more(cafe: Cafe) -> None:
    landing = cafe.land()
    cafe.clean()

    cafe.shop.publish("sales", SALES.replace("maximum: 500", "maximum: 5000").replace("1.0.0", "1.1.0"))
    done = cafe.clean()

    assert counts(done) == (4, 1, 1, 0, 0)
    assert held(cafe) == {f"{landing.id}:4": ["price.cast"]}
    found = cafe.shop.quarantine.list(ADA, ListQuarantine(dataset="sales", state="all"))
    assert sorted(row.state for row in found.rows) == ["cleaned", "held"]

    cafe.shop.publish("sales", SALES.replace("1.0.0", "1.2.0"))
    cafe.clean()
    assert held(cafe) == {f"{landing.id}:4": ["price.cast"], f"{landing.id}:5": ["price.range"]}


def test_a_decision_in_the_middle_of_a_cleaning_is_never_undone(cafe: Cafe, monkeypatch: pytest.MonkeyPatch) -> None:
    landing = cafe.land()
    cafe.clean()
    cafe.land(pl.DataFrame({"shop": ["quay"], "price": ["7"]}))
    judged = cafe.cleanings._report

    def decided_meanwhile(*given: object) -> Cleaning:
        cafe.shop.quarantine.discard(ADA, DiscardRows(dataset="sales", rows=[f"{landing.id}:4"], reason="x"))
        return judged(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(cafe.cleanings, "_report", decided_meanwhile)

    with pytest.raises(CleaningOvertaken):
        cafe.clean()
    assert cafe.shop.rows("sales").height == 3


@pytest.mark.parametrize(
    ("asked", "error"),
    [({"to": "sales.raw"}, CleaningRefused), ({"contract": "nothing"}, ContractNotFound)],
)
def test_what_cannot_be_cleaned_is_refused(cafe: Cafe, asked: dict[str, object], error: type[Exception]) -> None:
    cafe.land()
    with pytest.raises(error):
        cafe.clean(**asked)


@pytest.mark.parametrize("point", ["intent", "written", "planned", "committed quarantine", "committed main", "settled"])
def test_a_cleaning_that_is_killed_is_whole_or_not_there(tmp_path: Path, point: str) -> None:
    cafe = open_cafe(tmp_path)
    cafe.shop.publish("sales", SALES)
    cafe.land()
    cafe.clean()
    cafe.land(pl.DataFrame({"shop": ["quay", "pier"], "price": ["7", "nothing"]}))
    program = textwrap.dedent("""
        import os, signal, sys
        from pathlib import Path
        from tests.systems.prepare.cleaning.conftest import open_cafe
        cafe = open_cafe(Path(sys.argv[1]))
        cafe.shop.datasets._landings._at = lambda point: point == sys.argv[2] and os.kill(os.getpid(), signal.SIGKILL)
        cafe.clean()
    """)

    command = [sys.executable, "-c", program, tmp_path, point]
    died = subprocess.run(command, cwd=Path(__file__).parents[4], capture_output=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr.decode()
    cafe.shop.datasets.recover("default")

    is_new = point not in ("intent", "written")
    assert cafe.shop.rows("sales").height == 3 + is_new
    assert len(held(cafe)) == 2 + is_new
    back = cafe.cleanings.restored("default", "sales")
    assert_frame_equal(
        back,
        cafe.shop.datasets.scan(
            "default", cafe.shop.datasets.snapshot("default", "sales.raw", "2" if is_new else "1")
        ).collect(),
    )
    assert counts(cafe.clean()) == (4, 1, 2, 1, 0)
    cafe.shop.store.close()
