"""Failing rows as they are found: one line for each row and rule, in memory at first and in a file past a limit."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.prepare.keys import AT, no_space

LINES_IN_MEMORY = 2_000_000
RULE = "rule"
NUMBER = "row"
"""The number of the row among those that were judged, from 0."""
ID = "id"
"""The row's identity, `land_…:17`, where the rows have one."""


class FailingRows:
    """Collects which row failed which rule. Use it as a context: it removes its files."""

    def __init__(self, *, in_memory: int = LINES_IN_MEMORY) -> None:
        self._limit = in_memory
        self._held: list[tuple[str, pl.DataFrame]] = []
        self._count = 0
        self._paths: list[Path] = []
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> FailingRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._held.clear()
        if self._folder is not None:
            self._folder.cleanup()

    def add(self, rule: str, rows: pl.DataFrame) -> None:
        """`rows` has the column of row numbers, and the row columns if there are any."""
        self._held.append((rule, rows))
        self._count += rows.height
        if self._count >= self._limit:
            self._spill()

    def lazy(self) -> pl.LazyFrame:
        """All lines: the columns `rule`, `row` and `id`, in the order of rules within batches."""
        return pl.concat([pl.scan_ipc(path) for path in self._paths] + [self._lines().lazy()])

    def _lines(self) -> pl.DataFrame:
        if not self._held:
            return pl.DataFrame(schema=SCHEMA)
        rules = pl.Series(RULE, [rule for rule, _ in self._held], dtype=pl.String)
        heights = pl.Series([rows.height for _, rows in self._held], dtype=pl.UInt32)
        rows = pl.concat([rows for _, rows in self._held]).with_columns(rules.repeat_by(heights).explode().alias(RULE))
        has_ids = LANDING in rows.columns
        named = pl.format("{}:{}", LANDING, ROW) if has_ids else pl.lit(None, dtype=pl.String)
        return rows.select(RULE, pl.col(AT).cast(pl.Int64).alias(NUMBER), named.alias(ID))

    def _spill(self) -> None:
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="treadle-failing-")
        path = Path(self._folder.name) / f"{len(self._paths):06}.arrow"
        try:
            self._lines().write_ipc(path)
        except OSError as error:
            raise no_space(error) from error
        self._paths.append(path)
        self._held, self._count = [], 0


SCHEMA = pl.Schema({RULE: pl.String, NUMBER: pl.Int64, ID: pl.String})


def row_ids(frame: pl.DataFrame) -> Sequence[str]:
    """The ids of rows as text; of a frame without ids, `row 17` by their number, or nothing."""
    if LANDING in frame.columns and ROW in frame.columns:
        return [f"{landing}:{row}" for landing, row in frame.select(LANDING, ROW).iter_rows()]
    return [f"row {at}" for at in frame[AT]] if AT in frame.columns else []
