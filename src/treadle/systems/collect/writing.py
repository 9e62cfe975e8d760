"""From a batch to data files: number the rows, fit them to the columns, let the gate judge, write what stays.

Row identity is given before anything is judged, so a refused row is known by the same id that it would have kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from treadle.ground.clock import to_micros
from treadle.ground.digests import of_json
from treadle.ground.errors import did_you_mean
from treadle.ground.frames import frame_digest
from treadle.kernel.vocabulary.datasets import LANDING, ROW, ROW_COLUMNS, Column, DataFile
from treadle.systems.collect.columns import (
    ROW_TYPES,
    check_names,
    columns_of,
    fit,
    merged,
    plainly,
    schema_of,
    stored_type,
    type_of,
)
from treadle.systems.collect.data_files import DATA, ROWS_PER_FILE, write_data_file
from treadle.systems.collect.errors import SchemaMismatch
from treadle.systems.collect.plans import Part, Plan
from treadle.systems.collect.ports import GateSession
from treadle.systems.collect.records import QUARANTINE, RAW, RULES, Batch

MALFORMED = "collect.malformed"
MISFIT = "collect.type"

OnMismatch = Literal["refuse", "quarantine"]
OnNewColumn = Literal["add", "refuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """What a landing may do to a dataset's columns.

    mismatch: whether rows that do not fit end the landing or go to quarantine. new_columns: whether a column that the
    dataset does not have is added, or ends the landing.
    """

    mismatch: OnMismatch = "refuse"
    new_columns: OnNewColumn = "add"


USUAL = Evolution()


@dataclass(kw_only=True)
class _Output:
    """The files of one dataset, as they are written."""

    folder: Path
    below: str
    landing: str
    event_column: str | None
    heartbeat: Callable[[], None]
    columns: tuple[Column, ...]
    files: list[DataFile] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    rows: int = 0
    event_from_at: int | None = None
    event_to_at: int | None = None

    def add(self, frame: pl.DataFrame) -> None:
        for piece in frame.iter_slices(ROWS_PER_FILE):
            self._write(piece)

    def _write(self, frame: pl.DataFrame) -> None:
        self.columns = merged(self.columns, columns_of(frame))
        decided = frame.select(name for name, dtype in frame.schema.items() if not isinstance(dtype, pl.Null))
        name = f"{self.below}/{self.landing}-{len(self.files):05d}.parquet"
        self.files.append(write_data_file(self.folder, name, decided, stats_of=self._stats_of()))
        self.digests.append(frame_digest(decided.drop(ROW_COLUMNS, strict=False)))
        self.rows += frame.height
        self._note_times(frame)
        self.heartbeat()

    def _stats_of(self) -> Sequence[str]:
        return (self.event_column,) if self.event_column else ()

    def _note_times(self, frame: pl.DataFrame) -> None:
        name = self.event_column
        if name is None or name not in frame.columns or not isinstance(frame.schema[name], pl.Datetime):
            return
        low, high = frame[name].min(), frame[name].max()
        if low is not None and getattr(low, "tzinfo", None) is not None:
            lows, highs = to_micros(low), to_micros(high)  # type: ignore[arg-type]
            self.event_from_at = lows if self.event_from_at is None else min(self.event_from_at, lows)
            self.event_to_at = highs if self.event_to_at is None else max(self.event_to_at, highs)

    def part(self, dataset: str) -> Part:
        return Part(
            dataset=dataset,
            columns=list(self.columns),
            added=self.files,
            content=of_json(self.digests),
            event_from_at=self.event_from_at,
            event_to_at=self.event_to_at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """How a batch is to be written."""

    dataset: str
    landing: str
    folder: Path
    quarantine_folder: Path
    known: Sequence[Column]
    """The columns of the dataset's newest snapshot."""
    quarantined: Sequence[Column]
    """The columns of the newest snapshot of its quarantine."""
    types: Mapping[str, str]
    event_column: str | None
    gate: GateSession | None
    evolution: Evolution
    heartbeat: Callable[[], None]
    below: str = DATA
    """The folder below the dataset's, in which files are put."""
    keep_row_ids: bool = False
    """Whether the frames bring `_landing` and `_row` along (rows that come back from a quarantine)."""


def write_batch(job: Writing, batch: Batch) -> Plan:
    """Writes a batch's data files; answers the plan. Raises SchemaMismatch, ColumnNameRefused, TypeNotStorable."""
    out = _output(job, job.folder, job.known or ROW_TYPES)
    aside = _output(job, job.quarantine_folder, job.quarantined or _QUARANTINE_TYPES)
    refused_by: Counter[str] = Counter()
    first_row = 0
    for frame in batch.frames:
        if frame.height == 0:
            continue
        fitted, unfit = _fitted(job, frame, first_row, out.columns)
        if unfit is not None:
            refused_by.update(_rule_counts(unfit))
            aside.add(unfit)
        first_row += frame.height
        if job.gate is not None and fitted.height:
            judged = job.gate.judge(fitted)
            fitted = judged.kept
            if judged.refused.height:
                refused_by.update(_rule_counts(judged.refused))
                aside.add(_with_raw(judged.refused))
        if fitted.height:
            out.add(fitted)
    broken = _malformed(job, batch, first_row)
    if broken is not None:
        refused_by.update(_rule_counts(broken))
        aside.add(broken)
        first_row += broken.height
    before_gate = {rule: count for rule, count in refused_by.items() if rule.partition(":")[0] in (MALFORMED, MISFIT)}
    parts = [aside.part(job.dataset + QUARANTINE)] if aside.files else []
    parts += [out.part(job.dataset)] if out.files else []
    return Plan(
        parts=parts,
        rows_in=first_row,
        rows_kept=out.rows,
        rows_refused=aside.rows,
        refused_by=dict(refused_by),
        verdict=job.gate.verdict(before_gate) if job.gate is not None else {},
        cursor=batch.cursor,
        origin=dict(batch.origin),
    )


_QUARANTINE_TYPES = (
    *ROW_TYPES,
    Column(name=RULES, type='{"type":"array","elementType":"string","containsNull":true}'),
    Column(name=RAW, type="string"),
)


def _output(job: Writing, folder: Path, columns: Sequence[Column]) -> _Output:
    return _Output(
        folder=folder,
        below=job.below,
        landing=job.landing,
        event_column=job.event_column,
        heartbeat=job.heartbeat,
        columns=tuple(columns),
    )


def _with_raw(refused: pl.DataFrame) -> pl.DataFrame:
    """The refused rows with what the gate says of their text; mostly it says nothing."""
    return refused if RAW in refused.columns else refused.with_columns(pl.lit(None, pl.String).alias(RAW))


def _fitted(
    job: Writing, frame: pl.DataFrame, first_row: int, known: Sequence[Column]
) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The rows that fit the columns, and those that do not, as rows of the quarantine."""
    original = frame.drop(ROW_COLUMNS, strict=False) if job.keep_row_ids else frame
    check_names(original.columns, known)
    if job.evolution.new_columns == "refuse" and job.known:
        _check_known(job, original.columns)
    wanted = {name: type_of(kind) for name, kind in job.types.items()}
    wanted |= {name: dtype for name, dtype in schema_of(known).items() if not isinstance(dtype, pl.Null)}
    fitted, misfits = fit(original, wanted)
    if job.keep_row_ids:
        ids = frame.select(pl.col(LANDING).cast(pl.String), pl.col(ROW).cast(pl.Int64))
    else:
        rows = pl.int_range(first_row, first_row + frame.height, dtype=pl.Int64, eager=True).alias(ROW)
        ids = pl.DataFrame([rows]).select(pl.lit(job.landing).alias(LANDING), ROW)
    whole = pl.concat([ids, fitted], how="horizontal")
    whole = _with_known(whole, known)
    if misfits.width == 0:
        return whole, None
    if job.evolution.mismatch == "refuse":
        raise _mismatch(job, original, misfits, wanted, first_row)
    return _divide(whole, original, misfits)


def _with_known(frame: pl.DataFrame, known: Sequence[Column]) -> pl.DataFrame:
    """The frame with the dataset's columns first and in their order; those that the source lacks are null."""
    present, names = set(frame.columns), {column.name: None for column in known}
    absent = [pl.lit(None, type_of(c.type)).alias(c.name) for c in known if c.name not in present]
    return frame.with_columns(absent).select([*names, *(name for name in frame.columns if name not in names)])


def _divide(whole: pl.DataFrame, original: pl.DataFrame, misfits: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    bad = misfits.select(pl.any_horizontal(pl.all())).to_series()
    rules = misfits.filter(bad).select(
        pl.concat_list(
            pl.when(pl.col(name)).then(pl.lit([f"{MISFIT}:{name}"])).otherwise(pl.lit([], pl.List(pl.String)))
            for name in misfits.columns
        ).alias(RULES)
    )
    raw = [
        json.dumps(row, default=str, ensure_ascii=False) for row in plainly(original.filter(bad)).iter_rows(named=True)
    ]
    aside = whole.filter(bad).select(ROW_COLUMNS)
    aside = pl.concat([aside, rules, pl.DataFrame({RAW: pl.Series(raw, dtype=pl.String)})], how="horizontal")
    return whole.filter(~bad), aside


def _malformed(job: Writing, batch: Batch, first_row: int) -> pl.DataFrame | None:
    broken = list(batch.malformed)
    if not broken:
        return None
    return pl.DataFrame(
        {
            LANDING: [job.landing] * len(broken),
            ROW: range(first_row, first_row + len(broken)),
            RULES: [[MALFORMED]] * len(broken),
            RAW: [f"line {line.row}: {line.reason}\n{line.text}" for line in broken],
        },
        schema_overrides={ROW: pl.Int64},
    )


def _rule_counts(refused: pl.DataFrame) -> dict[str, int]:
    """How many of the rows each rule refused first: the counts add up to the rows."""
    first = refused.select(pl.col(RULES).list.first()).to_series().value_counts()
    return dict(first.iter_rows())


def _check_known(job: Writing, names: Sequence[str]) -> None:
    known = [column.name for column in job.known]
    new = [name for name in names if name not in set(known)]
    if new:
        raise SchemaMismatch(
            f"The source has {len(new)} columns that the dataset {job.dataset!r} does not have; the first is {new[0]!r}.",
            why=f"This landing was told to add none. {did_you_mean(new[0], known)}".strip(),
            fix="Leave the columns out in the source, or land with new_columns='add'.",
            dataset=job.dataset,
            columns=new[:20],
        )


def _mismatch(
    job: Writing, frame: pl.DataFrame, misfits: pl.DataFrame, wanted: Mapping[str, pl.DataType], first_row: int
) -> SchemaMismatch:
    name = misfits.columns[0]
    where = misfits[name].arg_true()
    example: Any = plainly(frame.select(name)[int(where[0])]).item()
    holds = wanted.get(name) or stored_type(name, frame.schema[name])
    others = f" So do {len(misfits.columns) - 1} more columns." if len(misfits.columns) > 1 else ""
    return SchemaMismatch(
        f"{len(where):,} values of the column {name!r} do not fit the dataset {job.dataset!r}.",
        why=f"The column holds {holds}; row {first_row + where[0]} has {example!r}.{others}",
        fix="Mend the source, or land with mismatch='quarantine' to put such rows aside.",
        dataset=job.dataset,
        column=name,
        rows=len(where),
        example=str(example)[:200],
    )
