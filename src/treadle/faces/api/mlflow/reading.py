"""Requests of the protocol, read: protobuf's JSON with the leniency that its clients count on.

A number may come as text, NaN and the infinities come as text, a field that nobody knows is ignored, null is a field that
was not given, and a name may be spelled `run_id` or `runId`. The usual body takes one pass of msgspec; only one that it
refuses is looked at again, so that leniency costs nothing where it is not needed.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from treadle.wire.mlflow.errors import ProtocolError, invalid, missing, wrong_type

S = TypeVar("S")

_MISSING = re.compile(r"missing required field `([^`]+)`(?: - at `\$\.?(.*)`)?")
_AT = re.compile(r" - at `\$\.?(.*)`$")
_SNAKE = re.compile(r"_([a-z0-9])")


_decoders: dict[Any, Callable[[bytes], Any]] = {}


def read_body(kind: type[S], body: bytes) -> S:
    """A JSON body as a struct; an empty one is `{}`. Raises ProtocolError."""
    try:
        decode = _decoders.get(kind) or _decoders.setdefault(kind, msgspec.json.Decoder(kind, strict=False).decode)
        return cast("S", decode(body or b"{}"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _read_leniently(kind, body)


def read_query(kind: type[S], query: Mapping[str, list[str]]) -> S:
    """Query parameters as a struct; a repeated name is a list where the field takes one. Raises ProtocolError."""
    fields: dict[str, Any] = {}
    struct: Any = kind
    for name, (takes_list, is_bool) in _shapes(struct).items():
        values = query.get(name)
        if not values:
            continue
        if is_bool and not takes_list:
            fields[name] = _truth(values[0])
        else:
            fields[name] = values if takes_list else values[0]
    return _converted(kind, fields)


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise invalid(f"Invalid boolean value: {text}, must be 'true' or 'false'.")
    return text.lower() == "true"


def _read_leniently(kind: type[S], body: bytes) -> S:
    try:
        fields = json.loads(body)  # unlike msgspec it takes a bare NaN
        if isinstance(fields, str):  # old clients encode twice
            fields = json.loads(fields)
    except ValueError:
        fields = {}
    if fields is None:
        fields = {}
    if not isinstance(fields, dict):
        raise ProtocolError("BAD_REQUEST", "The body must be a JSON object.")
    return _converted(kind, _fitted(fields, kind))


def _fitted(value: Any, hint: Any) -> Any:
    """A value with the names that the struct of its type has, and without nulls; what is no struct stays as it is."""
    parts = (hint, *get_args(hint))
    if isinstance(value, list):
        inner = next((get_args(part)[0] for part in parts if get_origin(part) is list), Any)
        return [_fitted(one, inner) for one in value]
    kind = next((part for part in parts if isinstance(part, type) and issubclass(part, msgspec.Struct)), None)
    if kind is None or not isinstance(value, dict):
        return value
    hints = get_type_hints(kind)
    fitted: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        camel = _SNAKE.sub(lambda match: match[1].upper(), name)
        if camel != name and camel in value and name in value:
            raise invalid(f"Request specifies both '{name}' and '{camel}'; provide only one of them.")
        given = value.get(name, value.get(camel))
        if given is not None:
            fitted[name] = _fitted(given, hints[field.name])
    return fitted


def _converted(kind: type[S], fields: dict[str, Any]) -> S:
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _explained(str(error), fields) from None


def _explained(text: str, fields: dict[str, Any]) -> ProtocolError:
    """msgspec's message in the words that clients of the protocol match on."""
    found = _MISSING.search(text)
    if found:
        return missing(".".join(part for part in (found[2], found[1]) if part))
    at = _AT.search(text)
    if at is None:
        return invalid(text)
    path, value = at[1], fields
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError):
            return invalid(text)
    return wrong_type(path, value)


@functools.cache
def _shapes(kind: Any) -> dict[str, tuple[bool, bool]]:
    """By field of a struct, as the query spells it: whether it takes a list, and whether it is a truth value."""
    hints = get_type_hints(kind)
    shapes: dict[str, tuple[bool, bool]] = {}
    for field in msgspec.structs.fields(kind):
        parts = {hints[field.name], *get_args(hints[field.name])}
        takes_list = any(get_origin(part) in (list, tuple) for part in parts)
        shapes[field.encode_name] = (takes_list, bool in parts)
    return shapes
