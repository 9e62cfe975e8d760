"""What types cannot say about a contract: operators that contradict, metrics without their arguments, names used twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from treadle.ground.errors import did_you_mean
from treadle.wire.odcs.positions import Path, Unreadable, parse
from treadle.wire.odcs.records import Contract, Metric, Property, Quality, Relationship, SchemaObject

METRICS: tuple[str, ...] = get_args(Metric)
OLDER_NAMES = {
    "nullCheck": "nullValues",
    "nullCount": "nullValues",
    "duplicateCount": "duplicateValues",
    "validValues": "invalidValues",
    "rowCount": "rowCount",
}
"""What the versions before 3.1 called the metrics, under `rule`."""

ENGINE = "treadle"
"""The engine of custom rules that Treadle carries out; rules of other engines are kept and not run."""

_SHORT = re.compile(r"^[A-Za-z_][A-Za-z0-9_\-]*(\.[A-Za-z_][A-Za-z0-9_\-]*)+$")
_FULL = re.compile(
    r"^(?:(?:https?:\/\/)?[A-Za-z0-9._\-\/]+\.ya?ml#)?\/?[A-Za-z_][A-Za-z0-9_]*\/[A-Za-z0-9_-]+(?:\/[A-Za-z_][A-Za-z0-9_]*\/[A-Za-z0-9_-]+)*$"
)
"""References as the standard writes them: `planes.tailnum`, or `schema/planes/properties/tailnum`."""

Finding = tuple[Path, str]


def metric_of(rule: Quality) -> str:
    """The library metric's name in the newest version's words, or ''."""
    name = rule.metric or rule.rule or ""
    return OLDER_NAMES.get(name, name)


def reference_of(target: str) -> tuple[str, str]:
    """The dataset and the column that a reference names, in either of its forms."""
    if "/" not in target:
        return target.rpartition(".")[0], target.rpartition(".")[2]
    steps = target.rpartition("#")[2].strip("/").split("/")
    return (steps[1], steps[3]) if len(steps) >= 4 else ("", steps[-1])


def implementation_of(rule: Quality) -> dict[str, Any]:
    """A custom rule's implementation as a mapping; text is read as YAML. Raises Unreadable."""
    if isinstance(rule.implementation, dict):
        return rule.implementation
    value, _ = parse(rule.implementation or "")
    if not isinstance(value, dict):
        raise Unreadable(1, "the implementation must be a mapping, such as {rule: range, minimum: 0}")
    return value


def problems_of_sense(contract: Contract) -> Iterator[Finding]:
    """Every contradiction, with its path."""
    yield from _twice([table.name for table in contract.schema], ("schema",), "table")
    for index, table in enumerate(contract.schema):
        yield from _of_table(table, ("schema", index))


def _of_table(table: SchemaObject, path: Path) -> Iterator[Finding]:
    yield from _twice([column.name for column in table.properties], (*path, "properties"), "property")
    for index, column in enumerate(table.properties):
        yield from _of_property(column, (*path, "properties", index))
    for index, rule in enumerate(table.quality or []):
        yield from _of_rule(rule, (*path, "quality", index))
    for index, link in enumerate(table.relationships or []):
        yield from _of_relationship(link, (*path, "relationships", index), needs_from=True)


def _of_property(column: Property, path: Path) -> Iterator[Finding]:
    options = column.logical_type_options
    if options:
        yield from _of_pattern(options.pattern, (*path, "logicalTypeOptions", "pattern"))
    for index, rule in enumerate(column.quality or []):
        yield from _of_rule(rule, (*path, "quality", index))
    for index, link in enumerate(column.relationships or []):
        yield from _of_relationship(link, (*path, "relationships", index), needs_from=False)
    for index, member in enumerate(column.properties or []):
        yield from _of_property(member, (*path, "properties", index))


def _of_rule(rule: Quality, path: Path) -> Iterator[Finding]:
    given = rule.operators()
    if len(given) > 1:
        yield path, f"a rule has one operator, and this has {len(given)}: {', '.join(given)}"
    for name in ("must_be_between", "must_not_be_between"):
        bounds = given.get(name)
        if bounds and bounds[0] > bounds[1]:
            yield path, f"the lower bound {bounds[0]:g} is above the upper bound {bounds[1]:g}"
    if rule.kind == "library":
        yield from _of_library(rule, path)
    elif rule.kind == "sql":
        if rule.query is None:
            yield path, "a rule of type sql needs a 'query'"
    elif rule.kind == "custom":
        if rule.engine is None or rule.implementation is None:
            yield path, "a rule of type custom needs an 'engine' and an 'implementation'"
        elif rule.engine == ENGINE:
            try:
                implementation_of(rule)
            except Unreadable as error:
                yield (*path, "implementation"), error.message


def _of_library(rule: Quality, path: Path) -> Iterator[Finding]:
    metric = metric_of(rule)
    arguments = rule.arguments or {}
    if metric not in METRICS:
        yield path, f"the metric {metric!r} is not known. {did_you_mean(metric, METRICS)}"
    elif metric == "invalidValues" and not (arguments.keys() & {"validValues", "pattern"} or rule.valid_values):
        yield path, "the metric invalidValues needs 'arguments' with 'validValues' or 'pattern'"
    elif metric == "missingValues" and not isinstance(arguments.get("missingValues"), list):
        yield path, "the metric missingValues needs 'arguments' with the list 'missingValues'"
    yield from _of_pattern(arguments.get("pattern"), (*path, "arguments", "pattern"))


def _of_pattern(pattern: Any, path: Path) -> Iterator[Finding]:
    if pattern is None:
        return
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        yield path, f"{pattern!r} is no regular expression: {error}"


def _of_relationship(link: Relationship, path: Path, *, needs_from: bool) -> Iterator[Finding]:
    targets = link.to if isinstance(link.to, list) else [link.to]
    sources = link.from_ if isinstance(link.from_, list) else [link.from_] if link.from_ else []
    for name, references in (("to", targets), ("from", sources)):
        for target in references:
            if not _SHORT.fullmatch(target) and not _FULL.fullmatch(target):
                yield (*path, name), f"{target!r} must be written dataset.column"
    if needs_from and len(sources) != len(targets):
        yield path, "a relationship of a table needs as many columns in 'from' as in 'to'"


def _twice(names: list[str], path: Path, noun: str) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield (*path, index), f"the {noun} {name!r} comes twice"
        seen.add(name)
