"""What stood where, and when: the moves of a model's aliases and stages, told from the log.

Both are events: a move of the ref that an alias is, and a change of stage about its version.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from treadle.kernel.events import Event
from treadle.systems.train.registry.lookup import number_of
from treadle.systems.train.registry.records import ModelHistory, Move

STAGED = "version.staged"
"""The event of a version that came to another stage."""


def told(model: str, at: datetime, moves: Iterable[Move]) -> ModelHistory:
    """The moves up to a moment, oldest first, and what stood then."""
    until = sorted((move for move in moves if move.recorded_at <= at), key=lambda move: move.recorded_at)
    aliases: dict[str, int] = {}
    stage_of: dict[int, str] = {}
    for move in until:
        if move.kind == "stage" and move.version is not None:
            stage_of[move.version] = move.name
        elif move.version is None:
            aliases.pop(move.name, None)
        else:
            aliases[move.name] = move.version
    stages: dict[str, list[int]] = {}
    for version, stage in sorted(stage_of.items()):
        if stage not in ("None", ""):
            stages.setdefault(stage, []).append(version)
    return ModelHistory(model=model, at=at, moves=until, aliases=aliases, stages=stages)


def alias_moves(events: Iterable[Event]) -> list[Move]:
    """The moves of aliases among some events, with those of aliases that have been taken away since."""
    return [
        Move(
            kind="alias",
            name=event.subject.rpartition("@")[2],
            version=number_of(event.body.get("to")),
            previous=number_of(event.body.get("from")),
            actor=event.actor,
            reason=event.body.get("reason", ""),
            evidence=event.body.get("evidence"),
            recorded_at=event.recorded_at,
        )
        for event in events
        if event.kind in ("ref.moved", "ref.deleted")
    ]


def stage_moves(events: Iterable[Event]) -> list[Move]:
    """The changes of stage among some events; a version that was deleted has left its stage."""
    return [
        Move(
            kind="stage",
            name=event.body["to"],
            version=number_of(event.subject),
            left=event.body["from"],
            actor=event.actor,
            reason=event.body.get("reason", ""),
            recorded_at=event.recorded_at,
        )
        for event in events
        if event.kind == STAGED
    ]
