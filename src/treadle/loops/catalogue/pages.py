"""A view's page, as Markdown and as HTML that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from treadle.loops.catalogue.records import FeatureEntry, FeatureProfile

_COLUMNS = ("feature", "made", "type", "unit", "used by", "importance", "newest values")
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #ddd;"
    "vertical-align:top}code{font-size:.9em}"
)


def markdown_of(view: str, entries: Sequence[FeatureEntry], profiles: Mapping[str, FeatureProfile]) -> str:
    """The page as Markdown."""
    lines = [f"# {view}", "", *(f"{line}  " for line in _facts(entries)), ""]
    lines += ["| " + " | ".join(_COLUMNS) + " |", "|" + " --- |" * len(_COLUMNS)]
    for entry in entries:
        cells = _cells(entry, profiles.get(entry.feature))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def html_of(view: str, entries: Sequence[FeatureEntry], profiles: Mapping[str, FeatureProfile]) -> str:
    """The page as HTML. Nothing that a definition says becomes markup."""
    head = "".join(f"<th>{escape(name)}</th>" for name in _COLUMNS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in _cells(entry, profiles.get(entry.feature))) + "</tr>"
        for entry in entries
    )
    facts = "".join(f"<p>{escape(line)}</p>" for line in _facts(entries))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(view)}</title><style>{_STYLE}</style>'
        f"<h1>{escape(view)}</h1>{facts}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></html>\n"
    )


def _facts(entries: Sequence[FeatureEntry]) -> list[str]:
    if not entries:
        return []
    first = entries[0]
    facts = [first.description] if first.description else []
    facts += [f"Owner: {first.owner or 'nobody'}"]
    if first.dataset is not None:
        facts.append(f"Dataset: {first.dataset}, version {first.landed_version}, landed {_moment(first.landed_at)}")
        online = f"as of {_moment(first.online_until)}, version {first.online_version}"
        facts.append(
            f"Online: {'not yet' if first.online_until is None else online}{', behind' if first.is_behind else ''}"
        )
    return facts


def _cells(entry: FeatureEntry, profile: FeatureProfile | None) -> list[str]:
    used = [*entry.services, *entry.training_sets, *entry.models, *entry.endpoints]
    importance = ", ".join(f"{model} {value:g}" for model, value in entry.importance.items())
    return [entry.feature, entry.made, entry.type or "", entry.unit, ", ".join(used), importance, _said(profile)]


def _said(profile: FeatureProfile | None) -> str:
    if profile is None or not profile.entities:
        return ""
    parts = [f"{profile.entities} entities", f"{profile.nulls / profile.entities:.0%} null"]
    if profile.least is not None:
        parts.append(f"{profile.least} to {profile.greatest}")
    if profile.mean is not None:
        parts.append(f"mean {profile.mean:g}")
    if profile.distinct is not None:
        parts.append(f"{profile.distinct} different")
    return ", ".join(parts)


def _moment(moment: datetime | None) -> str:
    return "never" if moment is None else moment.isoformat(timespec="seconds")
