"""Making a recorded run again, to see whether the same comes out: the code in this process must be the recorded code.

The body runs with the recorded parameters, seed and `now`. The steps that are wanted run, and nothing is reused for
them; every other step is answered from the record, and so is every act: a snapshot is the recorded one, nothing is
registered, promoted or deployed again. The steps that ran are rows of a run of the kind `verification`, without keys, so
that no later run takes its results from it. When all that is wanted is there, the body ends.

    python -m treadle.kernel.engine.rerunning --open module:function --run RUN --as NEW --target module:name
        [--path PATH]... [--until PATH]...

Exit status: 0 it came to its end, 1 it failed, and why is with the new run.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from treadle.ground.digests import of_bytes
from treadle.ground.errors import TreadleError
from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine import leases
from treadle.kernel.engine.context import current_driver
from treadle.kernel.engine.dispatch import Call
from treadle.kernel.engine.driver import RunDriver
from treadle.kernel.engine.errors import NotRecorded, PipelineNotFound
from treadle.kernel.engine.handles import Handle, is_pending
from treadle.kernel.engine.journal import Attempt, Fence, Finish, Recorded, RunRow, as_text
from treadle.kernel.engine.pipelines import Pipeline, PipelineRun
from treadle.kernel.engine.records import Outcome
from treadle.kernel.engine.runner import named
from treadle.kernel.engine.service import Engine
from treadle.kernel.engine.session import Session
from treadle.kernel.engine.steps import Step
from treadle.kernel.store import Transaction

KIND = "verification"
"""The kind of a run that makes another again; `caused_by` names that one."""

DONE, FAILED = 0, 1


class Reached(BaseException):
    """Ends a body once all that is wanted is there. Never leaves this module."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is made again. paths: the steps that run; None: all. targets: with these the body ends; none: it runs to its end."""

    paths: frozenset[str] | None = None
    targets: frozenset[str] = frozenset()

    def runs(self, path: str) -> bool:
        """Whether the step at this path runs."""
        return self.paths is None or path in self.paths


class RerunDriver(RunDriver):
    """One pipeline run, made again."""

    def __init__(
        self, session: Session, run: str, path: str, recorded: Mapping[str, Recorded], wanted: Wanted, reached: set[str]
    ) -> None:
        super().__init__(session, run, path)
        self._record, self._wanted, self._reached = recorded, wanted, reached

    def below(self, run: str, path: str) -> RunDriver:
        return RerunDriver(self.session, run, path, self._record, self._wanted, self._reached)

    def run_child(self, pipeline: Any, arguments: Mapping[str, Any]) -> Any:
        run = super().run_child(Ending(pipeline), arguments)
        self._end_if_reached()
        return run

    # Steps

    def call(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        handle = super().call(step, args, kwargs)
        self._note([handle])
        return handle

    def submit(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Handle:
        handle = super().submit(step, args, kwargs)
        self._note([handle])
        return handle

    def map(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Handle]:
        handles = super().map(step, args, kwargs)
        self._note(handles)
        return handles

    def _note(self, handles: Iterable[Handle]) -> None:
        for handle in handles:
            if handle.path in self._wanted.targets:
                if is_pending(handle):
                    self.wait_for(handle)
                if handle._error is not None:
                    raise handle._error
                self._reached.add(handle.path)
        self._end_if_reached()

    def _end_if_reached(self) -> None:
        if self._wanted.targets and self._reached >= self._wanted.targets:
            raise Reached

    def _look_up(self, call: Call, attempt: Attempt) -> None:
        """Nothing is known of a step that is wanted; any other is what it was."""
        attempt.key = ""
        if self._wanted.runs(call.path):
            return
        found = self._record.get(call.path)
        if found is None or found.artifact is None:
            return
        if self.session.has_bytes(found.artifact) or call.step.options.keep == "digest":
            self.resolve(call, found.artifact, run=found.id, reused_from=found.reused_from)

    def finish_of(self, call: Call, outcome: Outcome) -> Finish:
        """The digest of the very bytes goes with the row: an artifact is known by what it is, not by how it is stored."""
        finish = super().finish_of(call, outcome)
        if outcome.artifact is not None:
            finish.notes = {**(finish.notes or {}), "bytes": bytes_digest(outcome.artifact)}
        return finish

    # Acts

    def act(
        self,
        name: str,
        effect: Callable[[Transaction], Any],
        *,
        inputs: Mapping[str, Any],
        params: Mapping[str, Any],
        durable: bool,
        preview: Callable[[], Any] | None = None,
        before: Callable[[], object] | None = None,
        makes: Callable[[Transaction, str], Mapping[str, str]] | None = None,
    ) -> Any:
        """What the recorded run was answered. Nothing is done. Raises NotRecorded for an act that it did not get to."""
        return self._recorded_answer("act", name, inputs, params)

    def wait_until(self, kind: str, subject: str, request: Any, *, due_at: int | None, position: int | None) -> Any:
        return self._recorded_answer("wait", f"wait-{kind}", {}, {"subject": subject, "request": request})

    def _recorded_answer(self, kind: str, name: str, inputs: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
        _, attempt = self._new_act(kind, name, inputs, params)
        found = self._record.get(attempt.path)
        if found is None or found.artifact is None:
            raise NotRecorded(
                f"The recorded run has no answer for {attempt.path!r}.",
                why="It ended before it came there, or its body has taken another way this time.",
                fix="Look at both runs: treadle runs show RUN",
                path=attempt.path,
            )
        if found.key != attempt.key:
            self.session.changes.append(f"{attempt.path}: it was asked with other inputs than in {found.id}")
        return self.session.artifacts.load(found.artifact)


class Ending(Pipeline[..., Any]):
    """A pipeline whose body may be ended by `Reached`."""

    def __init__(self, pipeline: Pipeline[..., Any]) -> None:
        self.__dict__.update(pipeline.__dict__)

    def call_with(self, arguments: Mapping[str, Any]) -> Any:
        try:
            return super().call_with(arguments)
        except Reached:
            return None


def bytes_digest(artifact: Artifact) -> str | None:
    """The digest of an artifact's stored bytes; None where it is kept by digest alone."""
    return artifact.blob or (None if artifact.inline is None else of_bytes(artifact.inline))


def rerun(
    engine: Engine, run_id: str, pipeline: Pipeline[..., Any], wanted: Wanted, *, new_run: str | None = None
) -> PipelineRun[Any]:
    """Makes a root run again as a run of the kind `verification`; see the module. An error that ended it is in the answer.

    new_run: the id of the new run. Raises RunNotFound.
    """
    held = leases.find(engine.store, engine.project, run_id)
    new_run = new_run or engine.new_id("run")
    recorded = engine._journal(Fence(run_id, 0)).recorded()
    journal = engine._journal(Fence(new_run, 1))
    row = RunRow(
        id=new_run,
        kind=KIND,
        name=held.name,
        path=held.name,
        parent=None,
        params=as_text(held.params),
        seed=held.seed or 0,
        now_at=held.now_at or 0,
        lease_owner=leases.owner(),
        lease_until=leases.until(journal.now(), engine.lease_s),
        bundle_digest=held.bundle_digest,
        caused_by=run_id,
    )
    journal.open_root(row)
    session = engine._session(journal, pipeline, row.seed, row.now_at, None, reuse=False)
    driver = RerunDriver(session, new_run, held.name, recorded, wanted, set())
    arguments = engine.arguments_of(pipeline, held.params)
    return engine._drive(session, Ending(pipeline), arguments, driver)


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line says; answers the exit status."""
    parser = argparse.ArgumentParser(prog="treadle.kernel.engine.rerunning", description=__doc__)
    parser.add_argument("--open", required=True, help="module:function that gives the engine")
    parser.add_argument("--run", required=True, help="the root run that is made again")
    parser.add_argument("--as", required=True, dest="new_run", help="the id of the new run")
    parser.add_argument("--target", required=True, help="module:name of the pipeline in the recorded code")
    parser.add_argument("--path", action="append", help="a step that runs; without any, all run")
    parser.add_argument("--until", action="append", default=[], help="a step whose end is the end of the body")
    chosen = parser.parse_args(arguments)
    engine: Engine = named(chosen.open)()
    engine.surroundings = replace(engine.surroundings, bundle=None)  # the recorded bundle is the code
    paths = None if chosen.path is None else frozenset(chosen.path)
    try:
        with nothing_starts():
            pipeline = named(chosen.target)
        if not isinstance(pipeline, Pipeline):
            raise PipelineNotFound(f"{chosen.target} is no pipeline in the recorded code.")
        wanted = Wanted(paths, frozenset(chosen.until))
        run = rerun(engine, chosen.run, pipeline, wanted, new_run=chosen.new_run)
    except TreadleError as error:
        print("treadle: " + "\n".join(error.sentences()), file=sys.stderr)  # noqa: T201 -- the runner's own report
        return FAILED
    finally:
        engine.close()
    if run.error is not None:
        print(f"treadle: {run.error}", file=sys.stderr)  # noqa: T201
        return FAILED
    return DONE


class _Importing(RunDriver):
    """Stands where a pipeline's driver stands while modules are imported, and lets nothing happen."""

    def __init__(self) -> None: ...

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise PipelineNotFound(
            "The code runs a pipeline, or acts, as soon as it is imported.",
            why="It is a script whose last lines do the work, and it would do it a second time.",
            fix='Put those lines below: if __name__ == "__main__":',
        )

    submit = map = run_child = act = wait_until = _refuse

    def call(self, step: Step[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return step.function(*args, **kwargs)


@contextmanager
def nothing_starts() -> Iterator[None]:
    """While it lasts, pipelines that are called and acts raise PipelineNotFound: importing a script must not run it."""
    token = current_driver.set(_Importing())
    try:
        yield
    finally:
        current_driver.reset(token)


def rerun_process_arguments(run: str, new_run: str, target: str, wanted: Wanted) -> list[str]:
    """The arguments for `main` but `--open`, for whoever starts the process."""
    listed = [] if wanted.paths is None else [part for path in sorted(wanted.paths) for part in ("--path", path)]
    until = [part for path in sorted(wanted.targets) for part in ("--until", path)]
    return ["--run", run, "--as", new_run, "--target", target, *listed, *until]


__all__ = ["KIND", "RerunDriver", "Wanted", "rerun", "rerun_process_arguments"]

if __name__ == "__main__":
    sys.exit(main())
