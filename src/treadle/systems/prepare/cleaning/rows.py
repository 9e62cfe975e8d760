"""The rows of cleanings in the store."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from treadle.kernel.store import Reader
from treadle.kernel.vocabulary.datasets import LANDING, ROW
from treadle.systems.prepare.repository import sql

DECIDED = {LANDING: pl.String, ROW: pl.Int64, "state": pl.String}


class CleaningRow(NamedTuple):
    landing: str
    dataset: str
    source: str
    source_snapshot: str
    source_content: str
    contract: str
    log: str
    decisions: int
    report: str
    recorded_at: int


def cleanings_of(reader: Reader, project: str, dataset: str) -> list[CleaningRow]:
    """The cleanings that made a dataset, oldest first."""
    return [CleaningRow(*row) for row in reader.all(sql.cleanings_of, {"project": project, "dataset": dataset})]


def find_cleaning(reader: Reader, project: str, dataset: str, landing: str | None) -> CleaningRow | None:
    """The cleaning behind a snapshot: that of its own landing, or of the last one before it (rows came back since)."""
    if landing is None:
        return None
    found = reader.find(sql.find_cleaning, {"project": project, "landing": landing})
    if found is not None:
        return CleaningRow(*found)
    earlier = [row for row in cleanings_of(reader, project, dataset) if row.landing < landing]
    return earlier[-1] if earlier else None


def decided_rows(reader: Reader, project: str, dataset: str) -> pl.DataFrame:
    """The rows of a quarantine that a person has decided about: `_landing`, `_row`, `state`."""
    rows = reader.all(sql.decided_rows, {"project": project, "dataset": dataset})
    return pl.DataFrame(rows, schema=DECIDED, orient="row")


class CleaningRoots:
    """What clean-up must leave: the logs of cleanings, without which nothing could be taken back. Satisfies `Roots`."""

    def needed(self, reader: Reader, project: str) -> Iterable[str]:
        return [row[0] for row in reader.all(sql.logs_of_cleanings, {"project": project})]
