"""`treadle import mlflow`: an existing store of MLflow comes in, or is compared with what has come in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from treadle.faces.cli.rendering import Paper, bytes_text
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, UsageWrong

if TYPE_CHECKING:
    from treadle.systems.train.moving.records import Brought, Compared


def mlflow(
    session: Session,
    source: Annotated[str, "a folder mlruns, sqlite:///path/mlflow.db, postgresql://…, or http://…"],
    *,
    artifact_root: Annotated[
        list[Path] | None, Option("a folder below which its artifacts lie; may be said several times", metavar="DIR")
    ] = None,
    workspace: Annotated[str, "of MLflow's workspaces the one that is brought in"] = "default",
    dry_run: Annotated[bool, "say what would come in, and leave it"] = False,
    check: Annotated[bool, "compare it, field by field and byte by byte, with what is here; write nothing"] = False,
) -> int:
    """Brings in experiments, runs, metric histories, artifacts and the registry of an MLflow store, under their own ids.

    It comes into the project that --project names. What is here already is left alone: after a stop the same command goes
    on. Artifacts are read below the folders that you name, and nowhere else; an mlruns folder is one by itself.
    Exit code 1 when --check finds a difference.
    """
    if session.settings.server:
        raise UsageWrong(
            "A store is brought in where Treadle's own store is.", fix="Run this on that host, without --server."
        )
    found = session.workspace
    with closing(found.tracking.moving.open(source, artifact_root or [], workspace=workspace)) as store:
        if check:
            compared = found.tracking.moving.compare(found.caller, store, progress=progress(session))
            session.out.show(compared, lambda paper: _draw_compared(paper, compared))
            return int(not compared.is_alike)
        brought = found.tracking.moving.bring(found.caller, store, is_dry_run=dry_run, progress=progress(session))
    session.out.show(brought, lambda paper: draw_brought(paper, brought, "would come in" if dry_run else "brought in"))
    return 0


def progress(session: Session) -> Callable[[str, int, int], None]:
    """Says on one line of a terminal how far it has come; elsewhere nothing."""
    if session.out.as_json or not sys.stderr.isatty():
        return lambda kind, done, count: None

    def say(kind: str, done: int, count: int) -> None:
        sys.stderr.write(f"\r\x1b[K{kind}: {done} of {count}" + ("\n" if done == count else ""))
        sys.stderr.flush()

    return say


def draw_brought(paper: Paper, brought: Brought, verb: str) -> None:
    """The counts of what was moved, and what stayed behind."""
    rows = [
        ("experiments", brought.experiments, ""),
        ("runs", brought.runs, f"{brought.known_runs} were here" if brought.known_runs else ""),
        ("metric points", brought.points, ""),
        ("logged models", brought.logged_models, ""),
        ("models", brought.models, f"{brought.versions} versions"),
        ("files", brought.files, bytes_text(brought.file_bytes)),
    ]
    paper.table(("", verb, ""), rows)
    if brought.renumbered:
        paper.title("Experiments under another number, since theirs or their name was taken")
        paper.table(("there", "here"), sorted(brought.renumbered.items()))
    if brought.left:
        paper.title("Left behind")
        paper.table(("what", "why"), [(one.what, one.why) for one in brought.left])


def _draw_compared(paper: Paper, compared: Compared) -> None:
    rows = [
        (kind, there, here, "alike" if compared.digests[kind][0] == compared.digests[kind][1] else "differ")
        for kind, (there, here) in compared.counts.items()
    ]
    paper.table(("", "there", "here", "contents"), rows)
    if compared.unopened:
        paper.line(
            f"\nThe files of {compared.unopened} runs and logged models are kept elsewhere and were not compared."
        )
    if compared.differences:
        paper.title(f"Differences: {compared.differing}")
        paper.table(
            ("of", "field", "there", "here"),
            [(one.what, one.field, one.theirs, one.ours) for one in compared.differences],
        )
