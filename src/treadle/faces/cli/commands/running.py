"""`treadle run`, `plan`, `resume`, `cancel`: pipelines, here and now."""

from __future__ import annotations

import contextlib
import json
import sys
import traceback
from pathlib import Path
from typing import Annotated, Any

from treadle import assembly
from treadle.faces.cli.rendering import Paper, cell, duration
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option
from treadle.faces.cli.targets import bind_parameters, find_pipeline
from treadle.ground.errors import TreadleError
from treadle.kernel.catalog import RunRows
from treadle.kernel.engine.errors import PipelineNotFound
from treadle.kernel.engine.handles import load
from treadle.kernel.engine.pipelines import Pipeline, PipelineRun

_OWN_FOLDER = str(Path(assembly.__file__).parents[1])

Target = Annotated[str, "pipeline.py, flows/daily.py:retrain, or flows.daily:retrain"]
Parameters = Annotated[
    list[str] | None, Option("a parameter of the pipeline; repeat it", short="p", metavar="NAME=VALUE")
]
Seed = Annotated[int, "what the seeds of steps are derived from"]
FromStep = Annotated[str | None, Option("run this step again whatever is known, and what then differs", metavar="STEP")]

Verbose = Annotated[bool, Option("say each step on a line of its own, as it begins, goes on and ends", short="v")]


def run(
    session: Session,
    target: Target,
    *,
    parameters: Parameters = None,
    seed: Seed = 0,
    fresh: Annotated[bool, "use nothing that is known"] = False,
    from_step: FromStep = None,
    verbose: Verbose = False,
) -> int:
    """Runs the pipeline in this process; steps whose results are known are not run again.

    A run that was stopped, killed or failed can be resumed. Exit code 1 when it failed.
    """
    session.is_verbose = verbose
    with _at_work(session):
        pipeline = find_pipeline(target, session.settings.project_root)
        arguments = bind_parameters(pipeline, parameters)
        done = session.workspace.engine.run(pipeline, arguments, seed=seed, fresh=fresh, from_step=from_step)
    return _show_run(session, done)


def plan(
    session: Session,
    target: Target,
    *,
    parameters: Parameters = None,
    seed: Seed = 0,
    from_step: FromStep = None,
) -> None:
    """Says which steps a run would run, and why, in words. Runs none, and writes nothing."""
    with _at_work(session):
        pipeline = find_pipeline(target, session.settings.project_root)
        arguments = bind_parameters(pipeline, parameters)
        found = session.workspace.engine.plan(pipeline, arguments, seed=seed, from_step=from_step)

    def draw(paper: Paper) -> None:
        paper.table(
            ("", "step", "why"),
            [(step.verdict, step.path, "; ".join(step.why) or _known(step)) for step in found.steps],
            empty="The pipeline has no steps.",
        )
        if found.ends_at:
            paper.line(f"… {found.ends_at}")

    session.out.show(found, draw)


def resume(
    session: Session,
    run: Annotated[str, "the run's id (run_…)"],
    target: Annotated[str | None, "the pipeline's target, where the run does not say it (a notebook, a script)"] = None,
    *,
    from_step: FromStep = None,
    verbose: Verbose = False,
) -> int:
    """Goes on with a run that was stopped, killed or failed, or that waited: what it has finished is not run again."""
    session.is_verbose = verbose
    with _at_work(session):
        pipeline = _pipeline_of(session, run, target)
        done = session.workspace.engine.resume(run, pipeline, from_step=from_step)
    return _show_run(session, done)


def cancel(
    session: Session,
    run: Annotated[str, "the run's id (run_…)"],
    *,
    reason: Annotated[str, "why, for those who come later"] = "",
) -> None:
    """Asks a run to stop; its workers end within a heartbeat, and nothing of it is committed from now on."""
    answer = session.client.runs.cancel(run=run, reason=reason)
    text = f"{run} is cancelled." if answer.is_cancelled else f"{run} had ended already."
    session.out.show(answer, lambda paper: paper.line(text))


def waiting(session: Session) -> None:
    """Runs that wait for an approval, an event or a time, the oldest first."""
    found = session.client.runs.waiting()

    def draw(paper: Paper) -> None:
        rows = [(one.id, one.kind, one.subject, one.due_at, cell(one.request)) for one in found]
        paper.table(("wait", "for", "about", "due", "facts"), rows, empty="Nothing waits.")
        if any(one.kind == "approval" for one in found):
            paper.line("Answer with: treadle runs answer WAIT yes", style="dim")

    session.out.show(found, draw)


def answer(
    session: Session,
    wait: Annotated[str, "the wait's id, as `treadle runs waiting` shows it"],
    said: Annotated[str, "the answer; JSON where it is JSON, else text; yes and no are true and false"],
) -> None:
    """Answers a run that waits for an approval. It goes on by itself while `treadle up` works, else with resume."""
    answered = session.client.runs.answer(wait=wait, answer=read_said(said))
    text = f"{wait} is answered. `treadle up` goes on with it, or: treadle resume {answered.run}"
    session.out.show(answered, lambda paper: paper.line(text))


def go_on(
    session: Session,
    run: Annotated[str, "the run's id (run_…)"],
    *,
    from_step: FromStep = None,
) -> None:
    """Has `treadle up` go on with a run, with the code that was published last. Here and now goes on: treadle resume."""
    firing = session.client.runs.resume(run=run, from_step=from_step)
    text = f"{run} goes on with the next look of `treadle up` ({firing.id})."
    session.out.show(firing, lambda paper: paper.line(text))


def read_said(text: str) -> Any:
    """An answer as it was meant: yes and no, JSON, or the text itself."""
    if text in ("yes", "no"):
        return text == "yes"
    try:
        return json.loads(text)
    except ValueError:
        return text


@contextlib.contextmanager
def _at_work(session: Session) -> Any:
    """Makes the session's workspace the current one; with `--json` what user code prints goes to stderr."""
    with contextlib.ExitStack() as stack:
        if session.out.as_json:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        stack.enter_context(assembly.use(session.workspace))
        yield


def _pipeline_of(session: Session, run: str, target: str | None) -> Pipeline[..., Any]:
    if target is None:
        with session.workspace.store.read() as reader:
            found = RunRows().get(reader, session.settings.project, run)
        target = str((found.notes or {}).get("target", ""))
    if not target or target.startswith("__main__:"):
        raise PipelineNotFound(
            f"The run {run} does not say in which file its pipeline is.",
            why="It was started by a script or a notebook.",
            fix=f"Name it: treadle resume {run} pipeline.py",
        )
    return find_pipeline(target, session.settings.project_root)


def _show_run(session: Session, run: PipelineRun[Any]) -> int:
    with session.workspace.store.read() as reader:
        rows = RunRows()
        root = rows.get(reader, session.settings.project, run.id)
        steps = rows.children(reader, session.settings.project, run.id)
    value = load(run.value) if run.error is None and run.status == "done" else None
    answer = {
        "run": run.id,
        "pipeline": run.path,
        "status": run.status,
        "seconds": _seconds(root),
        "value": value if _is_plain(value) else None,
        "counts": run.counts,
        "changes": run.changes,
        "undeclared": run.undeclared,
        "steps": [
            {"path": step.path, "status": step.status, "seconds": _seconds(step), "run": step.id} for step in steps
        ],
    }

    def draw(paper: Paper) -> None:
        paper.table(
            ("", "step", "took"),
            [(step.status, step.path, "" if step.status == "cached" else duration(_seconds(step))) for step in steps],
            empty="The pipeline has no steps.",
        )
        paper.line()
        paper.sheet(
            {
                "run": run.id,
                "status": run.status,
                "took": duration(_seconds(root)),
                "value": None if value is None else cell(value) if _is_plain(value) else type(value).__name__,
                "read, not declared": ", ".join(run.undeclared) or None,
                "changed since": "; ".join(run.changes) or None,
            }
        )

    session.out.show(answer, draw)
    if run.error is None:
        return 0
    _show_error(session, run)
    return 1


def _show_error(session: Session, run: PipelineRun[Any]) -> None:
    """What ended a run: an error of ours in three lines, one of the user's code with its traceback from their own line on."""
    error = run.error
    assert error is not None
    if isinstance(error, TreadleError):
        session.out.fail(error)
        session.out.note(f"Once mended, go on with: treadle resume {run.id}")
        return
    trace = error.__traceback__
    while trace is not None and trace.tb_next and trace.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        trace = trace.tb_next
    session.out.note(
        "".join(traceback.format_exception(type(error), error, trace)).rstrip()
    )  # its note says how to go on


def _known(step: Any) -> str:
    return f"known from {step.reused_from}" if step.reused_from else ""


def _seconds(run: Any) -> float | None:
    if run.started_at is None or run.ended_at is None:
        return None
    return float((run.ended_at - run.started_at).total_seconds())


def _is_plain(value: Any) -> bool:
    """Whether a value can be shown as it is: JSON's types, not a table or a model."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(entry) for name, entry in value.items())
    if isinstance(value, list | tuple):
        return all(_is_plain(entry) for entry in value)
    return value is None or isinstance(value, str | int | float | bool)
