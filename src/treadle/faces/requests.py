"""A request, read: fields become the typed request of a verb, once, at the border, for every face alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from treadle.ground.errors import InvalidInput, NotFound, did_you_mean
from treadle.kernel.governance import Verb


class VerbNotFound(NotFound):
    """There is no such verb."""

    code = "verbs.not_found"


class RequestInvalid(InvalidInput):
    """The request of a verb lacks a field, has one too many, or one of another type."""

    code = "verbs.request_invalid"


def from_fields(verb: Verb, fields: Mapping[str, object], *, strict: bool = True) -> Any:
    """The request made of named fields; None for a verb that takes none. Raises RequestInvalid.

    strict: False for fields that come as text (a query), where `"3"` is a number for a field that wants one.
    """
    kind = verb.request_type()
    _refuse_unknown(verb, kind, fields)
    if kind is None:
        return None
    try:
        return msgspec.convert(msgspec.to_builtins(dict(fields)), kind, strict=strict)
    except (msgspec.ValidationError, TypeError) as error:
        raise _invalid(verb, str(error)) from error


def from_json(verb: Verb, body: bytes) -> Any:
    """The request made of a JSON body; an empty body is `{}`. Raises RequestInvalid."""
    try:
        fields = msgspec.json.decode(body or b"{}")
    except msgspec.DecodeError as error:
        raise _invalid(verb, f"The body is not valid JSON: {error}") from error
    if not isinstance(fields, dict):
        raise _invalid(verb, "The body must be a JSON object.")
    return from_fields(verb, fields)


def from_query(verb: Verb, query: Mapping[str, list[str]]) -> Any:
    """The request made of query parameters; a name that is repeated is a list. Raises RequestInvalid."""
    kind = verb.request_type()
    hints = get_type_hints(kind) if kind is not None else {}
    fields: dict[str, object] = {}
    for name, values in query.items():
        if _takes_list(hints.get(name)):
            fields[name] = values
        elif len(values) > 1:
            raise _invalid(verb, f"The field {name!r} is given {len(values)} times and takes one value.")
        else:
            fields[name] = values[0]
    return from_fields(verb, fields, strict=False)


def field_names(kind: type[Any]) -> list[str]:
    """The names of a request's fields."""
    return list(get_type_hints(kind))


def _takes_list(hint: Any) -> bool:
    return get_origin(hint) is list or any(get_origin(part) is list for part in get_args(hint))


def _refuse_unknown(verb: Verb, kind: type[Any] | None, fields: Mapping[str, object]) -> None:
    known = field_names(kind) if kind is not None else []
    for name in fields:
        if name not in known:
            raise _invalid(verb, f"There is no field {name!r}. {did_you_mean(name, known)}".rstrip())


def _invalid(verb: Verb, why: str) -> RequestInvalid:
    return RequestInvalid(
        f"The request of {verb.name} cannot be used.",
        why=why,
        fix=f"Its fields are listed in docs/reference/verbs.md under {verb.name}.",
        verb=verb.name,
    )
