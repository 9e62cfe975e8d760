"""The verbs of labels: make a project, fill it with tasks, label them, decide, and take the labels out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from treadle.ground.clock import Clock, to_micros
from treadle.ground.digests import canonical_json
from treadle.ground.errors import did_you_mean
from treadle.ground.ids import NewId
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store, Transaction
from treadle.kernel.vocabulary.pages import Page
from treadle.systems.labels import deciding, exporting, studio
from treadle.systems.labels.errors import (
    InvalidLabelSchema,
    LabelProjectExists,
    LabelProjectNotFound,
    LabelTaskNotFound,
    NotATask,
    TaskReviewed,
)
from treadle.systems.labels.ports import LabelSink, TaskRows
from treadle.systems.labels.records import (
    Act,
    Added,
    Agreement,
    Annotation,
    Dispute,
    Export,
    LabelProject,
    LabelProjectSummary,
    LabelTask,
    LeasedTask,
    NewTask,
    Verdict,
)
from treadle.systems.labels.repository import AnnotationRows, ProjectRows
from treadle.systems.labels.repository import TaskRows as TaskTable
from treadle.systems.labels.schema import Answer, LabelSchema, Question, check_schema, check_value

if TYPE_CHECKING:
    import polars as pl

MOST_TASKS_AT_ONCE = 1_000
"""Tasks added in one transaction, so that others come between; adding is idempotent, so a break loses nothing."""

_Projects = list[LabelProjectSummary]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateLabelProject:
    """`overlap` annotators are asked about each task; a task that was taken is kept for `lease_s` seconds."""

    name: str
    questions: Sequence[Question]
    instructions: str = ""
    overlap: int = 1
    lease_s: int = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsNamed:
    labels: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddTasks:
    """Tasks given one by one, or made of the rows of a dataset (a quarantine is one): one of the two.

    columns: what the annotator is shown of a row; everything by default. limit: at most so many rows.
    """

    labels: str
    tasks: Sequence[NewTask] = ()
    dataset: str | None = None
    at: str | None = None
    columns: Sequence[str] | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTasks:
    """Asks for tasks for the caller; more than one where a client loads ahead."""

    labels: str
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotate:
    """The caller's answers for a task: question -> answer."""

    task: str
    value: Mapping[str, Answer]
    seconds: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipTask:
    task: str
    reason: str = ""
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNamed:
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    labels: str
    after: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportLabels:
    """Lands the decided labels as rows of a dataset."""

    labels: str
    dataset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioDocument:
    """A Label Studio export (its "JSON" format) as text, to be taken into a labelling project."""

    labels: str
    document: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StudioExport:
    """Tasks and annotations in Label Studio's JSON, and the labelling config (XML) that fits them."""

    document: str
    config: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was taken in. `left_out` counts results that are no choice, number or text, and answers that do not fit."""

    tasks: Added
    annotations: int
    left_out: Mapping[str, int] = field(default_factory=dict)


class Labels:
    """The labelling projects of a store."""

    def __init__(
        self,
        store: Store,
        events: EventLog,
        clock: Clock,
        new_id: NewId,
        rows: TaskRows | None = None,
        sink: LabelSink | None = None,
    ) -> None:
        self._store, self._events, self._clock, self._new_id = store, events, clock, new_id
        self._source, self._sink = rows, sink
        self._projects, self._tasks, self._annotations = ProjectRows(), TaskTable(), AnnotationRows()

    @verb("labels.create_project", permission="label.write", event="labels.created")
    def create_project(self, caller: Caller, request: CreateLabelProject) -> LabelProject:
        """The labelling project; asking again for the same one changes nothing."""
        made = LabelProject(
            name=request.name,
            schema=LabelSchema(questions=list(request.questions)),
            instructions=request.instructions,
            overlap=request.overlap,
            lease_s=request.lease_s,
            recorded_at=self._clock(),
        )
        _check_project(made)

        def work(tx: Transaction) -> LabelProject:
            if self._projects.add(tx, caller.project, made, caller.actor):
                body = {"questions": [question.name for question in request.questions], "overlap": request.overlap}
                self._event(tx, caller, "labels.created", made.name, body)
                return made
            known = self._get(tx, caller.project, made.name)
            if canonical_json(known.schema) != canonical_json(made.schema) or known.overlap != made.overlap:
                raise LabelProjectExists(
                    f"There is a labelling project {made.name!r} with other questions or another overlap.",
                    why="Annotations of two schemas cannot stand side by side.",
                    fix="Choose another name.",
                    labels=made.name,
                )
            return known

        return self._store.write(work)

    @verb("labels.list", permission="label.read")
    def list(self, caller: Caller) -> _Projects:
        """Every labelling project, with how far it has come."""
        with self._store.read() as reader:
            return self._projects.summaries(reader, caller.project)

    @verb("labels.get", permission="label.read")
    def get(self, caller: Caller, request: LabelsNamed) -> LabelProject:
        """A labelling project with its questions."""
        with self._store.read() as reader:
            return self._get(reader, caller.project, request.labels)

    @verb("labels.add_tasks", permission="label.write", event="labels.tasks_added")
    def add_tasks(self, caller: Caller, request: AddTasks) -> Added:
        """Adds tasks whose source the project does not have yet; asking again adds nothing twice."""
        if (request.dataset is None) == (not request.tasks):
            raise NotATask("Give tasks, or the dataset whose rows are to become tasks: one of the two.")
        with self._store.read() as reader:
            self._get(reader, caller.project, request.labels)
        if request.dataset is None:
            return self._add(caller, request.labels, request.tasks)
        tasks = self._tasks_of_rows(caller, request.dataset, request.at, request.columns, request.limit)
        return self._add(caller, request.labels, tasks)

    @verb("labels.next", permission="label.annotate")
    def next(self, caller: Caller, request: NextTasks) -> Sequence[LeasedTask]:
        """Tasks for the caller, kept for them until the lease ends; those that they hold already come first."""
        wanted = max(1, min(request.count, 100))

        def work(tx: Transaction) -> Sequence[LeasedTask]:
            labels = self._get(tx, caller.project, request.labels)
            now = self._clock()
            until = now + timedelta(seconds=labels.lease_s)
            held = self._tasks.leased(tx, caller.project, labels.name, caller.actor, to_micros(now))
            found = [LeasedTask(task=task, until_at=end) for task, end in held[:wanted]]
            if len(found) < wanted:
                fresh = self._tasks.waiting(
                    tx, caller.project, labels, caller.actor, to_micros(now), wanted - len(found)
                )
                for task in fresh:
                    self._tasks.lease(tx, caller.project, task.id, caller.actor, to_micros(until))
                    found.append(LeasedTask(task=task, until_at=until))
            return found

        return self._store.write(work)

    @verb("labels.annotate", permission="label.annotate")
    def annotate(self, caller: Caller, request: Annotate) -> Annotation:
        """The caller's answers, recorded; a second one replaces their first, and both stay on record."""

        def work(tx: Transaction) -> Annotation:
            task, labels = self._locked(tx, caller.project, request.task)
            value = check_value(labels.schema, request.value)
            return self._act(tx, caller, labels, task, "annotate", value, request.seconds, request.note)

        return self._store.write(work)

    @verb("labels.skip", permission="label.annotate")
    def skip(self, caller: Caller, request: SkipTask) -> Annotation:
        """The caller does not answer this task; it is offered to others, and an earlier answer is taken back."""

        def work(tx: Transaction) -> Annotation:
            task, labels = self._locked(tx, caller.project, request.task)
            return self._act(tx, caller, labels, task, "skip", None, request.seconds, request.reason)

        return self._store.write(work)

    @verb("labels.review", permission="label.review", event="labels.reviewed")
    def review(self, caller: Caller, request: Annotate) -> Annotation:
        """The reviewer's decision, which is the task's label from now on; a later review replaces it."""

        def work(tx: Transaction) -> Annotation:
            task, labels = self._locked(tx, caller.project, request.task, reviewing=True)
            value = check_value(labels.schema, request.value)
            made = self._annotation(caller, task, "review", value, request.seconds, request.note)
            self._annotations.add(tx, caller.project, labels.name, made)
            self._tasks.review(tx, caller.project, task.id, made.id, to_micros(made.recorded_at))
            self._event(tx, caller, "labels.reviewed", labels.name, {"task": task.id, "annotation": made.id})
            return made

        return self._store.write(work)

    @verb("labels.tasks", permission="label.read")
    def tasks(self, caller: Caller, request: TaskPage) -> Page[LabelTask]:
        """A page of a project's tasks, in the order in which they were added."""
        limit = max(1, min(request.limit, 1_000))
        with self._store.read() as reader:
            self._get(reader, caller.project, request.labels)
            found = self._tasks.page(reader, caller.project, request.labels, request.after, limit)
        return Page(items=found, next=found[-1].id if len(found) == limit else None)

    @verb("labels.history", permission="label.read")
    def history(self, caller: Caller, request: TaskNamed) -> Sequence[Annotation]:
        """Everything that was done to a task, oldest first."""
        with self._store.read() as reader:
            self._task(reader, caller.project, request.task)
            return self._annotations.of_task(reader, caller.project, request.task)

    @verb("labels.agreement", permission="label.read")
    def agreement(self, caller: Caller, request: LabelsNamed) -> Agreement:
        """How far the annotators agree, by question: Cohen's kappa for two, else Krippendorff's alpha."""
        with self._store.read() as reader:
            labels = self._get(reader, caller.project, request.labels)
            stands = deciding.standing(self._annotations.of_project(reader, caller.project, labels.name))
        return deciding.agreement(labels.name, labels.schema, stands)

    @verb("labels.disputes", permission="label.read")
    def disputes(self, caller: Caller, request: LabelsNamed) -> Sequence[Dispute]:
        """Tasks whose annotators answered differently and that nobody has reviewed: what a reviewer has to decide."""
        with self._store.read() as reader:
            labels = self._get(reader, caller.project, request.labels)
            stands = deciding.standing(self._annotations.of_project(reader, caller.project, labels.name))
            return [
                Dispute(
                    task=self._task(reader, caller.project, task),
                    answers={who: made.value or {} for who, made in stand.answers.items()},
                )
                for task, stand in stands.items()
                if deciding.is_disputed(stand)
            ]

    @verb("labels.verdicts", permission="label.read")
    def verdicts(self, caller: Caller, request: LabelsNamed) -> Sequence[Verdict]:
        """The label of every task, and on what it rests."""
        with self._store.read() as reader:
            self._get(reader, caller.project, request.labels)
            stands = deciding.standing(self._annotations.of_project(reader, caller.project, request.labels))
            sources = self._tasks.sources(reader, caller.project, request.labels)
        return [
            deciding.decide(task, source, closed, stands.get(task, deciding.Standing()))
            for task, source, closed in sources
        ]

    def frame(self, caller: Caller, labels: str) -> pl.DataFrame:
        """The decided labels as a frame: task, source (and its landing and row), answers, status, annotators, known_at."""
        schema = self.get(caller, LabelsNamed(labels=labels)).schema
        return exporting.frame_of(schema, self.verdicts(caller, LabelsNamed(labels=labels)))

    @verb("labels.export", permission="label.write", event="labels.exported")
    def export(self, caller: Caller, request: ExportLabels) -> Export:
        """Lands the decided labels in a dataset; the same labels are landed once, however often it is asked."""
        if self._sink is None:
            raise NotATask("There is no place where labels could land.", fix="Give the service a LabelSink.")
        schema = self.get(caller, LabelsNamed(labels=request.labels)).schema
        verdicts = self.verdicts(caller, LabelsNamed(labels=request.labels))
        frame = exporting.frame_of(schema, verdicts)
        by_status: dict[str, int] = dict(sorted(Counter(str(verdict.status) for verdict in verdicts).items()))
        if not len(frame):
            return Export(dataset=request.dataset, snapshot=None, rows=0, by_status=by_status)
        key = exporting.key_of(request.labels, schema, verdicts)
        snapshot = self._sink.land_labels(caller, request.dataset, frame, key)
        body = {"dataset": request.dataset, "snapshot": snapshot, "rows": len(frame)}
        self._store.write(lambda tx: self._event(tx, caller, "labels.exported", request.labels, body))
        return Export(dataset=request.dataset, snapshot=snapshot, rows=len(frame), by_status=by_status)

    @verb("labels.import_studio", permission="label.write", event="labels.tasks_added")
    def import_studio(self, caller: Caller, request: StudioDocument) -> Imported:
        """Takes a Label Studio export in: tasks by their id, annotations under their annotators' names.

        Annotations of tasks that were taken in before are not taken again.
        """
        with self._store.read() as reader:
            labels = self._get(reader, caller.project, request.labels)
        batch = studio.read(labels.schema, request.document)
        added = self._add(caller, labels.name, [task for task, _ in batch.tasks])
        count = 0
        for task, acts in batch.tasks:

            def work(tx: Transaction, source: str = task.source, acts: Sequence[studio.ForeignAct] = acts) -> int:
                return self._import_acts(tx, caller, labels, source, acts)

            count += self._store.write(work) if acts else 0
        return Imported(tasks=added, annotations=count, left_out=batch.left_out)

    @verb("labels.export_studio", permission="label.read")
    def export_studio(self, caller: Caller, request: LabelsNamed) -> StudioExport:
        """The project in Label Studio's JSON, with every standing annotation, and the config that fits it."""
        with self._store.read() as reader:
            labels = self._get(reader, caller.project, request.labels)
            stands = deciding.standing(self._annotations.of_project(reader, caller.project, labels.name))
            tasks = self._tasks.page(reader, caller.project, labels.name, "", 2**31)
        document, config = studio.write(labels.schema, tasks, stands)
        return StudioExport(document=document, config=config)

    def _get(self, reader: Reader, project: str, name: str) -> LabelProject:
        found = self._projects.find(reader, project, name)
        if found is None:
            known = [summary.name for summary in self._projects.summaries(reader, project)]
            raise LabelProjectNotFound(
                f"There is no labelling project {name!r}.", fix=did_you_mean(name, known), labels=name
            )
        return found

    def _task(self, reader: Reader, project: str, task: str) -> LabelTask:
        found = self._tasks.find(reader, project, task)
        if found is None:
            raise LabelTaskNotFound(
                f"There is no label task {task!r}.", fix="List them with: treadle labels tasks PROJECT", task=task
            )
        return found

    def _locked(
        self, tx: Transaction, project: str, task_id: str, *, reviewing: bool = False
    ) -> tuple[LabelTask, LabelProject]:
        """The task, which nobody else acts on until the transaction ends. Raises TaskReviewed unless it is a review."""
        self._tasks.lock(tx, project, task_id)
        task = self._task(tx, project, task_id)
        if task.reviewed and not reviewing:
            raise TaskReviewed(
                f"Task {task_id} has been reviewed.",
                why="The review is its label; another annotation would have no effect.",
                fix="Ask a reviewer to review it again if it is wrong.",
                task=task_id,
            )
        return task, self._get(tx, project, task.labels)

    def _act(
        self,
        tx: Transaction,
        caller: Caller,
        labels: LabelProject,
        task: LabelTask,
        act: Act,
        value: Mapping[str, Answer] | None,
        seconds: float | None,
        note: str,
        event_at: datetime | None = None,
    ) -> Annotation:
        before = self._annotations.newest(tx, caller.project, task.id, caller.actor)
        made = self._annotation(caller, task, act, value, seconds, note, before[0] if before else None, event_at)
        self._annotations.add(tx, caller.project, labels.name, made)
        self._tasks.release(tx, caller.project, task.id, caller.actor)
        had, has = before is not None and before[1] == "annotate", act == "annotate"
        if had != has:
            now = to_micros(made.recorded_at)
            self._tasks.count_answer(tx, caller.project, task.id, 1 if has else -1, labels.overlap, now)
        return made

    def _annotation(
        self,
        caller: Caller,
        task: LabelTask,
        act: Act,
        value: Mapping[str, Answer] | None,
        seconds: float | None,
        note: str,
        previous: str | None = None,
        event_at: datetime | None = None,
    ) -> Annotation:
        return Annotation(
            id=self._new_id("ann"),
            task=task.id,
            annotator=caller.actor,
            act=act,
            value=value,
            previous=previous,
            seconds=None if seconds is None else float(seconds),
            note=note,
            event_at=event_at,
            recorded_at=self._clock(),
        )

    def _add(self, caller: Caller, labels: str, tasks: Iterable[NewTask]) -> Added:
        waiting = [(self._new_id("task"), _checked_task(task)) for task in tasks]
        added = 0
        for start in range(0, len(waiting), MOST_TASKS_AT_ONCE):
            part = waiting[start : start + MOST_TASKS_AT_ONCE]

            def work(tx: Transaction, part: Sequence[tuple[str, NewTask]] = part) -> int:
                new = self._tasks.add(tx, caller.project, labels, part, to_micros(self._clock()))
                if new:
                    self._event(tx, caller, "labels.tasks_added", labels, {"tasks": new})
                return new

            added += self._store.write(work)
        return Added(added=added, known=len(waiting) - added)

    def _tasks_of_rows(
        self, caller: Caller, dataset: str, at: str | None, columns: Sequence[str] | None, limit: int | None
    ) -> Iterable[NewTask]:
        if self._source is None:
            raise NotATask("There are no datasets to make tasks of.", fix="Give the service its TaskRows.")
        snapshot = self._source.snapshot(caller.project, dataset, at)
        rows = self._source.scan(caller.project, snapshot)
        return exporting.tasks_of(rows, dataset, columns, limit)

    def _import_acts(
        self, tx: Transaction, caller: Caller, labels: LabelProject, source: str, acts: Sequence[studio.ForeignAct]
    ) -> int:
        task_id = self._tasks.id_of_source(tx, caller.project, labels.name, source)
        assert task_id is not None
        taken = 0
        for act in acts:
            task, _ = self._locked(tx, caller.project, task_id, reviewing=True)
            annotator = Caller(project=caller.project, actor=act.annotator, permissions=caller.permissions)
            if task.reviewed or self._annotations.newest(tx, caller.project, task_id, act.annotator) is not None:
                continue
            self._act(tx, annotator, labels, task, act.act, act.value, act.seconds, act.note, act.event_at)
            taken += 1
        return taken

    def _event(self, tx: Transaction, caller: Caller, kind: str, labels: str, body: Mapping[str, Any]) -> None:
        self._events.append(
            tx, project=caller.project, kind=kind, subject=f"labels/{labels}", actor=caller.actor, body=body
        )


def _check_project(made: LabelProject) -> None:
    check_schema(made.schema)
    if not made.name or len(made.name) > 100 or not made.name.replace("-", "").replace("_", "").isalnum():
        raise InvalidLabelSchema(
            f"{made.name!r} is no name for a labelling project.", fix="Use letters, digits, '_' and '-', at most 100."
        )
    if not 1 <= made.overlap <= 100 or not 1 <= made.lease_s <= 30 * 86_400:
        raise InvalidLabelSchema(
            f"An overlap of {made.overlap} and a lease of {made.lease_s} s cannot be.",
            fix="Ask 1 to 100 annotators, and keep a task for between a second and 30 days.",
        )


def _checked_task(task: NewTask) -> NewTask:
    if not task.source:
        raise NotATask("A task has no source.", why="By its source it is known when it comes again.")
    return task
