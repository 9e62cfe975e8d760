"""The rows of labels: projects, tasks with their leases, annotations. Reads and writes, no rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from treadle.ground.clock import from_micros, to_micros
from treadle.ground.digests import canonical_json
from treadle.kernel.store import Reader, Row, Statements, Transaction
from treadle.systems.labels.records import Annotation, LabelProject, LabelProjectSummary, LabelTask, NewTask
from treadle.systems.labels.schema import LabelSchema

sql = Statements(__package__)


class ProjectRows:
    """Labelling projects."""

    def add(self, tx: Transaction, project: str, made: LabelProject, actor: str) -> bool:
        """Whether the project is new."""
        values = {
            "project": project,
            "name": made.name,
            "schema": msgspec.json.encode(made.schema).decode(),
            "instructions": made.instructions,
            "overlap": made.overlap,
            "lease_s": made.lease_s,
            "actor": actor,
            "recorded_at": to_micros(made.recorded_at),
        }
        return tx.execute(sql.insert_project, values) == 1

    def find(self, reader: Reader, project: str, name: str) -> LabelProject | None:
        """The labelling project, or None."""
        row = reader.find(sql.find_project, {"project": project, "name": name})
        if row is None:
            return None
        name, schema, instructions, overlap, lease_s, recorded_at = row
        return LabelProject(
            name=name,
            schema=msgspec.json.decode(schema, type=LabelSchema),
            instructions=instructions,
            overlap=overlap,
            lease_s=lease_s,
            recorded_at=from_micros(recorded_at),
        )

    def summaries(self, reader: Reader, project: str) -> list[LabelProjectSummary]:
        """Every labelling project with its counts, by name; no task's data is read."""
        answers: dict[str, int] = dict(reader.all(sql.count_annotations, {"project": project}))
        return [
            LabelProjectSummary(
                name=name,
                tasks=tasks,
                open=waiting,
                closed=tasks - waiting,
                reviewed=reviewed,
                annotations=answers.get(name, 0),
                recorded_at=from_micros(at),
            )
            for name, tasks, waiting, reviewed, at in reader.all(sql.list_projects, {"project": project})
        ]


class TaskRows:
    """Tasks and the leases on them."""

    def add(self, tx: Transaction, project: str, labels: str, tasks: Sequence[tuple[str, NewTask]], at: int) -> int:
        """Adds tasks (with their ids) whose source is new in the labelling project; answers how many were."""
        added = 0
        for task_id, task in tasks:
            values = {
                "project": project,
                "id": task_id,
                "labels": labels,
                "source": task.source,
                "data": canonical_json(task.data).decode(),
                "priority": float(task.priority),
                "recorded_at": at,
            }
            added += tx.execute(sql.insert_task, values)
        return added

    def find(self, reader: Reader, project: str, task: str) -> LabelTask | None:
        """The task, or None."""
        row = reader.find(sql.find_task, {"project": project, "id": task})
        return None if row is None else _task(row)

    def id_of_source(self, reader: Reader, project: str, labels: str, source: str) -> str | None:
        """The id of the task that was made of a source, or None."""
        row = reader.find(sql.find_task_by_source, {"project": project, "labels": labels, "source": source})
        return None if row is None else str(row[0])

    def page(self, reader: Reader, project: str, labels: str, after: str, limit: int) -> list[LabelTask]:
        """Tasks in the order in which they were added, those after an id."""
        values = {"project": project, "labels": labels, "after": after, "limit": limit}
        return [_task(row) for row in reader.all(sql.list_tasks, values)]

    def sources(self, reader: Reader, project: str, labels: str) -> list[tuple[str, str, bool]]:
        """(id, source, closed) of every task, without its data."""
        rows = reader.all(sql.sources_of_project, {"project": project, "labels": labels})
        return [(task, source, closed_at is not None) for task, source, closed_at in rows]

    def leased(
        self, reader: Reader, project: str, labels: str, annotator: str, now: int
    ) -> list[tuple[LabelTask, datetime]]:
        """The tasks that an annotator holds, with the ends of the leases."""
        values = {"project": project, "labels": labels, "annotator": annotator, "now": now}
        return [(_task(row[:-1]), from_micros(row[-1])) for row in reader.all(sql.leased_tasks, values)]

    def waiting(
        self, tx: Transaction, project: str, labels: LabelProject, annotator: str, now: int, limit: int
    ) -> list[LabelTask]:
        """Tasks that still want this annotator: not enough others answer or hold them."""
        tx.all(sql.lock_project, {"project": project, "name": labels.name})
        values = {
            "project": project,
            "labels": labels.name,
            "annotator": annotator,
            "now": now,
            "overlap": labels.overlap,
            "limit": limit,
        }
        return [_task(row) for row in tx.all(sql.waiting_tasks, values)]

    def lease(self, tx: Transaction, project: str, task: str, annotator: str, until: int) -> None:
        """Keeps the task for the annotator until a moment."""
        tx.execute(sql.take_lease, {"project": project, "task": task, "annotator": annotator, "until_at": until})

    def release(self, tx: Transaction, project: str, task: str, annotator: str) -> None:
        """Ends the annotator's lease, if there is one."""
        tx.execute(sql.drop_lease, {"project": project, "task": task, "annotator": annotator})

    def lock(self, tx: Transaction, project: str, task: str) -> None:
        """Lets nobody else act on the task until this transaction ends."""
        tx.all(sql.lock_task, {"project": project, "id": task})

    def count_answer(self, tx: Transaction, project: str, task: str, change: int, overlap: int, now: int) -> None:
        """Changes the number of annotators who answered; the task is closed while they are enough."""
        values = {"project": project, "id": task, "change": change, "overlap": overlap, "now": now}
        tx.execute(sql.count_answer, values)

    def review(self, tx: Transaction, project: str, task: str, annotation: str, now: int) -> None:
        """Closes the task by a review."""
        tx.execute(sql.review_task, {"project": project, "id": task, "review": annotation, "now": now})
        tx.execute(sql.drop_leases, {"project": project, "task": task})


class AnnotationRows:
    """Annotations: added, never changed."""

    def add(self, tx: Transaction, project: str, labels: str, made: Annotation) -> None:
        """Adds an annotation."""
        values = {
            "project": project,
            "id": made.id,
            "labels": labels,
            "task": made.task,
            "annotator": made.annotator,
            "act": made.act,
            "value": None if made.value is None else canonical_json(made.value).decode(),
            "previous": made.previous,
            "seconds": made.seconds,
            "note": made.note,
            "event_at": None if made.event_at is None else to_micros(made.event_at),
            "recorded_at": to_micros(made.recorded_at),
        }
        tx.execute(sql.insert_annotation, values)

    def newest(self, reader: Reader, project: str, task: str, annotator: str) -> tuple[str, str] | None:
        """(id, act) of the annotator's newest annotation or skip of the task, or None."""
        values = {"project": project, "task": task, "annotator": annotator}
        row = reader.find(sql.newest_of_annotator, values)
        return None if row is None else (row[0], row[1])

    def of_task(self, reader: Reader, project: str, task: str) -> list[Annotation]:
        """Everything that was done to a task, oldest first."""
        return [_annotation(row) for row in reader.all(sql.annotations_of_task, {"project": project, "task": task})]

    def of_project(self, reader: Reader, project: str, labels: str) -> list[Annotation]:
        """Everything that was done in a labelling project, oldest first."""
        rows = reader.each(sql.annotations_of_project, {"project": project, "labels": labels})
        return [_annotation(row) for row in rows]


def _task(row: Row) -> LabelTask:
    task, labels, source, data, priority, answered, review, closed_at, recorded_at = row
    return LabelTask(
        id=task,
        labels=labels,
        source=source,
        data=msgspec.json.decode(data),
        priority=priority,
        answered=answered,
        reviewed=review is not None,
        closed_at=None if closed_at is None else from_micros(closed_at),
        recorded_at=from_micros(recorded_at),
    )


def _annotation(row: Row) -> Annotation:
    made, task, annotator, act, value, previous, seconds, note, event_at, recorded_at = row
    return Annotation(
        id=made,
        task=task,
        annotator=annotator,
        act=act,
        value=None if value is None else msgspec.json.decode(value),
        previous=previous,
        seconds=seconds,
        note=note,
        event_at=None if event_at is None else from_micros(event_at),
        recorded_at=from_micros(recorded_at),
    )
