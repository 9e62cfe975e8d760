"""Label Studio's JSON and its labelling config, both ways.

Written after labelstud.io, "Label Studio JSON format of annotated tasks" and the tags `Choices`, `Number`, `TextArea`,
as version 1.23 exports them. Regions of images, spans and other results are counted and left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

import msgspec

from treadle.wire.labelstudio.errors import NotLabelStudio
from treadle.wire.labelstudio.records import Control, StudioAnnotation, StudioTask


class _Result(msgspec.Struct):
    from_name: str = ""
    to_name: str = ""
    type: str = ""
    value: dict[str, Any] = {}


class _Annotation(msgspec.Struct):
    result: list[_Result] = []
    completed_by: int | str | dict[str, Any] | None = None
    was_cancelled: bool = False
    ground_truth: bool = False
    lead_time: float | None = None
    created_at: str | None = None


class _Task(msgspec.Struct):
    data: dict[str, Any]
    id: int | None = None
    meta: dict[str, Any] | None = None
    annotations: list[_Annotation] = []


def read_tasks(document: bytes | str) -> list[StudioTask]:
    """The tasks of an export or of an import file (a JSON list of tasks, or of bare data objects).

    Raises NotLabelStudio with the place of the first thing that does not fit.
    """
    try:
        items = msgspec.json.decode(document, type=list[dict[str, Any]])
        return [_read_task(msgspec.convert(item if "data" in item else {"data": item}, _Task)) for item in items]
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise NotLabelStudio(
            "This is no list of Label Studio tasks.",
            why=str(error),
            fix='Export the project as "JSON" (not "JSON-MIN" or CSV).',
        ) from error


def _read_task(task: _Task) -> StudioTask:
    annotations = [_read_annotation(made) for made in task.annotations]
    return StudioTask(data=task.data, id=task.id, meta=task.meta or {}, annotations=annotations)


def _read_annotation(made: _Annotation) -> StudioAnnotation:
    values: dict[str, str | float] = {}
    others = 0
    for result in made.result:
        value = _read_value(result)
        if value is None or result.from_name in values:
            others += 1
        else:
            values[result.from_name] = value
    return StudioAnnotation(
        annotator=_who(made.completed_by),
        values=values,
        was_cancelled=made.was_cancelled,
        ground_truth=made.ground_truth,
        lead_time_s=made.lead_time,
        created_at=None if made.created_at is None else _moment(made.created_at),
        other_results=others,
    )


def _read_value(result: _Result) -> str | float | None:
    value = result.value
    if result.type == "choices":
        chosen = value.get("choices")
        return chosen[0] if isinstance(chosen, list) and len(chosen) == 1 and isinstance(chosen[0], str) else None
    if result.type == "textarea":
        texts = value.get("text")
        lines = [texts] if isinstance(texts, str) else texts
        return "\n".join(lines) if isinstance(lines, list) and all(isinstance(t, str) for t in lines) else None
    number = (
        value.get("number") if result.type == "number" else value.get("rating") if result.type == "rating" else None
    )
    return float(number) if isinstance(number, int | float) and not isinstance(number, bool) else None


def _who(completed_by: int | str | dict[str, Any] | None) -> str:
    if isinstance(completed_by, dict):
        return str(completed_by.get("email") or completed_by.get("id") or "unknown")
    return "unknown" if completed_by is None else str(completed_by)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise msgspec.ValidationError(f"{text!r} is no time") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def write_tasks(tasks: Iterable[StudioTask], controls: Sequence[Control], *, shown: str = "task") -> bytes:
    """The tasks as Label Studio imports them. shown: the name of the object tag that the controls point to."""
    kinds = {control.name: control.kind for control in controls}
    return msgspec.json.encode([_write_task(task, kinds, shown) for task in tasks])


def _write_task(task: StudioTask, kinds: Mapping[str, str], shown: str) -> dict[str, Any]:
    written: dict[str, Any] = {"data": dict(task.data), "annotations": []}
    if task.id is not None:
        written["id"] = task.id
    if task.meta:
        written["meta"] = dict(task.meta)
    for made in task.annotations:
        results = [
            {"from_name": name, "to_name": shown, "type": kinds[name], "value": _write_value(kinds[name], value)}
            for name, value in made.values.items()
        ]
        annotation: dict[str, Any] = {
            "result": results,
            "completed_by": made.annotator,
            "was_cancelled": made.was_cancelled,
            "ground_truth": made.ground_truth,
        }
        if made.lead_time_s is not None:
            annotation["lead_time"] = made.lead_time_s
        if made.created_at is not None:
            annotation["created_at"] = made.created_at.isoformat()
        written["annotations"].append(annotation)
    return written


def _write_value(kind: str, value: str | float) -> dict[str, Any]:
    if kind == "number":
        return {"number": value}
    return {"choices": [value]} if kind == "choices" else {"text": [value]}


def write_config(controls: Sequence[Control], fields: Sequence[str], *, shown: str = "task") -> str:
    """The labelling config (XML): the fields of a task shown as a table of texts, then one control a question.

    fields: names in the tasks' data. The first is the object that the controls point to.
    """
    lines = ["<View>"]
    for place, field in enumerate(fields):
        name = shown if place == 0 else f"{shown}_{place}"
        lines.append(f"  <Header value={quoteattr(field)}/>")
        lines.append(f"  <Text name={quoteattr(name)} value={quoteattr('$' + field)}/>")
    for control in controls:
        lines.append(f"  <Header value={quoteattr(control.title or control.name)}/>")
        lines += _write_control(control, shown)
    return "\n".join([*lines, "</View>"]) + "\n"


def _write_control(control: Control, shown: str) -> list[str]:
    common = f'name={quoteattr(control.name)} toName={quoteattr(shown)} required="{str(control.required).lower()}"'
    if control.kind == "textarea":
        return [f"  <TextArea {common}/>"]
    if control.kind == "number":
        bounds = [("min", control.minimum), ("max", control.maximum)]
        limits = "".join(f' {name}="{bound:g}"' for name, bound in bounds if bound is not None)
        return [f"  <Number {common}{limits}/>"]
    choices = [f"    <Choice value={quoteattr(choice)}/>" for choice in control.choices]
    return [f'  <Choices {common} choice="single">', *choices, "  </Choices>"]
