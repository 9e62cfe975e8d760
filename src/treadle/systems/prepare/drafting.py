"""A first contract from real rows: keys, types, sets, patterns, ranges with slack, freshness; and what is to be decided.

What rows show is what was, not what should be. So every guess is written with a comment that says how it came about and what
a person should decide, and nothing that a guess refuses is refused without having been seen: it is a draft.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations, islice
from typing import Any

import polars as pl

from treadle.kernel.vocabulary.datasets import ROW_COLUMNS
from treadle.systems.prepare.checking import moment
from treadle.systems.prepare.conditions import FORMATS
from treadle.wire.odcs import (
    Contract,
    CustomProperty,
    Description,
    Item,
    Member,
    Property,
    Quality,
    Relationship,
    SchemaObject,
    ServiceLevel,
    Team,
    TypeOptions,
    encode,
)

SET_SIZE = 20
"""A text column of at most so many values, each seen often, is taken for a set."""

SEEN_OFTEN = 20
"""How many rows a value must have on average before the values are taken for all there are."""

SLACK = 0.1
"""Ranges are wider than what was seen by this share of it, on either side."""

PROSE = {
    "purpose": "Say what this data is for.",
    "limitations": "Say what it does not tell, and what it must not be used for.",
    "usage": "Say how this data is cleaned, and why: who looks at refused rows, and what may be mended.",
}
"""What stands in a draft for a person to write; `contracts lint` asks for it until it is written."""

FEW, NEARLY = 5, 0.05
"""A column of fewer values refers to nothing that could be told from chance; with a larger share unknown it does not refer."""

AT_REST = 10
"""Rows whose newest is so many times older than their rhythm lets expect are not waited for."""

_SAMPLE = 100_000
_KEY_WORDS = re.compile(r"(^|_)(id|key|code|uuid|no|number)$|^id_", re.IGNORECASE)
_TIME_WORDS = re.compile(r"(_at|_on|time|date|ts|timestamp|day|hour)$", re.IGNORECASE)
_UNITS = {
    "km": "km", "mi": "mi", "m": "m", "kg": "kg", "lb": "lb", "s": "s", "ms": "ms", "min": "min", "h": "h",
    "pct": "%", "percent": "%", "usd": "USD", "eur": "EUR", "gbp": "GBP", "mph": "mph", "kmh": "km/h", "bytes": "bytes",
}  # fmt: skip
_CLASSES = {"A": "[A-Z]", "a": "[a-z]", "9": "[0-9]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A first contract and, by column ('' for the whole), what a person should decide about it."""

    contract: Contract
    notes: Mapping[str, Sequence[str]]

    def text(self) -> str:
        """The contract as YAML, with the notes as comments beside what they are about."""
        names = [column.name for column in self.contract.schema[0].properties]
        lines = [f"# {line}" for line in self.notes.get("", ())] + [""]
        place = 0
        for line in encode(self.contract).splitlines():
            if line.startswith("      - name: ") and place < len(names):
                lines += [f"      # {note}" for note in self.notes.get(names[place], ())]
                place += 1
            lines.append(line)
        return "\n".join(lines) + "\n"


@dataclass(slots=True)
class _Column:
    """What is known of one column."""

    name: str
    dtype: pl.DataType
    rows: int
    nulls: int
    distinct: int
    low: Any = None
    high: Any = None
    values: Sequence[str] | None = None
    pattern: str | None = None
    format: str | None = None
    refers_to: str | None = None
    """`dataset.column`, where all its values are there."""
    notes: list[str] = field(default_factory=list)

    @property
    def is_key(self) -> bool:
        keyed = self.dtype == pl.String or self.dtype.is_integer()
        return self.nulls == 0 and self.distinct == self.rows > 1 and keyed


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """Another dataset whose rows one column identifies."""

    dataset: str
    key: str
    rows: pl.LazyFrame


def first_contract(
    dataset: str, rows: pl.LazyFrame, *, now: datetime, owner: str | None = None, others: Sequence[Keyed] = ()
) -> Draft:
    """The draft; cost: two passes over the rows, and about one sort a column for distinct values.

    others: what columns may refer to.
    """
    columns = _measured(rows)
    for column in columns:
        column.refers_to = _reference(rows, column, others)
    count = columns[0].rows if columns else 0
    key = _key(rows, columns)
    level = _freshness(dataset, rows, columns, now)
    properties = [_property(column, key) for column in columns]
    notes: dict[str, Sequence[str]] = {column.name: column.notes for column in columns}
    notes[""] = list(_general(count, key, level))
    contract = Contract(
        id=dataset,
        name=dataset,
        version="0.1.0",
        status="draft",
        description=Description(purpose=PROSE["purpose"], limitations=PROSE["limitations"], usage=PROSE["usage"]),
        schema=[
            SchemaObject(
                name=dataset,
                data_granularity_description=f"one row for each {' and '.join(key)}" if key else None,
                properties=properties,
                quality=[Quality(name="is_not_empty", metric="rowCount", must_be_greater_than=0, severity="warning")],
            )
        ],
        team=Team(members=[Member(username=owner, role="owner")]) if owner else None,
        sla_properties=[level] if level else None,
    )
    return Draft(contract=contract, notes=notes)


def _measured(rows: pl.LazyFrame) -> list[_Column]:
    schema = {name: dtype for name, dtype in rows.collect_schema().items() if name not in ROW_COLUMNS}
    wanted = [pl.len().alias(" rows")]
    for name, dtype in schema.items():
        value = pl.col(name)
        wanted.append(value.null_count().alias(f"{name} nulls"))
        if _is_plain(dtype):
            wanted.append(value.n_unique().alias(f"{name} distinct"))
        if dtype == pl.String:
            wanted += [
                value.str.len_chars().min().alias(f"{name} low"),
                value.str.len_chars().max().alias(f"{name} high"),
            ]
        elif dtype.is_numeric() or dtype.is_temporal():
            finite = value.filter(value.is_finite()) if dtype.is_float() else value
            wanted += [finite.min().alias(f"{name} low"), finite.max().alias(f"{name} high")]
    found = rows.select(wanted).collect(engine="streaming").row(0, named=True)
    columns = [
        _Column(
            name=name,
            dtype=dtype,
            rows=found[" rows"],
            nulls=found[f"{name} nulls"],
            distinct=found.get(f"{name} distinct", 0) - bool(found[f"{name} nulls"]),
            low=found.get(f"{name} low"),
            high=found.get(f"{name} high"),
        )
        for name, dtype in schema.items()
    ]
    for column in columns:
        if column.dtype == pl.String:
            _look_at_text(rows, column)
    return columns


def _is_plain(dtype: pl.DataType) -> bool:
    return not dtype.is_nested() and dtype != pl.Binary


def _look_at_text(rows: pl.LazyFrame, column: _Column) -> None:
    """Whether a text column is a set, or all of one shape or format."""
    text = rows.select(pl.col(column.name).drop_nulls())
    if 0 < column.distinct <= SET_SIZE and column.rows >= SEEN_OFTEN * column.distinct:
        found = text.unique().sort(column.name).collect(engine="streaming").to_series().to_list()
        if all(value.strip() for value in found):
            column.values = found
            return
    sample = text.head(_SAMPLE).collect(engine="streaming").to_series()
    if not len(sample):
        return
    for name in ("uuid", "email", "date", "date-time", "ipv4", "uri"):
        if sample.str.contains(FORMATS[name]).all():
            guess = FORMATS[name]
            column.format = name
            break
    else:
        shapes = (
            sample.str.replace_all("[A-Z]", "A").str.replace_all("[a-z]", "a").str.replace_all("[0-9]", "9").unique()
        )
        if len(shapes) != 1 or not re.fullmatch(r"[Aa9_ ./:-]+", shapes[0]) or len(shapes[0]) > 24:
            return
        guess = column.pattern = _regex(shapes[0])
    misfits = text.select((~pl.col(column.name).str.contains(guess)).sum()).collect(engine="streaming").item()
    if misfits:
        column.pattern = column.format = None
        column.notes.append(f"{misfits} values do not look like the others; is {guess} a rule, or their habit?")


def _reference(rows: pl.LazyFrame, column: _Column, others: Sequence[Keyed]) -> str | None:
    """The key that a column seems to refer to: called like it, of its type, and with (nearly) all values known there."""
    if column.distinct < FEW or not (column.dtype == pl.String or column.dtype.is_integer()):
        return None
    for other in others:
        dtype = other.rows.collect_schema().get(other.key)
        alike = dtype is not None and (dtype == column.dtype or (dtype.is_integer() and column.dtype.is_integer()))
        if not alike or not _is_named_after(column.name, other):
            continue
        known = other.rows.select(pl.col(other.key).cast(column.dtype, strict=False).alias(column.name)).drop_nulls()
        mine = rows.select(column.name).drop_nulls().unique()
        lost = mine.join(known, on=column.name, how="anti").select(pl.len()).collect(engine="streaming").item()
        name = f"{other.dataset}.{other.key}"
        if lost == 0:
            column.notes.append(f"All its {column.distinct:,} values are in {name}. Does it refer to it, by design?")
            return name
        if lost <= NEARLY * column.distinct:
            column.notes.append(
                f"{lost:,} of its {column.distinct:,} values are not in {name}. A reference with mistakes? "
                f"relationships: [{{to: {name}}}]"
            )
    return None


def _is_named_after(name: str, other: Keyed) -> bool:
    """`tailnum` after planes.tailnum; `shop`, `shop_id` and `home_shop_id` after shops.id."""
    noun = other.dataset.rpartition(".")[2].lower().removesuffix("s")
    word, key = name.lower(), other.key.lower()
    if word == key:
        return key not in ("id", "key", "code", "no", "number", "name")
    tails = {noun, f"{noun}_{key}", f"{noun}{key}"}
    return any(word == tail or word.endswith(f"_{tail}") for tail in tails)


def _regex(shape: str) -> str:
    parts = []
    for match in re.finditer(r"(.)\1*", shape):
        kind, count = match[1], len(match[0])
        one = _CLASSES.get(kind) or re.escape(kind)
        parts.append(one if count == 1 else f"{one}{{{count}}}")
    return f"^{''.join(parts)}$"


def _key(rows: pl.LazyFrame, columns: Sequence[_Column]) -> tuple[str, ...]:
    """The column, or the two or three together, that seem to identify a row; none when nothing does."""
    alone = [column for column in columns if column.is_key]
    if alone:
        alone.sort(key=lambda column: (not _KEY_WORDS.search(column.name), columns.index(column)))
        return (alone[0].name,)
    if not columns or columns[0].rows < 2:
        return ()
    able = [c for c in columns if c.nulls == 0 and c.distinct > 1 and not c.dtype.is_float() and _is_plain(c.dtype)]
    able.sort(
        key=lambda column: (not _KEY_WORDS.search(column.name) and not column.dtype.is_temporal(), -column.distinct)
    )
    total = columns[0].rows
    for size in (2, 3):
        enough = (
            names
            for group in combinations(able[:7], size)
            if math.prod(column.distinct for column in group) >= total and (names := tuple(c.name for c in group))
        )
        for names in islice(enough, 12):
            if rows.select(pl.struct(names).n_unique()).collect(engine="streaming").item() == total:
                return names
    return ()


def _freshness(dataset: str, rows: pl.LazyFrame, columns: Sequence[_Column], now: datetime) -> ServiceLevel | None:
    """How old the newest row may be: three times the longest usual gap between the times that are there.

    None for rows that have come to rest: whose newest is far older than that.
    """
    times = [c for c in columns if c.dtype == pl.Date or isinstance(c.dtype, pl.Datetime)]
    times.sort(key=lambda column: (column.nulls, not _TIME_WORDS.search(column.name)))
    if not times or times[0].low is None or times[0].low == times[0].high:
        return None
    column = times[0]
    times_of = pl.col(column.name).drop_nulls()
    steps = times_of if column.dtype == pl.Date else times_of.dt.truncate("1h")
    gaps = (
        rows.select(steps.unique().sort().diff().dt.total_seconds().quantile(0.99)).collect(engine="streaming").item()
    )
    hours = max(1, math.ceil(3 * (gaps or 3600) / 3600))
    newest = moment(column.high)
    if newest is None or (now - newest).total_seconds() > AT_REST * hours * 3600:
        column.notes.append(f"The newest is of {column.high}: does anything still come? Then promise a freshness.")
        return None
    value, unit = (math.ceil(hours / 24), "d") if hours >= 48 or column.dtype == pl.Date else (hours, "h")
    return ServiceLevel(
        property="freshness",
        value=value,
        unit=unit,
        element=f"{dataset}.{column.name}",
        description=f"The newest {column.name} is at most {value} {unit} old.",
    )


def _property(column: _Column, key: tuple[str, ...]) -> Property:
    name, quality = column.name, []
    if column.nulls and column.nulls == column.rows:
        column.notes.append("No row has a value here. Is the column needed?")
    elif column.nulls:
        share = min(100.0, math.ceil(2000 * column.nulls / max(column.rows, 1)) / 10)  # twice what is there today
        column.notes.append(f"{100 * column.nulls / column.rows:.3g} % have no value. What does a missing value mean?")
        if share < 100:
            said = f"At most {share:g} % of the rows have no {name}; twice what was seen."
            quality.append(
                Quality(
                    name=f"{name}_is_there", description=said, metric="nullValues", unit="percent",
                    must_be_less_or_equal_to=share, severity="warning",
                )
            )  # fmt: skip
    if column.values:
        allowed = {"validValues": list(column.values)}
        said = f"{name} is one of these values."
        quality.append(
            Quality(name=f"{name}_is_known", description=said, metric="invalidValues", arguments=allowed, must_be=0)
        )
        column.notes.append("These are all values that came. May others come? Then add them, or take the rule away.")
    unit = next((unit for suffix, unit in _UNITS.items() if name.lower().endswith(f"_{suffix}")), None)
    if unit:
        column.notes.append(f"The unit {unit} is guessed from the name.")
    if name in key:
        column.notes.append(
            "Guessed to identify a row"
            + (f", together with {', '.join(n for n in key if n != name)}." if len(key) > 1 else ".")
        )
    return Property(
        name=name,
        logical_type=logical_type(column.dtype),
        logical_type_options=_options(column),
        primary_key=name in key,
        primary_key_position=key.index(name) + 1 if name in key else None,
        required=column.nulls == 0 and column.rows > 0 and name not in key,
        unique=column.is_key and (name,) != key and bool(_KEY_WORDS.search(name)),
        quality=quality or None,
        relationships=[Relationship(to=column.refers_to)] if column.refers_to else None,
        custom_properties=[CustomProperty(property="unit", value=unit)] if unit else None,
        items=_items(column.dtype),
    )


def _options(column: _Column) -> TypeOptions | None:
    if column.dtype.is_numeric() and column.low is not None:
        low, high = _with_slack(column.low, column.high, whole=column.dtype.is_integer())
        column.notes.append(f"Seen: {_number(column.low)} to {_number(column.high)}. Which values are impossible?")
        return TypeOptions(minimum=low, maximum=high)
    if column.format:
        return TypeOptions(format=column.format)
    if column.pattern:
        column.notes.append("All values look like this. Must they?")
        return TypeOptions(pattern=column.pattern)
    return None


def _with_slack(low: Any, high: Any, *, whole: bool) -> tuple[float, float]:
    """Bounds a little beyond what was seen, in round numbers; what was never below zero stays so, shares stay shares."""
    if low >= 0 and high <= 1:
        return 0, 1
    span = float(high) - float(low) or abs(float(high)) or 1.0
    step = 10.0 ** (math.floor(math.log10(span)) - 1) if math.isfinite(span) else 0.0
    if step < 1e-290 or abs(float(low)) + abs(float(high)) > 1e300:
        return low, high  # beyond what can be rounded
    under, over = math.floor((low - SLACK * span) / step) * step, math.ceil((high + SLACK * span) / step) * step
    if low >= 0:
        under = max(0.0, under)
    if whole:
        return min(math.floor(under), low), max(math.ceil(over), high)
    return min(float(f"{under:.12g}"), low), max(float(f"{over:.12g}"), high)


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _items(dtype: pl.DataType) -> Any:
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.DataType):
        return Item(logical_type=logical_type(dtype.inner))
    return None


def _general(count: int, key: tuple[str, ...], level: ServiceLevel | None) -> Iterator[str]:
    yield f"A first contract, drawn from {count:,} rows. It says what was, not what should be: read every line,"
    yield "decide it, and take its comment away. Then: treadle contracts lint, check, publish."
    if not key:
        yield "No column, and no two or three together, is different in every row. What identifies one?"
    if level:
        yield f"Freshness is guessed from the usual rhythm of {level.element}. When is it too late for those who read it?"
    yield "Rules refuse rows (severity: error, as where nothing is said) or only report them (severity: warning)."


def logical_type(dtype: pl.DataType) -> Any:
    """The standard's word for a type; text where it has none."""
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    if isinstance(dtype, pl.Datetime):
        return "timestamp"
    if isinstance(dtype, pl.List | pl.Array):
        return "array"
    if isinstance(dtype, pl.Struct):
        return "object"
    return {pl.Boolean: "boolean", pl.Date: "date", pl.Time: "time"}.get(dtype.base_type(), "string")
