"""The rows of anomalies: figures and verdicts by landing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from treadle.ground.clock import to_micros
from treadle.kernel.store import Reader, Transaction
from treadle.systems.prepare.anomalies.figures import Figures
from treadle.systems.prepare.anomalies.records import Verdict
from treadle.systems.prepare.anomalies.watched import sql


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is remembered of a landing. told_overdue: whether somebody was told that the one after it is late."""

    landing: str
    figures: Figures
    verdict: Verdict | None
    told_overdue: bool


def remembered(reader: Reader, project: str, dataset: str, limit: int) -> list[Remembered]:
    """The newest landings of which something is remembered, oldest first."""
    rows = reader.all(sql.remembered, {"project": project, "dataset": dataset, "limit": limit})
    return [
        Remembered(
            landing=landing,
            figures=msgspec.json.decode(figures, type=Figures),
            verdict=None if verdict is None else msgspec.json.decode(verdict, type=Verdict),
            told_overdue=overdue_at is not None,
        )
        for landing, figures, verdict, overdue_at in reversed(rows)
    ]


def remember(tx: Transaction, project: str, dataset: str, landing: str, figures: Figures, at: datetime) -> None:
    """Keeps the figures of a landing; those that are there stay."""
    values = {"figures": msgspec.json.encode(figures).decode(), "recorded_at": to_micros(at)}
    tx.execute(sql.remember, {"project": project, "dataset": dataset, "landing": landing, **values})


def judge_landing(tx: Transaction, project: str, dataset: str, landing: str, verdict: Verdict) -> bool:
    """Keeps what was said of a landing; False where somebody has said it already."""
    values = {"project": project, "dataset": dataset, "landing": landing}
    return tx.execute(sql.judge_landing, {**values, "verdict": msgspec.json.encode(verdict).decode()}) == 1


def forget_before(tx: Transaction, project: str, dataset: str, landing: str) -> None:
    """Forgets landings older than one: what is compared no more need not be remembered."""
    tx.execute(sql.forget_before, {"project": project, "dataset": dataset, "landing": landing})


def tell_overdue(tx: Transaction, project: str, dataset: str, landing: str, at: datetime) -> bool:
    """Notes that somebody is told of a late landing; False where that was done already."""
    values = {"project": project, "dataset": dataset, "landing": landing, "at": to_micros(at)}
    return tx.execute(sql.tell_overdue, values) == 1
