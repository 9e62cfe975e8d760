"""The model card: what a model is, what it was made of, how it does, and what it must not be used for.

It begins with the specification and grows with what is measured. A record first; Markdown is one rendering of it.
Source of the sections: Mitchell et al., "Model Cards for Model Reporting", 2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from treadle.systems.design.leaderboard import Check, Entry, Leaderboard
from treadle.systems.design.spec import Input, ModelSpec
from treadle.systems.design.splits import PartReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Everything that the card says, as data."""

    model: str
    description: str
    owner: str
    intended_use: str
    limitations: Sequence[str]
    task: str
    target: str
    inputs: Sequence[Input]
    spec_digest: str
    chosen: Entry
    ranked_on: str
    leaderboard: Sequence[Entry]
    gate: Sequence[Check]
    snapshots: Mapping[str, str]
    parts: Sequence[PartReport]
    made_at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Further facts by title, such as code and environment digests; shown as they are."""


def model_card(
    spec: ModelSpec,
    board: Leaderboard,
    chosen: Entry,
    *,
    checks: Sequence[Check],
    parts: Sequence[PartReport],
    made_at: datetime,
    facts: Mapping[str, Any] | None = None,
) -> ModelCard:
    """The card of a chosen entry of a leaderboard."""
    return ModelCard(
        model=spec.name,
        description=spec.description,
        owner=spec.owner,
        intended_use=spec.intended_use,
        limitations=list(spec.limitations),
        task=spec.task,
        target=spec.target,
        inputs=list(spec.inputs),
        spec_digest=spec.digest,
        chosen=chosen,
        ranked_on=f"{board.metric} on {board.split}, {board.direction} is better",
        leaderboard=list(board.entries),
        gate=list(checks),
        snapshots=dict(board.snapshots),
        parts=list(parts),
        made_at=made_at,
        facts=dict(facts or {}),
    )


def markdown(card: ModelCard) -> str:
    """The card as Markdown, the same for the same card."""
    sections = [
        f"# {_plain(card.model)}",
        _plain(card.description),
        _facts(card),
        _section("Intended use", [_plain(card.intended_use)] if card.intended_use else []),
        _section("Limitations", [f"- {_plain(limit)}" for limit in card.limitations]),
        _section(
            "Inputs",
            _table(
                ["input", "type", "unit", "description"],
                [[given.name, given.type, given.unit, given.description] for given in card.inputs],
            ),
        ),
        _section("Data", [*_snapshots(card), "", *_parts(card)]),
        _section("Leaderboard", [f"Ranked by {card.ranked_on}.", "", *_leaderboard(card)]),
        _section(
            "Gate",
            [
                f"- {'passed' if check.passed else 'FAILED'}: {check.condition} ({_number(check.measured)})"
                for check in card.gate
            ],
        ),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _section(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *lines]) if lines else ""


def _facts(card: ModelCard) -> str:
    facts = {
        "Task": f"{card.task}, of `{_plain(card.target)}`",
        "Chosen": f"`{_plain(card.chosen.name)}`",
        "Run": card.chosen.run,
        "Model": card.chosen.artifact,
        "Owner": card.owner,
        "Specification": card.spec_digest,
        "Made": card.made_at.isoformat(timespec="seconds"),
        **card.facts,
    }
    return "\n".join(f"- {title}: {_plain(value)}" for title, value in facts.items() if value)


def _snapshots(card: ModelCard) -> list[str]:
    return _table(["dataset", "snapshot"], [[name, snapshot] for name, snapshot in sorted(card.snapshots.items())])


def _parts(card: ModelCard) -> list[str]:
    rows = [
        [part.part, part.n_used, part.n_too_late, part.n_unlabelled, part.known_by.isoformat() if part.known_by else ""]
        for part in card.parts
    ]
    return _table(["part", "rows used", "labelled too late", "unlabelled", "known by"], rows)


def _leaderboard(card: ModelCard) -> list[str]:
    columns = list(
        dict.fromkeys(
            (split, metric) for entry in card.leaderboard for split, of in entry.metrics.items() for metric in of
        )
    )
    head = ["", "name", "kind", *(f"{metric} ({split})" for split, metric in columns)]
    rows = [
        [place, entry.name, entry.kind, *(_number(entry.value(metric, split)) for split, metric in columns)]
        for place, entry in enumerate(card.leaderboard, 1)
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    if not rows:
        return []
    lines = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(_plain(cell).replace("|", "\\|") for cell in line) + " |" for line in lines]


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


def _plain(value: object) -> str:
    """Text on one line, so that what a name holds cannot make headings or rows; and no markup of HTML."""
    return " ".join(str(value).split()).replace("<", "&lt;")
