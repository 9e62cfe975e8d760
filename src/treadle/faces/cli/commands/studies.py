"""`treadle studies`: what has been tuned, and how far it has come."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session


def list_all(session: Session) -> None:
    """Every study with its directions, how many trials it has, and the run under which they stand."""
    studies = session.client.studies.list()

    def draw(paper: Paper) -> None:
        rows = [
            (one.number, one.name, cell(one.directions), one.trials, one.recorded_at, one.actor, one.run)
            for one in studies
        ]
        paper.table(("study", "name", "directions", "trials", "since", "by", "run"), rows, empty="No studies yet.")

    session.out.show(studies, draw)


def delete(
    session: Session,
    name: Annotated[str, "the study"],
    *,
    yes: Annotated[bool, "do not ask"] = False,
) -> None:
    """Deletes a study and its trials for good; the runs of its trials stay."""
    found = session.client.studies.get(name=name)
    session.confirm(f"Delete the study {name!r} with its {found.trials} trials?", yes=yes)
    deleted = session.client.studies.delete(study=found.number)
    session.out.show(
        deleted, lambda paper: paper.line(f"{name} is deleted; the runs of its {found.trials} trials stay.")
    )
