"""JSON lines: one object a line, and the lines that are none."""

from __future__ import annotations

import io
from collections.abc import Sequence

import msgspec
import polars as pl
from polars.exceptions import PolarsError

from treadle.systems.collect.errors import UnreadableSource
from treadle.systems.collect.reading.records import SHOWN, OnMalformed
from treadle.systems.collect.records import Malformed


def divided(text: str, first_line: int = 1) -> tuple[list[str], list[Malformed]]:
    """The lines that are objects, and those that are not; empty lines are neither."""
    good: list[str] = []
    malformed: list[Malformed] = []
    for number, line in enumerate(text.split("\n"), first_line):
        if not line.strip():
            continue
        try:
            value = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeError) as error:
            malformed.append(Malformed(row=number, text=line, reason=str(error)))
        except RecursionError:
            malformed.append(Malformed(row=number, text=line, reason="nested too deep"))
        else:
            if isinstance(value, dict):
                good.append(line)
            else:
                malformed.append(Malformed(row=number, text=line, reason="no object"))
    return good, malformed


def refuse(name: str, malformed: Sequence[Malformed], choice: OnMalformed) -> None:
    """Raises UnreadableSource for lines that are no objects, unless they are put aside."""
    if malformed and choice == "refuse":
        raise UnreadableSource(
            f"{name} has {len(malformed):,} lines that are no JSON object.",
            why="; ".join(f"line {line.row}: {line.reason}" for line in malformed[:SHOWN]),
            fix="Mend the file, or land with malformed='quarantine' to put such lines aside.",
            lines=len(malformed),
        )


def parsed(name: str, lines: Sequence[str], schema: dict[str, pl.DataType] | None = None) -> pl.DataFrame:
    """The rows of the lines, in the types that they need, or in those given. Raises UnreadableSource."""
    if not lines:
        return pl.DataFrame(schema=schema)
    try:
        return pl.read_ndjson(io.StringIO("\n".join(lines)), infer_schema_length=None, schema=schema)
    except PolarsError as error:
        raise UnreadableSource(
            f"{name}: the lines do not agree on the type of a field.",
            why=str(error).splitlines()[0],
            fix="Write each field with one type.",
        ) from error
