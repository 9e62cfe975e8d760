"""The verbs of predictions: look one up, and run it again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.ground.errors import TreadleError
from treadle.kernel.governance import Caller, verb
from treadle.kernel.vocabulary.pages import Page
from treadle.systems.serve.area import ServingArea
from treadle.systems.serve.errors import PredictionNotFound, UnfitTraffic
from treadle.systems.serve.explained import ExplainedPrediction, explain_row
from treadle.systems.serve.ports import PredictionArchive
from treadle.systems.serve.records import (
    EndpointTraffic,
    ListPredictions,
    PredictionLine,
    PredictionRecord,
    Replay,
    TrafficOf,
)
from treadle.systems.serve.replay import record_of, recorded_call, replay_call, table_of
from treadle.systems.serve.runtime.log import find_call

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionNamed:
    prediction_id: str


class Predictions:
    """Predictions wherever they are: in the log of a server still, or in the archive of what was shipped."""

    def __init__(self, serving: Callable[[str], Path], archive: PredictionArchive | None = None) -> None:
        self._serving, self._archive = serving, archive

    @verb("predictions.list", permission="prediction.read")
    def list(self, caller: Caller, request: ListPredictions) -> Page[PredictionLine]:
        """Predictions that have landed, the newest first, a page at a time. They land within a second while `up` works."""
        if self._archive is None:
            return Page(items=[])
        limit = min(max(request.limit, 1), 1000)
        found = [*self._archive.newest(replace(request, limit=limit + 1))]
        return Page(items=found[:limit], next=found[limit - 1].prediction_id if len(found) > limit else None)

    @verb("predictions.traffic", permission="prediction.read")
    def traffic(self, caller: Caller, request: TrafficOf) -> EndpointTraffic:
        """How many calls an endpoint answered, how many failed, and how long they took: by part of the time and revision.

        Of what has landed; tries and benchmarks are among it. Raises UnfitTraffic. Cost: one pass over the window's calls.
        """
        if not 1 <= request.hours <= 744 or not 1 <= request.buckets <= 200:
            raise UnfitTraffic(
                f"The last {request.hours} hours in {request.buckets} parts are no window.",
                fix="1 to 744 hours, in 1 to 200 parts.",
            )
        if self._archive is None:
            raise UnfitTraffic("Nothing of these servers is shipped anywhere.", why="They run without an archive.")
        return self._archive.traffic(request)

    @verb("predictions.get", permission="prediction.read")
    def get(self, caller: Caller, request: PredictionNamed) -> PredictionRecord:
        """A prediction as it was logged: inputs, outputs, model, times. Raises PredictionNotFound."""
        return record_of(self.call_of(caller.project, request.prediction_id), request.prediction_id)

    @verb("predictions.replay", permission="prediction.read")
    def replay(self, caller: Caller, request: PredictionNamed) -> Replay:
        """What the same model says today of the same call: identical, within tolerance, different, or not reproducible."""
        call = recorded_call(self.call_of(caller.project, request.prediction_id))
        try:
            model = ServingArea(self._serving(caller.project)).try_model(call.bundle, call.threads)
        except TreadleError as error:
            return Replay(call_id=call.call_id, verdict="not reproducible", reason=" ".join(error.sentences()))
        return replay_call(call, model)

    @verb("predictions.explain", permission="prediction.read")
    def explain(self, caller: Caller, request: PredictionNamed) -> ExplainedPrediction:
        """What each input added to a past prediction, on the model that made it: exactly for trees and linear models.

        Raises PredictionNotFound, and what stands in the way of loading the model.
        """
        table = self.call_of(caller.project, request.prediction_id)
        record, call = record_of(table, request.prediction_id), recorded_call(table)
        model = ServingArea(self._serving(caller.project)).try_model(call.bundle, call.threads)
        return explain_row(
            call, model, record.row_in_call, inputs=dict(record.inputs), prediction_id=record.prediction_id
        )

    def call_of(self, project: str, prediction_id: str) -> pa.Table:
        """All rows of the call that made a prediction."""
        try:
            logged = find_call(self._serving(project) / "predictions", prediction_id)
        except ValueError as error:
            raise PredictionNotFound(f"{prediction_id!r} is no id of a prediction.", why=str(error)) from None
        if logged is not None:
            return table_of(logged)
        found = None if self._archive is None else self._archive.call_of(prediction_id)
        if found is None:
            raise PredictionNotFound(
                f"There is no prediction {prediction_id!r}.",
                why="It is neither in the log of a server nor among the predictions that were shipped.",
                prediction_id=prediction_id,
            )
        return found
