"""Which rows of a quarantine are meant: named by id, or all that are held and fit a rule, a landing, a condition.

A quarantine's dataset only grows. A row that was cleaned anew and held again is in it twice: the last time counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from treadle.kernel.store import Store
from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, RowId
from treadle.systems.prepare.checking import RULES
from treadle.systems.prepare.errors import QuarantinedRowNotFound
from treadle.systems.prepare.ports import Tables
from treadle.systems.prepare.records import RowSelection
from treadle.systems.prepare.repository import sql
from treadle.systems.prepare.row_sql import condition

SUFFIX = ".quarantine"
RAW = "_raw"
STATE = " state"
HELD = "held"


class Held:
    """The rows of quarantines, each with what was decided about it."""

    def __init__(self, store: Store, tables: Tables) -> None:
        self._store, self._tables = store, tables

    def rows(self, project: str, dataset: str) -> pl.DataFrame | None:
        """Every row that was ever refused for a dataset, oldest first, with ` state`."""
        head = self._tables.find_snapshot(project, dataset + SUFFIX)
        if head is None:
            return None
        rows = self._tables.scan(project, head).unique(ROW_COLUMNS, keep="last", maintain_order=True)
        decided = self.states(project, dataset).lazy()
        joined = rows.join(decided, on=ROW_COLUMNS, how="left", maintain_order="left")
        return joined.with_columns(pl.col(STATE).fill_null(HELD)).collect()

    def states(self, project: str, dataset: str) -> pl.DataFrame:
        """What became of the rows of a quarantine about which was decided."""
        with self._store.read() as reader:
            rows = reader.all(sql.states_of, {"project": project, "dataset": dataset})
        landings, numbers, states = zip(*rows, strict=True) if rows else ((), (), ())
        schema = {LANDING: pl.String, ROW: pl.Int64, STATE: pl.String}
        return pl.DataFrame({LANDING: landings, ROW: numbers, STATE: states}, schema=schema)

    def selected(self, project: str, dataset: str, wanted: RowSelection, *, state: str = HELD) -> pl.DataFrame:
        """The rows that are meant: those named, in their order, or all in that state that fit. Raises QuarantinedRowNotFound."""
        rows = self.rows(project, dataset)
        if rows is None:
            raise QuarantinedRowNotFound(f"Nothing was ever refused for {dataset!r}.", dataset=dataset)
        if wanted.rows:
            return _named(rows, dataset, parsed(wanted.rows))
        if not (wanted.every or wanted.rule or wanted.landing or wanted.where):
            raise QuarantinedRowNotFound(
                "No rows were named.", fix="Name them by id, such as land_01k9…:17, or by rule, landing or condition."
            )
        found = narrowed(rows, wanted).filter(pl.col(STATE) == state)
        if found.height == 0:
            raise QuarantinedRowNotFound(
                f"No row that is {state} for {dataset!r} is meant by that.",
                fix=f"Look at them with: treadle quarantine list {dataset}",
                dataset=dataset,
            )
        return found


def narrowed(rows: pl.DataFrame, wanted: RowSelection) -> pl.DataFrame:
    """The rows that fit a rule, a landing and a condition."""
    if wanted.rule is not None:
        rows = rows.filter(pl.col(RULES).list.contains(wanted.rule))
    if wanted.landing is not None:
        rows = rows.filter(pl.col(LANDING) == wanted.landing)
    if wanted.where is not None:
        schema = pl.Schema({name: dtype for name, dtype in rows.schema.items() if not name.startswith(" ")})
        rows = rows.filter(condition(wanted.where, schema))
    return rows


def parsed(rows: Sequence[str]) -> list[RowId]:
    """The rows of those ids, each once. Raises QuarantinedRowNotFound for what is no id."""
    try:
        return list(dict.fromkeys(RowId.parse(row) for row in rows))
    except ValueError as error:
        raise QuarantinedRowNotFound(str(error)) from error


def ids_of(rows: Sequence[RowId]) -> pl.DataFrame:
    """Row ids as a frame."""
    return pl.DataFrame(
        {LANDING: [row.landing for row in rows], ROW: [row.row for row in rows]},
        schema={LANDING: pl.String, ROW: pl.Int64},
    )


def as_ids(rows: pl.DataFrame) -> pl.Series:
    """The ids of rows, as text."""
    # rechunked: Polars 2.1 panics where text is put together from columns whose chunks are not alike
    one = rows.select(LANDING, ROW).rechunk()
    return one.select(pl.concat_str(LANDING, pl.lit(":"), pl.col(ROW).cast(pl.String)).alias("id")).to_series()


def _named(rows: pl.DataFrame, dataset: str, wanted: Sequence[RowId]) -> pl.DataFrame:
    ids = ids_of(wanted)
    found = ids.join(rows, on=ROW_COLUMNS, how="inner", maintain_order="left")
    if found.height < ids.height:
        missing = ids.join(rows, on=ROW_COLUMNS, how="anti").row(0)
        raise QuarantinedRowNotFound(
            f"The row {missing[0]}:{missing[1]} is not in the quarantine of {dataset!r}.",
            why="It was never refused, or it is of another dataset.",
            fix=f"List what is there: treadle quarantine list {dataset} --state all",
            dataset=dataset,
        )
    return found.select(rows.columns)
