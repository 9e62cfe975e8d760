"""`treadle publish`: what runs unattended runs from a snapshot of the code."""

from __future__ import annotations

import contextlib
import sys
from typing import Annotated

from treadle import assembly
from treadle.faces.cli.rendering import Paper, short_digest
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option
from treadle.faces.cli.targets import TargetNotFound, project_pipelines
from treadle.kernel.engine import publishing


def publish(
    session: Session,
    targets: Annotated[
        list[str] | None, "pipeline.py, flows/daily.py:retrain; all of the project when none is named"
    ] = None,
    *,
    file: Annotated[list[str] | None, Option("carry this data file or folder along; repeat it", metavar="PATH")] = None,
    if_changed: Annotated[bool, "only where the code differs from what is live"] = False,
) -> None:
    """Stores code, environment and the places of the pipelines as one version; their schedules and triggers are live at it.

    Files of the project that pipelines declare with td.file("…") go along. Schedules that a pipeline no longer declares
    are taken back. The code is imported, and none of it is run.
    """
    with contextlib.ExitStack() as stack:
        if session.out.as_json:
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        stack.enter_context(assembly.use(session.workspace))
        root = session.settings.project_root
        pipelines = project_pipelines(targets or [], root)
        if not pipelines and not if_changed:
            raise TargetNotFound(
                f"There is no pipeline in {root}.",
                why="No Python file of it has a function with @td.pipeline.",
                fix="Mark one, or name its file: treadle publish pipeline.py",
            )
        done = (
            publishing.publish(session.workspace.engine, pipelines, root, files=file or [], only_changed=if_changed)
            if pipelines
            else None
        )
    names = sorted(pipeline.name for pipeline in pipelines)
    rows = [(p.name, s.cron, s.timezone) for p in pipelines for s in p.schedules]
    rows += [(p.name, f"on {t.kind}", t.subject) for p in pipelines for t in p.triggers]
    answer = {
        "publication": "" if done is None else done.id,
        "pipelines": names,
        "code": None if done is None else done.bundle,
        "live": [{"pipeline": name, "when": when, "of": of} for name, when, of in rows],
    }

    def draw(paper: Paper) -> None:
        if done is None:
            paper.line("The project has no pipelines.")
            return
        paper.sheet({"published": done.id, "pipelines": ", ".join(names), "code": short_digest(done.bundle)})
        paper.line()
        paper.table(("pipeline", "runs", "in / about"), rows, empty="No pipeline has a schedule or a trigger.")
        if rows:
            paper.line("They run while `treadle up` does.", style="dim")

    session.out.show(answer, draw)
