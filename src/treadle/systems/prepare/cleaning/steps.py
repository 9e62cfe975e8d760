"""What can be declared: one frozen record for each kind of cleaning, told apart by `clean`.

A step of one column stands below its property, or names several in `columns`; the others stand below the table. Where a
value cannot be made clean, `otherwise` decides: `quarantine` holds the row with the step's name, `null` empties the cell,
`keep` leaves it. Nothing is decided by silence: the default is to hold the row.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

Otherwise = Literal["quarantine", "null", "keep"]


class Step(msgspec.Struct, frozen=True, kw_only=True, tag_field="clean", forbid_unknown_fields=True):
    """What all steps have. `order` moves a step before or behind others; of equals, what the contract says first is first."""

    columns: list[str] = []
    order: int = 0
    name: str = ""


class Text(Step, frozen=True, kw_only=True, tag="text"):
    """Text in one spelling: Unicode's normal form, no space around it, one space inside, one case, blanks as null."""

    strip: bool = True
    collapse: bool = False
    unicode: Literal["NFC", "NFD", "NFKC", "NFKD"] | None = "NFC"
    case: Literal["lower", "upper", "title"] | None = None
    nulls: list[str] = []
    """Texts that mean no value, compared after all else was done."""


class Cast(Step, frozen=True, kw_only=True, tag="cast"):
    """Values in another type. Numbers may have a thousands separator, a decimal comma, and signs around them."""

    to: Literal["number", "integer", "boolean", "string"]
    thousands: str = ""
    decimal: str = "."
    ignore: str = ""
    """Letters that may stand before and after a number: `€ `, `%`."""
    true: tuple[str, ...] = ("true", "t", "yes", "y", "1")
    false: tuple[str, ...] = ("false", "f", "no", "n", "0")
    otherwise: Otherwise = "quarantine"


class Unit(Step, frozen=True, kw_only=True, tag="unit"):
    """A measure in another unit. The unit it is in is declared, or stands in a column of its own."""

    to: str
    source: str | None = msgspec.field(name="from", default=None)
    source_column: str | None = msgspec.field(name="from_column", default=None)
    digits: int | None = None
    otherwise: Otherwise = "quarantine"


class Category(Step, frozen=True, kw_only=True, tag="category"):
    """Values of a list. Synonyms are replaced first; with `fuzzy` the nearest value of the list counts from that likeness on."""

    allowed: list[str] = []
    synonyms: dict[str, str | None] = {}
    ignore_case: bool = False
    fuzzy: float | None = None
    otherwise: Otherwise = "quarantine"


class Time(Step, frozen=True, kw_only=True, tag="time"):
    """Dates and moments. Local times are read in a zone; what its clock shows twice, or never, is answered by rule."""

    formats: list[str] = []
    """Tried in this order, such as `%d.%m.%Y %H:%M`; none means ISO 8601."""
    unit: Literal["s", "ms", "us", "ns"] | None = None
    """Of numbers, whole or not: what they count since 1970 in UTC."""
    to: Literal["timestamp", "date"] = "timestamp"
    zone: str | None = None
    ambiguous: Literal["earliest", "latest", "null", "quarantine"] = "quarantine"
    missing: Literal["forward", "backward", "null", "quarantine"] = "quarantine"
    otherwise: Otherwise = "quarantine"


class Clip(Step, frozen=True, kw_only=True, tag="clip"):
    """Numbers within bounds; what is outside becomes the bound."""

    minimum: float | None = None
    maximum: float | None = None


class Empty(Step, frozen=True, kw_only=True, tag="empty"):
    """No value instead of certain values, or where a condition holds."""

    values: list[Any] = []
    where: str | None = None


class Fill(Step, frozen=True, kw_only=True, tag="fill"):
    """A value where there is none.

    A constant; the mean, median or mode of the rows of `at` (a version, tag or snapshot of the dataset; else of the rows
    being cleaned), which is recorded; or the previous value of the same `by` in the order of `time`, never a later one.
    """

    value: Any = None
    fit: Literal["mean", "median", "mode", "previous"] | None = None
    by: list[str] = []
    time: str | None = None
    within_s: float | None = None
    at: str | None = None
    indicator: bool | str = False
    """Whether a column says which values were filled in; its name, when not `<column>_was_missing`."""


class Drop(Step, frozen=True, kw_only=True, tag="drop"):
    """No row where the condition holds."""

    where: str


class Hold(Step, frozen=True, kw_only=True, tag="quarantine"):
    """To quarantine where the condition holds."""

    where: str


class Keep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which row of a cluster survives: that with the greatest or the least value of a column; of equals the first."""

    greatest: str | None = None
    least: str | None = None


Survivor = Literal["first", "last", "most_complete"] | Keep


class Duplicates(Step, frozen=True, kw_only=True, tag="duplicates"):
    """One row of those with equal values in `by`. Rows with a null there are not compared."""

    by: list[str]
    keep: Survivor = "first"


class Similar(Step, frozen=True, kw_only=True, tag="similar"):
    """One row of those that are alike: equal in `block`, and in each column of `by` at least so like (0 to 1)."""

    by: dict[str, float]
    block: list[str]
    scorer: Literal["ratio", "token_sort_ratio", "jaro_winkler"] = "ratio"
    keep: Survivor = "first"


AnyStep = Text | Cast | Unit | Category | Time | Clip | Empty | Fill | Drop | Hold | Duplicates | Similar
ColumnStep = Text | Cast | Unit | Category | Time | Clip | Empty | Fill
RowStep = Drop | Hold
ClusterStep = Duplicates | Similar

KINDS = tuple(str(kind.__struct_config__.tag) for kind in get_args(AnyStep))


def kind_of(step: Step) -> str:
    """The word that declares such a step."""
    return str(step.__struct_config__.tag)


def can_hold(step: Step) -> bool:
    """Whether a step may send rows to quarantine."""
    if isinstance(step, Category) and not step.allowed:
        return False
    if isinstance(step, Time):
        return "quarantine" in (step.otherwise, step.ambiguous, step.missing)
    return isinstance(step, Hold) or getattr(step, "otherwise", None) == "quarantine"
