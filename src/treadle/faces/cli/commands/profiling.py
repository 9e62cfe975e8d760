"""`treadle datasets profile`: what the columns of a snapshot hold, in the terminal or as a page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from treadle.faces.cli.commands.datasets import At, Name
from treadle.faces.cli.rendering import Paper, cell, number
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option

_BARS = 16


def profile(
    session: Session,
    name: Name,
    *,
    at: At = None,
    html: Annotated[Path | None, Option("write the page to this file; it needs no network", metavar="FILE")] = None,
) -> None:
    """What the columns hold: what is missing, ranges, histograms, frequent values, possible personal data, hints.

    It is computed once for each snapshot. A column that may hold personal data shows no value.
    """
    found = session.client.profiles.get(dataset=name, at=at, bars=_BARS if html is None else 40)
    if html is not None:
        from treadle.faces.pages.dataset_profile import profile_page

        html.write_text(profile_page(found), encoding="utf-8")
        session.out.show({"written": str(html)}, lambda paper: paper.line(f"The page is {html}."))
        return
    session.out.show(found, lambda paper: _draw(paper, found))


def _draw(paper: Paper, found: Any) -> None:
    paper.line(f"{found.dataset} version {found.version}: {cell(found.rows)} rows, {len(found.columns)} columns")
    paper.line()
    columns = ("column", "type", "missing", "different", "least", "median", "greatest", "holds")
    paper.table(columns, [_row(column, found.rows) for column in found.columns])
    if found.correlations and abs(found.correlations[0].r) >= 0.3:
        paper.title("goes together")
        strong = [pair for pair in found.correlations if abs(pair.r) >= 0.3][:8]
        paper.table(("columns", "r"), [(f"{pair.first} · {pair.second}", f"{pair.r:+.2f}") for pair in strong])
    if found.hints:
        paper.title("to look at")
        paper.table(("column", "what was seen"), [(hint.column or "all", hint.says) for hint in found.hints])


def _row(column: Any, rows: int) -> tuple[object, ...]:
    has_range = column.kind not in ("text", "binary", "list") and column.low is not None
    return (
        column.name,
        column.type,
        f"{column.null_share:.1%}" if column.nulls else "",
        f"{'≈' if column.distinct_error else ''}{column.distinct:,}",
        _short(column.low) if has_range else "",
        _short(column.quantiles.get("p50")) if has_range else "",
        _short(column.high) if has_range else "",
        _holds(column, rows - column.nulls),
    )


def _holds(column: Any, present: int) -> str:
    """A histogram as a line of text, or the most frequent values with their shares."""
    from treadle.faces.plots.bars import sparkline

    if column.is_withheld:
        kinds = ", ".join(found.kind.replace("_", " ") for found in column.personal)
        return f"possibly personal: {kinds}"
    if column.kind in ("text", "boolean") or column.histogram is None:
        shown = column.frequent or column.patterns
        of = present if column.frequent else sum(one.count for one in column.patterns) or 1
        return ", ".join(f"{_short(one.value)} {_share(one.count / of)}" for one in shown[:3])
    return sparkline(column.histogram.counts)


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.1%}"


def _short(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    text = "" if value is None else str(value)
    return text[:10] if len(text) > 20 and text[4:5] == "-" else text[:24]
