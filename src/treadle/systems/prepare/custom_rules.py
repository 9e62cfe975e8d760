"""The rules of the engine `treadle`: what the standard's own metrics cannot say.

They stand in a contract as `type: custom, engine: treadle, implementation: {rule: …}`. Rules of the engine `python` name a
function that is registered in the process of whoever checks; a contract's text never brings code with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from treadle.ground.errors import did_you_mean
from treadle.systems.prepare import conditions
from treadle.systems.prepare.errors import RuleRefused
from treadle.systems.prepare.facts import facts_of, seconds_of
from treadle.systems.prepare.row_sql import expression, of_one_row
from treadle.systems.prepare.rules import (
    DistributionRule,
    FreshnessRule,
    OrderRule,
    PythonRule,
    RowRule,
    Rule,
    SqlRowRule,
    VolumeRule,
)
from treadle.wire.odcs import Quality, TypeOptions, implementation_of

Maker = Callable[[Quality, Mapping[str, Any], str | None, pl.Schema], Rule]

PYTHON = "python"
DISTANCES = ("psi", "js", "ks", "chi2")
_DEFAULT_LIMITS = {"psi": 0.25, "js": 0.2, "ks": 0.1, "chi2": 0.001}
_WORDS = {"range": {"minimum", "maximum", "exclusive_minimum", "exclusive_maximum"}, "check": {"sql", "dialect"}}
_WORDS |= {"freshness": {"max_age", "max_age_s"}, "monotonic": {"per", "descending", "strict"}}
_WORDS |= {"volume": {"last", "within", "of"}}
_WORDS |= {"distribution": {"distance", "limit", "bins", "against", "edges", "shares"}}


def of_engine_treadle(quality: Quality, column: str | None, schema: pl.Schema) -> Iterator[Rule]:
    """The rule that an implementation describes. Raises RuleRefused for one that is not known or lacks a part."""
    how = implementation_of(quality)
    kind = str(how.get("rule"))
    if kind not in _MAKERS:
        raise RuleRefused(
            f"The rule {kind!r} of the engine treadle is not known here.",
            why=did_you_mean(kind, list(_MAKERS)),
            fix="range, monotonic, freshness and distribution stand below a property; check and volume below a table.",
        )
    unknown = sorted(how.keys() - _WORDS[kind] - {"rule", "when"})
    if unknown:
        raise RuleRefused(
            f"The rule {kind!r} knows no {unknown[0]!r}.", why=did_you_mean(unknown[0], sorted(_WORDS[kind]))
        )
    if kind in _NEED_A_COLUMN and column is None:
        raise RuleRefused(f"The rule {kind!r} is about one column.", fix="Write it below the property.")
    yield _MAKERS[kind](quality, how, column, schema)


def of_engine_python(quality: Quality, column: str | None) -> Iterator[Rule]:
    """The rule that names a function. Whether it is there is seen where it is asked."""
    named = quality.implementation
    how = {"function": named} if isinstance(named, str) else dict(named or {})
    function = how.pop("function", None)
    if not isinstance(function, str) or not function.isidentifier():
        raise RuleRefused(
            f"{function!r} names no Python rule.",
            why="It is the name of a function that is marked with @td.rule; code is not taken from a contract.",
            fix="implementation: no_overlap",
        )
    unknown = sorted(how.keys() - {"minimum", "maximum"})
    if unknown or not all(isinstance(bound, int | float) for bound in how.values()):
        raise RuleRefused(
            f"The Python rule {function!r} has a part that is not known.",
            why=did_you_mean((unknown or list(how))[0], ("minimum", "maximum")),
            fix="implementation: {function: spread_of_prices, maximum: 3.5}",
        )
    low, high = how.get("minimum", -math.inf), how.get("maximum", math.inf)
    bounds = " and ".join(
        f"{word} {how[name]}" for name, word in (("minimum", "at least"), ("maximum", "at most")) if name in how
    )
    said = f"{function}() is {bounds}" if how else f"{function}() holds"
    facts = facts_of(quality, column, PYTHON, "consistency", (), said)
    yield PythonRule(
        **facts, function=function, about="table" if how else "rows",
        holds=lambda found: found is not None and low <= found <= high,
    )  # fmt: skip


def when(how: Mapping[str, Any], schema: pl.Schema) -> pl.Expr | None:
    """The condition under which a rule is asked of a row at all. Raises RuleRefused."""
    return None if how.get("when") is None else _condition(str(how["when"]), schema)


def _condition(text: str, schema: pl.Schema) -> pl.Expr:
    return expression(text, schema, pl.Boolean(), refusal=RuleRefused)


def only(failing: pl.Expr, condition: pl.Expr | None) -> pl.Expr:
    """Failing where the condition is true; never null."""
    return (failing if condition is None else condition & failing).fill_null(False)


def _range(quality: Quality, how: Mapping[str, Any], column: str | None, schema: pl.Schema) -> Rule:
    assert column is not None
    options = TypeOptions(**{name: how[name] for name in _WORDS["range"] if name in how})
    beyond = conditions.outside(pl.col(column), schema[column], options, column)
    if beyond is None and not any(name in how for name in _WORDS["range"]):
        raise RuleRefused(f"{column}: a range needs a minimum or a maximum.", column=column)
    said = conditions.range_text(column, options) + _when_text(how)
    condition = when(how, schema)
    names = _names(column, condition, schema)
    facts = facts_of(quality, column, "range", "accuracy", names, said)
    return RowRule(**facts, failing=only(pl.lit(False) if beyond is None else beyond, condition))


def _check(quality: Quality, how: Mapping[str, Any], column: str | None, schema: pl.Schema) -> Rule:
    text, dialect = str(how.get("sql", "")), how.get("dialect", "polars")
    said = text + _when_text(how)
    if dialect == "duckdb":
        named = f"not ({how['when']}) or ({text})" if how.get("when") else text
        of_one_row(named)
        facts = facts_of(quality, column, "check", "consistency", tuple(_mentioned(named, schema)), said)
        return SqlRowRule(**facts, condition=named)
    if dialect != "polars":
        raise RuleRefused(
            f"The dialect {dialect!r} is not known.", why=did_you_mean(str(dialect), ("polars", "duckdb"))
        )
    holds = _condition(text, schema)
    condition = when(how, schema)
    names = [*holds.meta.root_names(), *(condition.meta.root_names() if condition is not None else [])]
    facts = facts_of(quality, column, "check", "consistency", tuple(dict.fromkeys(names)), said)
    return RowRule(**facts, failing=only(~holds, condition))


def _freshness(quality: Quality, how: Mapping[str, Any], column: str | None, schema: pl.Schema) -> Rule:
    assert column is not None
    age_s = seconds_of(how["max_age"]) if "max_age" in how else how.get("max_age_s")
    if not isinstance(age_s, int | float):
        raise RuleRefused(f"{column}: a freshness needs a max_age, such as 6h.", column=column)
    said = f"{column} is at most {how.get('max_age') or f'{age_s:g} s'} old"
    return FreshnessRule(
        **facts_of(quality, column, "freshness", "timeliness", (column,), said), max_age_s=float(age_s)
    )


def _monotonic(quality: Quality, how: Mapping[str, Any], column: str | None, schema: pl.Schema) -> Rule:
    assert column is not None
    per = how.get("per") or ()
    groups = (per,) if isinstance(per, str) else tuple(per)
    missing = [name for name in groups if name not in schema]
    if missing:
        raise RuleRefused(
            f"There is no column {missing[0]!r} to order by.", why=did_you_mean(missing[0], schema.names())
        )
    strict, descending = bool(how.get("strict")), bool(how.get("descending"))
    way = {(False, False): "never falls", (True, False): "always grows"}
    way |= {(False, True): "never grows", (True, True): "always falls"}
    within = f" within {', '.join(groups)}" if groups else ""
    facts = facts_of(
        quality, column, "monotonic", "consistency", (column, *groups), f"{column} {way[strict, descending]}{within}"
    )
    return OrderRule(**facts, column=column, per=groups, descending=descending, strict=strict)


def _volume(quality: Quality, how: Mapping[str, Any], column: str | None, schema: pl.Schema) -> Rule:
    last, within = how.get("last", 7), how.get("within", 0.5)
    if not isinstance(last, int) or last < 1 or not isinstance(within, int | float) or within <= 0:
        raise RuleRefused(
            "A volume needs how many snapshots it looks back on, and how far it may be from their median.",
            fix="implementation: {rule: volume, last: 7, within: 0.5}",
        )
    of = str(how.get("of", "all"))
    if of not in ("all", "added"):
        raise RuleRefused(
            f"A volume is of all rows or of those added, not of {of!r}.", why=did_you_mean(of, ("all", "added"))
        )
    rows = "rows that were added" if of == "added" else "rows"
    said = f"the number of {rows} is within {within:.0%} of the median of the last {last} snapshots"
    facts = facts_of(quality, column, "volume", "completeness", (), said)
    return VolumeRule(**facts, last=last, within=float(within), added=of == "added")


def _distribution(quality: Quality, how: Mapping[str, Any], column: str | None, schema: pl.Schema) -> Rule:
    assert column is not None
    distance = str(how.get("distance", "psi"))
    if distance not in DISTANCES:
        raise RuleRefused(f"The distance {distance!r} is not known.", why=did_you_mean(distance, DISTANCES))
    shares, edges = how.get("shares"), how.get("edges")
    against = None if shares is not None else str(how.get("against", "previous"))
    if isinstance(shares, list) and (not isinstance(edges, list) or len(shares) != len(edges) + 1):
        raise RuleRefused(
            f"{column}: a list of shares needs the edges between them, one fewer.",
            fix="{edges: [10, 20], shares: [0.2, 0.5, 0.3]}",
            column=column,
        )
    limit = float(how.get("limit", _DEFAULT_LIMITS[distance]))
    to = "the shares given" if against is None else "the snapshot before" if against == "previous" else against
    said = f"{column} is spread as in {to}: {distance} {'at least' if distance == 'chi2' else 'at most'} {limit:g}"
    return DistributionRule(
        **facts_of(quality, column, "distribution", "consistency", (column,), said),
        column=column,
        distance=distance,  # type: ignore[arg-type]
        limit=limit,
        bins=int(how.get("bins", 10)),
        against=against,
        edges=tuple(float(edge) for edge in edges) if isinstance(edges, list) else None,
        shares=tuple(shares) if isinstance(shares, list) else shares,
    )


def _names(column: str, condition: pl.Expr | None, schema: pl.Schema) -> tuple[str, ...]:
    names = [column, *(condition.meta.root_names() if condition is not None else [])]
    return tuple(dict.fromkeys(names))


def _mentioned(text: str, schema: pl.Schema) -> Iterator[str]:
    for name in schema:
        if name.lower() in text.lower():
            yield name


def _when_text(how: Mapping[str, Any]) -> str:
    return f", when {how['when']}" if how.get("when") else ""


_MAKERS: dict[str, Maker] = {
    "range": _range,
    "check": _check,
    "freshness": _freshness,
    "monotonic": _monotonic,
    "volume": _volume,
    "distribution": _distribution,
}
_NEED_A_COLUMN = {"range", "freshness", "monotonic", "distribution"}
