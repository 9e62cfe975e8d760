"""What queries and exports ask for and answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Format = Literal["parquet", "csv", "jsonl", "arrow"]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryDatasets:
    """Asks a question in SQL. Tables are datasets: `flights`, or `flights@v3`, `@tag`, `@branch`, `@2013-04-01`.

    limit: at most so many rows are answered, 10,000 at the highest; `datasets.export` has no such end.
    """

    sql: str
    limit: int = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRows:
    """Asks for all rows of a snapshot, or of a query, as one file."""

    name: str | None = None
    at: str | None = None
    sql: str | None = None
    format: Format = "parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultColumn:
    """A column of an answer; `type` is Arrow's name."""

    name: str
    type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Rows in the order of the query, each a list in the order of the columns.

    snapshots: which snapshot each table of the query was, as `flights@12`. is_cut: whether there are more rows.
    """

    columns: Sequence[ResultColumn]
    rows: Sequence[Sequence[Any]]
    is_cut: bool
    snapshots: Mapping[str, str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The next bytes of a file."""

    data: bytes
