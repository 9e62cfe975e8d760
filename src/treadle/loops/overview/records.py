"""The loop at a glance, as records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SystemName = Literal["collect", "prepare", "features", "labels", "design", "train", "serve", "monitor"]
SystemState = Literal["well", "waits", "wrong", "quiet"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewOf:
    """The last hours. hours: 1 to 744, which is a month. buckets: into how many equal parts they are cut, 1 to 96."""

    hours: int = 24
    buckets: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """How much of something went through a system: 1,204 predictions."""

    count: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Concern:
    """Something that is wrong or waits for a person. id: of the alert, incident or run. subject: where one looks for it.
    since: when it began."""

    id: str
    system: SystemName
    state: Literal["waits", "wrong"]
    what: str
    subject: str
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemSheet:
    """One of the eight systems. series: its events by bucket, oldest first. quiet: nothing happened, and nothing is wrong."""

    name: SystemName
    state: SystemState
    flow: list[Flow]
    series: list[int]
    last_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """since, until: the window. concerns: of all systems, what is wrong first, the newest first among them; `more_concerns`
    are not listed. runs, failed, decided: what the loop itself did: runs that ended, those that failed, releases decided."""

    since: datetime
    until: datetime
    systems: list[SystemSheet]
    concerns: list[Concern]
    more_concerns: int
    runs: int
    failed: int
    decided: int
