"""The planner: a short-lived process that imports published code, and says what a run of it would do.

    python -m treadle.kernel.engine.planner --open module:function < question.json > answer.json

Whoever serves others does not import what their users wrote: it may be slow, print, or end the process. So it is
imported here. What it prints goes to stderr; the answer is the one document on stdout.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from treadle.ground.errors import TreadleError
from treadle.kernel.engine.errors import CodeUnusable, ParametersWrong
from treadle.kernel.engine.parameters import Parameter, converted, missing, parameters_of
from treadle.kernel.engine.planning import Plan
from treadle.kernel.engine.publishing import get_publication
from treadle.kernel.engine.rerunning import nothing_starts
from treadle.kernel.engine.runner import named, pipeline_of
from treadle.kernel.engine.service import Engine
from treadle.kernel.engine.values import NotAParameter, to_json


class Question(msgspec.Struct, kw_only=True):
    """What is asked about a published pipeline. plans: whether its body is walked; else parameters are only looked at."""

    publication: str
    pipeline: str
    parameters: dict[str, Any] = {}
    plans: bool = True
    seed: int = 0
    now: datetime | None = None
    from_step: str | None = None


class Trouble(msgspec.Struct, kw_only=True):
    """An error in words. kind: `parameters` where another request would do, else `code`."""

    kind: str
    what: str
    why: str = ""
    fix: str = ""


class Answer(msgspec.Struct, kw_only=True):
    """given: the parameters in the form in which runs keep them, without defaults."""

    parameters: list[Parameter] = []
    given: dict[str, Any] = {}
    plan: Plan | None = None
    trouble: Trouble | None = None


def main(arguments: list[str] | None = None) -> int:
    """Answers the question on stdin; exit status 0 wherever there is an answer, also one that says what is wrong."""
    parser = argparse.ArgumentParser(prog="treadle.kernel.engine.planner", description=__doc__)
    parser.add_argument("--open", required=True, help="module:function that gives the engine")
    chosen = parser.parse_args(arguments)
    question = msgspec.json.decode(sys.stdin.buffer.read(), type=Question)
    with os.fdopen(os.dup(1), "wb") as answers:
        os.dup2(2, 1)  # what user code prints is no part of the answer
        engine: Engine = named(chosen.open)()
        try:
            answers.write(msgspec.json.encode(answered(engine, question)))
        finally:
            engine.close()
    return 0


def answered(engine: Engine, question: Question) -> Answer:
    """The answer, with what is wrong in words rather than raised."""
    with engine.store.read() as reader:
        publication = get_publication(reader, engine.project, question.publication)
    try:
        with nothing_starts():
            pipeline = pipeline_of(publication.targets, question.pipeline)
    except TreadleError as error:
        return Answer(trouble=_trouble("code", error))
    except Exception as error:  # whatever the user's module raises while it is imported
        return Answer(
            trouble=Trouble(
                kind="code",
                what=f"The published code of {question.pipeline!r} cannot be imported.",
                why=f"{type(error).__name__}: {error}",
                fix="Mend it, and publish it with: treadle publish",
            )
        )
    parameters = parameters_of(pipeline)
    try:
        values = converted(pipeline, question.parameters)
        given = _forms(values)
        lacking = missing(pipeline, values)
        if lacking and not question.plans:
            raise ParametersWrong(
                f"The pipeline {pipeline.name!r} needs {', '.join(lacking)}.",
                why=f"It is declared as {pipeline.name}{pipeline.signature}.",
            )
    except TreadleError as error:
        return Answer(parameters=parameters, trouble=_trouble("parameters", error))
    plan = None
    if lacking:
        plan = Plan(pipeline.name, ends_at=f"a run needs {', '.join(lacking)}, which has no default")
    elif question.plans:
        arguments = pipeline.bind((), values)
        plan = engine.plan(pipeline, arguments, seed=question.seed, now=question.now, from_step=question.from_step)
    return Answer(parameters=parameters, given=given, plan=plan)


def _forms(values: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {name: to_json(value) for name, value in values.items()}
    except NotAParameter as error:
        raise CodeUnusable("A parameter cannot be sent.", why=str(error), fix="Run it with: treadle run") from error


def _trouble(kind: str, error: TreadleError) -> Trouble:
    return Trouble(kind=kind, what=error.what, why=error.why, fix=error.fix)


if __name__ == "__main__":
    sys.exit(main())
