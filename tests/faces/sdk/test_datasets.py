"""Datasets from a user's script: branches, tags, going back, comparing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import treadle as td
from treadle.systems.prepare.records import PublishContract


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[td.Workspace]:
    with td.open_workspace(tmp_path) as opened, td.use(opened):
        td.dataset("prices").land(pl.DataFrame({"sku": ["a", "b"], "price": [1, 2]}))
        yield opened


@td.step
def total(rows: pl.DataFrame) -> int:
    return int(rows["price"].sum())


@td.pipeline
def totals() -> list[int]:
    prices = td.dataset("prices")
    return [td.load(total(prices.snapshot(at))) for at in ("main", "fix", 1)]


def test_a_branch_is_landed_on_read_in_a_pipeline_and_merged(workspace: td.Workspace) -> None:
    prices = td.dataset("prices")
    fix = prices.branch("fix")
    fix.land(pl.DataFrame({"sku": ["c"], "price": [10]}))

    assert totals().value == [3, 13, 3]
    assert [(one.branch, one.ahead) for one in prices.branches()] == [("fix", 1)]
    assert fix.merge(delete=True).how == "fast-forward"
    assert prices.snapshot().rows == 3


def test_a_run_pinned_to_a_branch_reads_it_after_the_branch_is_gone(workspace: td.Workspace) -> None:
    fix = td.dataset("prices").branch("fix")
    fix.land(pl.DataFrame({"sku": ["c"], "price": [10]}))
    pinned = fix.snapshot()
    fix.merge(delete=True)

    assert pinned.scan().collect()["price"].sum() == 13


def test_snapshots_are_tagged_restored_and_compared(workspace: td.Workspace) -> None:
    prices = td.dataset("prices")
    prices.tag("golden", reason="checked")
    prices.land(pl.DataFrame({"sku": ["b", "c"], "price": [20, 3]}))

    found = prices.diff("golden", key="sku")
    prices.restore("golden")

    assert found.by_key is not None
    assert (found.by_key.inserted, found.by_key.updated) == (1, 1)
    assert prices.snapshot("golden").digest == prices.snapshot().digest


@td.step
def joined(photos: td.FileSet) -> str:
    return "".join(file.bytes().decode() for file in photos)


@td.step
def listed(photos: Path) -> list[str]:
    return sorted(str(path.relative_to(photos)) for path in photos.rglob("*") if path.is_file())


@td.pipeline
def looks() -> list[object]:
    photos = td.dataset("photos").snapshot("main")
    return [td.load(joined(photos)), td.load(listed(photos))]


def test_a_folder_is_landed_and_a_step_takes_it_as_files_or_as_a_folder(
    workspace: td.Workspace, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    (folder / "b").mkdir(parents=True)
    (folder / "a").write_text("one ")
    (folder / "b" / "c").write_text("two")
    landed = td.dataset("photos").land_files(folder)

    assert landed.added == 2
    assert looks().value == ["one two", ["a", "b/c"]]
    assert td.dataset("photos").snapshot().files()["b/c"].bytes() == b"two"


CONTRACT = """\
apiVersion: v3.1.0
kind: DataContract
id: prices
version: 1.0.0
status: active
schema:
  - name: prices
    properties:
      - {name: sku, logicalType: string, primaryKey: true}
      - {name: price, logicalType: number, logicalTypeOptions: {minimum: 0}}
"""


def test_a_branch_is_judged_by_the_contract_of_its_dataset(workspace: td.Workspace) -> None:
    workspace.contracts.publish(workspace.caller, PublishContract(dataset="prices", text=CONTRACT))
    fix = td.dataset("prices").branch("fix")

    [landing] = fix.land(pl.DataFrame({"sku": ["a", "c", "d"], "price": [9, -1, 4]}))

    assert (landing.rows_kept, landing.rows_refused) == (1, 2)  # a is there already, and c costs less than nothing
    assert workspace.datasets.snapshot("default", "prices@fix.quarantine").rows == 2
    assert fix.snapshot().rows == 3
