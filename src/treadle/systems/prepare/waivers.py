"""Waivers: rules that do not hold single rows back, since somebody has looked at them and found them right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.kernel.vocabulary.datasets import ROW_COLUMNS
from treadle.systems.prepare.errors import WaiverRefused
from treadle.systems.prepare.rules import RowRule, Rule
from treadle.systems.prepare.selecting import ids_of, parsed

_MARK = " waived "


def with_waivers(
    frame: pl.DataFrame, rules: Sequence[Rule], waived: Mapping[str, Sequence[str]]
) -> tuple[pl.DataFrame, list[Rule]]:
    """The frame with a mark for each waived rule, and the rules, blind to the rows that are marked.

    waived: rules by row id; the id `*` stands for every row. Raises WaiverRefused for what is no rule about single rows: of two rows with one key, no waiver makes
    two keys.
    """
    by_rule: dict[str, list[str]] = {}
    for row, names in waived.items():
        for name in names:
            by_rule.setdefault(name, []).append(row)
    able = [rule.id for rule in rules if isinstance(rule, RowRule) and rule.tolerance is None]
    for name, rows in by_rule.items():
        if name not in able:
            raise WaiverRefused(
                f"{name!r} is no rule about single rows, and cannot be waived for one.",
                why=did_you_mean(name, able),
                fix="Name the rules that the quarantine shows beside the row.",
                rule=name,
            )
        frame = _marked(frame, name, rows)
    return frame, [
        replace(rule, failing=rule.failing & ~pl.col(_MARK + rule.id))
        if isinstance(rule, RowRule) and rule.id in by_rule
        else rule
        for rule in rules
    ]


def without_marks(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without the marks."""
    return frame.select(name for name in frame.columns if not name.startswith(_MARK))


def _marked(frame: pl.DataFrame, name: str, rows: Sequence[str]) -> pl.DataFrame:
    mark = pl.lit(True).alias(_MARK + name)
    if EVERY in rows:
        return frame.with_columns(mark)
    named = ids_of(parsed(rows)).with_columns(mark)
    joined = frame.join(named, on=ROW_COLUMNS, how="left", maintain_order="left")
    return joined.with_columns(pl.col(_MARK + name).fill_null(False))


EVERY = "*"
"""Stands for every row of a release, as the row that a rule is waived for."""
