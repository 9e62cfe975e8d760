"""Rows that say the same thing: equal keys, or texts that are alike; one of each cluster survives, by a declared rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl

from treadle.ground.errors import MissingExtra
from treadle.systems.prepare.cleaning.steps import Duplicates, Keep, Similar, Survivor
from treadle.systems.prepare.errors import CleaningRefused

SURVIVOR = " survivor"
_CLUSTER = " cluster"
_MOST_IN_BLOCK = 20_000
_STRIP = 1_000


def repeated(step: Duplicates | Similar, rows: pl.DataFrame, at: str) -> pl.DataFrame:
    """The rows that do not survive: columns `at` and ` survivor`, the position of the row that stands for them."""
    if isinstance(step, Duplicates):
        asked = rows.drop_nulls(step.by)
        twice = asked.filter(pl.struct(step.by).is_duplicated())
        return _without_survivors(step.keep, twice, step.by, at)
    alike = _clusters(step, rows, at)
    return _without_survivors(step.keep, alike, [_CLUSTER], at)


def _without_survivors(keep: Survivor, rows: pl.DataFrame, by: Sequence[str], at: str) -> pl.DataFrame:
    best = rows.with_columns(_rank(keep, rows, at)).sort(" rank", at, nulls_last=True)
    named = best.select(at, pl.col(at).first().over(list(by)).alias(SURVIVOR))
    return named.filter(pl.col(at) != pl.col(SURVIVOR)).sort(at)


def _rank(keep: Survivor, rows: pl.DataFrame, at: str) -> pl.Expr:
    """A number for each row: the least of a cluster survives, and a null never does before a value."""
    if keep == "first":
        return pl.col(at).alias(" rank")
    if keep == "last":
        return (-pl.col(at)).alias(" rank")
    if keep == "most_complete":
        return pl.sum_horizontal(pl.col(name).is_null().cast(pl.Int64) for name in rows.columns).alias(" rank")
    assert isinstance(keep, Keep)
    if (keep.greatest is None) == (keep.least is None):
        raise CleaningRefused("A survivor has the 'greatest' or the 'least' value of one column.")
    name = str(keep.greatest or keep.least)
    if name not in rows.columns:
        raise CleaningRefused(f"There is no column {name!r} to choose a survivor by.", columns=rows.columns)
    return pl.col(name).rank("dense", descending=keep.greatest is not None).cast(pl.Int64).alias(" rank")


def _clusters(step: Similar, rows: pl.DataFrame, at: str) -> pl.DataFrame:
    """The rows that are like another one, with the number of their cluster: likeness carries from one to the next."""
    if not step.block or not step.by:
        raise CleaningRefused(
            "Likeness is asked within blocks of rows, and between columns.",
            fix="Give 'block' (columns that are equal in rows of one thing) and 'by' ({name: 0.9}).",
        )
    asked = rows.drop_nulls([*step.block, *step.by]).filter(pl.struct(step.block).is_duplicated())
    found: list[pl.DataFrame] = []
    for _, block in asked.group_by(step.block, maintain_order=True):
        if block.height > _MOST_IN_BLOCK:
            raise CleaningRefused(
                f"{block.height:,} rows are equal in {', '.join(step.block)}, too many to be compared with each other.",
                fix="Add a column to 'block' that tells more of them apart.",
            )
        groups = pl.Series(_CLUSTER, _joined(step, block), dtype=pl.Int64)
        numbered = block.with_columns(block[at].gather(groups).alias(_CLUSTER))
        found.append(numbered.filter(pl.col(_CLUSTER).is_duplicated()))
    return pl.concat(found) if found else rows.clear().with_columns(pl.lit(None, pl.Int64).alias(_CLUSTER))


def _joined(step: Similar, block: pl.DataFrame) -> list[int]:
    """For each row of a block, the first row of its cluster."""
    import numpy as np

    try:
        from rapidfuzz import fuzz, process
        from rapidfuzz.distance import JaroWinkler
    except ImportError as error:
        raise MissingExtra.of("rapidfuzz", "fuzzy", "Likeness of texts") from error
    scorers: dict[str, tuple[Any, float]] = {
        "ratio": (fuzz.ratio, 100.0),
        "token_sort_ratio": (fuzz.token_sort_ratio, 100.0),
        "jaro_winkler": (JaroWinkler.normalized_similarity, 1.0),
    }
    scorer, whole = scorers[step.scorer]
    texts = {name: block[name].cast(pl.String).str.strip_chars().str.to_lowercase().to_list() for name in step.by}
    heads = list(range(block.height))
    for first in range(0, block.height, _STRIP):
        alike = np.ones((min(_STRIP, block.height - first), block.height), dtype=bool)
        for name, least in step.by.items():
            strip = texts[name][first : first + _STRIP]
            score = process.cdist(strip, texts[name], scorer=scorer, score_cutoff=least * whole, dtype=np.float32)
            alike &= score >= least * whole - 1e-6
        for one, other in np.argwhere(np.triu(alike, k=first + 1)):
            _union(heads, int(one) + first, int(other))
    return [_head(heads, place) for place in range(block.height)]


def _head(heads: list[int], place: int) -> int:
    while heads[place] != place:
        heads[place] = heads[heads[place]]
        place = heads[place]
    return place


def _union(heads: list[int], one: int, other: int) -> None:
    low, high = sorted((_head(heads, one), _head(heads, other)))
    heads[high] = low
