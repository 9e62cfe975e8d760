"""From a contract to rules: expressions over the columns of a frame of a known schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.systems.prepare import conditions
from treadle.systems.prepare.cleaning.declared import is_cleaning, read_step
from treadle.systems.prepare.custom_rules import PYTHON, of_engine_python, of_engine_treadle, only, when
from treadle.systems.prepare.errors import RuleRefused
from treadle.systems.prepare.facts import facts_of, holds_of, operator_text, tolerance_of, unit_s
from treadle.systems.prepare.rules import (
    FreshnessRule,
    Part,
    QueryRule,
    ReferenceRule,
    RowRule,
    Rule,
    TableRule,
    UniqueRule,
)
from treadle.wire.odcs import (
    ENGINE,
    Contract,
    Property,
    Quality,
    Relationship,
    SchemaObject,
    implementation_of,
    metric_of,
    reference_of,
)

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
                description=f"{', '.join(names)} {'identifies' if len(names) == 1 else 'identify'} a row",
            )  # fmt: skip
    for quality in table.quality or []:
        yield from _of_quality(quality, None, schema)
    for link in table.relationships or []:
        sources = [link.from_] if isinstance(link.from_, str) else link.from_ or []
        targets = [link.to] if isinstance(link.to, str) else link.to
        yield _reference(tuple(reference_of(name)[1] for name in sources), targets, link, schema)


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
            finish=lambda parts, rows: str(dtype), holds=lambda _: False,
            description=f"{name} is of type {column.logical_type}",
        )  # fmt: skip
        return
    if column.unique:
        yield UniqueRule(
            id=f"{name}.unique", kind="unique", severity="error", dimension="uniqueness", columns=(name,),
            description=f"{name} is different in every row",
        )  # fmt: skip
    for kind, dimension, failing, said in _of_value(column, pl.col(name), dtype, name):
        yield _row(f"{name}.{kind}", kind, dimension, name, failing, said)
    for link in column.relationships or []:
        yield _reference((name,), [link.to] if isinstance(link.to, str) else link.to, link, schema)
    for quality in column.quality or []:
        yield from _of_quality(quality, name, schema)


Asked = tuple[str, str, pl.Expr, str]
"""Kind, dimension, what is true of failing rows, and the rule in words."""


def _of_value(column: Property, value: pl.Expr, dtype: pl.DataType, name: str) -> Iterator[Asked]:
    """What the options of a property ask of a value, and of the members and items inside it."""
    options = column.logical_type_options
    if options is not None:
        beyond = conditions.outside(value, dtype, options, name)
        if beyond is not None:
            yield "range", "accuracy", beyond, conditions.range_text(name, options)
        if dtype == pl.String:
            length = conditions.wrong_length(value, options)
            if length is not None:
                yield "length", "conformity", length, conditions.length_text(name, options)
            pattern = options.pattern or conditions.FORMATS.get(options.format or "")
            if pattern:
                said = f"{name} looks like {options.format if not options.pattern else pattern}"
                yield "pattern", "conformity", conditions.unlike(value, dtype, pattern, name), said
        if options.multiple_of and dtype.is_numeric():
            said = f"{name} is a multiple of {options.multiple_of:g}"
            yield "multiple_of", "conformity", conditions.no_multiple(value, dtype, options.multiple_of), said
        if isinstance(dtype, pl.List):
            items = conditions.wrong_items(value, options)
            if items is not None:
                yield "items", "conformity", items, f"the items of {name} are as many as they may be"
    if column.enum:
        allowed = [one.value for one in column.enum]
        failing = value.is_not_null() & ~conditions.among(value, dtype, allowed, name)
        yield "set", "conformity", failing, f"{name} is one of {_listed(allowed)}"
    yield from _of_members(column, value, dtype, name)


def _of_members(column: Property, value: pl.Expr, dtype: pl.DataType, name: str) -> Iterator[Asked]:
    if isinstance(dtype, pl.Struct):
        types = {field.name: field.dtype for field in dtype.fields}
        for member in column.properties or []:
            inner_type, path = types.get(member.name or ""), f"{name}.{member.name}"
            inner = value.struct.field(member.name or "") if inner_type is not None else pl.lit(None)
            if member.required:
                yield (
                    f"{member.name}.required",
                    "completeness",
                    value.is_not_null() & inner.is_null(),
                    f"{path} has a value",
                )
            if isinstance(inner_type, pl.DataType):
                for kind, dimension, failing, said in _of_value(member, inner, inner_type, path):
                    yield f"{member.name}.{kind}", dimension, failing, said
    if isinstance(dtype, pl.List) and column.items is not None and isinstance(dtype.inner, pl.DataType):
        path = f"every item of {name}"
        if column.items.required:
            nulls = value.list.eval(pl.element().is_null()).list.any()
            yield "item.required", "completeness", nulls, f"{path} has a value"
        for kind, dimension, failing, said in _of_value(column.items, pl.element(), dtype.inner, path):
            yield f"item.{kind}", dimension, value.list.eval(failing.fill_null(False)).list.any(), said


def _of_quality(quality: Quality, column: str | None, schema: pl.Schema) -> Iterator[Rule]:
    if column is not None and column not in schema:
        return
    if quality.kind == "library":
        yield from _of_metric(quality, column, schema)
    elif quality.kind == "sql":
        said = f"the answer of a query {operator_text(quality)}"
        yield QueryRule(
            **facts_of(quality, column, "sql", "consistency", (column,) if column else (), said),
            query=(quality.query or "").replace("${column}", _quoted(column or "")),
            holds=holds_of(quality),
        )
    elif is_cleaning(quality):
        read_step(implementation_of(quality), column)  # it asks nothing, and has to be right all the same
    elif quality.kind == "custom" and quality.engine == ENGINE:
        yield from of_engine_treadle(quality, column, schema)
    elif quality.kind == "custom" and quality.engine == PYTHON:
        yield from of_engine_python(quality, column)


def _of_metric(quality: Quality, column: str | None, schema: pl.Schema) -> Iterator[Rule]:
    metric, arguments = metric_of(quality), quality.arguments or {}
    if metric == "rowCount":
        facts = facts_of(
            quality, column, "row_count", "completeness", (), f"the number of rows {operator_text(quality)}"
        )
        yield TableRule(**facts, finish=lambda parts, rows: rows, holds=holds_of(quality))
        return
    names = tuple(arguments.get("properties") or ([column] if column else []))
    missing = [name for name in names if name not in schema]
    if not names or missing:
        raise RuleRefused(
            f"The metric {metric} needs columns that are there; {missing or 'none'} given.",
            why=did_you_mean(missing[0], schema.names()) if missing else "",
            fix="Write it below a property, or name the columns in 'arguments: {properties: […]}'.",
        )
    tolerance = tolerance_of(quality)
    suffix = (
        f"; {'share' if quality.unit == 'percent' else 'number'} of others {operator_text(quality)}"
        if tolerance
        else ""
    )
    if metric == "duplicateValues":
        said = f"{', '.join(names)} {'is' if len(names) == 1 else 'are together'} different in every row{suffix}"
        condition = when(arguments, schema)
        said += f", of the rows where {arguments['when']}" if condition is not None else ""
        yield UniqueRule(
            **facts_of(quality, column, "unique", "uniqueness", names, said), tolerance=tolerance, condition=condition
        )
        return
    kind, dimension, failing, said = _failing_of(metric, names[0], quality, schema[names[0]])
    condition = when(arguments, schema)
    asked = names[:1] + (tuple(condition.meta.root_names()) if condition is not None else ())
    facts = facts_of(quality, column, kind, dimension, tuple(dict.fromkeys(asked)), said + suffix)
    yield RowRule(**facts, failing=only(failing, condition), tolerance=tolerance)


def _failing_of(metric: str, name: str, quality: Quality, dtype: pl.DataType) -> Asked:
    arguments, value = quality.arguments or {}, pl.col(name)
    if metric == "nullValues":
        return "not_null", "completeness", value.is_null(), f"{name} has a value"
    if metric == "missingValues":
        wanted = [item for item in arguments["missingValues"] if item is not None]
        failing = value.is_null() | conditions.among(value, dtype, wanted, name).fill_null(False)
        return "missing", "completeness", failing, f"{name} has a value, and none of {_listed(wanted)}"
    failing, said = pl.lit(False), []
    valid = arguments.get("validValues", quality.valid_values)
    if valid is not None:
        failing = value.is_not_null() & ~conditions.among(value, dtype, valid, name)
        said.append(f"is one of {_listed(valid)}")
    if arguments.get("pattern"):
        failing = failing | conditions.unlike(value, dtype, arguments["pattern"], name)
        said.append(f"looks like {arguments['pattern']}")
    return "set" if valid is not None else "pattern", "conformity", failing, f"{name} {' and '.join(said)}"


def _of_service_levels(contract: Contract, table: SchemaObject, schema: pl.Schema) -> Iterator[Rule]:
    for level in contract.sla_properties or []:
        if level.property.lower() not in ("freshness", "fy"):
            continue
        said = level.element or contract.sla_default_element or ""
        owner, _, element = said.rpartition(".")
        if owner and owner != table.name and any(one.name == owner for one in contract.schema):
            continue  # of another table of the same contract
        unit = unit_s(level.unit)
        if element not in schema or unit is None or not isinstance(level.value, int | float):
            raise RuleRefused(
                f"The freshness of {table.name!r} cannot be measured.",
                why=f"Its element is {level.element!r}, its value {level.value!r} and its unit {level.unit!r}.",
                fix="Name a time column (element: table.column) and one of the units s, m, h, d, w.",
            )
        yield FreshnessRule(
            id=f"{element}.freshness", kind="freshness", severity="error", dimension="timeliness", columns=(element,),
            max_age_s=float(level.value) * unit,
            description=level.description or f"{element} is at most {level.value} {level.unit or 'd'} old",
        )  # fmt: skip


def newest_of(rule: FreshnessRule) -> Part:
    """What a freshness needs of every batch."""
    return Part(measure=pl.col(rule.columns[0]).max(), merge="greatest")


def _row(id: str, kind: str, dimension: str, name: str, failing: pl.Expr, description: str) -> RowRule:
    return RowRule(
        id=id, kind=kind, severity="error", dimension=dimension, columns=(name,), description=description,
        failing=failing.fill_null(False),
    )  # fmt: skip


def _reference(
    columns: tuple[str, ...], targets: Sequence[str], link: Relationship, schema: pl.Schema
) -> ReferenceRule:
    dataset = reference_of(targets[0])[0]
    others = tuple(reference_of(target)[1] for target in targets)
    asked = {one.property: one.value for one in link.custom_properties or [] if one.property == "when"}
    condition = when(asked, schema)
    said = f"{', '.join(columns)} is known in {dataset}" + (f", when {asked['when']}" if condition is not None else "")
    return ReferenceRule(
        id=link.id or f"{'+'.join(columns)}.references", kind="reference", severity="warning", dimension="consistency",
        columns=columns, dataset=dataset, others=others, description=said, condition=condition,
    )  # fmt: skip


_TESTS: Mapping[str, Any] = {
    "integer": lambda dtype: dtype.is_integer(),
    "number": lambda dtype: dtype.is_numeric(),
    "timestamp": lambda dtype: isinstance(dtype, pl.Datetime),
    "string": lambda dtype: dtype in (pl.String, pl.Categorical) or isinstance(dtype, pl.Enum),
    "boolean": lambda dtype: dtype == pl.Boolean,
    "date": lambda dtype: dtype == pl.Date,
    "time": lambda dtype: dtype in (pl.Time, pl.String),
    "array": lambda dtype: isinstance(dtype, pl.List | pl.Array),
    "vector": lambda dtype: isinstance(dtype, pl.List | pl.Array) and dtype.inner.is_numeric(),
    "object": lambda dtype: isinstance(dtype, pl.Struct),
    "map": lambda dtype: isinstance(dtype, pl.Struct | pl.List),
}


def _has_type(dtype: pl.DataType, logical: str) -> bool:
    return bool(_TESTS[logical](dtype))


def _listed(values: Sequence[Any]) -> str:
    shown = ", ".join(str(value) for value in list(values)[:8])
    return shown if len(values) <= 8 else f"{shown} and {len(values) - 8} more"


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
