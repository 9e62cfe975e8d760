"""The profile of one column: sorted once, and all that can be read off a sorted column is read off it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from treadle.ground.profiling import distincts, frequent, hashing, numbers, personal, texts, times
from treadle.ground.profiling.frequent import FREQUENT, KEPT, Frequent, Value
from treadle.ground.profiling.hashing import Hashes
from treadle.ground.profiling.numbers import Numbers
from treadle.ground.profiling.records import ColumnProfile, Kind

LONGEST = 100
"""Texts of more characters are counted, and never kept as values."""

_LOOKED_AT = 10_000
_LOOKED_AT_FIRST = 1 << 16
_EXACT_INT = 1 << 53


def profile_column(series: pl.Series) -> ColumnProfile:
    """The profile of a column. Cost: one sort of it, and for texts one hash of every byte."""
    dtype = series.dtype
    if isinstance(dtype, (pl.Categorical, pl.Enum)):
        series = series.cast(pl.String)
    kind = kind_of(series.dtype)
    nulls = series.null_count()
    base: dict[str, Any] = {"name": series.name, "type": _type_name(dtype), "kind": kind, "nulls": nulls}
    if kind == "null" or nulls == series.len():
        values = Frequent() if kind in _WITH_VALUES else None
        return ColumnProfile(**base, values=values, is_unique=True)
    present = series.drop_nulls() if nulls else series
    if kind == "boolean":
        return _of_booleans(present, base)
    if kind in ("integer", "number"):
        return _of_numbers(present, base)
    if kind in ("date", "time", "duration"):
        return _of_times(present, base)
    if kind in ("text", "binary"):
        return _of_texts(present, base)
    if kind == "list":
        return _of_lists(present, base)
    return ColumnProfile(**base, distinct=0, is_exact=False)


def _type_name(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.Datetime):
        return f"Datetime[{dtype.time_unit}{', ' + dtype.time_zone if dtype.time_zone else ''}]"
    return f"Duration[{dtype.time_unit}]" if isinstance(dtype, pl.Duration) else str(dtype)


def kind_of(dtype: pl.DataType) -> Kind:
    """How a column of this type is read."""
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, pl.Datetime):
        return "time"
    if isinstance(dtype, (pl.List, pl.Array)):
        return "list"
    kinds: dict[type[pl.DataType], Kind] = {
        pl.Boolean: "boolean",
        pl.String: "text",
        pl.Binary: "binary",
        pl.Date: "date",
        pl.Time: "duration",
        pl.Duration: "duration",
        pl.Null: "null",
    }
    return kinds.get(dtype.base_type(), "mixed")


_WITH_VALUES = ("integer", "number", "text", "boolean")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """Runs of equal values in a sorted array of n: where they begin; None where every value is a run."""

    starts: NDArray[np.int64] | None
    n: int

    @property
    def distinct(self) -> int:
        return self.n if self.starts is None else int(self.starts.size)

    def counts(self) -> NDArray[np.int64]:
        """How long each run is."""
        if self.starts is None:
            return np.ones(self.n, dtype=np.int64)
        return np.diff(self.starts, append=self.n)


def _runs(values: NDArray[np.generic]) -> _Runs:
    changes = np.flatnonzero(values[1:] != values[:-1])
    if changes.size + 1 == values.size:
        return _Runs(starts=None, n=values.size)
    return _Runs(starts=np.concatenate([np.zeros(1, dtype=np.int64), changes + 1]), n=values.size)


def _frequent_places(runs: _Runs) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    """Which runs to keep as values, with their counts, and the count of the longest run that is not kept."""
    if runs.distinct <= KEPT:
        return np.arange(runs.distinct), runs.counts(), 0
    if runs.starts is None:
        none = np.zeros(0, dtype=np.int64)
        return none, none, 1
    counts = runs.counts()
    left_out = int(np.partition(counts, -FREQUENT - 1)[-FREQUENT - 1])
    places = np.flatnonzero(counts > left_out)
    return places, counts[places], left_out


def _uniques(values: NDArray[np.generic], runs: _Runs) -> NDArray[np.generic]:
    return values if runs.starts is None else values[runs.starts]


def _distinct(distinct: int, n: int, hashes: Hashes | None) -> dict[str, Any]:
    """What is said of n values, of which so many are different. hashes: of all of them or of each once."""
    registers = None if hashes is None else distincts.packed(distincts.registers_of(hashes))
    return {"distinct": distinct, "is_unique": distinct == n, "repeats": n - distinct, "registers": registers}


def _of_booleans(present: pl.Series, base: dict[str, Any]) -> ColumnProfile:
    trues = int(present.sum())
    pairs: list[tuple[Value, int]] = [("true", trues), ("false", present.len() - trues)]
    values = frequent.of_pairs([pair for pair in pairs if pair[1]])
    distinct, n = len(values.values), present.len()
    return ColumnProfile(
        **base, distinct=distinct, is_unique=distinct == n, repeats=n - distinct, trues=trues, values=values
    )


def _of_numbers(present: pl.Series, base: dict[str, Any]) -> ColumnProfile:
    ordered = np.sort(_numeric(present))
    finite, nans, infinite = _finite_part(ordered)
    base |= {"nans": nans, "infinite": infinite}
    if not finite.size:
        return ColumnProfile(**base, values=Frequent(), is_unique=not_finite_once(nans, infinite))
    runs = _runs(finite)
    places, counts, left_out = _frequent_places(runs)
    unique = _uniques(finite, runs)
    found: Numbers = (
        numbers.of_counts(unique, runs.counts()) if runs.distinct * 4 < runs.n else numbers.of_sorted(finite)
    )
    findings: tuple[personal.Finding, ...] = ()
    if finite.dtype.kind == "i":
        sample = present.gather_every(max(1, present.len() // _LOOKED_AT)).cast(pl.Int64).to_numpy()
        findings = personal.of_integers(base["name"], sample, present.len())
    if findings:
        return ColumnProfile(**base, **_distinct(runs.distinct, runs.n, hashing.of_numbers(unique)), findings=findings)
    values = frequent.of_pairs(zip(unique[places].tolist(), counts.tolist(), strict=True), left_out)
    hashes = None if values.is_complete else hashing.of_numbers(unique)
    told = _distinct(runs.distinct, runs.n, hashes)
    told["is_unique"] &= not_finite_once(nans, infinite)
    return ColumnProfile(**base, **told, values=values, numbers=found)


def not_finite_once(nans: int, infinite: int) -> bool:
    """What is no number is counted and not told apart: a column with more than one of it is no key."""
    return nans + infinite <= 1


def _numeric(present: pl.Series) -> NDArray[np.generic]:
    """The values as NumPy has them; what it has not (decimals, 128 bits, very large unsigned ones) as float64."""
    dtype = present.dtype
    if isinstance(dtype, pl.Decimal) or dtype in (pl.Int128, pl.UInt128, pl.Float16):
        present = present.cast(pl.Float64)
    elif dtype == pl.UInt64:
        high = present.max()
        fits = isinstance(high, int) and high < 1 << 63
        present = present.cast(pl.Int64 if fits else pl.Float64)
    elif dtype.is_unsigned_integer():
        present = present.cast(pl.Int64)
    return present.to_numpy()


def _finite_part(ordered: NDArray[np.generic]) -> tuple[NDArray[np.generic], int, int]:
    """The finite middle of a sorted array of ours, the number of NaN (which sort last) and of infinities."""
    if ordered.dtype.kind != "f":
        return ordered, 0, 0
    first = int(np.searchsorted(ordered, -np.inf, side="right"))
    infinite = int(np.searchsorted(ordered, np.inf, side="left"))
    nan = int(np.searchsorted(ordered, np.inf, side="right"))
    finite = ordered[first:infinite]
    zero = slice(int(np.searchsorted(finite, 0.0, side="left")), int(np.searchsorted(finite, 0.0, side="right")))
    finite[zero] = 0.0  # also where it was -0.0
    return finite, ordered.size - nan, first + nan - infinite


def _of_times(present: pl.Series, base: dict[str, Any]) -> ColumnProfile:
    if base["kind"] == "date":
        present = present.cast(pl.Datetime("us"))
    elif present.dtype == pl.Time:
        present = present.cast(pl.Duration("us"))
    elif isinstance(present.dtype, pl.Duration):
        present = present.dt.cast_time_unit("us")
    else:
        present = present.dt.cast_time_unit("us")
    ordered = np.sort(present.to_physical().to_numpy())
    distinct = 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
    each = ordered if distinct * 2 > ordered.size else _uniques(ordered, _runs(ordered))
    told = _distinct(distinct, ordered.size, hashing.of_numbers(each))
    findings = personal.of_times(base["name"], present.len())
    if findings:
        return ColumnProfile(**base, **told, findings=findings)
    rhythm = times.of_sorted(ordered) if base["kind"] != "duration" else None
    return ColumnProfile(**base, **told, numbers=numbers.of_sorted(ordered), rhythm=rhythm)


def _of_texts(present: pl.Series, base: dict[str, Any]) -> ColumnProfile:
    is_text = base["kind"] == "text"
    found = _few_texts(present) if is_text else None
    found = found or _many_texts(present, is_text=is_text)
    sample = _sample(present).str.slice(0, texts.HEAD) if is_text else pl.Series([], dtype=pl.String)
    base["texts"] = texts.of_sample(found.lengths, found.empty, sample)
    findings = personal.of_texts(base["name"], sample, present.len()) if is_text else ()
    if findings or not is_text:
        return ColumnProfile(**base, **_distinct(found.runs.distinct, found.runs.n, found.hashes), findings=findings)
    places, counts, left_out = _frequent_places(found.runs)
    kept = found.at(places)
    values = frequent.of_pairs(zip(kept, counts.tolist(), strict=True), left_out)
    values = frequent.without(values, [v for v in kept if len(v) > LONGEST or personal.looks_personal(v)])
    return ColumnProfile(
        **base,
        **_distinct(found.runs.distinct, found.runs.n, None if values.is_complete else found.hashes),
        values=values,
    )


FEW_TEXTS = 16_384
"""Up to so many different texts, each is looked at once: only their places are found among all rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Texts:
    """Runs of equal texts in some order, the lasting hash of each run's text, all lengths, and texts by run."""

    runs: _Runs
    hashes: Hashes
    lengths: Numbers
    empty: int
    at: Callable[[NDArray[np.int64]], list[str]]


def _few_texts(present: pl.Series) -> _Texts | None:
    """The texts of a column that has few; None for others. Within one column Polars' own, quick hash will do."""
    first = present.head(_LOOKED_AT_FIRST).hash().to_numpy()
    if present.len() > _LOOKED_AT_FIRST and _runs(np.sort(first)).distinct > FEW_TEXTS // 2:
        return None
    quick = present.hash().to_numpy() if present.len() > _LOOKED_AT_FIRST else first
    ordered = np.sort(quick)
    runs = _runs(ordered)
    if runs.distinct > FEW_TEXTS:
        return None
    unique = ordered if runs.starts is None else ordered[runs.starts]
    words = present.gather(_places_of(quick, unique))
    counts = runs.counts()
    sizes = words.str.len_chars().to_numpy().astype(np.int64)
    order = np.argsort(sizes, kind="stable")
    first_of = np.flatnonzero(np.diff(sizes[order], prepend=-1))
    lengths = numbers.of_counts(sizes[order][first_of], np.add.reduceat(counts[order], first_of), texts.LENGTH_POINTS)
    return _Texts(
        runs=runs,
        hashes=hashing.of_texts(*_bytes_of(words)),
        lengths=lengths,
        empty=int(counts[sizes == 0].sum()),
        at=lambda places: [str(value) for value in words.gather(places).to_list()],
    )


def _many_texts(present: pl.Series, *, is_text: bool) -> _Texts:
    offsets, data = _bytes_of(present)
    hashes = hashing.of_texts(offsets, data)
    ordered = np.sort(hashes)
    runs = _runs(ordered)
    unique = ordered if runs.starts is None else ordered[runs.starts]
    sizes = np.sort(present.str.len_chars().to_numpy() if is_text else np.diff(offsets))
    return _Texts(
        runs=runs,
        hashes=unique,
        lengths=numbers.of_sorted(sizes.astype(np.int64), texts.LENGTH_POINTS),
        empty=int(np.searchsorted(sizes, 0, side="right")),
        at=lambda places: [str(value) for value in present.gather(_places_of(hashes, unique[places])).to_list()],
    )


def _bytes_of(present: pl.Series) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """The offsets and the bytes of a column of texts or bytes, in one piece."""
    array = present.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, offset_buffer, data_buffer = array.buffers()
    offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(data_buffer, dtype=np.uint8) if data_buffer is not None else np.zeros(0, dtype=np.uint8)
    return offsets, data


def _places_of(hashes: Hashes, wanted: Hashes) -> NDArray[np.int64]:
    """The first row of each wanted hash (ascending, each there). Only what is not found yet is looked for further on."""
    place = np.full(wanted.size, -1, dtype=np.int64)
    left = np.arange(wanted.size)
    for start in range(0, hashes.size, hashing.PIECE):
        if not left.size:
            break
        sought = wanted[left]
        table = np.zeros(_TABLE, dtype=bool)
        table[(sought & _LOW_BITS).astype(np.intp)] = True
        piece = hashes[start : start + hashing.PIECE]
        rows = np.flatnonzero(table[(piece & _LOW_BITS).astype(np.intp)])
        slot = np.minimum(np.searchsorted(sought, piece[rows]), sought.size - 1)
        hit = sought[slot] == piece[rows]
        place[left[slot[hit][::-1]]] = rows[hit][::-1] + start
        left = left[place[left] < 0]
    return place


_TABLE = 1 << 16
_LOW_BITS = np.uint64(_TABLE - 1)


def _sample(present: pl.Series) -> pl.Series:
    """Evenly spaced values, at most twice as many as wanted."""
    return present.gather_every(max(1, present.len() // texts.SAMPLE))


def _of_lists(present: pl.Series, base: dict[str, Any]) -> ColumnProfile:
    is_array = isinstance(present.dtype, pl.Array)
    sizes = (
        np.full(present.len(), present.dtype.shape[0], dtype=np.int64)  # type: ignore[attr-defined]
        if is_array
        else np.sort(present.list.len().cast(pl.Int64).to_numpy())
    )
    return ColumnProfile(**base, is_exact=False, numbers=numbers.of_sorted(sizes))
