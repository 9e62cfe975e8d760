"""Label schemas: the questions that an annotator answers, and whether an answer fits.

An answer is a mapping from question to value: a choice, a number, or a text. Validated once, when it comes in.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from treadle.ground.errors import did_you_mean
from treadle.systems.labels.errors import InvalidAnswer, InvalidLabelSchema

Answer = str | float
Value = Mapping[str, Answer]
"""Question -> answer. A question that need not be answered may be absent."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
RESERVED = frozenset({"task", "source", "landing", "row", "status", "annotators", "note", "known_at"})
"""Columns that an export has beside the answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question: pick a choice, give a number (within bounds, if any), or write a text."""

    name: str
    kind: Literal["choice", "number", "text"]
    title: str = ""
    choices: Sequence[str] = ()
    minimum: float | None = None
    maximum: float | None = None
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSchema:
    """The questions of a labelling project, in the order in which they are asked."""

    questions: Sequence[Question]


def check_schema(schema: LabelSchema) -> None:
    """Nothing, or InvalidLabelSchema with the first contradiction."""
    names = [question.name for question in schema.questions]
    if not names:
        raise InvalidLabelSchema("A label schema needs a question.", fix="Ask at least one.")
    if len(set(names)) != len(names):
        raise InvalidLabelSchema("Two questions have the same name.", fix="Name each once.", questions=names)
    for question in schema.questions:
        _check_question(question)
    if not any(question.required for question in schema.questions):
        raise InvalidLabelSchema("No question has to be answered.", fix="Make at least one required.")


def _check_question(question: Question) -> None:
    if not _NAME.fullmatch(question.name) or question.name in RESERVED:
        raise InvalidLabelSchema(
            f"{question.name!r} is no name for a question.",
            why="It becomes a column of the export."
            if question.name not in RESERVED
            else "The export has one already.",
            fix="Use letters, digits, '_' and '-', beginning with a letter.",
        )
    is_choice = question.kind == "choice"
    if is_choice and (len(set(question.choices)) < 2 or len(set(question.choices)) != len(question.choices)):
        raise InvalidLabelSchema(
            f"Question {question.name!r} offers {list(question.choices)!r}.", fix="Offer two or more different choices."
        )
    if not is_choice and question.choices:
        raise InvalidLabelSchema(f"Question {question.name!r} is a {question.kind} and has choices.")
    bounds = (question.minimum, question.maximum)
    if question.kind != "number" and bounds != (None, None):
        raise InvalidLabelSchema(f"Question {question.name!r} is a {question.kind} and has bounds.")
    if question.minimum is not None and question.maximum is not None and question.minimum > question.maximum:
        raise InvalidLabelSchema(f"Question {question.name!r} lies between {bounds[0]} and {bounds[1]}.")


def check_value(schema: LabelSchema, value: Value) -> dict[str, Answer]:
    """The answers in the schema's order, numbers as floats. Raises InvalidAnswer for the first that does not fit."""
    names = [question.name for question in schema.questions]
    for name in value:
        if name not in names:
            raise InvalidAnswer(f"There is no question {name!r}.", fix=did_you_mean(name, names), question=name)
    answers: dict[str, Answer] = {}
    for question in schema.questions:
        if question.name in value:
            answers[question.name] = _checked(question, value[question.name])
        elif question.required:
            raise InvalidAnswer(f"Question {question.name!r} is not answered.", question=question.name)
    return answers


def _checked(question: Question, answer: object) -> Answer:
    if question.kind == "number":
        return _number(question, answer)
    if not isinstance(answer, str):
        raise InvalidAnswer(
            f"The answer to {question.name!r} is {answer!r}, not {'a choice' if question.kind == 'choice' else 'a text'}."
        )
    if question.kind == "choice" and answer not in question.choices:
        raise InvalidAnswer(
            f"{answer!r} is no choice of {question.name!r}.",
            fix=did_you_mean(answer, question.choices),
            question=question.name,
        )
    return answer


def _number(question: Question, answer: object) -> float:
    """The number, also where it was typed as text: the question knows what it asks for, a terminal does not."""
    if isinstance(answer, str):
        with contextlib.suppress(ValueError):
            answer = float(answer)
    if isinstance(answer, bool) or not isinstance(answer, int | float) or not math.isfinite(answer):
        raise InvalidAnswer(f"The answer to {question.name!r} is {answer!r}, not a number.", question=question.name)
    low = -math.inf if question.minimum is None else question.minimum
    high = math.inf if question.maximum is None else question.maximum
    if not low <= answer <= high:
        raise InvalidAnswer(
            f"{answer} does not lie between {low} and {high}, as {question.name!r} asks.", question=question.name
        )
    return float(answer)
