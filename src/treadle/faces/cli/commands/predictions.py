"""`treadle predictions`: what was answered."""

from __future__ import annotations

from typing import Annotated

from treadle.faces.cli.rendering import Paper, cell
from treadle.faces.cli.session import Session

Prediction = Annotated[str, "the prediction's id (pred_…)"]


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
