"""Bins that a reference fixes once, and the counts of a window over them.

A window is nothing but counts, and sums of products for the correlations: about 1 kB a column whatever its rows. Two
windows add up to the window that holds both, in any order. Numbers fall between quantiles of the reference, words into
its most frequent values; every column has slots for what the reference did not have (below its least, above its
greatest, a word that it never saw) and for null, where NaN belongs too.

Every slot of a number has a normal score: what a standard normal would be on average in that part of its range. Means,
spreads and correlations are those of the scores, so that neither a heavy tail nor the unit of a column decides them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from treadle.ground.errors import did_you_mean
from treadle.ground.stats import normal_quantile
from treadle.systems.monitor.errors import UnfitColumn, UnfitReference, UnfitWindow

if TYPE_CHECKING:
    import pyarrow as pa

Kind = Literal["numeric", "categorical"]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

NUMERIC_BINS = 32
CATEGORIES = 30
KNOWN_CATEGORIES = 4096
"""Words of the reference that are told from unseen ones; beyond so many a column is an identifier in all but name."""

MOST_PAIRED = 40
"""Of so many number columns, the first ones, every pair's correlation is watched: 780 pairs."""

ROWS_AT_ONCE = 1 << 16
"""Rows that are placed and multiplied together: the scores of twenty columns then stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnBins:
    """The slots of one column.

    numeric: below the reference's least value, then up to and with each of `edges` (the first is the least value, the
    last the greatest), above, null. categorical: each of `values`, all of `others` together, the unseen, null.
    A column that was all null has no edges: outside and null are its slots. `scores` are the normal scores of a
    number's slots; null has none, and counts as 0, the middle.
    """

    name: str
    kind: Kind
    edges: tuple[float, ...] = ()
    values: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()

    @property
    def slots(self) -> int:
        """How many slots there are, null included; null is the last."""
        if self.kind == "categorical":
            return len(self.values) + 3
        return len(self.edges) + 3 if self.edges else 2

    @property
    def outside(self) -> tuple[int, ...]:
        """The slots of what the reference did not have."""
        if self.kind == "categorical":
            return (len(self.values) + 1,)
        return (0, len(self.edges) + 1) if self.edges else (0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowCounts:
    """The rows of a window, and for each column how many fell into each slot.

    products: the sums over rows of the products of the scores of each pair of `paired` columns, shape (pairs, pairs).
    """

    rows: int
    columns: Mapping[str, Counts] = field(default_factory=dict)
    products: Floats = field(default_factory=lambda: np.zeros((0, 0)))

    def __add__(self, other: WindowCounts) -> WindowCounts:
        """The counts of both windows together. Raises UnfitWindow when they watch different columns or slots."""
        if not self.columns:
            return other
        if not other.columns:
            return self
        if {n: c.size for n, c in self.columns.items()} != {n: c.size for n, c in other.columns.items()}:
            raise UnfitWindow("Windows over different bins cannot be added.", fix="Count both over one reference.")
        return WindowCounts(
            rows=self.rows + other.rows,
            columns={name: counts + other.columns[name] for name, counts in self.columns.items()},
            products=self.products + other.products,
        )


def paired(bins: Sequence[ColumnBins]) -> list[ColumnBins]:
    """The columns whose correlations are watched: the first 40 numbers that have more than one value."""
    return [column for column in bins if len(column.edges) > 1 and column.scores][:MOST_PAIRED]


def fix_bins(table: pa.Table, kinds: Mapping[str, Kind] | None = None) -> tuple[ColumnBins, ...]:
    """The bins of each watched column of a reference.

    kinds: which columns, and how to read them; without it, every column whose type is a number, a time, a truth value
    or a word. Numbers with at most 32 values keep each value as an edge.
    Cost: one partial sort a number column. Raises UnfitReference for no rows or no column, UnfitColumn for one that
    is missing or cannot be read as told.
    """
    if table.num_rows == 0:
        raise UnfitReference("The reference has no rows.", fix="Name a frame that holds what the model was trained on.")
    chosen = dict(kinds) if kinds is not None else infer_kinds(table.schema)
    if not chosen:
        raise UnfitReference("The reference has no column that can be watched.")
    _require_columns(chosen, table.column_names)
    return tuple(
        _numeric_bins(name, _floats(table, name)) if kind == "numeric" else _categorical_bins(name, table)
        for name, kind in chosen.items()
    )


def infer_kinds(schema: pa.Schema) -> dict[str, Kind]:
    """How each column of a schema is read; columns that can be neither counted nor compared are left out."""
    from pyarrow import types

    kinds: dict[str, Kind] = {}
    for column in schema:
        kind = column.type.value_type if types.is_dictionary(column.type) else column.type
        if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_temporal(kind):
            kinds[column.name] = "numeric"
        elif (
            types.is_boolean(kind) or types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
        ):
            kinds[column.name] = "categorical"
    return kinds


def count(bins: Sequence[ColumnBins], table: pa.Table) -> WindowCounts:
    """The counts of a window's rows over fixed bins: one pass, O(rows log bins) a column.

    Raises UnfitColumn when a watched column is missing or cannot be read as it must.
    """
    _require_columns([column.name for column in bins], table.column_names)
    numbers = {column.name: _floats(table, column.name) for column in bins if column.kind == "numeric"}
    counts = {column.name: np.zeros(column.slots, dtype=np.int64) for column in bins}
    pairs = paired(bins)
    products = np.zeros((len(pairs), len(pairs)))
    for start in range(0, table.num_rows, ROWS_AT_ONCE):
        scored = np.empty((len(pairs), min(ROWS_AT_ONCE, table.num_rows - start)), dtype=np.float32)
        row = 0
        for column in bins:
            if column.kind == "numeric":
                placed = place_numbers(column, numbers[column.name][start : start + ROWS_AT_ONCE])
                counts[column.name] += np.bincount(placed, minlength=column.slots)
                if row < len(pairs) and pairs[row] is column:
                    np.take(np.asarray(column.scores, dtype=np.float32), placed, out=scored[row], mode="clip")
                    row += 1
        products += scored @ scored.T
    for column in bins:
        if column.kind == "categorical":
            counts[column.name] += _count_words(column, table)
    return WindowCounts(rows=table.num_rows, columns=counts, products=products)


def _count_words(column: ColumnBins, table: pa.Table) -> Counts:
    """The counts of one column of words, int64 of shape (slots,)."""
    counts = np.zeros(column.slots, dtype=np.int64)
    place = {value: slot for slot, value in enumerate(column.values)}
    place.update(dict.fromkeys(column.others, len(column.values)))
    for value, n in _frequencies(table, column.name):
        counts[-1 if value is None else place.get(value, len(column.values) + 1)] += n
    return counts


def place_numbers(column: ColumnBins, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """The slot of each number. NaN sorts behind infinity, so one search finds the null slot too."""
    below = [np.nextafter(column.edges[0], -np.inf)] if column.edges else []
    return np.asarray(np.searchsorted(np.array([*below, *column.edges, np.inf]), values), dtype=np.int64)


def place_words(column: ColumnBins, table: pa.Table) -> NDArray[np.int64]:
    """The slot of each word of a column, in the rows' order."""
    words = _words(table, column.name).combine_chunks().dictionary_encode(null_encoding="encode")
    place = {value: slot for slot, value in enumerate(column.values)}
    place.update(dict.fromkeys(column.others, len(column.values)))
    slots = [
        column.slots - 1 if value is None else place.get(value, len(column.values) + 1)
        for value in words.dictionary.to_pylist()
    ]
    codes = np.asarray(words.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    return np.asarray(slots, dtype=np.int64)[codes]


def place_column(column: ColumnBins, table: pa.Table) -> NDArray[np.int64]:
    """The slot of each row of a column."""
    if column.kind == "numeric":
        return place_numbers(column, _floats(table, column.name))
    return place_words(column, table)


def _numeric_bins(name: str, values: NDArray[np.float64]) -> ColumnBins:
    present = values[~np.isnan(values)]
    edges = np.unique(present[:4096])
    if edges.size <= NUMERIC_BINS:
        edges = np.unique(present)
    if edges.size > NUMERIC_BINS:
        edges = np.unique(np.quantile(present, np.linspace(0, 1, NUMERIC_BINS + 1), method="inverted_cdf"))
    bins = ColumnBins(name=name, kind="numeric", edges=tuple(edges[np.isfinite(edges)].tolist()))
    counts = np.bincount(place_numbers(bins, values), minlength=bins.slots)
    return replace(bins, scores=(*normal_scores(counts[:-1]).tolist(), 0.0))


def normal_scores(counts: Counts) -> Floats:
    """The mean of a standard normal within each slot, were it cut at the same shares; shape (slots,).

    Slots that are empty at an end are those beyond the reference, and score as half a row would there.
    Source: van der Waerden's scores, averaged over ties.
    """
    n = int(counts.sum())
    if n == 0:
        return np.zeros(counts.size)
    cumulated = np.concatenate([[0], np.cumsum(counts)]) / n
    density = np.array([0.0 if share in (0.0, 1.0) else _density(normal_quantile(share)) for share in cumulated])
    end = normal_quantile(1.0 - 0.5 / (n + 1))
    scores = np.where(cumulated[:-1] <= 0.0, -end, np.where(cumulated[1:] >= 1.0, end, 0.0))
    filled = counts > 0
    scores[filled] = (density[:-1] - density[1:])[filled] / np.diff(cumulated)[filled]
    return np.asarray(scores, dtype=np.float64)


def _density(z: float) -> float:
    return math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi)


def _categorical_bins(name: str, table: pa.Table) -> ColumnBins:
    seen = sorted(
        ((n, value) for value, n in _frequencies(table, name) if value is not None), key=lambda p: (-p[0], p[1])
    )
    names = [value for _, value in seen]
    return ColumnBins(
        name=name,
        kind="categorical",
        values=tuple(names[:CATEGORIES]),
        others=tuple(names[CATEGORIES : CATEGORIES + KNOWN_CATEGORIES]),
    )


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    """A column as float64, null as NaN; times as microseconds since 1970."""
    import pyarrow as pa
    from pyarrow import types

    column = table.column(name)
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        if types.is_timestamp(column.type):
            column = column.cast(pa.timestamp("us", column.type.tz)).cast(pa.int64())
        elif types.is_temporal(column.type):
            column = column.cast(pa.int64() if column.type.bit_width == 64 else pa.int32())
        return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        raise UnfitColumn(
            f"The column {name!r} of type {column.type} cannot be read as numbers.", why=str(problem), column=name
        ) from problem


def _words(table: pa.Table, name: str) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        return table.column(name).cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as problem:
        raise UnfitColumn(
            f"The column {name!r} of type {table.column(name).type} cannot be read as words.",
            why=str(problem),
            column=name,
        ) from problem


def _frequencies(table: pa.Table, name: str) -> list[tuple[str | None, int]]:
    import pyarrow.compute as pc

    found = pc.value_counts(_words(table, name))
    return list(zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True))


def _require_columns(wanted: Iterable[str], there: Sequence[str]) -> None:
    for name in wanted:
        if name not in there:
            raise UnfitColumn(f"There is no column {name!r}.", fix=did_you_mean(name, there), column=name)
