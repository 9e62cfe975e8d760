"""Asking published code what it would do, in a process of its own with a time limit (see `planner`)."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path

import msgspec

from treadle.ground.errors import Unavailable
from treadle.kernel.engine.errors import CodeUnusable, ParametersWrong
from treadle.kernel.engine.planner import Answer, Question
from treadle.kernel.engine.processes import unpacked_code, variables_for
from treadle.kernel.engine.publishing import Publication
from treadle.kernel.engine.service import Engine

LIMIT_S = 60.0
"""How long importing the code and walking one body may take."""
AT_ONCE = 2
"""So many planners work at once; who comes later waits."""
LAST_LETTERS = 2000
"""How much of what a planner that failed has said is passed on."""


class PlannerBusy(Unavailable):
    """All planners are at work, and none became free in time."""

    code = "engine.planner_busy"


class PlanProcess:
    """Starts planners. `ask` is safe to call from several threads."""

    def __init__(
        self,
        engine: Engine,
        opener: str,
        *,
        folder: Path,
        environment: Mapping[str, str],
        limit_s: float = LIMIT_S,
    ) -> None:
        """opener: `module:function` that gives an Engine without arguments. folder: where code is unpacked."""
        self._engine, self._opener, self._folder = engine, opener, folder
        self._environment, self._limit_s = environment, limit_s
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def ask(self, project: str, publication: Publication, question: Question) -> Answer:
        """What the code says. Raises ParametersWrong, CodeUnusable (it fails, or takes too long), PlannerBusy."""
        if not self._free.acquire(timeout=self._limit_s):
            raise PlannerBusy("Other plans are being made.", why=f"{AT_ONCE} are made at once.", fix="Try it again.")
        try:
            answer = self._answer(project, publication, question)
        finally:
            self._free.release()
        if answer.trouble is not None:
            kind = ParametersWrong if answer.trouble.kind == "parameters" else CodeUnusable
            raise kind(answer.trouble.what, why=answer.trouble.why, fix=answer.trouble.fix)
        return answer

    def _answer(self, project: str, publication: Publication, question: Question) -> Answer:
        place = unpacked_code(self._engine, project, publication, self._folder)
        variables = {**variables_for(place), **self._environment, "TREADLE_PROJECT": project}
        try:
            done = subprocess.run(
                [publication.interpreter, "-m", "treadle.kernel.engine.planner", "--open", self._opener],
                cwd=place,
                env=variables,
                input=msgspec.json.encode(question),
                capture_output=True,
                timeout=self._limit_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise CodeUnusable(
                f"The plan of {question.pipeline!r} was not ready within {self._limit_s:g} s.",
                why="Importing its code, or the body between its steps, takes longer.",
                fix="Move what takes long into a step.",
            ) from error
        if done.returncode != 0:
            raise CodeUnusable(
                f"The published code of {question.pipeline!r} ended the process that was to plan it.",
                why=done.stderr.decode(errors="replace").strip()[-LAST_LETTERS:] or f"Exit status {done.returncode}.",
                fix="Mend it, and publish it with: treadle publish",
            )
        return msgspec.json.decode(done.stdout, type=Answer)
