"""Label Studio's documents as records: tasks with annotations, results tied to the tags of a labelling config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Kind = Literal["choices", "number", "textarea"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A control tag of the labelling config: `Choices`, `Number` or `TextArea`."""

    name: str
    kind: Kind
    title: str = ""
    choices: Sequence[str] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioAnnotation:
    """One annotation: control name -> choice, number or text. `results` that are none of these stay out, counted."""

    annotator: str
    values: Mapping[str, str | float]
    was_cancelled: bool = False
    ground_truth: bool = False
    lead_time_s: float | None = None
    created_at: datetime | None = None
    other_results: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioTask:
    """One task: what the annotator is shown, and the annotations it has. `id` is None for one that has none yet."""

    data: Mapping[str, Any]
    id: int | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    annotations: Sequence[StudioAnnotation] = ()
