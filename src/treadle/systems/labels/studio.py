"""Between our labels and Label Studio's documents; the bytes themselves are `wire/labelstudio`'s."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from treadle.ground import digests
from treadle.systems.labels.deciding import Standing
from treadle.systems.labels.errors import InvalidAnswer
from treadle.systems.labels.records import Act, LabelTask, NewTask
from treadle.systems.labels.schema import Answer, LabelSchema, check_value
from treadle.wire.labelstudio import Control, StudioAnnotation, StudioTask, read_tasks, write_config, write_tasks
from treadle.wire.labelstudio.records import Kind

SOURCE = "treadle_source"
"""Where an export keeps a task's source, in `meta`, so that it comes back as the same task."""

_KINDS: dict[str, Kind] = {"choice": "choices", "number": "number", "text": "textarea"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignAct:
    """What somebody did to a task elsewhere."""

    annotator: str
    act: Act
    value: Mapping[str, Answer] | None
    seconds: float | None
    note: str
    event_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Tasks with what was done to them, and what could not be taken over."""

    tasks: Sequence[tuple[NewTask, Sequence[ForeignAct]]]
    left_out: Mapping[str, int] = field(default_factory=dict)


def read(schema: LabelSchema, document: str) -> Batch:
    """The tasks and annotations of a document. Raises NotLabelStudio.

    Annotations that do not answer the schema's questions are left out and counted; their tasks are kept.
    """
    left_out: Counter[str] = Counter()
    tasks = []
    for task in read_tasks(document):
        acts = [act for made in task.annotations if (act := _act(schema, made, left_out)) is not None]
        tasks.append((NewTask(source=_source(task), data=task.data), acts))
    return Batch(tasks=tasks, left_out=dict(left_out))


def _source(task: StudioTask) -> str:
    kept = task.meta.get(SOURCE)
    if isinstance(kept, str):
        return kept
    return f"labelstudio:{task.id}" if task.id is not None else digests.of_json(task.data)


def _act(schema: LabelSchema, made: StudioAnnotation, left_out: Counter[str]) -> ForeignAct | None:
    if made.other_results:
        left_out["results of another kind"] += made.other_results
    value: dict[str, Answer] | None = None
    if not made.was_cancelled:
        try:
            value = check_value(schema, made.values)
        except InvalidAnswer as error:
            left_out[error.what] += 1
            return None
    return ForeignAct(
        annotator=made.annotator,
        act="skip" if made.was_cancelled else "annotate",
        value=value,
        seconds=made.lead_time_s,
        note="",
        event_at=made.created_at,
    )


def write(schema: LabelSchema, tasks: Sequence[LabelTask], stands: Mapping[str, Standing]) -> tuple[str, str]:
    """The tasks with their standing annotations as Label Studio's JSON, and the labelling config. A review is a
    `ground_truth` annotation there."""
    controls = [
        Control(
            name=question.name,
            kind=_KINDS[question.kind],
            title=question.title,
            choices=question.choices,
            minimum=question.minimum,
            maximum=question.maximum,
            required=question.required,
        )
        for question in schema.questions
    ]
    fields = list(dict.fromkeys(name for task in tasks for name in task.data))
    written = [
        StudioTask(
            id=place,
            data=task.data,
            meta={SOURCE: task.source},
            annotations=_annotations(stands.get(task.id, Standing())),
        )
        for place, task in enumerate(tasks, 1)
    ]
    return write_tasks(written, controls).decode(), write_config(controls, fields or ["task"])


def _annotations(stand: Standing) -> list[StudioAnnotation]:
    made = [*stand.answers.values(), *([stand.review] if stand.review is not None else [])]
    return [
        StudioAnnotation(
            annotator=annotation.annotator,
            values=annotation.value or {},
            ground_truth=annotation.act == "review",
            lead_time_s=annotation.seconds,
            created_at=annotation.event_at or annotation.recorded_at,
        )
        for annotation in made
    ]
