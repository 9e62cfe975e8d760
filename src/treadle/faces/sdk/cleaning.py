"""Cleaning as a user's script sees it: rows by a contract's steps, in a step, in a pipeline, or a dataset into another."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from treadle.faces.sdk.contracts import table_of
from treadle.faces.sdk.datasets import DatasetHandle, PinnedSnapshot
from treadle.ground.errors import InvalidInput
from treadle.kernel.engine.handles import Handle
from treadle.kernel.engine.reporting import log_metric
from treadle.kernel.engine.steps import step
from treadle.systems.prepare.cleaning.declared import declared_steps
from treadle.systems.prepare.cleaning.listing import page_of
from treadle.systems.prepare.cleaning.program import Program, StepReport, cleaned
from treadle.systems.prepare.cleaning.records import Change, ChangesOf
from treadle.wire.odcs import decode


class RowsNotClean(InvalidInput):
    """Rows cannot be made clean, where there is no quarantine to hold them."""

    code = "cleaning.rows_not_clean"

    @classmethod
    def of(cls, done: Cleaned) -> RowsNotClean:
        """The error that names the steps."""
        by_rule = ", ".join(f"{one.rule} {one.quarantined}" for one in done.steps if one.quarantined)
        return cls(
            f"{done.held.height:,} of {done.held.height + done.rows.height:,} rows cannot be made clean: {by_rule}.",
            why="A frame has no quarantine that could hold them.",
            fix="Clean the dataset's snapshot, or write otherwise: null in the contract.",
        )


class Cleaned:
    """Rows after their cleaning. `rows` are kept; `held` could not be made clean, and ` rules` says which step held them."""

    def __init__(self, rows: pl.DataFrame, held: pl.DataFrame, program: Program) -> None:
        self.rows, self.held, self._program = rows, held, program

    @property
    def steps(self) -> list[StepReport]:
        """What each step has done: cells changed, rows dropped and held, values fitted."""
        return self._program.report()

    def changes(self, *, rule: str | None = None, limit: int = 100) -> Sequence[Change]:
        """The first changes, cell by cell and row by row, in the order of the steps."""
        return page_of(self._program.changes, ChangesOf(name="rows", rule=rule, limit=limit), landing="").changes

    def restored(self) -> pl.DataFrame:
        """What was cleaned, computed from what came of it and the log."""
        return self._program.changes.restored(self.rows)


def clean(
    rows: Any,
    contract: str | os.PathLike[str] | None = None,
    *,
    table: str | None = None,
    to: str | None = None,
) -> Any:
    """Rows, cleaned by the steps that a contract declares beside its rules.

    A frame (in a step, or anywhere) gives a `Cleaned`; contract is then a file, and table says which of its tables is meant
    where it has several. A handle, in a pipeline, is cleaned in a step of its own and gives the handle of the rows that
    are kept; rows that could not be made clean end it, since a frame has no quarantine. A snapshot is cleaned into the
    dataset `to` under the contract that is published there, or that the dataset `contract` has, and gives the new snapshot.
    Raises InvalidContract, CleaningRefused, TableNotInContract.
    """
    if isinstance(rows, PinnedSnapshot):
        handle = DatasetHandle(rows.dataset, rows.workspace())
        return handle.clean(rows.id, to=to, contract=None if contract is None else str(contract))
    if contract is None:
        raise TypeError("td.clean of rows needs the contract's file: td.clean(rows, 'sales.odcs.yaml')")
    text = Path(contract).read_text(encoding="utf-8")
    if isinstance(rows, Handle):
        return cleaned_rows(rows, text, table)  # type: ignore[arg-type]
    return _cleaned(rows, text, table, str(contract))


@step
def cleaned_rows(rows: pl.DataFrame, contract: str, table: str | None) -> pl.DataFrame:
    """The rows, cleaned by a contract's text. How many cells each of its steps has changed is logged."""
    done = _cleaned(rows, contract, table, "the contract")
    if done.held.height:
        raise RowsNotClean.of(done)
    for report in done.steps:
        log_metric(f"cleaning.{report.rule}.cells", float(report.cells))
    return done.rows


def _cleaned(rows: Any, text: str, table: str | None, source: str) -> Cleaned:
    described = decode(text, source=source)
    frame = rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows)
    return Cleaned(*cleaned([frame], declared_steps(described, table_of(described, table, source))))
