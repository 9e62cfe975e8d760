"""PostgreSQL's logical replication messages, as the plugin `pgoutput` writes them: bytes into records, no I/O.

Source: PostgreSQL documentation, "Logical Replication Message Formats", protocol version 1. Values come as the text that the
server's output functions write; an unchanged value that is stored out of line is not sent at all.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from treadle.ground.errors import InvalidInput

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class Unreadable(InvalidInput):
    """The bytes are no message of the protocol."""

    code = "pgoutput.unreadable"


class Unchanged:
    """The value of a column that an update left as it was, and that the server does not send."""

    def __repr__(self) -> str:
        return "UNCHANGED"


UNCHANGED = Unchanged()
Value = str | None | Unchanged
Row = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction begins; its commit has this position and time."""

    commit_lsn: int
    committed_at: datetime
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction has ended; the next one begins at `end_lsn` or later."""

    commit_lsn: int
    end_lsn: int
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column of a relation, with the type's number and modifier."""

    name: str
    type: int
    modifier: int
    is_key: bool


@dataclass(frozen=True, slots=True)
class Relation:
    """What a table looks like from here on. identity: d(efault), n(othing), f(ull), i(ndex)."""

    id: int
    schema: str
    table: str
    identity: str
    columns: tuple[ColumnType, ...]


@dataclass(frozen=True, slots=True)
class Insert:
    relation: int
    new: Row


@dataclass(frozen=True, slots=True)
class Update:
    """old: the row before, or its key alone, where the replica identity sends it."""

    relation: int
    old: Row | None
    new: Row


@dataclass(frozen=True, slots=True)
class Delete:
    relation: int
    old: Row


@dataclass(frozen=True, slots=True)
class Truncate:
    relations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """A message that changes no row: an origin, a type, a message of an application."""

    kind: str


Message = Begin | Commit | Relation | Insert | Update | Delete | Truncate | Other


def decode(data: bytes) -> Message:
    """The message that the bytes are. Raises Unreadable for what is cut off or unknown."""
    try:
        return _decode(_Reader(data))
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError, ValueError) as error:
        raise Unreadable(f"A replication message of {len(data)} bytes cannot be read: {error}.") from error


def lsn_text(lsn: int) -> str:
    """A position as PostgreSQL writes it: `16/B374D848`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def lsn_of(text: str) -> int:
    """The position that a text such as `16/B374D848` names."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, form: str) -> int:
        (value,) = struct.unpack_from(f">{form}", self._data, self._at)
        self._at += struct.calcsize(f">{form}")
        return int(value)

    def letter(self) -> str:
        return chr(self.take("B"))

    def text(self) -> str:
        end = self._data.index(b"\0", self._at)
        text = self._data[self._at : end].decode()
        self._at = end + 1
        return text

    def bytes(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) != count:
            raise IndexError("it ends in the middle of a value")
        self._at += count
        return found

    def moment(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.take("q"))

    def row(self) -> Row:
        values: list[Value] = []
        for _ in range(self.take("H")):
            kind = self.letter()
            if kind == "n":
                values.append(None)
            elif kind == "u":
                values.append(UNCHANGED)
            elif kind == "t":
                values.append(self.bytes(self.take("I")).decode())
            else:
                raise ValueError(f"a value of the kind {kind!r}")
        return tuple(values)


def _decode(read: _Reader) -> Message:
    kind = read.letter()
    if kind == "B":
        return Begin(read.take("Q"), read.moment(), read.take("I"))
    if kind == "C":
        read.take("B")
        return Commit(read.take("Q"), read.take("Q"), read.moment())
    if kind == "R":
        return _relation(read)
    if kind == "I":
        relation = read.take("I")
        _expect(read.letter(), "N")
        return Insert(relation, read.row())
    if kind == "U":
        return _update(read)
    if kind == "D":
        relation = read.take("I")
        _expect(read.letter(), "KO")
        return Delete(relation, read.row())
    if kind == "T":
        count = read.take("I")
        read.take("B")
        return Truncate(tuple(read.take("I") for _ in range(count)))
    if kind in "OYM":
        return Other(kind)
    raise ValueError(f"a message of the kind {kind!r}")


def _relation(read: _Reader) -> Relation:
    id, schema, table, identity = read.take("I"), read.text(), read.text(), read.letter()
    columns = []
    for _ in range(read.take("H")):
        is_key, name = bool(read.take("B") & 1), read.text()
        columns.append(ColumnType(name, read.take("I"), read.take("i"), is_key))
    return Relation(id, schema, table, identity, tuple(columns))


def _update(read: _Reader) -> Update:
    relation, kind, old = read.take("I"), read.letter(), None
    if kind in "KO":
        old, kind = read.row(), read.letter()
    _expect(kind, "N")
    return Update(relation, old, read.row())


def _expect(kind: str, known: str) -> None:
    if kind not in known:
        raise ValueError(f"{kind!r} where one of {known!r} was expected")
