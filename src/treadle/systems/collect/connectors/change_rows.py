"""From replication messages to rows of changes: transactions are told apart, values typed, keys that changed said twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count

import polars as pl

from treadle.systems.collect.connectors.changes import COMMITTED_AT, LSN, OP, POSITION, UNCHANGED
from treadle.systems.collect.connectors.postgres_values import column_of
from treadle.wire import pgoutput
from treadle.wire.pgoutput import ColumnType, Relation


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeBatch:
    """Whole transactions. end: where the last of them ends, None when there was none."""

    frames: list[pl.DataFrame]
    end: int | None
    transactions: int


@dataclass(slots=True)
class _Change:
    op: str
    row: pgoutput.Row
    lsn: int
    position: int
    committed_at: datetime


@dataclass
class _Piece:
    """Changes of a table while its columns stay as they are."""

    relation: Relation
    changes: list[_Change] = field(default_factory=list)


class Tables:
    """What the messages say of one table; remembers its columns from message to message."""

    def __init__(self, schema: str, table: str, key: Sequence[str]) -> None:
        self._name, self._key = (schema, table), list(key)
        self._relations: dict[int, Relation] = {}

    def read(self, messages: Iterable[bytes], after: int) -> ChangeBatch:
        """The transactions that end behind a position; those before it have landed. Raises pgoutput.Unreadable."""
        pieces: list[_Piece] = []
        open_pieces: list[_Piece] = []
        begun: pgoutput.Begin | None = None
        positions, transactions = count(), 0
        end: int | None = None
        for data in messages:
            message = pgoutput.decode(data)
            if isinstance(message, pgoutput.Relation):
                self._relations[message.id] = message
            elif isinstance(message, pgoutput.Begin):
                begun, positions, open_pieces = message, count(), []
            elif isinstance(message, pgoutput.Commit):
                if message.end_lsn > after:
                    end, transactions = message.end_lsn, transactions + 1
                    pieces += open_pieces
            elif begun is not None:
                for op, row, relation in self._changes(message):
                    if not open_pieces or open_pieces[-1].relation is not relation:
                        open_pieces.append(_Piece(relation))
                    change = _Change(op, row, begun.commit_lsn, next(positions), begun.committed_at)
                    open_pieces[-1].changes.append(change)
        return ChangeBatch(frames=_frames(pieces), end=end, transactions=transactions)

    def _changes(self, message: pgoutput.Message) -> list[tuple[str, pgoutput.Row, Relation]]:
        if isinstance(message, pgoutput.Truncate):
            ours = [self._relations[id] for id in message.relations if self._is_ours(id)]
            return [("truncate", (None,) * len(relation.columns), relation) for relation in ours]
        if not isinstance(message, pgoutput.Insert | pgoutput.Update | pgoutput.Delete) or not self._is_ours(
            message.relation
        ):
            return []
        relation = self._relations[message.relation]
        if isinstance(message, pgoutput.Insert):
            return [("insert", message.new, relation)]
        if isinstance(message, pgoutput.Delete):
            return [("delete", message.old, relation)]
        new = _completed(message.new, message.old) if relation.identity == "f" else message.new
        if message.old is not None and self._has_other_key(relation, message.old, new):
            return [("delete", message.old, relation), ("update", new, relation)]
        return [("update", new, relation)]

    def _is_ours(self, id: int) -> bool:
        relation = self._relations.get(id)
        return relation is not None and (relation.schema, relation.table) == self._name

    def _has_other_key(self, relation: Relation, old: pgoutput.Row, new: pgoutput.Row) -> bool:
        """Whether an update moved the row to another key: the old one is then gone."""
        keys = [
            place
            for place, column in enumerate(relation.columns)
            if (column.name in self._key if relation.identity == "f" else column.is_key)
        ]
        return any(old[place] != new[place] for place in keys)

    @staticmethod
    def copied(
        columns: Sequence[ColumnType], rows: Sequence[Sequence[str | None]], lsn: int | None, first: int = 0
    ) -> pl.DataFrame:
        """Rows of the first copy, as the text of their values; without a position they are rows of the table alone."""
        values = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
        frame = pl.DataFrame([column_of(column, found) for column, found in zip(columns, values, strict=True)])
        if lsn is None:
            return frame
        return frame.with_columns(
            pl.lit("read").alias(OP),
            pl.lit(lsn, pl.Int64).alias(LSN),
            pl.int_range(first, first + len(rows), dtype=pl.Int64).alias(POSITION),
            pl.lit(None, pl.Datetime("us", "UTC")).alias(COMMITTED_AT),
            pl.lit([], pl.List(pl.String)).alias(UNCHANGED),
        )


def _completed(new: pgoutput.Row, old: pgoutput.Row | None) -> pgoutput.Row:
    """The new row with what it leaves unchanged taken from the old one, where the server sent all of that."""
    if old is None:
        return new
    return tuple(
        before if isinstance(value, pgoutput.Unchanged) else value for value, before in zip(new, old, strict=True)
    )


def _frames(pieces: list[_Piece]) -> list[pl.DataFrame]:
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and joined[-1].relation == piece.relation:
            joined[-1].changes.extend(piece.changes)
        else:
            joined.append(piece)
    return [_frame(piece) for piece in joined]


def _frame(piece: _Piece) -> pl.DataFrame:
    columns = piece.relation.columns
    series = [
        column_of(column, [value if isinstance(value, str) else None for value in values])
        for column, values in zip(columns, zip(*(change.row for change in piece.changes), strict=True), strict=True)
    ]
    unchanged = [
        [
            column.name
            for column, value in zip(columns, change.row, strict=True)
            if isinstance(value, pgoutput.Unchanged)
        ]
        for change in piece.changes
    ]
    facts = [
        pl.Series(OP, [change.op for change in piece.changes], dtype=pl.String),
        pl.Series(LSN, [change.lsn for change in piece.changes], dtype=pl.Int64),
        pl.Series(POSITION, [change.position for change in piece.changes], dtype=pl.Int64),
        pl.Series(COMMITTED_AT, [change.committed_at for change in piece.changes], dtype=pl.Datetime("us", "UTC")),
        pl.Series(UNCHANGED, unchanged, dtype=pl.List(pl.String)),
    ]
    return pl.DataFrame([*series, *facts])
