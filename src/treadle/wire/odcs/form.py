"""What the standard's own schema asks of a document's form, beyond the types of single fields.

Which fields belong to which kind of rule or type, where nothing (null) may stand, which fields every document has. Asked of
the plain values, since the records no longer tell what was left out from what is the default. A test compares the whole
codec with the official schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from treadle.wire.odcs.positions import Path
from treadle.wire.odcs.servers import problems_of_server

Finding = tuple[Path, str]

_MAY_BE_NULL = {"value", "valueExt", "mustBe", "mustNotBe"}
_FREE_INSIDE = {"arguments", "implementation", "examples", "servers", "valueExt"}

_OF_DESCRIPTION = {"usage", "purpose", "limitations", "authoritativeDefinitions", "customProperties"}

_OPERATORS = {
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo",
    "mustBeBetween", "mustNotBeBetween",
}  # fmt: skip

_OF_KIND = {
    "library": {"metric", "rule", "arguments"} | _OPERATORS,
    "sql": {"query"} | _OPERATORS,
    "custom": {"engine", "implementation"},
    "text": set[str](),
}
_NEW = "v3.2.0"
_OLD = ("v3.0.0", "v3.0.1", "v3.0.2")

_TIMES = {"format", "exclusiveMaximum", "maximum", "exclusiveMinimum", "minimum"}
_NUMBERS = _TIMES | {"multipleOf"}
_OPTIONS = {
    "string": {"minLength", "maxLength", "pattern", "format"},
    "date": _TIMES,
    "timestamp": _TIMES | {"timezone", "defaultTimezone"},
    "time": _TIMES | {"timezone", "defaultTimezone"},
    "integer": _NUMBERS,
    "number": _NUMBERS,
    "object": {"maxProperties", "minProperties", "required"},
    "array": {"maxItems", "minItems", "uniqueItems"},
    "vector": {"dimensions", "elementType", "distanceMetric", "embeddingModel", "embeddingModelVersion", "normalized"},
}
_FORMATS = {
    "integer": {"i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128"},
    "number": {"f32", "f64"},
}
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
_NESTED = {"items": "array", "map": "map"}


def problems_of_form(document: Any) -> Iterator[Finding]:
    """Every deviation, with its path; parts of another type than they should be are left to the types."""
    if not isinstance(document, Mapping):
        return
    for name in ("apiVersion", "kind"):
        if name not in document:
            yield (), f"{name!r} is missing"
    version = str(document.get("apiVersion"))
    if "status" not in document and version != _NEW:
        yield (), "'status' is missing"
    yield from _nulls(document, ())
    for index, server in _members(document.get("servers")):
        yield from problems_of_server(server, ("servers", index))
    for index, table in _members(document.get("schema")):
        path: Path = ("schema", index)
        for at, rule in _members(table.get("quality")):
            yield from _of_rule(rule, (*path, "quality", at), version)
        for at, column in _members(table.get("properties")):
            yield from _of_property(column, (*path, "properties", at), version)
        for at, link in _members(table.get("relationships")):
            if isinstance(link.get("from"), str) != isinstance(link.get("to"), str):
                yield (*path, "relationships", at), "'from' and 'to' are both text, or both lists"


def _nulls(value: Any, path: Path) -> Iterator[Finding]:
    inner: Iterator[tuple[str | int, Any]]
    if isinstance(value, Mapping):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    else:
        return
    for key, item in inner:
        if key in _MAY_BE_NULL and path[-1:] != ("map",):
            continue
        if path == ("description",) and key not in _OF_DESCRIPTION:
            continue  # the types say that such a field is not known
        if item is None:
            yield (*path, key), "is empty; leave the line out, or give a value"
        elif key in _FREE_INSIDE:
            continue
        else:
            yield from _nulls(item, (*path, key))


def _of_property(column: Mapping[str, Any], path: Path, version: str) -> Iterator[Finding]:
    logical = column.get("logicalType")
    if logical is None and "logicalType" not in column and version == _NEW:
        yield path, "'logicalType' is missing; documents of v3.2.0 name one for every property"
    options = column.get("logicalTypeOptions")
    if isinstance(options, Mapping) and isinstance(logical, str):
        yield from _of_options(options, logical, (*path, "logicalTypeOptions"), version)
    if logical == "map" and "map" not in column:
        yield path, "a property of type map needs a 'map' of key and value"
    for name, wanted in _NESTED.items():
        if name in column and logical != wanted:
            yield (*path, name), f"{name!r} belongs to properties of type {wanted}"
    if "properties" in column and logical != "object" and path[-1] != "items":
        yield (*path, "properties"), "'properties' belong to properties of type object"
    values = column.get("enum")
    if isinstance(values, list) and len({repr(_plain(one)) for one in values}) != len(values):
        yield (*path, "enum"), "a value comes twice"
    for at, rule in _members(column.get("quality")):
        yield from _of_rule(rule, (*path, "quality", at), version)
    for at, link in _members(column.get("relationships")):
        if "from" in link:
            yield (*path, "relationships", at, "from"), "'from' belongs to relationships of a table"
    for at, inner in _members(column.get("properties")):
        yield from _of_property(inner, (*path, "properties", at), version)
    for name, inner in (("items", column.get("items")), *_pair(column.get("map"))):
        if isinstance(inner, Mapping):
            steps: Path = ("items",) if name == "items" else ("map", name)
            yield from _of_property(inner, (*path, *steps), version)


def _of_options(options: Mapping[str, Any], logical: str, path: Path, version: str) -> Iterator[Finding]:
    possible = _OPTIONS.get(logical)
    for name in options:
        if possible is not None and name not in possible:
            yield (
                (*path, name),
                f"{name!r} is no option of the type {logical}; its options are: {', '.join(sorted(possible))}",
            )
    is_number = logical in _FORMATS
    for name in _BOUNDS:
        bound = options.get(name)
        if bound is None or (isinstance(bound, bool) and name.startswith("exclusive") and version != _NEW):
            continue
        if logical in _OPTIONS and isinstance(
            bound, bool | (str if is_number else int) | (str if is_number else float)
        ):
            yield (*path, name), f"a bound of the type {logical} is {'a number' if is_number else 'text, in quotes'}"
    if is_number and isinstance(options.get("format"), str) and options["format"] not in _FORMATS[logical]:
        yield (*path, "format"), f"the format of the type {logical} is one of {', '.join(sorted(_FORMATS[logical]))}"
    if logical == "vector" and "dimensions" not in options:
        yield path, "the options of a vector need its 'dimensions'"
    required = options.get("required")
    if isinstance(required, list) and (not required or len(set(map(str, required))) != len(required)):
        yield (*path, "required"), "names at least one member, and none of them twice"


def _of_rule(rule: Mapping[str, Any], path: Path, version: str) -> Iterator[Finding]:
    given = _OPERATORS & rule.keys()
    kind = rule.get("type") or ("library" if "metric" in rule or (version in _OLD and "rule" in rule) else "text")
    if not isinstance(kind, str) or kind not in _OF_KIND:
        return
    others = {name for names in _OF_KIND.values() for name in names} - _OF_KIND[kind]
    for name in sorted(others & rule.keys()):
        owners = [other for other, names in _OF_KIND.items() if name in names]
        yield (*path, name), f"{name!r} belongs to rules of type {' or '.join(owners)}, and this one is of type {kind}"
    if kind == "library":
        if "metric" not in rule and version not in _OLD:
            yield path, "a rule of type library needs a 'metric'"
        if "validValues" in rule and version not in _OLD:
            yield (*path, "validValues"), "'validValues' stand in 'arguments'"
    elif "validValues" in rule:
        yield (*path, "validValues"), "'validValues' belong to rules of type library"
    if len(given) > 1 and any(rule[name] is None for name in given):
        yield path, f"a rule has one operator, and this one has {' and '.join(sorted(given))}"
    if kind in ("library", "sql") and not given:
        yield path, f"a rule of type {kind} needs an operator, such as mustBe: 0"
    for name in ("mustBeBetween", "mustNotBeBetween"):
        bounds = rule.get(name)
        if isinstance(bounds, list) and len(bounds) == 2 and bounds[0] == bounds[1]:
            yield (*path, name), "the two bounds are equal; write mustBe"


def _plain(value: Any) -> Any:
    """Numbers that are equal written alike, as JSON compares them."""
    if isinstance(value, Mapping):
        return {name: _plain(value[name]) for name in sorted(value)}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _members(value: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        if isinstance(item, Mapping):
            yield index, item


def _pair(value: Any) -> list[tuple[str, Any]]:
    return [(name, value.get(name)) for name in ("key", "value")] if isinstance(value, Mapping) else []
