"""The model card as it reads today: what was written when the version was registered, and what has been found since.

The card itself never changes, it is an artifact; evidence gathers after it, so it is written below when somebody reads it.
"""

from __future__ import annotations

from collections.abc import Sequence

from treadle.systems.train.records import VersionEvidence


def as_it_reads_today(markdown: str, aliases: Sequence[str], evidence: Sequence[VersionEvidence]) -> str:
    """The stored card with the version's aliases and the evidence about it, oldest first; the same for the same facts."""
    stands = (
        f"It is {' and '.join(f'`{_plain(alias)}`' for alias in sorted(aliases))}."
        if aliases
        else "No alias stands on it."
    )
    found = [_line(one) for one in evidence] or ["Nothing was found about it yet."]
    return "\n".join([markdown.rstrip(), "", "## Evidence", "", stands, "", *found]) + "\n"


def _line(one: VersionEvidence) -> str:
    at = one.recorded_at.isoformat(timespec="seconds")
    reason = one.body.get("reason")
    said = f": {_plain(reason)}" if reason else ""
    return f"- {_plain(one.kind)} {_plain(one.verdict)}, {at}, by {_plain(one.actor)}{said}"


def _plain(value: object) -> str:
    """Text on one line without markup of HTML, so that no reason can make a heading or a script."""
    return " ".join(str(value).split()).replace("<", "&lt;")
