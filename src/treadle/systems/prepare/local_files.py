"""Rows of a file that is no dataset: what a contract is checked against before anything lands."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.systems.prepare.compiling import declared_types
from treadle.systems.prepare.errors import FileUnreadable
from treadle.wire.odcs import SchemaObject

KINDS = (".parquet", ".csv", ".tsv", ".ndjson", ".jsonl", ".arrow", ".ipc")
_MISSING = ["", "NA", "null", "NULL"]


def scan_file(path: Path, table: SchemaObject | None = None) -> pl.LazyFrame:
    """The rows of a file, lazily. Text that a CSV has for a declared text column stays text, such as a code of digits.

    Raises FileUnreadable.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise FileUnreadable(
            f"{path} is of no kind that is read here.",
            why=did_you_mean(kind, KINDS),
            fix=f"One of: {', '.join(KINDS)}",
        )
    try:
        if kind == ".parquet":
            rows = pl.scan_parquet(path)
        elif kind in (".arrow", ".ipc"):
            rows = pl.scan_ipc(path)
        elif kind in (".ndjson", ".jsonl"):
            rows = pl.scan_ndjson(path, infer_schema_length=10_000)
        else:
            rows = _csv(path, "\t" if kind == ".tsv" else ",", table)
        rows.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise FileUnreadable(f"{path} cannot be read.", why=str(error).splitlines()[0]) from error
    return rows


def _csv(path: Path, separator: str, table: SchemaObject | None) -> pl.LazyFrame:
    declared = declared_types(table) if table is not None else {}
    named = pl.scan_csv(path, separator=separator, infer_schema_length=0).collect_schema().names()
    texts = {name: pl.String for name in named if declared.get(name) == "string"}
    return pl.scan_csv(
        path,
        separator=separator,
        schema_overrides=texts,
        null_values=_MISSING,
        try_parse_dates=True,
        infer_schema_length=100_000,
    )
