"""From a contract to rules: expressions over the columns of a frame of a known schema."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import polars as pl
from polars.exceptions import PolarsError

from treadle.ground.errors import did_you_mean
from treadle.systems.prepare.errors import RuleRefused
from treadle.systems.prepare.records import Severity
from treadle.systems.prepare.rules import FreshnessRule, QueryRule, ReferenceRule, RowRule, Rule, TableRule, UniqueRule
from treadle.wire.odcs import (
    ENGINE,
    Contract,
    Property,
    Quality,
    SchemaObject,
    TypeOptions,
    implementation_of,
    metric_of,
)

_SEVERITIES: dict[str, Severity] = {
    "error": "error", "critical": "error", "blocker": "error", "high": "error", "major": "error",
    "warning": "warning", "warn": "warning", "medium": "warning", "minor": "warning", "low": "warning",
    "info": "info", "information": "info", "informational": "info",
}  # fmt: skip

_FORMATS = {
    "uuid": r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "email": r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
    "ipv4": r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.|$)){4}$",
    "uri": r"^[a-zA-Z][a-zA-Z0-9+.-]*:\S+$",
}

_UNITS_S = {"s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hr": 3600, "hour": 3600}
_UNITS_S |= {"d": 86400, "day": 86400, "w": 604800, "week": 604800}

DECLARED_TYPES = {
    "string": "string",
    "integer": "long",
    "number": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}
"""How a landed column of a logical type is stored; of the others, the source's type is kept."""


def compile_rules(contract: Contract, dataset: str, schema: pl.Schema) -> list[Rule]:
    """The rules of a contract for a frame of that schema, in the contract's order.

    A column that the contract names and the frame lacks is judged as if it were null everywhere. Raises RuleRefused for a
    rule that cannot be carried out on these types.
    """
    table = contract.table(dataset)
    if table is None:
        raise RuleRefused(
            f"The contract {contract.id!r} says nothing of {dataset!r}.",
            why=did_you_mean(dataset, [t.name for t in contract.schema]),
        )
    found = [*_of_table(table, schema), *_of_service_levels(contract, table, schema)]
    return _with_names_of_their_own(found)


def declared_types(table: SchemaObject) -> dict[str, str]:
    """The stored types that a contract declares, by column."""
    return {p.name: DECLARED_TYPES[p.logical_type] for p in table.properties if p.logical_type in DECLARED_TYPES}


def _of_table(table: SchemaObject, schema: pl.Schema) -> Iterator[Rule]:
    for column in table.properties:
        yield from _of_property(column, schema)
    keys = sorted((p for p in table.properties if p.primary_key), key=lambda p: p.primary_key_position or 0)
    if keys:
        names = tuple(p.name for p in keys)
        if all(name in schema for name in names):
            yield UniqueRule(
                id="primary_key", kind="unique", severity="error", dimension="uniqueness", columns=names,
                description=f"{', '.join(names)} identify a row",
            )  # fmt: skip
    for quality in table.quality or []:
        yield from _of_quality(quality, None, schema)
    for link in table.relationships or []:
        sources = [link.from_] if isinstance(link.from_, str) else link.from_ or []
        targets = [link.to] if isinstance(link.to, str) else link.to
        yield _reference(tuple(name.rpartition(".")[2] for name in sources), targets)


def _of_property(column: Property, schema: pl.Schema) -> Iterator[Rule]:
    name = column.name
    dtype = schema.get(name)
    value = pl.col(name) if dtype is not None else pl.lit(None)
    if column.required or column.primary_key:
        yield _row(f"{name}.required", "not_null", "completeness", name, value.is_null(), f"{name} has a value")
    if dtype is None or isinstance(dtype, pl.Null):
        return
    if column.logical_type and not _has_type(dtype, column.logical_type):
        yield TableRule(
            id=f"{name}.type", kind="type", severity="error", dimension="conformity", columns=(name,),
            measure=pl.lit(str(dtype)), holds=lambda _: False, description=f"{name} is of type {column.logical_type}",
        )  # fmt: skip
        return
    if column.unique:
        yield UniqueRule(
            id=f"{name}.unique", kind="unique", severity="error", dimension="uniqueness", columns=(name,),
            description=f"{name} is different in every row",
        )  # fmt: skip
    if column.logical_type_options:
        yield from _of_options(name, dtype, column.logical_type_options)
    for link in column.relationships or []:
        yield _reference((name,), [link.to] if isinstance(link.to, str) else link.to)
    for quality in column.quality or []:
        yield from _of_quality(quality, name, schema)


def _of_options(name: str, dtype: pl.DataType, options: TypeOptions) -> Iterator[Rule]:
    value = pl.col(name)
    outside = _outside(name, dtype, options)
    if outside:
        yield _row(f"{name}.range", "range", "accuracy", name, pl.any_horizontal(outside), _range_text(name, options))
    if dtype == pl.String:
        length = value.str.len_chars()
        bounds = [length < options.min_length] if options.min_length is not None else []
        bounds += [length > options.max_length] if options.max_length is not None else []
        if bounds:
            yield _row(f"{name}.length", "length", "conformity", name, pl.any_horizontal(bounds), f"length of {name}")
        pattern = options.pattern or _FORMATS.get(options.format or "")
        if pattern:
            described = f"{name} matches {pattern}"
            yield _row(f"{name}.pattern", "pattern", "conformity", name, _unlike(name, pattern), described)
    if options.multiple_of and dtype.is_numeric():
        rest = (value / options.multiple_of - (value / options.multiple_of).round()).abs() > 1e-9
        described = f"{name} is a multiple of {options.multiple_of:g}"
        yield _row(f"{name}.multiple_of", "multiple_of", "conformity", name, rest, described)
    if isinstance(dtype, pl.List):
        items = value.list.len()
        bounds = [items < options.min_items] if options.min_items is not None else []
        bounds += [items > options.max_items] if options.max_items is not None else []
        bounds += [value.list.n_unique() < items] if options.unique_items else []
        if bounds:
            yield _row(f"{name}.items", "items", "conformity", name, pl.any_horizontal(bounds), f"items of {name}")


def _outside(name: str, dtype: pl.DataType, options: TypeOptions) -> list[pl.Expr]:
    value = pl.col(name)
    low, high = (_bound(name, dtype, bound) for bound in (options.minimum, options.maximum))
    strict_low, strict_high = options.exclusive_minimum, options.exclusive_maximum
    found = []
    if low is not None:
        found.append(value <= low if strict_low is True else value < low)
    if high is not None:
        found.append(value >= high if strict_high is True else value > high)
    if strict_low is not None and not isinstance(strict_low, bool):
        found.append(value <= _bound(name, dtype, strict_low))
    if strict_high is not None and not isinstance(strict_high, bool):
        found.append(value >= _bound(name, dtype, strict_high))
    if found and dtype.is_float():
        found.append(value.is_nan())
    return found


def _bound(name: str, dtype: pl.DataType, bound: float | str | None) -> pl.Expr | None:
    if bound is None:
        return None
    if dtype.is_numeric():
        try:
            return pl.lit(float(bound) if dtype.is_float() or float(bound) % 1 else int(float(bound)))
        except ValueError as error:
            raise RuleRefused(f"{name}: the bound {bound!r} is no number.", column=name) from error
    try:
        moment = datetime.fromisoformat(str(bound))
    except ValueError as error:
        raise RuleRefused(f"{name}: the bound {bound!r} is no time, such as 2013-01-01.", column=name) from error
    if dtype == pl.Date:
        return pl.lit(moment.date())
    zone = dtype.time_zone if isinstance(dtype, pl.Datetime) else None
    literal = pl.lit(moment.replace(tzinfo=None))
    return literal.dt.replace_time_zone(zone) if zone else literal


def _range_text(name: str, options: TypeOptions) -> str:
    low = options.minimum if options.minimum is not None else options.exclusive_minimum
    high = options.maximum if options.maximum is not None else options.exclusive_maximum
    if low is None or high is None:
        return f"{name} is at least {low}" if high is None else f"{name} is at most {high}"
    return f"{name} is from {low} to {high}"


def _of_quality(quality: Quality, column: str | None, schema: pl.Schema) -> Iterator[Rule]:
    if quality.type == "library":
        yield from _of_metric(quality, column, schema)
    elif quality.type == "sql":
        yield QueryRule(
            **_facts(quality, column, "sql", "consistency", (column,) if column else ()),
            query=(quality.query or "").replace("${column}", _quoted(column or "")),
            holds=_operator(quality),
        )
    elif quality.type == "custom" and quality.engine == ENGINE:
        yield from _of_treadle(quality, column, schema)


def _of_metric(quality: Quality, column: str | None, schema: pl.Schema) -> Iterator[Rule]:
    metric, arguments = metric_of(quality), quality.arguments or {}
    if metric == "rowCount":
        facts = _facts(quality, column, "row_count", "completeness", ())
        yield TableRule(**facts, measure=pl.len(), holds=_operator(quality))
        return
    names = tuple(arguments.get("properties") or ([column] if column else []))
    missing = [name for name in names if name not in schema]
    if not names or missing:
        raise RuleRefused(
            f"The metric {metric} needs columns that are there; {missing or 'none'} given.",
            why=did_you_mean(missing[0], schema.names()) if missing else "",
            fix="Write it below a property, or name the columns in 'arguments: {properties: […]}'.",
        )
    if metric == "duplicateValues":
        if _tolerates(quality):
            repeated = ~pl.struct(names).is_first_distinct()
            yield _tolerant(quality, column, "unique", "uniqueness", names, repeated)
        else:
            yield UniqueRule(**_facts(quality, column, "unique", "uniqueness", names))
        return
    kind, dimension, failing = _failing_of(metric, names[0], quality, schema[names[0]])
    if _tolerates(quality):
        yield _tolerant(quality, column, kind, dimension, names[:1], failing)
    else:
        yield RowRule(**_facts(quality, column, kind, dimension, names[:1]), failing=failing.fill_null(False))


def _failing_of(metric: str, name: str, quality: Quality, dtype: pl.DataType) -> tuple[str, str, pl.Expr]:
    arguments, value = quality.arguments or {}, pl.col(name)
    if metric == "nullValues":
        return "not_null", "completeness", value.is_null()
    if metric == "missingValues":
        wanted = [item for item in arguments["missingValues"] if item is not None]
        return "missing", "completeness", value.is_null() | _among(name, dtype, wanted)
    failing = pl.lit(False)
    valid = arguments.get("validValues", quality.valid_values)
    if valid is not None:
        failing = value.is_not_null() & ~_among(name, dtype, valid)
    if arguments.get("pattern"):
        failing = failing | _unlike(name, arguments["pattern"])
    return "set" if valid is not None else "pattern", "conformity", failing


def _among(name: str, dtype: pl.DataType, values: Sequence[Any]) -> pl.Expr:
    try:
        wanted = pl.Series(values).cast(dtype) if values else pl.Series([], dtype=dtype)
    except (PolarsError, TypeError) as error:
        raise RuleRefused(
            f"{name}: the values {list(values)[:5]!r} are not of the column's type {dtype}.", column=name
        ) from error
    return pl.col(name).is_in(wanted.implode())


def _unlike(name: str, pattern: str) -> pl.Expr:
    try:
        pl.Series([""]).str.contains(pattern)
    except PolarsError as error:
        raise RuleRefused(
            f"{name}: the pattern {pattern!r} cannot be matched.",
            why="Look-around and back-references are not supported: they can take exponential time.",
            fix="Write it without them.",
            column=name,
        ) from error
    return ~pl.col(name).cast(pl.String).str.contains(pattern)


def _of_treadle(quality: Quality, column: str | None, schema: pl.Schema) -> Iterator[Rule]:
    how = implementation_of(quality)
    kind = how.get("rule")
    if kind == "range" and column is not None:
        given = {k: how[k] for k in ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum") if k in how}
        options = TypeOptions(**given)
        outside = _outside(column, schema[column], options)
        if not outside:
            raise RuleRefused(f"{column}: a range needs a minimum or a maximum.", column=column)
        facts = _facts(quality, column, "range", "accuracy", (column,))
        facts["description"] = facts["description"] or _range_text(column, options)
        yield RowRule(**facts, failing=pl.any_horizontal(outside).fill_null(False))
    elif kind == "check":
        expression = _sql_expression(str(how.get("sql", "")), schema)
        names = tuple(name for name in expression.meta.root_names() if name in schema)
        facts = _facts(quality, column, "check", "consistency", names)
        facts["description"] = facts["description"] or str(how.get("sql"))
        yield RowRule(**facts, failing=(~expression).fill_null(False))
    elif kind == "freshness" and column is not None:
        facts = _facts(quality, column, "freshness", "timeliness", (column,))
        yield FreshnessRule(**facts, max_age_s=float(how["max_age_s"]))
    else:
        raise RuleRefused(
            f"The rule {kind!r} of the engine treadle is not known here.",
            why=did_you_mean(str(kind), ("range", "check", "freshness")),
            fix="range and freshness stand below a property; check may stand below a table as well.",
        )


def _sql_expression(text: str, schema: pl.Schema) -> pl.Expr:
    try:
        expression = pl.sql_expr(text)
        pl.LazyFrame(schema=schema).select(expression.cast(pl.Boolean)).collect_schema()
    except (PolarsError, TypeError) as error:
        raise RuleRefused(
            f"The check {text!r} cannot be carried out.",
            why=str(error).splitlines()[0],
            fix="Write a condition over the columns, such as: arr_time >= dep_time",
        ) from error
    return expression


def _of_service_levels(contract: Contract, table: SchemaObject, schema: pl.Schema) -> Iterator[Rule]:
    for level in contract.sla_properties or []:
        if level.property.lower() not in ("freshness", "fy"):
            continue
        element = (level.element or contract.sla_default_element or "").rpartition(".")[2]
        unit = _UNITS_S.get((level.unit or "d").lower().removesuffix("s") or "s")
        if element not in schema or unit is None:
            raise RuleRefused(
                f"The freshness of {table.name!r} cannot be measured.",
                why=f"Its element is {level.element!r} and its unit {level.unit!r}.",
                fix="Name a time column (element: table.column) and one of the units s, m, h, d, w.",
            )
        yield FreshnessRule(
            id=f"{element}.freshness", kind="freshness", severity="error", dimension="timeliness", columns=(element,),
            max_age_s=float(level.value) * unit, description=level.description or f"{element} is fresh",
        )  # fmt: skip


def _row(id: str, kind: str, dimension: str, name: str, failing: pl.Expr, description: str) -> RowRule:
    return RowRule(
        id=id, kind=kind, severity="error", dimension=dimension, columns=(name,), description=description,
        failing=failing.fill_null(False),
    )  # fmt: skip


def _reference(columns: tuple[str, ...], targets: Sequence[str]) -> ReferenceRule:
    dataset = targets[0].rpartition(".")[0]
    others = tuple(target.rpartition(".")[2] for target in targets)
    return ReferenceRule(
        id=f"{'+'.join(columns)}.references", kind="reference", severity="warning", dimension="consistency",
        columns=columns, dataset=dataset, others=others, description=f"{', '.join(columns)} is known in {dataset}",
    )  # fmt: skip


def _tolerant(
    quality: Quality, column: str | None, kind: str, dimension: str, names: tuple[str, ...], failing: pl.Expr
) -> TableRule:
    count = failing.fill_null(False).sum()
    percent = quality.unit == "percent"
    measure = (100 * count / pl.len()).fill_nan(0.0) if percent else count
    return TableRule(**_facts(quality, column, kind, dimension, names), measure=measure, holds=_operator(quality))


def _tolerates(quality: Quality) -> bool:
    operators = quality.operators()
    return bool(operators) and operators != {"must_be": 0} and operators != {"must_be_less_or_equal_to": 0}


def _operator(quality: Quality) -> Callable[[Any], bool]:
    operators: dict[str, Any] = quality.operators()
    name: str
    wanted: Any
    name, wanted = next(iter(operators.items()), ("must_be", 0))
    tests: dict[str, Callable[[Any], bool]] = {
        "must_be": lambda found: _equal(found, wanted),
        "must_not_be": lambda found: not _equal(found, wanted),
        "must_be_greater_than": lambda found: found > wanted,
        "must_be_greater_or_equal_to": lambda found: found >= wanted,
        "must_be_less_than": lambda found: found < wanted,
        "must_be_less_or_equal_to": lambda found: found <= wanted,
        "must_be_between": lambda found: wanted[0] <= found <= wanted[1],
        "must_not_be_between": lambda found: not wanted[0] <= found <= wanted[1],
    }
    return lambda found: found is not None and bool(tests[name](found))


def _equal(found: Any, wanted: Any) -> bool:
    if isinstance(found, (int, float)) and isinstance(wanted, (int, float)):
        return math.isclose(found, wanted, rel_tol=1e-12)
    return bool(found == wanted)


def _facts(quality: Quality, column: str | None, kind: str, dimension: str, columns: tuple[str, ...]) -> dict[str, Any]:
    place = column or "table"
    return {
        "id": quality.id or quality.name or f"{place}.{kind}",
        "kind": kind,
        "severity": _severity(quality.severity),
        "dimension": quality.dimension or dimension,
        "columns": columns,
        "description": quality.description or "",
    }


def _severity(text: str | None) -> Severity:
    if text is None:
        return "error"
    found = _SEVERITIES.get(text.lower())
    if found is None:
        raise RuleRefused(
            f"The severity {text!r} is not known.", why=did_you_mean(text.lower(), ("error", "warning", "info"))
        )
    return found


def _has_type(dtype: pl.DataType, logical: str) -> bool:
    return {
        "string": dtype in (pl.String, pl.Categorical) or isinstance(dtype, pl.Enum),
        "integer": dtype.is_integer(),
        "number": dtype.is_numeric(),
        "boolean": dtype == pl.Boolean,
        "date": dtype == pl.Date,
        "timestamp": isinstance(dtype, pl.Datetime),
        "time": dtype in (pl.Time, pl.String),
        "array": isinstance(dtype, (pl.List, pl.Array)),
        "object": isinstance(dtype, pl.Struct),
    }[logical]


def _with_names_of_their_own(rules: Sequence[Rule]) -> list[Rule]:
    """Rules whose names are alike are told apart by a number, in the contract's order."""
    seen: dict[str, int] = {}
    named = []
    for rule in rules:
        seen[rule.id] = seen.get(rule.id, 0) + 1
        count = seen[rule.id]
        named.append(rule if count == 1 else dataclasses.replace(rule, id=f"{rule.id}#{count}"))
    return named


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
