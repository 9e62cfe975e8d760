"""`treadle experiments` and `treadle metrics`: what tracking clients have logged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session

Experiment = Annotated[str, "the experiment's id"]
Run = Annotated[str, "the run: 32 hexadecimal digits"]
_SHOWN_POINTS = 40


def list_all(
    session: Session,
    *,
    deleted: Annotated[bool, "those that were deleted too"] = False,
    limit: Annotated[int, "at most so many"] = 50,
    after: Annotated[str | None, "only those before this one, for the next page"] = None,
) -> None:
    """Experiments, the newest first."""
    page = session.client.experiments.list(with_deleted=deleted, limit=limit, after=after)

    def draw(paper: Paper) -> None:
        rows = [
            (one.number, one.name, one.lifecycle, _time(one.created_ms), one.artifact_location) for one in page.items
        ]
        paper.table(("experiment", "name", "state", "made", "artifacts"), rows)
        if page.next:
            paper.line(f"More: treadle experiments list --after {page.next}", style="dim")

    session.out.show(page, draw)


def show(session: Session, experiment: Experiment) -> None:
    """One experiment with its tags."""
    found = session.client.experiments.get(experiment=experiment)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "experiment": found.number,
                "name": found.name,
                "state": found.lifecycle,
                "made": _time(found.created_ms),
                "changed": _time(found.updated_ms),
                "artifacts": found.artifact_location,
                "tags": cell({tag.key: tag.value for tag in found.tags}) or None,
            }
        )

    session.out.show(found, draw)


def create(
    session: Session,
    name: Annotated[str, "its name, free among all experiments"],
    *,
    location: Annotated[str, "where its artifacts go, when not through the server"] = "",
) -> None:
    """A new experiment."""
    made = session.client.experiments.create(name=name, artifact_location=location)
    session.out.show(made, lambda paper: paper.line(f"{made.name} is experiment {made.number}."))


def rename(session: Session, experiment: Experiment, name: Annotated[str, "its new name"]) -> None:
    """Another name for an experiment."""
    renamed = session.client.experiments.rename(experiment=experiment, name=name)
    session.out.show(renamed, lambda paper: paper.line(f"Experiment {renamed.number} is {renamed.name}."))


def delete(session: Session, experiment: Experiment, *, yes: Annotated[bool, "do not ask"] = False) -> None:
    """Deletes an experiment with its runs, until it is restored."""
    session.confirm(f"Delete experiment {experiment} and all of its runs?", yes=yes)
    session.client.experiments.delete(experiment=experiment)
    session.out.show(
        None, lambda paper: paper.line(f"Deleted. Bring it back with: treadle experiments restore {experiment}")
    )


def restore(session: Session, experiment: Experiment) -> None:
    """Brings back a deleted experiment with its runs."""
    session.client.experiments.restore(experiment=experiment)
    session.out.show(None, lambda paper: paper.line(f"Experiment {experiment} is back, with its runs."))


def metrics(session: Session, run: Run) -> None:
    """The metrics of a run: latest value, range, steps."""
    found = session.client.metrics.list(run=run)

    def draw(paper: Paper) -> None:
        rows = [
            (one.key, _number(one.value), one.step, _number(one.low), _number(one.high), _time(one.at_ms))
            for one in found
        ]
        paper.table(("metric", "latest", "step", "lowest", "highest", "at"), rows, empty="No metrics yet.")

    session.out.show(found, draw)


def history(
    session: Session,
    run: Run,
    key: Annotated[str, "the metric"],
    *,
    first: Annotated[int | None, "from this step"] = None,
    last: Annotated[int | None, "to this step"] = None,
    points: Annotated[int, "about so many points, peaks and dips among them"] = _SHOWN_POINTS,
) -> None:
    """A metric step by step; with fewer points where there are many."""
    found = session.client.metrics.history(run=run, key=key, first_step=first, last_step=last, points=points)

    def draw(paper: Paper) -> None:
        rows = [
            (step, _number(value), _time(at_ms))
            for step, value, at_ms in zip(found.steps, found.values, found.times_ms, strict=True)
        ]
        paper.table(("step", "value", "at"), rows, empty=f"Nothing was logged as {key!r}.")
        if found.count > len(rows):
            paper.line(f"{len(rows)} of {found.count} points; closer with --first, --last, --points.", style="dim")

    session.out.show(found, draw)


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
