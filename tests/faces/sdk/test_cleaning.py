"""`td.clean`: a frame anywhere, a handle in a pipeline, a snapshot into a dataset, once in its run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import treadle as td
from tests.systems.prepare.cleaning.conftest import ROWS, SALES
from treadle.kernel.engine.errors import StepFailed
from treadle.systems.prepare.records import ListQuarantine, MendRows, PublishContract

LENIENT = SALES.replace('ignore: "€"', 'ignore: "€", otherwise: "null"')


@td.step
def raw_rows() -> object:
    return ROWS


@td.pipeline
def clean_rows(contract: str):
    return td.clean(raw_rows(), contract)


@td.pipeline
def clean_dataset():
    snapshot = td.clean(td.dataset("sales.raw").snapshot())
    return snapshot.dataset, snapshot.version, snapshot.rows


@pytest.fixture
def home(tmp_path: Path) -> Iterator[td.Workspace]:
    (tmp_path / "sales.odcs.yaml").write_text(SALES)
    (tmp_path / "lenient.odcs.yaml").write_text(LENIENT)
    with td.open_workspace(tmp_path / "home") as workspace, td.use(workspace):
        yield workspace


def test_a_frame_is_cleaned_and_says_what_changed(home: td.Workspace, tmp_path: Path) -> None:
    done = td.clean(ROWS, tmp_path / "sales.odcs.yaml")

    assert (done.rows.height, done.held.height) == (4, 1)
    assert done.held[" rules"].to_list() == [["price.cast"]]
    assert [one.before for one in done.changes(rule="price.clip")] == [-3.0]
    assert {one.rule: one.cells for one in done.steps}["shop.text"] == 3
    assert done.restored().equals(ROWS)


def test_in_a_pipeline_rows_are_cleaned_in_a_step_that_is_known_the_next_time(
    home: td.Workspace, tmp_path: Path
) -> None:
    contract = str(tmp_path / "lenient.odcs.yaml")

    first, second = clean_rows(contract), clean_rows(contract)

    assert td.load(first.value).height == 5
    assert second.value.digest == first.value.digest
    assert second.counts.get("cached", 0) >= 1 if hasattr(second, "counts") else True


def test_rows_that_cannot_be_made_clean_end_a_step_since_nothing_can_hold_them(
    home: td.Workspace, tmp_path: Path
) -> None:
    with pytest.raises(StepFailed, match=r"1 of 5 rows cannot be made clean: price\.cast 1"):
        clean_rows(str(tmp_path / "sales.odcs.yaml"))


def test_a_snapshot_is_cleaned_once_for_the_same_rows_and_contract(home: td.Workspace) -> None:
    home.contracts.publish(home.caller, PublishContract(dataset="sales", text=SALES))
    td.dataset("sales.raw").land(ROWS)

    assert clean_dataset().value == clean_dataset().value == ("sales", 1, 3)
    assert td.dataset("sales").restored().equals(td.dataset("sales.raw").snapshot().scan().collect())


def test_rows_refused_at_their_own_gate_are_mended_by_the_contract_s_cleaning(home: td.Workspace) -> None:
    home.contracts.publish(home.caller, PublishContract(dataset="sales", text=SALES))
    td.dataset("sales").land(ROWS, on_mismatch="quarantine")
    refused = home.quarantine.list(home.caller, ListQuarantine(dataset="sales"))

    done = home.quarantine.mend(home.caller, MendRows(dataset="sales", reason="x", clean=True, every=True))

    assert refused.held == 4  # 2 is a number as it is, and -3 too
    assert (done.n_released, done.n_still_held) == (2, 2)
    rows = td.dataset("sales").snapshot().scan().collect().sort("_row").select("shop", "price").rows()
    assert rows[:2] == [("Main Street", 1.5), ("Harbour", 2.0)]
