"""Rows become tasks, and labels become rows: the two borders between frames and the labelling queue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from treadle.ground import digests
from treadle.ground.errors import did_you_mean
from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, RowId
from treadle.systems.labels.errors import NotATask
from treadle.systems.labels.records import NewTask, Verdict
from treadle.systems.labels.schema import LabelSchema

if TYPE_CHECKING:
    import polars as pl


def tasks_of(rows: pl.LazyFrame, dataset: str, columns: Sequence[str] | None, limit: int | None) -> Iterator[NewTask]:
    """A task for each row, in landing order, its row id as source: however the files lie, a row is one task for ever.

    Raises NotATask when the rows have no identity or lack a column.
    """
    held = rows.collect_schema().names()
    for column in (*ROW_COLUMNS, *(columns or ())):
        if column not in held:
            raise NotATask(
                f"Dataset {dataset!r} has no column {column!r}.", fix=did_you_mean(column, held), column=column
            )
    shown = list(columns) if columns is not None else [column for column in held if column not in ROW_COLUMNS]
    chosen = rows.select(*ROW_COLUMNS, *(column for column in shown if column not in ROW_COLUMNS))
    ordered = chosen.sort(*ROW_COLUMNS)
    frame = (ordered if limit is None else ordered.head(limit)).collect()
    for row in frame.iter_rows(named=True):
        source = str(RowId(row[LANDING], row[ROW]))
        yield NewTask(source=source, data={column: _plain(row[column]) for column in shown})


def _plain(value: Any) -> Any:
    """A cell as JSON shows it: times as ISO 8601, bytes as hexadecimal digits."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def frame_of(schema: LabelSchema, verdicts: Sequence[Verdict]) -> pl.DataFrame:
    """The labels that have a value, one row a task: `task`, `source`, `landing`, `row`, an answer a question, `status`,
    `annotators`, `note`, `known_at`. `landing` and `row` are null for tasks that were not made of rows."""
    import polars as pl

    decided = [verdict for verdict in verdicts if verdict.value is not None]
    rows = [_row_of(verdict.source) for verdict in decided]
    answers = {
        question.name: pl.Series(
            [(verdict.value or {}).get(question.name) for verdict in decided],
            dtype=pl.Float64 if question.kind == "number" else pl.String,
        )
        for question in schema.questions
    }
    return pl.DataFrame(
        {
            "task": pl.Series([verdict.task for verdict in decided], dtype=pl.String),
            "source": pl.Series([verdict.source for verdict in decided], dtype=pl.String),
            "landing": pl.Series([None if row is None else row.landing for row in rows], dtype=pl.String),
            "row": pl.Series([None if row is None else row.row for row in rows], dtype=pl.Int64),
            **answers,
            "status": pl.Series([verdict.status for verdict in decided], dtype=pl.String),
            "annotators": pl.Series([list(verdict.annotators) for verdict in decided], dtype=pl.List(pl.String)),
            "note": pl.Series([verdict.note for verdict in decided], dtype=pl.String),
            "known_at": pl.Series([verdict.known_at for verdict in decided], dtype=pl.Datetime("us", "UTC")),
        }
    )


def _row_of(source: str) -> RowId | None:
    try:
        return RowId.parse(source) if source.startswith("land_") else None
    except ValueError:
        return None


def key_of(labels: str, schema: LabelSchema, verdicts: Sequence[Verdict]) -> str:
    """The name under which these very labels are landed, once."""
    names = [question.name for question in schema.questions]
    return f"labels/{labels}/" + digests.of_json(
        [names, [verdict for verdict in verdicts if verdict.value is not None]]
    )
