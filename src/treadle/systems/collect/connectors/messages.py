"""Messages of a stream as rows: the fields of their JSON as columns, beside where and when they were published.

A message that is no JSON object is a line that is no row: it is refused or put aside, and never skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import polars as pl

from treadle.systems.collect.errors import UnreadableSource
from treadle.systems.collect.reading import Reading, read_content
from treadle.systems.collect.records import Malformed

MessageFormat = Literal["json", "text", "bytes"]
OnMalformed = Literal["refuse", "quarantine"]
SEQUENCE, SUBJECT, PUBLISHED_AT = "_sequence", "_subject", "_published_at"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message: its number in the stream (or partition), its subject (or topic), its bytes; None says that its key is gone."""

    sequence: int
    subject: str
    published_at: datetime
    data: bytes | None
    extra: tuple[tuple[str, Any], ...] = ()
    """Further columns, such as partition and key."""


def rows_of(
    messages: Sequence[Message], format: MessageFormat, on_malformed: OnMalformed
) -> tuple[pl.DataFrame, list[Malformed]]:
    """The messages as a frame, in their order, and those that are no rows. Raises UnreadableSource to refuse one."""
    if format != "json":
        return _beside(_whole(messages, format), messages), []
    good, records, broken = [], [], []
    for message in messages:
        record = _record(message)
        if isinstance(record, Malformed):
            broken.append(record)
        else:
            good.append(message)
            records.append(record)
    if broken and on_malformed == "refuse":
        raise UnreadableSource(
            f"{len(broken):,} messages are no JSON objects.",
            why="; ".join(f"message {line.row}: {line.reason}" for line in broken[:5]),
            fix="Put such messages aside with malformed = 'quarantine', or read the stream as format = 'text'.",
        )
    return _beside(_frame(records), good), broken


def _whole(messages: Sequence[Message], format: MessageFormat) -> pl.DataFrame:
    """Each message as one value. Bytes that are no UTF-8 are written as escapes: no message is left out for them."""
    if format == "bytes":
        return pl.DataFrame({"data": pl.Series([m.data for m in messages], dtype=pl.Binary)})
    texts = [None if m.data is None else m.data.decode("utf-8", "backslashreplace") for m in messages]
    return pl.DataFrame({"data": pl.Series(texts, dtype=pl.String)})


def _record(message: Message) -> dict[str, Any] | Malformed:
    if message.data is None:
        return {}
    try:
        value = msgspec.json.decode(message.data)
    except (msgspec.DecodeError, UnicodeError) as error:
        reason = str(error)
    else:
        if isinstance(value, dict):
            return value
        reason = "no object"
    text = message.data.decode("utf-8", "backslashreplace")
    return Malformed(row=message.sequence, text=text, reason=f"{message.subject}: {reason}")


def _frame(records: list[dict[str, Any]]) -> pl.DataFrame:
    if not any(records):
        return pl.DataFrame()
    try:
        lines = b"\n".join(map(msgspec.json.encode, records))
        return read_content("the messages", lines, Reading(format="jsonl"), {}).frame
    except UnreadableSource:
        # Fields of two types become text here, and the landing says row by row what does not fit.
        return pl.DataFrame(records, infer_schema_length=None, strict=False)


def _beside(frame: pl.DataFrame, messages: Sequence[Message]) -> pl.DataFrame:
    facts: dict[str, Any] = {
        SEQUENCE: pl.Series([m.sequence for m in messages], dtype=pl.Int64),
        SUBJECT: pl.Series([m.subject for m in messages], dtype=pl.String),
        PUBLISHED_AT: pl.Series([m.published_at for m in messages], dtype=pl.Datetime("us", "UTC")),
    }
    for name in dict.fromkeys(name for m in messages for name, _ in m.extra):
        facts[name] = pl.Series([dict(m.extra).get(name) for m in messages], strict=False)
    return pl.DataFrame({**{name: frame[name] for name in frame.columns if name not in facts}, **facts})
