"""What the labels system says: projects, tasks, annotations, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from treadle.systems.labels.schema import Answer, LabelSchema

Act = Literal["annotate", "skip", "review"]
Status = Literal["reviewed", "agreed", "majority", "single", "disputed", "open"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelProject:
    """What is asked, of how many annotators, and how long a task is kept for the one who took it."""

    name: str
    schema: LabelSchema
    instructions: str
    overlap: int
    """How many annotators are asked about each task."""
    lease_s: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelProjectSummary:
    """A project and how far it has come. `tasks` = `open` + `closed`."""

    name: str
    tasks: int
    open: int
    closed: int
    reviewed: int
    annotations: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """A thing to label: where it comes from, what the annotator is shown, and what goes first (higher priority)."""

    source: str
    data: Mapping[str, Any]
    priority: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelTask:
    """One thing to label. `source` is a row id (`land_…:17`) for tasks made from rows, else a key of the caller's."""

    id: str
    labels: str
    source: str
    data: Mapping[str, Any]
    priority: float
    answered: int
    """How many annotators have answered."""
    reviewed: bool
    closed_at: datetime | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LeasedTask:
    """A task that is kept for an annotator until a moment."""

    task: LabelTask
    until_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One act of an annotator or a reviewer; never changed, only followed by another.

    value is None for a skip. previous: the annotation of the same annotator that this one replaces.
    event_at: when it was made elsewhere, for imported ones.
    """

    id: str
    task: str
    annotator: str
    act: Act
    value: Mapping[str, Answer] | None
    previous: str | None
    seconds: float | None
    note: str
    event_at: datetime | None
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """How many tasks were new; the others were there already, by their source."""

    added: int
    known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAgreement:
    """How far the annotators agree on one question, over the tasks that two or more have answered.

    figure: `cohen_kappa` for two annotators who answered the same tasks, else `krippendorff_alpha`. value is None where
    it is not defined (no task with two answers, or a single answer throughout); `note` then says which.
    """

    question: str
    figure: str
    value: float | None
    note: str
    tasks: int
    annotators: Sequence[str]
    equal: float | None
    """The share of pairs of answers that are equal; None without pairs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Agreement by question. Reviews do not count: they are made knowing the others."""

    labels: str
    questions: Sequence[QuestionAgreement]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A task whose annotators answered differently, with their answers: what a reviewer decides."""

    task: LabelTask
    answers: Mapping[str, Mapping[str, Answer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a task's label is, and on what it rests. `value` is None while it is disputed or open.

    reviewed: a reviewer decided; agreed: two or more annotators gave the same answers; majority: more than half did;
    single: one annotator, and no more were asked; disputed: no majority; open: still waiting for annotators.
    """

    task: str
    source: str
    status: Status
    value: Mapping[str, Answer] | None
    annotators: Sequence[str]
    known_at: datetime | None
    """When the label was known: the time of the last act that it rests on."""
    note: str = ""
    """What the one said whose answers were taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """Where the labels were landed, and how many by status; those without a value stay behind."""

    dataset: str
    snapshot: str | None
    rows: int
    by_status: Mapping[str, int] = field(default_factory=dict)
