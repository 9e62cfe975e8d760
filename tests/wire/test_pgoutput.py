"""Replication messages of PostgreSQL are read as the protocol writes them, and nothing else is."""

from __future__ import annotations

import contextlib
import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.wire import pgoutput
from treadle.wire.pgoutput import UNCHANGED, ColumnType, Delete, Insert, Relation, Truncate, Unreadable, Update

RELATION = b"R" + struct.pack(">I", 7) + b"public\0orders\0d" + struct.pack(">H", 2)
RELATION += b"\1id\0" + struct.pack(">Ii", 20, -1) + b"\0note\0" + struct.pack(">Ii", 25, -1)


def row(*values: str | None) -> bytes:
    return struct.pack(">H", len(values)) + b"".join(map(sent, values))


def sent(value: str | None) -> bytes:
    if value is None:
        return b"n"
    text = value.encode()
    return b"u" if value == "…" else b"t" + struct.pack(">I", len(text)) + text


def test_a_transaction_has_its_position_and_its_time():
    begin = pgoutput.decode(b"B" + struct.pack(">QqI", 0x16_B374D848, 86_400_000_000, 12))
    commit = pgoutput.decode(b"C\0" + struct.pack(">QQq", 5, 9, 0))

    assert (begin.commit_lsn, begin.committed_at, begin.xid) == (0x16_B374D848, datetime(2000, 1, 2, tzinfo=UTC), 12)
    assert (commit.commit_lsn, commit.end_lsn) == (5, 9)
    assert pgoutput.lsn_text(0x16_B374D848) == "16/B374D848"
    assert pgoutput.lsn_of("16/B374D848") == 0x16_B374D848


def test_rows_come_with_nulls_and_with_what_was_left_unchanged():
    relation = struct.pack(">I", 7)

    assert pgoutput.decode(RELATION) == Relation(
        7, "public", "orders", "d", (ColumnType("id", 20, -1, True), ColumnType("note", 25, -1, False))
    )
    assert pgoutput.decode(b"I" + relation + b"N" + row("1", "ä")) == Insert(7, ("1", "ä"))
    assert pgoutput.decode(b"U" + relation + b"N" + row("1", "…")) == Update(7, None, ("1", UNCHANGED))
    assert pgoutput.decode(b"U" + relation + b"K" + row("1", None) + b"N" + row("2", "x")) == Update(
        7, ("1", None), ("2", "x")
    )
    assert pgoutput.decode(b"D" + relation + b"O" + row("1", "x")) == Delete(7, ("1", "x"))
    assert pgoutput.decode(b"T" + struct.pack(">IBII", 2, 1, 7, 8)) == Truncate((7, 8))


@pytest.mark.parametrize("data", [b"", b"Z", b"I\0\0", RELATION[:-3], b"I" + struct.pack(">I", 7) + b"X" + row("1")])
def test_what_is_cut_off_or_unknown_is_an_error_of_ours(data):
    with pytest.raises(Unreadable):
        pgoutput.decode(data)


@given(st.binary(max_size=80))
def test_no_bytes_whatever_raise_anything_else(data):
    with contextlib.suppress(Unreadable):
        pgoutput.decode(data)
