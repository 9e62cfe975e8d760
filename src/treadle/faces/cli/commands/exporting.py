"""`treadle export mlflow`: a project leaves in a form that every MLflow reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from treadle.faces.cli.commands.importing import draw_brought, progress
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import UsageWrong


def mlflow(session: Session, folder: Annotated[Path, "the folder mlruns that is written"]) -> None:
    """Writes experiments, runs, metric histories, artifacts and the registry as an mlruns folder.

    What is in the folder already is left alone: after a stop the same command goes on.
    """
    if session.settings.server:
        raise UsageWrong("A project is written out where its store is.", fix="Run this on that host, without --server.")
    found = session.workspace
    written = found.tracking.moving.write_folder(found.caller, folder, progress=progress(session))
    session.out.show(written, lambda paper: draw_brought(paper, written, "written"))
