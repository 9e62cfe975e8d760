"""What a filter may name: the kinds of value that an entity has, their other spellings, and its attributes.

This half of an entity's description knows no SQL; `entities` adds where the values stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from treadle.systems.train.search.errors import SearchInvalid
from treadle.systems.train.search.syntax import Field, Sort

ATTRIBUTE = "attribute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of value beside attributes: metrics, parameters, tags, data sets, …

    keys: which keys there are, with their sorts; None when any key may come, all of one `sort`.
    aggregates: what else can be asked of a value, by the name of the function.
    is_mixed: values are texts or numbers, and what one is compared with says which.
    """

    sort: Sort = "text"
    keys: Mapping[str, Sort] | None = None
    has_order: bool = True
    aggregates: tuple[str, ...] = ()
    is_mixed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """attributes: the sorts of those in filters; orders: the names that an order may use (None: the same).

    spellings: a word before the dot -> the kind that it means. aliases: another name of an attribute -> its own.
    """

    noun: str
    attributes: Mapping[str, Sort]
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    orders: Mapping[str, Sort] | None = None

    def field_of(self, raw: str, *, in_order: bool = False) -> Field:
        """The field that a name means. Raises SearchInvalid for one that means none."""
        qualifier, dot, rest = raw.partition(".")
        kind = self._kind_of(qualifier) if dot else ATTRIBUTE
        key = unquoted(rest if dot else raw)
        if kind != ATTRIBUTE:
            return self._keyed(kind, key, in_order=in_order)
        known = self.attributes if not in_order or self.orders is None else self.orders
        name = self.aliases.get(key, key)
        if name not in known:
            raise SearchInvalid(
                f"Invalid attribute key '{key}' specified. Valid keys are '{_listed(known, self.aliases)}'",
                fix=f"A name with other signs than letters, digits, dots and _ is written in backticks: `{raw}`."
                if not dot and not key.isidentifier()
                else "",
            )
        return Field(ATTRIBUTE, name, known[name])

    def _keyed(self, kind: str, key: str, *, in_order: bool) -> Field:
        found = self.kinds[kind]
        if in_order and not found.has_order:
            raise SearchInvalid(f"Invalid order_by entity type '{kind}'")
        if found.keys is None:
            return Field(kind, key, found.sort)
        if key not in found.keys:
            raise SearchInvalid(f"Invalid {kind} key '{key}' specified. Valid keys are '{_listed(found.keys)}'")
        return Field(kind, key, found.keys[key])

    def _kind_of(self, qualifier: str) -> str:
        word = qualifier[1:-1] if _is_quoted(qualifier, "`") else qualifier
        kind = self.spellings.get(word)
        if kind is None:
            raise SearchInvalid(
                f"Invalid entity type '{word}'. Valid values are {sorted({*self.kinds, ATTRIBUTE})}",
            )
        return kind


def unquoted(raw: str) -> str:
    """A key without the quotes or backticks around it."""
    for quote in ("'", '"'):
        if _is_quoted(raw, quote):
            raw = raw[1:-1]
            break
    return raw[1:-1] if _is_quoted(raw, "`") else raw


def _is_quoted(text: str, quote: str) -> bool:
    return len(text) >= 2 and text.startswith(quote) and text.endswith(quote)


def _listed(*names: Mapping[str, object]) -> str:
    return "{" + ", ".join(repr(name) for name in sorted({key for known in names for key in known})) + "}"
