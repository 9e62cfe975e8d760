"""What a contract could say better: not wrong, but hard to live with. Each hint has a code, a place and a reason."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from treadle.systems.prepare.drafting import PROSE
from treadle.systems.prepare.facts import SEVERITIES
from treadle.wire.odcs import ENGINE, Contract, Property, Quality, SchemaObject, implementation_of

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_PLACEHOLDERS = re.compile(r"^(todo\b.*|tbd\b.*|\.\.\.|fixme\b.*)$", re.IGNORECASE)
_ASKED_BY_CHECK = "asked of whole snapshots by `treadle contracts check`, and not where rows land; check after a landing or on a schedule."
_SCHEDULE = (
    "A contract's schedule starts nothing here: rules are asked where rows land and by `treadle contracts check`, which "
    "cron or a pipeline with a schedule can run. Take it out."
)
_SEMVER = re.compile(r"^\d+\.\d+\.\d+([-+].+)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """One thing to make better."""

    code: str
    place: str
    said: str
    is_note: bool = False
    """Whether nothing has to be made better: it only should be known."""


def lint(contract: Contract) -> list[Hint]:
    """The hints, in the contract's order."""
    return [*_of_whole(contract), *(hint for table in contract.schema for hint in _of_table(table))]


def _of_whole(contract: Contract) -> Iterator[Hint]:
    if not _SEMVER.match(contract.version):
        yield Hint(
            code="version",
            place="version",
            said="Three numbers, as in 1.2.0, let `contracts diff` say which step a change needs.",
        )
    if not contract.members():
        yield Hint(code="owner", place="team", said="Nobody answers for this data: incidents have no one to go to.")
    if not contract.support:
        yield Hint(code="support", place="support", said="Say where readers ask: a channel, a mailbox.")
    said = contract.description
    for name in ("purpose", "limitations", "usage"):
        text = getattr(said, name, None) if said else None
        if not text or _PLACEHOLDERS.match(text.strip()) or text.strip() == PROSE[name]:
            yield Hint(code="prose", place=f"description.{name}", said=PROSE[name])
    if not contract.sla_properties:
        yield Hint(
            code="service_level",
            place="slaProperties",
            said="How fresh is it, how long is it kept, how often does it come?",
        )
    for level in contract.sla_properties or []:
        if level.property.lower() in ("freshness", "fy"):
            yield Hint(code="when_asked", place="slaProperties.freshness", said=_ASKED_BY_CHECK, is_note=True)
        if level.schedule:
            yield Hint(code="schedule", place=f"slaProperties.{level.property}", said=_SCHEDULE)
    if not contract.schema:
        yield Hint(code="empty", place="schema", said="No table is described: nothing is asked of any row.")


def _of_table(table: SchemaObject) -> Iterator[Hint]:
    place = table.name
    if table.properties and not any(column.primary_key for column in table.properties):
        yield Hint(code="key", place=place, said="Nothing identifies a row: repetitions go unseen.")
    if not table.data_granularity_description:
        yield Hint(code="granularity", place=place, said="Say what one row is: dataGranularityDescription.")
    for column in table.properties:
        yield from _of_property(column, f"{place}.{column.name}")
    for index, rule in enumerate(table.quality or []):
        yield from _of_rule(rule, f"{place}.quality[{index}]")
    yield from _of_when(table)


def _of_property(column: Property, place: str) -> Iterator[Hint]:
    if not _NAME.match(column.name):
        yield Hint(code="name", place=place, said="Lower case with underscores needs no quotes anywhere.")
    if column.logical_type is None:
        yield Hint(
            code="type",
            place=place,
            said="No logicalType: values of any type pass, and v3.2 of the standard asks for one.",
        )
    if not column.description:
        yield Hint(code="description", place=place, said="No description: readers will guess.")
    if column.logical_type == "number" and not any(one.property == "unit" for one in column.custom_properties or []):
        yield Hint(
            code="unit", place=place, said="A number without a unit: customProperties: [{property: unit, value: km}]."
        )
    if column.required and any(rule.metric == "nullValues" for rule in column.quality or []):
        yield Hint(code="twice", place=place, said="required and a rule of nullValues ask the same twice.")
    if column.unique and column.primary_key:
        yield Hint(code="twice", place=place, said="A primary key is unique already.")
    for index, rule in enumerate(column.quality or []):
        yield from _of_rule(rule, f"{place}.quality[{index}]")


def _of_rule(rule: Quality, place: str) -> Iterator[Hint]:
    if rule.kind == "text":
        return
    if not (rule.id or rule.name):
        yield Hint(
            code="rule_name",
            place=place,
            said="A rule without id or name is called by its place; incidents lose it when it moves.",
        )
    if not rule.description:
        yield Hint(
            code="rule_description",
            place=place,
            said="Say in words what the rule is for: whoever mends a row reads it.",
        )
    if rule.severity is not None and rule.severity.lower() not in SEVERITIES:
        yield Hint(
            code="severity", place=place, said=f"The severity {rule.severity!r} is not known: error, warning or info."
        )
    if rule.schedule or rule.scheduler:
        yield Hint(code="schedule", place=place, said=_SCHEDULE)
    if rule.kind == "custom" and rule.engine not in ("treadle", "python"):
        yield Hint(code="engine", place=place, said=f"Rules of the engine {rule.engine!r} are kept and not asked here.")


def _of_when(table: SchemaObject) -> Iterator[Hint]:
    """The rules that a landing is not held against, in one line: they are about all rows and what was before."""
    below = [(rule, column.name) for column in table.properties for rule in column.quality or []]
    later = [
        rule.id or rule.name or f"{place}.{_kind_of(rule)}"
        for rule, place in [*((rule, "table") for rule in table.quality or []), *below]
        if _is_asked_later(rule)
    ]
    if later:
        yield Hint(code="when_asked", place=table.name, said=f"{', '.join(later)}: {_ASKED_BY_CHECK}", is_note=True)


def _kind_of(rule: Quality) -> str:
    return "sql" if rule.kind == "sql" else str(implementation_of(rule).get("rule"))


def _is_asked_later(rule: Quality) -> bool:
    if rule.kind == "sql":
        return True
    if rule.kind != "custom":
        return False
    if rule.engine == "python":
        named = rule.implementation
        return isinstance(named, dict) and bool({"minimum", "maximum"} & named.keys())
    return rule.engine == ENGINE and implementation_of(rule).get("rule") in ("volume", "distribution", "freshness")


def worth_failing(hints: Sequence[Hint]) -> bool:
    """Whether the hints are such that a reader or an incident would be left alone."""
    return any(hint.code in ("owner", "key", "empty", "severity") for hint in hints)
