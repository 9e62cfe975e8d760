"""Hints: what somebody who knows data sees at once in a profile, said in a sentence.

They are no rules and refuse nothing; each names what was seen, so that a rule of a contract can be made of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator

from treadle.ground.profiling import ColumnProfile, Profile
from treadle.systems.prepare.profiling.records import Hint

REDUNDANT = 0.98
MOSTLY = 0.5
FAR = 20.0
"""A value so many times the middle half's width away from it is far out."""

_STAND_INS = frozenset(
    ("", "-", "--", "?", ".", "n/a", "na", "nan", "null", "none", "nil", "unknown", "undefined", "missing")
)
_SENTINELS = frozenset((-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0, 999999.0))
_EPOCHS = {0: "1970-01-01", -2208988800000000: "1900-01-01", 253402214400000000: "9999-12-31"}


def hints_of(profile: Profile) -> list[Hint]:
    """What to look at, by column; the rows as a whole come first."""
    found = []
    if profile.correlations is not None:
        for a, b, r in profile.correlations.pairs():
            if abs(r) >= REDUNDANT:
                says = f"{a} and {b} say nearly the same (r = {r:.3f}); a model needs one of them."
                found.append(Hint(column=None, kind="redundant", says=says))
    for column in profile.columns:
        for kind, look in _LOOKS.items():
            found += [Hint(column=column.name, kind=kind, says=says) for says in look(column, profile.rows)]
    return found


def _personal(column: ColumnProfile, rows: int) -> Iterator[str]:
    for finding, share, certainty in column.findings_with_shares(rows):
        words = finding.kind.replace("_", " ")
        yield f"Possibly personal: {words} in {share:.1%} of the values (certainty {certainty}). No value is kept here."


def _missing(column: ColumnProfile, rows: int) -> Iterator[str]:
    if rows and column.nulls == rows:
        yield "It is null in every row."
    elif column.nulls > MOSTLY * rows:
        yield f"It is null in {column.nulls / rows:.1%} of the rows."


def _constant(column: ColumnProfile, rows: int) -> Iterator[str]:
    if rows > 1 and column.distinct == 1 and column.is_exact and not column.nulls:
        yield "It has one value in all rows."


def _key(column: ColumnProfile, rows: int) -> Iterator[str]:
    if rows > 1 and column.is_unique and not column.nulls and column.kind in ("integer", "text"):
        yield "No value comes twice: it may be a key."


def _stand_ins(column: ColumnProfile, rows: int) -> Iterator[str]:
    if column.values is None:
        return
    for value, count in column.values.pairs():
        if isinstance(value, str) and value.strip().lower() in _STAND_INS:
            yield f"{value!r} stands {count:,} times; it may mean that nothing is known."
        elif isinstance(value, int | float) and float(value) in _SENTINELS and _is_apart(column, float(value), count):
            yield f"{value:g} stands {count:,} times, apart from the other values; it may mean that nothing is known."


def _is_apart(column: ColumnProfile, value: float, count: int) -> bool:
    if column.numbers is None or count < 2:
        return False
    first, last = column.numbers.quantiles([0.25, 0.75])
    return value in (column.numbers.low, column.numbers.high) and not first <= value <= last


def _epoch(column: ColumnProfile, rows: int) -> Iterator[str]:
    if column.kind in ("date", "time") and column.numbers is not None:
        for end in {int(column.numbers.low), int(column.numbers.high)}:
            if end in _EPOCHS:
                yield f"{_EPOCHS[end]} occurs, which often stands for a time that is not known."


def _spelling(column: ColumnProfile, rows: int) -> Iterator[str]:
    if column.kind != "text" or column.values is None:
        return
    alike: dict[str, list[str]] = defaultdict(list)
    for value in column.values.values:
        alike[" ".join(str(value).lower().split())].append(str(value))
    for words in alike.values():
        if len(words) > 1:
            yield f"The same in several spellings: {', '.join(map(repr, words[:4]))}."


def _text_form(column: ColumnProfile, rows: int) -> Iterator[str]:
    shape = column.texts
    if shape is None or not shape.seen:
        return
    if shape.numeric >= 0.99 * shape.seen and column.distinct > 2:
        yield "Its texts are numbers; as numbers they could be compared and averaged (leading zeros would go)."
    if shape.padded:
        yield f"Blanks before or after the text in {shape.padded / shape.seen:.1%} of those looked at."
    if shape.empty and column.nulls:
        yield f"{shape.empty:,} texts are empty and {column.nulls:,} are null; is that a difference?"


def _far(column: ColumnProfile, rows: int) -> Iterator[str]:
    if column.kind not in ("integer", "number") or column.numbers is None or column.numbers.n < 100:
        return
    low, first, last, high = column.numbers.quantiles([0.0, 0.25, 0.75, 1.0])
    width = last - first
    for end, away in ((high, high - last), (low, first - low)):
        if width > 0 and away > FAR * width:
            yield f"{end:g} is far from the rest: half of the values lie between {first:g} and {last:g}."


def _no_numbers(column: ColumnProfile, rows: int) -> Iterator[str]:
    if column.nans or column.infinite:
        yield f"{column.nans:,} NaN and {column.infinite:,} infinite values; they enter neither mean nor quantiles."


def _mixed(column: ColumnProfile, rows: int) -> Iterator[str]:
    if column.kind == "mixed" and " | " in column.type:
        yield f"Its type changed on the way: {column.type}."


_LOOKS: dict[str, Callable[[ColumnProfile, int], Iterator[str]]] = {
    "personal": _personal,
    "missing": _missing,
    "constant": _constant,
    "key": _key,
    "stand-in": _stand_ins,
    "epoch": _epoch,
    "spelling": _spelling,
    "text": _text_form,
    "far": _far,
    "no numbers": _no_numbers,
    "type": _mixed,
}
