"""Time splits that respect when a label was known.

Training at the end of March may use the flights of March that had landed and were reported by then, and no others:
whoever takes all of March trains on truth that had not come yet, and gets figures that production never reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from treadle.ground.errors import did_you_mean
from treadle.systems.design.errors import InvalidModelSpec, SplitWithoutRows
from treadle.systems.design.spec import TimeSplit

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class PartReport:
    """What became of the rows of one part. n_in = n_used + n_too_late + n_unlabelled."""

    part: str
    n_in: int
    n_used: int
    n_too_late: int
    """Rows whose label was known only after the part's `known_by`."""
    n_unlabelled: int
    """Rows without a label, or without a time at which it was known."""
    known_by: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Splits:
    """The rows of each part, in their order, and what was left out. Rows outside all parts are counted."""

    parts: Mapping[str, pl.DataFrame]
    reports: tuple[PartReport, ...]
    n_outside: int


def split(table: Any, how: TimeSplit, target: str) -> Splits:
    """The parts of a training set (Arrow or Polars) by its time and known-at columns.

    Raises InvalidModelSpec for a column that is missing or no moment, SplitWithoutRows for a part without usable rows.
    """
    import polars as pl

    rows = table if isinstance(table, pl.DataFrame) else pl.from_arrow(table)
    assert isinstance(rows, pl.DataFrame)
    for column in (how.time, how.known_at, target):
        if column not in rows.columns:
            raise InvalidModelSpec(
                f"The training set has no column {column!r}.", fix=did_you_mean(column, rows.columns)
            )
    for column in (how.time, how.known_at):
        dtype = rows.schema[column]
        if not isinstance(dtype, pl.Datetime) or dtype.time_zone is None:
            raise InvalidModelSpec(f"Column {column!r} holds {dtype}, which is no moment in time.")
    last = list(how.parts)[-1]
    parts, reports = {}, []
    for name, part in how.parts.items():
        known_by = part.known_by if part.known_by is not None or name == last else part.end
        inside = rows.filter(pl.col(how.time) >= part.start, pl.col(how.time) < part.end)
        labelled = inside.filter(pl.col(target).is_not_null(), pl.col(how.known_at).is_not_null())
        used = labelled if known_by is None else labelled.filter(pl.col(how.known_at) <= known_by)
        parts[name] = used
        reports.append(
            PartReport(
                part=name,
                n_in=len(inside),
                n_used=len(used),
                n_too_late=len(labelled) - len(used),
                n_unlabelled=len(inside) - len(labelled),
                known_by=known_by,
            )
        )
        if not len(used):
            raise SplitWithoutRows(
                f"The part {name!r} of the split has no rows that may be used.",
                why=f"Of {len(inside)} rows in its time, {len(inside) - len(labelled)} have no label and "
                f"{len(labelled)} were labelled too late.",
                fix="Move the part, or its known_by.",
                part=name,
            )
    return Splits(parts=parts, reports=tuple(reports), n_outside=len(rows) - sum(report.n_in for report in reports))
