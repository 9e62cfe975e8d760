"""The page of a snapshot's profile: every column with its histogram, what to look at, and what goes together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from treadle.faces.plots import Html, listing, page, section, table, tag
from treadle.faces.plots.bars import histogram, value_bars

CARD = 300
"""The width of a histogram's own units; it is drawn as wide as its card."""

SHOWN_VALUES = 8
MOST_CARDS = 400
"""Columns beyond so many are listed in a table: a page of ten thousand cards is nobody's."""

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def profile_page(profile: Any) -> str:
    """The HTML of a `SnapshotProfile`; it asks nothing of the network."""
    by_column: dict[str | None, list[Any]] = defaultdict(list)
    for hint in profile.hints:
        by_column[hint.column].append(hint)
    cards = [_card(column, profile.rows, by_column[column.name]) for column in profile.columns[:MOST_CARDS]]
    parts = [
        listing(_facts(profile)),
        _hints(profile),
        section("Columns", tag("div", cards, class_="columns-of-data"), id="columns"),
        _beyond(profile.columns[MOST_CARDS:]),
        _related(profile.correlations),
    ]
    return page(
        profile.dataset,
        *[part for part in parts if part is not None],
        subtitle=f"Version {profile.version}, {profile.recorded_at:%d %B %Y, %H:%M} UTC: what its {profile.rows:,} rows hold.",
        foot=f"Snapshot {profile.snapshot}. Counts and ranges are exact; a quantile's rank is within {profile.rank_error:.0%}, "
        "a number with ≈ is an estimate. Shares of possible personal data are those of a sample.",
    )


def _facts(profile: Any) -> list[tuple[str, object]]:
    cells = profile.rows * len(profile.columns)
    nulls = sum(column.nulls for column in profile.columns)
    personal = sum(bool(column.personal) for column in profile.columns)
    return [
        ("rows", f"{profile.rows:,}"),
        ("columns", f"{len(profile.columns):,}"),
        ("empty cells", f"{nulls / cells:.1%}" if cells else "–"),
        ("possibly personal", f"{personal:,}"),
        ("things to look at", f"{len(profile.hints):,}"),
    ]


def _hints(profile: Any) -> Html | None:
    if not profile.hints:
        return None
    rows = [
        (hint.column or "all rows", tag("span", hint.kind, class_="pill"), hint.says) for hint in profile.hints[:100]
    ]
    note = "What somebody who knows data would ask about. Nothing is refused for it; a contract can make a rule of it."
    return section("To look at", table(("column", "kind", "what was seen"), rows), note=note, id="hints")


def _card(column: Any, rows: int, hints: Sequence[Any]) -> Html:
    missing = f"{column.null_share:.1%}" if column.nulls else "none"
    facts: list[tuple[str, object]] = [("missing", missing), ("different", _distinct(column))]
    if column.low is not None:
        words = ("shortest", "longest") if column.kind in ("text", "binary") else ("least", "greatest")
        facts += [
            (words[0], _said(column.low)),
            ("median", _said(column.quantiles.get("p50"))),
            (words[1], _said(column.high)),
        ]
    if column.mean is not None and column.kind in ("integer", "number", "duration"):
        facts += [("mean ± sd", f"{_said(column.mean)} ± {_said(column.std)}")]
    said = [tag("p", hint.says, class_="hint personal" if hint.kind == "personal" else "hint") for hint in hints]
    return tag(
        "article",
        tag("h3", column.name),
        tag("p", column.type, class_="type"),
        _drawing(column, rows),
        tag("dl", [[tag("dt", name), tag("dd", value)] for name, value in facts]),
        said,
        class_="card",
    )


def _drawing(column: Any, rows: int) -> Html | None:
    present = rows - column.nulls
    if not present:
        return None
    if column.is_withheld:
        return value_bars(_values(column.patterns, sum(p.count for p in column.patterns) or 1), colour="quiet")
    if column.kind in ("text", "boolean") and column.frequent:
        return value_bars(_values(column.frequent, present))
    if column.histogram is not None and len(column.histogram.counts) > 1:
        return _histogram(column)
    if column.frequent:
        return value_bars(_values(column.frequent, present))
    return value_bars(_values(column.patterns, sum(p.count for p in column.patterns) or 1), colour="c4")


def _values(found: Sequence[Any], of: int) -> list[tuple[str, float, str]]:
    most = max((one.count for one in found), default=1)
    return [
        (_said(one.value) if one.value != "" else "(empty)", one.count / most, f"{one.count / of:.1%}")
        for one in found[:SHOWN_VALUES]
    ]


def _histogram(column: Any) -> Html:
    counts, edges = column.histogram.counts, column.histogram.edges
    is_time = column.kind in ("date", "time")
    ends = (_moment(edges[0]), _moment(edges[-1])) if is_time else (_said(edges[0]), _said(edges[-1]))

    def says(place: int) -> str:
        low, high = edges[place], edges[place + 1]
        between = f"{_moment(low)} to {_moment(high)}" if is_time else f"{_said(low)} to {_said(high)}"
        return f"{between}: about {counts[place]:,.0f}"

    drawn = histogram(counts, width=CARD, label=f"Histogram of {column.name}", says=says, ends=ends)
    if not any(column.weekdays):
        return drawn
    days = histogram(
        column.weekdays,
        width=CARD,
        height=40,
        label=f"Rows of {column.name} by day of the week",
        says=lambda place: f"{_DAYS[place]}: {column.weekdays[place]:,}",
        ends=("Mon", "Sun"),
        colour="c3",
    )
    return tag("div", drawn, days)


def _related(pairs: Sequence[Any]) -> Html | None:
    strong = [pair for pair in pairs if abs(pair.r) >= 0.1][:20]
    if not strong:
        return None
    bars = value_bars(
        [(f"{pair.first} · {pair.second}", abs(pair.r), f"{pair.r:+.3f}") for pair in strong], colour="c4"
    )
    note = "Pearson's r, for the first twenty number columns by name: how nearly one is a straight line of the other."
    return section("What goes together", tag("div", bars, class_="card"), note=note, id="correlations")


def _beyond(columns: Sequence[Any]) -> Html | None:
    if not columns:
        return None
    rows = [(one.name, one.type, f"{one.null_share:.1%}", _distinct(one)) for one in columns]
    return section("Further columns", table(("column", "type", "missing", "different"), rows))


def _distinct(column: Any) -> str:
    return f"{'≈ ' if column.distinct_error else ''}{column.distinct:,}"


def _said(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e5 and abs(value) < 1e12 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _moment(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.3g} s"
