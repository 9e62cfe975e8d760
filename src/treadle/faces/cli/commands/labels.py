"""`treadle labels`: annotate from the terminal, see how far annotators agree, decide what they dispute."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong

Labels = Annotated[str, "the labelling project"]
TaskId = Annotated[str, "the task's id"]
Answers = Annotated[list[str], Option("the answers, one a question", metavar="QUESTION=ANSWER")]
Note = Annotated[str, "what a reviewer should know"]


def list_all(session: Session) -> None:
    """Every labelling project, and how far it has come."""
    projects = session.client.labels.list()

    def draw(paper: Paper) -> None:
        columns = ("project", "tasks", "open", "closed", "reviewed", "annotations", "since")
        rows = [
            (one.name, one.tasks, one.open, one.closed, one.reviewed, one.annotations, one.recorded_at)
            for one in projects
        ]
        paper.table(columns, rows, empty="No labelling projects yet.")

    session.out.show(projects, draw)


def create(
    session: Session,
    labels: Labels,
    questions: Annotated[
        list[str], Option("what is asked: is_real=yes,no; knots=number; note=text", metavar="QUESTION=KIND")
    ],
    *,
    instructions: Annotated[str, "what annotators read before they begin"] = "",
    overlap: Annotated[int, "how many annotators are asked about each task"] = 1,
) -> None:
    """A labelling project with its questions: a choice of answers, a number, or a text."""
    found = session.client.labels.create_project(
        name=labels, questions=[read_question(text) for text in questions], instructions=instructions, overlap=overlap
    )
    session.out.show(
        found, lambda paper: paper.line(f"{labels} asks: {', '.join(one.name for one in found.schema.questions)}.")
    )


def add(
    session: Session,
    labels: Labels,
    dataset: Annotated[str, "the dataset whose rows become tasks; a quarantine is one: sales.quarantine"],
    *,
    at: Annotated[str | None, "a version, tag, id or time of it (default: the newest)"] = None,
    columns: Annotated[list[str] | None, Option("show this column alone; repeat it", metavar="COLUMN")] = None,
    limit: Annotated[int | None, "at most so many rows"] = None,
) -> None:
    """Makes tasks of the rows of a dataset; a row becomes a task once."""
    added = session.client.labels.add_tasks(labels=labels, dataset=dataset, at=at, columns=columns, limit=limit)
    session.out.show(added, lambda paper: paper.sheet({"added": added.added, "there already": added.known}))


def next_tasks(session: Session, labels: Labels, *, count: Annotated[int, "how many"] = 1) -> None:
    """Tasks for you, kept for you until their lease ends."""
    leased = session.client.labels.next(labels=labels, count=count)

    def draw(paper: Paper) -> None:
        for one in leased:
            paper.sheet(
                {
                    "task": one.task.id,
                    "yours until": one.until_at,
                    **{f"  {name}": cell(value) for name, value in one.task.data.items()},
                }
            )
            paper.line()
        paper.line(
            "Answer with: treadle labels annotate TASK QUESTION=ANSWER …" if leased else "Nothing is left to annotate."
        )

    session.out.show(leased, draw)


def annotate(session: Session, task: TaskId, answers: Answers, *, note: Note = "") -> None:
    """Records your answers; a second time they replace your first, and both stay on record."""
    found = session.client.labels.annotate(task=task, value=read_answers(answers), note=note)
    session.out.show(found, lambda paper: paper.line(f"{task}: {cell(found.value)}."))


def skip(session: Session, task: TaskId, *, reason: Annotated[str, "why"] = "") -> None:
    """Leaves a task to others."""
    found = session.client.labels.skip(task=task, reason=reason)
    session.out.show(found, lambda paper: paper.line(f"{task} is left to others."))


def agreement(session: Session, labels: Labels) -> None:
    """How far the annotators agree, by question: 1 is always, 0 no more than by chance."""
    found = session.client.labels.agreement(labels=labels)

    def draw(paper: Paper) -> None:
        columns = ("question", "figure", "agreement", "tasks", "annotators", "equal answers", "note")
        rows = [
            (one.question, one.figure, one.value, one.tasks, cell(one.annotators), one.equal, one.note)
            for one in found.questions
        ]
        paper.table(columns, rows)

    session.out.show(found, draw)


def disputes(session: Session, labels: Labels) -> None:
    """Tasks that were answered differently and that nobody has reviewed."""
    found = session.client.labels.disputes(labels=labels)

    def draw(paper: Paper) -> None:
        rows = [(one.task.id, "; ".join(f"{who}: {cell(said)}" for who, said in one.answers.items())) for one in found]
        paper.table(("task", "answers"), rows, empty="Nothing is in dispute.")

    session.out.show(found, draw)


def review(session: Session, task: TaskId, answers: Answers, *, note: Note = "") -> None:
    """Decides a task: this is its label from now on."""
    found = session.client.labels.review(task=task, value=read_answers(answers), note=note)
    session.out.show(found, lambda paper: paper.line(f"{task} is decided: {cell(found.value)}."))


def export(session: Session, labels: Labels, dataset: Annotated[str, "the dataset in which they land"]) -> None:
    """Lands the decided labels in a dataset; the same labels land once."""
    done = session.client.labels.export(labels=labels, dataset=dataset)
    session.out.show(
        done,
        lambda paper: paper.sheet(
            {"dataset": done.dataset, "snapshot": done.snapshot, "rows": done.rows, **done.by_status}
        ),
    )


def read_question(text: str) -> dict[str, object]:
    """`is_real=yes,no`, `knots=number` or `note=text` as a question. Raises UsageWrong."""
    name, sign, kind = text.partition("=")
    if not sign or not name or not kind:
        raise UsageWrong(f"{text!r} asks nothing.", fix="is_real=yes,no or knots=number or note=text")
    if kind in ("number", "text"):
        return {"name": name, "kind": kind}
    return {"name": name, "kind": "choice", "choices": kind.split(",")}


def read_answers(pairs: list[str]) -> dict[str, str]:
    """`["is_real=no", "knots=12"]` as answers, each as it was typed: the question says what it means. Raises UsageWrong."""
    answers: dict[str, str] = {}
    for pair in pairs:
        question, sign, text = pair.partition("=")
        if not sign or not question:
            raise UsageWrong(
                f"{pair!r} answers nothing.", why="An answer is written QUESTION=ANSWER.", fix="is_real=no"
            )
        answers[question] = text
    return answers
