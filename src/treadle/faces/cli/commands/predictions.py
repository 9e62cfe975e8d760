"""`treadle predictions`: what was answered."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session
from treadle.faces.cli.signatures import Option, read_time

Prediction = Annotated[str, "the prediction's id (pred_…)"]


def list_all(
    session: Session,
    endpoint: Annotated[str | None, "of this endpoint alone"] = None,
    *,
    entity: Annotated[str | None, "about this one alone"] = None,
    since: Annotated[
        str | None, Option("made at this time or later (2013-04-01, 2013-04-01T12:00Z)", metavar="TIME")
    ] = None,
    until: Annotated[str | None, Option("made before this time", metavar="TIME")] = None,
    limit: Annotated[int, "at most so many"] = 20,
    after: Annotated[str | None, "only those before this one, for the next page"] = None,
) -> None:
    """Predictions that have landed, the newest first. While `treadle up` works they land within a second."""
    page = session.client.predictions.list(
        endpoint=endpoint, entity=entity, since=read_time(since), until=read_time(until), limit=limit, after=after
    )

    def draw(paper: Paper) -> None:
        rows = [
            (
                one.prediction_id,
                one.endpoint,
                f"{one.model} {one.model_version}",
                one.entity,
                one.output,
                one.recorded_at,
            )
            for one in page.items
        ]
        paper.table(
            ("prediction", "endpoint", "model", "about", "score", "answered"),
            rows,
            empty="No predictions have landed yet.",
        )
        if page.next:
            paper.line(f"More: treadle predictions list --after {page.next}", style="dim")

    session.out.show(page, draw)


def show(session: Session, prediction: Prediction) -> None:
    """A prediction as it was logged: inputs, outputs, model, times."""
    found = session.client.predictions.get(prediction_id=prediction)

    def draw(paper: Paper) -> None:
        paper.sheet(
            {
                "prediction": found.prediction_id,
                "endpoint": f"{found.endpoint}, revision {found.revision}",
                "model": f"{found.model} {found.model_version} ({found.model_digest})",
                "engine": f"{found.engine} {found.engine_version}, {found.threads} thread(s)",
                "call": f"{found.call_id}, row {found.row_in_call} of {found.call_rows}",
                "answered": found.recorded_at,
                "about": found.event_at,
                "backdated": "yes" if found.backdated else None,
                "entity": found.entity,
                "features as of": found.feature_as_of,
                "features from": found.features,
                "outputs": cell(found.outputs),
            }
        )
        paper.title("Inputs")
        paper.sheet({name: cell(value) for name, value in found.inputs.items()})

    session.out.show(found, draw)
