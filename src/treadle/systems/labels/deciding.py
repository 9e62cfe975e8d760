"""From annotations to labels: what each annotator says now, how far they agree, and what the label is.

Pure: the same annotations give the same labels, whoever asks and when.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from treadle.ground.digests import canonical_json
from treadle.ground.stats.agreement import cohen_kappa, krippendorff_alpha
from treadle.systems.labels.records import Agreement, Annotation, QuestionAgreement, Verdict
from treadle.systems.labels.schema import LabelSchema, Question


@dataclass(slots=True)
class Standing:
    """What stands for one task: the newest answer of each annotator, and the newest review."""

    answers: dict[str, Annotation] = field(default_factory=dict)
    review: Annotation | None = None


def standing(annotations: Iterable[Annotation]) -> dict[str, Standing]:
    """Task -> what stands. annotations: oldest first. A skip takes an earlier answer of the same annotator back."""
    found: dict[str, Standing] = {}
    for made in annotations:
        task = found.setdefault(made.task, Standing())
        if made.act == "review":
            task.review = made
        elif made.act == "skip":
            task.answers.pop(made.annotator, None)
        else:
            task.answers[made.annotator] = made
    return found


def decide(task: str, source: str, closed: bool, stands: Standing) -> Verdict:
    """The label of a task, and on what it rests; see `Verdict` for the rule."""
    answers = list(stands.answers.values())
    if stands.review is not None:
        return _verdict(task, source, "reviewed", stands.review, [stands.review])
    if not answers or not closed:
        return Verdict(
            task=task, source=source, status="open", value=None, annotators=sorted(stands.answers), known_at=None
        )
    if len(answers) == 1:
        return _verdict(task, source, "single", answers[0], answers)
    votes = Counter(_vote(made) for made in answers)
    winner, count = votes.most_common(1)[0]
    agreeing = [made for made in answers if _vote(made) == winner]
    if count == len(answers):
        return _verdict(task, source, "agreed", agreeing[0], answers)
    if 2 * count > len(answers):
        return _verdict(task, source, "majority", agreeing[0], answers)
    return Verdict(
        task=task, source=source, status="disputed", value=None, annotators=sorted(stands.answers), known_at=None
    )


def is_disputed(stands: Standing) -> bool:
    """Whether annotators differ and nobody has reviewed it yet."""
    return stands.review is None and len({_vote(made) for made in stands.answers.values()}) > 1


def _vote(made: Annotation) -> bytes:
    return canonical_json(made.value)


def _verdict(task: str, source: str, status: str, chosen: Annotation, rests_on: Sequence[Annotation]) -> Verdict:
    return Verdict(
        task=task,
        source=source,
        status=status,  # type: ignore[arg-type]
        value=chosen.value,
        annotators=sorted({made.annotator for made in rests_on}),
        known_at=max(made.recorded_at for made in rests_on),
        note=chosen.note,
    )


def agreement(labels: str, schema: LabelSchema, tasks: Mapping[str, Standing]) -> Agreement:
    """How far annotators agree, question by question; texts are compared letter by letter."""
    answers = [stands.answers for stands in tasks.values() if len(stands.answers) > 1]
    return Agreement(labels=labels, questions=[_of_question(question, answers) for question in schema.questions])


def _of_question(question: Question, tasks: Sequence[Mapping[str, Annotation]]) -> QuestionAgreement:
    units: list[dict[str, Hashable]] = []
    for answers in tasks:
        unit = {
            who: made.value[question.name]
            for who, made in answers.items()
            if made.value and question.name in made.value
        }
        if len(unit) > 1:
            units.append(dict(unit))
    annotators = sorted({who for unit in units for who in unit})
    pairs = [a == b for unit in units for a, b in combinations(unit.values(), 2)]
    figure, value, note = _figure(question, units, annotators)
    return QuestionAgreement(
        question=question.name,
        figure=figure,
        value=value,
        note=note,
        tasks=len(units),
        annotators=annotators,
        equal=sum(pairs) / len(pairs) if pairs else None,
    )


def _figure(
    question: Question, units: Sequence[Mapping[str, Hashable]], annotators: Sequence[str]
) -> tuple[str, float | None, str]:
    is_pair = len(annotators) == 2 and question.kind != "number"
    figure = "cohen_kappa" if is_pair else "krippendorff_alpha"
    if not units:
        return figure, None, "No task has two answers yet."
    if is_pair:
        value = cohen_kappa(*([unit[who] for unit in units] for who in annotators))
    else:
        ratings = [[unit.get(who) for unit in units] for who in annotators]
        value = krippendorff_alpha(ratings, level="interval" if question.kind == "number" else "nominal")
    if math.isnan(value):
        return figure, None, "Every answer is the same: agreement beyond chance cannot be told."
    return figure, value, ""
