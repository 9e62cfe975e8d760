"""What lies between two contracts, by what it means: who is broken by a change, and which version the new one should have.

A reader relies on what the contract promises of rows; a writer on what it lets through. So a promise that gets weaker
breaks readers (a value may be missing now, a new one may come), one that gets stronger breaks writers (rows that were good
are refused now), and another type or name breaks both. Rules that only warn break nobody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

import msgspec

from treadle.systems.prepare.facts import SEVERITIES, unit_s
from treadle.wire.odcs import Contract, Property, Quality, SchemaObject, metric_of

Breaks = Literal["both", "readers", "writers", "nobody"]
Bump = Literal["major", "minor", "patch", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `place` is where: the table, the column, the rule; `breaks` is whom, and `what` says it in words."""

    place: str
    what: str
    breaks: Breaks
    because: str = ""
    is_text: bool = False
    """Whether only words for people changed, and nothing that is asked of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All differences, those that break somebody first, and the version that the new contract should have at least."""

    before_version: str
    after_version: str
    changes: Sequence[Change]
    bump: Bump
    wanted_version: str
    is_version_enough: bool


def compare(before: Contract, after: Contract) -> Comparison:
    """The differences between two contracts, semantically: order and layout are none."""
    changes = sorted(_changes(before, after), key=lambda change: _ORDER[change.breaks])
    bump = _bump(changes)
    wanted = _raised(before.version, bump)
    return Comparison(
        before_version=before.version,
        after_version=after.version,
        changes=changes,
        bump=bump,
        wanted_version=wanted,
        is_version_enough=_parts(after.version) >= _parts(wanted),
    )


_ORDER: Mapping[Breaks, int] = {"both": 0, "readers": 1, "writers": 2, "nobody": 3}
_WIDER = {("integer", "number"), ("date", "timestamp")}
_WORDS = ("description", "purpose", "usage", "limitations")


def _changes(before: Contract, after: Contract) -> Iterator[Change]:
    old, new = ({table.name: table for table in one.schema} for one in (before, after))
    for name in old.keys() - new.keys():
        yield Change(place=name, what="the table is gone", breaks="readers", because="what reads it finds nothing")
    for name in new.keys() - old.keys():
        yield Change(place=name, what="a table is new", breaks="nobody")
    for name in sorted(old.keys() & new.keys()):
        yield from _of_table(old[name], new[name])
    yield from _of_service_levels(before, after)
    for name in ("status", "name", "domain", "data_product", "team", "support", "description", "roles", "price"):
        if getattr(before, name) != getattr(after, name):
            yield Change(place=name, what="was changed", breaks="nobody", is_text=True)


def _of_table(old: SchemaObject, new: SchemaObject) -> Iterator[Change]:
    place = new.name
    before, after = ({one.name: one for one in table.properties} for table in (old, new))
    gone, come = [n for n in before if n not in after], [n for n in after if n not in before]
    for left, right in _renamed([before[n] for n in gone], [after[n] for n in come]):
        gone.remove(left.name)
        come.remove(right.name)
        yield Change(
            place=f"{place}.{left.name}", what=f"seems to be called {right.name} now", breaks="both",
            because="readers ask for the old name, and writers bring it",
        )  # fmt: skip
        yield from _of_property(left, right, f"{place}.{right.name}")
    for name in gone:
        yield Change(place=f"{place}.{name}", what="is gone", breaks="readers", because="what reads it finds nothing")
    for name in come:
        needed = after[name].required or after[name].primary_key
        yield Change(
            place=f"{place}.{name}", what="is new, and required" if needed else "is new, and may be missing",
            breaks="writers" if needed else "nobody", because="rows without it are refused" if needed else "",
        )  # fmt: skip
    for name in before:
        if name in after:
            yield from _of_property(before[name], after[name], f"{place}.{name}")
    keys = [[p.name for p in one.properties if p.primary_key] for one in (old, new)]
    if keys[0] != keys[1]:
        said = [", ".join(names) or "none" for names in keys]
        yield Change(
            place=place, what=f"the key was {said[0]} and is {said[1]}", breaks="both",
            because="readers join by it, and rows that were different may be the same now",
        )  # fmt: skip
    yield from _of_rules(old.quality or [], new.quality or [], place)
    if (old.relationships or []) != (new.relationships or []):
        yield Change(place=place, what="its relationships changed", breaks="nobody")
    yield from _of_words(old, new, place)


def _of_property(old: Property, new: Property, place: str) -> Iterator[Change]:
    if old.logical_type != new.logical_type:
        yield _of_type(old.logical_type, new.logical_type, place)
    for name, gained, lost in (
        ("required", "must have a value now", "may be missing now"),
        ("unique", "must be different in every row now", "may repeat now"),
    ):
        if getattr(old, name) and not getattr(new, name):
            yield Change(place=place, what=lost, breaks="readers", because=f"readers rely on {name}")
        elif getattr(new, name) and not getattr(old, name):
            yield Change(place=place, what=gained, breaks="writers", because="rows that were good are refused")
    yield from _of_bounds(old, new, place)
    yield from _of_sets(_allowed(old), _allowed(new), place)
    yield from _of_rules(_without_sets(old), _without_sets(new), place)
    if old.relationships != new.relationships:
        yield Change(place=place, what="what it refers to changed", breaks="nobody")
    units = [_custom(one, "unit") for one in (old, new)]
    if units[0] is None and units[1] is not None:
        yield Change(place=place, what=f"its unit is said now: {units[1]}", breaks="nobody", is_text=True)
    elif units[1] is None and units[0] is not None:
        yield Change(
            place=place, what=f"its unit was {units[0]} and is not said any more", breaks="readers",
            because="nobody can tell what the number means",
        )  # fmt: skip
    elif units[0] != units[1]:
        yield Change(
            place=place, what=f"its unit was {units[0]} and is {units[1]}", breaks="both",
            because="the same number means something else",
        )  # fmt: skip
    inner = [{one.name: one for one in prop.properties or []} for prop in (old, new)]
    for name in inner[0].keys() | inner[1].keys():
        if name not in inner[1]:
            yield Change(place=f"{place}.{name}", what="is gone", breaks="readers")
        elif name in inner[0]:
            yield from _of_property(inner[0][name], inner[1][name], f"{place}.{name}")
        else:
            needed = inner[1][name].required
            yield Change(place=f"{place}.{name}", what="is new", breaks="writers" if needed else "nobody")
    if old.items and new.items:
        yield from _of_property(old.items, new.items, f"{place}[]")
    if new.deprecated and not old.deprecated:
        yield Change(place=place, what="is deprecated now", breaks="nobody")
    yield from _of_words(old, new, place)


def _of_type(old: str | None, new: str | None, place: str) -> Change:
    said = f"its type was {old or 'not said'} and is {new or 'not said'}"
    if old is None:
        return Change(place=place, what=said, breaks="writers", because="values of another type are refused")
    if new is None or (old, new) in _WIDER:
        return Change(place=place, what=said, breaks="readers", because="values may come that did not before")
    if (new, old) in _WIDER:
        return Change(place=place, what=said, breaks="writers", because="values that were good are refused")
    return Change(place=place, what=said, breaks="both", because="neither side knows the other's values")


def _of_bounds(old: Property, new: Property, place: str) -> Iterator[Change]:
    left, right = _intervals(old), _intervals(new)
    for name, noun in (("value", "range"), ("length", "length"), ("items", "number of items")):
        before, after = left[name], right[name]
        if before == after:
            continue
        said = f"its {noun} was {_shown(before)} and is {_shown(after)}"
        looser, tighter = _beyond(after, before), _beyond(before, after)
        yield _weaker_or_stronger(place, said, looser=looser, tighter=tighter)
    options = [one.logical_type_options for one in (old, new)]
    for name in ("pattern", "format", "multiple_of", "unique_items"):
        values = [getattr(one, name, None) for one in options]
        if values[0] != values[1]:
            said = f"its {name} was {values[0] or 'free'} and is {values[1] or 'free'}"
            yield _weaker_or_stronger(place, said, looser=values[0] is not None, tighter=values[1] is not None)


def _of_sets(old: set[Any] | None, new: set[Any] | None, place: str) -> Iterator[Change]:
    if old == new:
        return
    if old is None or new is None:
        said = "its values are from a set now" if old is None else "its values are from no set any more"
        yield _weaker_or_stronger(place, said, looser=new is None, tighter=old is None)
        return
    gone, come = sorted(map(str, old - new)), sorted(map(str, new - old))
    parts = [f"{', '.join(gone)} may not come any more"] if gone else []
    parts += [f"{', '.join(come)} may come too"] if come else []
    yield _weaker_or_stronger(place, "of its values " + ", and ".join(parts), looser=bool(come), tighter=bool(gone))


def _of_rules(old: Sequence[Quality], new: Sequence[Quality], place: str) -> Iterator[Change]:
    before, after = _by_name(old), _by_name(new)
    for name in before.keys() - after.keys():
        grave = _is_grave(before[name])
        because = "what it kept out may come now" if grave else ""
        yield Change(
            place=f"{place}: {name}", what="the rule is gone", breaks="readers" if grave else "nobody", because=because
        )
    for name in after.keys() - before.keys():
        grave = _is_grave(after[name])
        because = "rows that were good may fail now" if grave else ""
        yield Change(
            place=f"{place}: {name}", what="a rule is new", breaks="writers" if grave else "nobody", because=because
        )
    for name in before:
        if name in after and before[name] != after[name]:
            yield _of_rule(before[name], after[name], f"{place}: {name}")


def _of_rule(old: Quality, new: Quality, place: str) -> Change:
    if _meaning(old) == _meaning(new):
        return Change(place=place, what="its words changed", breaks="nobody", is_text=True)
    was, now = _is_grave(old), _is_grave(new)
    if not was and not now:
        return Change(place=place, what="the rule changed, and only warns", breaks="nobody")
    if was != now:
        return _weaker_or_stronger(
            place,
            f"its severity was {old.severity or 'error'} and is {new.severity or 'error'}",
            looser=was,
            tighter=now,
        )
    left, right = (_meaning(one) - {("operator", _operator(one))} for one in (old, new))
    if left == right:
        before, after = _accepted(old), _accepted(new)
        said = f"it accepted {_shown(before)} and accepts {_shown(after)}"
        return _weaker_or_stronger(place, said, looser=_beyond(after, before), tighter=_beyond(before, after))
    return _weaker_or_stronger(place, "the rule asks something else", looser=True, tighter=True)


def _of_service_levels(before: Contract, after: Contract) -> Iterator[Change]:
    old, new = ({(one.property, one.element): one for one in each.sla_properties or []} for each in (before, after))
    for key in old.keys() | new.keys():
        place = " ".join(filter(None, ("service level", key[0], key[1])))
        left, right = old.get(key), new.get(key)
        if right is None:
            yield Change(place=place, what="is promised no more", breaks="readers")
        elif left is None:
            yield Change(place=place, what="is promised now", breaks="nobody")
        elif (left.value, left.unit) != (right.value, right.unit):
            said = f"was {left.value} {left.unit or ''} and is {right.value} {right.unit or ''}".replace("  ", " ")
            more = _amount(right.value, right.unit) > _amount(left.value, left.unit)
            longer_is_better = key[0].lower() in ("retention", "availability", "throughput", "re")
            yield Change(place=place, what=said.strip(), breaks="nobody" if more == longer_is_better else "readers")


def _of_words(old: Any, new: Any, place: str) -> Iterator[Change]:
    names = ("description", "business_name", "tags", "classification", "examples", "custom_properties")
    changed = [name for name in names if getattr(old, name, None) != getattr(new, name, None)]
    if changed and not (changed == ["custom_properties"] and _custom(old, "unit") != _custom(new, "unit")):
        said = ", ".join(changed).replace("_", " ")
        yield Change(place=place, what=f"its {said} changed", breaks="nobody", is_text=True)


def _renamed(gone: Sequence[Property], come: Sequence[Property]) -> Iterator[tuple[Property, Property]]:
    """Columns that are probably the same under another name: of one type, and alike in name or in all they say."""
    free = list(come)
    for old in gone:
        likely = sorted(free, key=lambda new: -_likeness(old, new))
        if likely and _likeness(old, likely[0]) >= 0.6:
            yield old, likely[0]
            free.remove(likely[0])


def _likeness(old: Property, new: Property) -> float:
    if old.logical_type != new.logical_type:
        return 0.0
    if old.physical_name and old.physical_name == new.physical_name:
        return 1.0
    if old.description and old.description == new.description:
        return 0.9
    return SequenceMatcher(None, old.name.lower(), new.name.lower()).ratio()


def _weaker_or_stronger(place: str, said: str, *, looser: bool, tighter: bool) -> Change:
    if looser and tighter:
        return Change(place=place, what=said, breaks="both", because="some values are new, and others are refused")
    if looser:
        return Change(place=place, what=said, breaks="readers", because="values may come that did not before")
    if tighter:
        return Change(place=place, what=said, breaks="writers", because="rows that were good are refused")
    return Change(place=place, what=said, breaks="nobody")


Interval = tuple[Any, bool, Any, bool]
"""From (and whether strictly above), to (and whether strictly below); None is no bound."""


def _intervals(column: Property) -> dict[str, Interval]:
    options = column.logical_type_options

    def get(name: str) -> Any:
        return getattr(options, name, None)

    low, strict_low = _bound(get("minimum"), get("exclusive_minimum"), greatest=True)
    high, strict_high = _bound(get("maximum"), get("exclusive_maximum"), greatest=False)
    return {
        "value": (low, strict_low, high, strict_high),
        "length": (get("min_length"), False, get("max_length"), False),
        "items": (get("min_items"), False, get("max_items"), False),
    }


def _bound(bound: Any, strict: Any, *, greatest: bool) -> tuple[Any, bool]:
    if isinstance(strict, bool) or strict is None:
        return bound, bool(strict) and bound is not None
    if bound is None or bound == strict or (strict > bound) == greatest:
        return strict, True
    return bound, False


def _beyond(one: Interval, other: Interval) -> bool:
    """Whether the first interval reaches where the second does not."""
    below = other[0] is not None and (one[0] is None or one[0] < other[0] or (one[0] == other[0] and other[1] > one[1]))
    above = other[2] is not None and (one[2] is None or one[2] > other[2] or (one[2] == other[2] and other[3] > one[3]))
    return below or above


def _accepted(rule: Quality) -> Interval:
    """The figures that an operator accepts, as an interval; what is none accepts only itself."""
    operators: dict[str, Any] = rule.operators()
    [(name, value), *_] = operators.items() or [("must_be", 0)]
    return {
        "must_be_greater_than": (value, True, None, False),
        "must_be_greater_or_equal_to": (value, False, None, False),
        "must_be_less_than": (None, False, value, True),
        "must_be_less_or_equal_to": (None, False, value, False),
        "must_be_between": (value[0], False, value[1], False) if isinstance(value, list | tuple) else (),
    }.get(name) or (value, False, value, False)


def _allowed(column: Property) -> set[Any] | None:
    """The values that a column may have, where it says so gravely; None for all."""
    found = [{one.value for one in column.enum}] if column.enum else []
    for rule in column.quality or []:
        values = (rule.arguments or {}).get("validValues", rule.valid_values)
        if _is_set(rule) and isinstance(values, list):
            found.append({str(value) if isinstance(value, list | dict) else value for value in values})
    return set.intersection(*found) if found else None


def _is_set(rule: Quality) -> bool:
    arguments = rule.arguments or {}
    is_all = rule.kind == "library" and metric_of(rule) == "invalidValues" and not arguments.get("pattern")
    return is_all and _is_grave(rule) and rule.operators() == {"must_be": 0} and "when" not in arguments


def _without_sets(column: Property) -> list[Quality]:
    return [rule for rule in column.quality or [] if not _is_set(rule)]


def _by_name(rules: Sequence[Quality]) -> dict[str, Quality]:
    found: dict[str, Quality] = {}
    for rule in rules:
        how = rule.implementation.get("rule") if isinstance(rule.implementation, dict) else rule.implementation
        name = rule.id or rule.name or metric_of(rule) or str(how or rule.query or rule.description or rule.kind)
        while name in found:
            name += "'"
        found[name] = rule
    return found


_ASKED = ("metric", "rule", "arguments", "query", "engine", "implementation", "unit", "valid_values")


def _meaning(rule: Quality) -> set[tuple[str, str]]:
    """What a rule asks, without the words for people."""
    said = {name: msgspec.json.encode(getattr(rule, name), order="deterministic").decode() for name in _ASKED}
    said |= {"kind": rule.kind, "severity": SEVERITIES.get((rule.severity or "error").lower(), "error")}
    return {*said.items(), ("operator", _operator(rule))}


def _operator(rule: Quality) -> str:
    return repr(sorted(rule.operators().items()))


def _is_grave(rule: Quality) -> bool:
    return rule.kind != "text" and SEVERITIES.get((rule.severity or "error").lower(), "error") == "error"


def _custom(one: Any, name: str) -> Any:
    return next((found.value for found in one.custom_properties or [] if found.property == name), None)


def _shown(interval: Interval) -> str:
    low, strict_low, high, strict_high = interval
    if low is None and high is None:
        return "free"
    if low == high:
        return str(low)
    parts = [f"{'above' if strict_low else 'from'} {low}"] if low is not None else []
    parts += [f"{'below' if strict_high else 'to'} {high}"] if high is not None else []
    return " ".join(parts)


def _amount(value: Any, unit: str | None) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.nan
    return number * (unit_s(unit) or 1) if unit else number


def _bump(changes: Sequence[Change]) -> Bump:
    if any(change.breaks != "nobody" for change in changes):
        return "major"
    if any(not change.is_text for change in changes):
        return "minor"
    return "patch" if changes else "none"


def _parts(version: str) -> tuple[int, ...]:
    numbers = [int(found) for found in re.findall(r"\d+", version)[:3]]
    return tuple([*numbers, 0, 0, 0][:3])


def _raised(version: str, bump: Bump) -> str:
    major, minor, patch = _parts(version)
    if bump == "major" and major == 0:
        bump = "minor"  # before 1.0 nothing is promised yet, and a minor step may break
    raised = {"major": (major + 1, 0, 0), "minor": (major, minor + 1, 0), "patch": (major, minor, patch + 1)}
    return ".".join(map(str, raised.get(bump, (major, minor, patch))))
