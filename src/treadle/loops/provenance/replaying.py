"""A past prediction, computed again: its model on the same vector, and its vector from the same rows."""

from __future__ import annotations

from treadle.ground.errors import TreadleError
from treadle.kernel.catalog import LineageRows
from treadle.kernel.engine.rerunning import Wanted
from treadle.loops.provenance.again import Again
from treadle.loops.provenance.frames import FeatureFrames, Unfound, differences, row_of
from treadle.loops.provenance.keyed import KeyedVectors
from treadle.loops.provenance.records import PredictionReplay, ReplayedPart, ValueDifference
from treadle.loops.provenance.sources import Sources
from treadle.systems.serve import KeyedPrediction, PredictionNamed, PredictionRecord

TOLERANCE = 1e-6


class Replaying:
    """Replays predictions of one caller's project."""

    def __init__(self, sources: Sources, again: Again) -> None:
        self._sources, self._again = sources, again

    def replay(self, prediction_id: str) -> PredictionReplay:
        """Both halves. Raises PredictionNotFound."""
        caller = self._again.caller
        named = PredictionNamed(prediction_id=prediction_id)
        record = self._sources.predictions.get(caller, named)
        served = self._sources.predictions.replay(caller, named)
        model = ReplayedPart(verdict=served.verdict, reason=served.reason, largest_difference=served.largest_difference)
        return PredictionReplay(prediction=prediction_id, model=model, features=self._features(record))

    def _features(self, record: PredictionRecord) -> ReplayedPart:
        if record.keyed is not None:
            return self._keyed(record, record.keyed)
        if record.features is None:
            return _not("The request did not say from which frame its values were taken.")
        with self._sources.store.read() as reader:
            frames = FeatureFrames(self._sources.artifacts, reader, self._again.caller.project)
            maker = frames.maker(record)
        if maker is None:
            return _not(f"No step of this project made the frame {record.features[:19]}….")
        wanted = Wanted(frozenset({maker.path}), frozenset({maker.path}))
        try:
            done = self._again.make(maker.root, wanted)
        except TreadleError as error:
            return _not(" ".join(error.sentences()))
        with self._sources.store.read() as reader:
            edges = LineageRows().of_run(reader, self._again.caller.project, done.steps[maker.path].id)
            digest = next(edge.digest for edge in edges if edge.direction == "out")
            frame = FeatureFrames(self._sources.artifacts, reader, self._again.caller.project).load(digest)
        row = frame if isinstance(frame, Unfound) else row_of(frame, record)
        if isinstance(row, Unfound):
            return ReplayedPart(verdict="different", reason=row.reason, run=done.run)
        unlike = differences(record, row)
        if not unlike:
            reason = (
                "" if digest == record.features else "Other rows of the frame came out otherwise; this one did not."
            )
            return ReplayedPart(verdict="identical", reason=reason, run=done.run)
        largest = _largest(unlike)
        differs = "; ".join(done.environment.differences[:3]) or "the environment is the same"
        return ReplayedPart(
            verdict="within tolerance" if largest is not None and largest <= TOLERANCE else "different",
            reason=f"{maker.path} made other values for {len(unlike)} of {len(record.inputs)} inputs: {differs}.",
            largest_difference=largest,
            differences=unlike,
            run=done.run,
        )

    def _keyed(self, record: PredictionRecord, keyed: KeyedPrediction) -> ReplayedPart:
        """The vector that the server read, computed again as of the moments that were logged."""
        row = KeyedVectors(self._sources, self._again.caller).again(keyed)
        if isinstance(row, Unfound):
            return _not(row.reason)
        unlike = differences(record, row)
        if not unlike:
            return ReplayedPart(verdict="identical")
        largest = _largest(unlike)
        return ReplayedPart(
            verdict="within tolerance" if largest is not None and largest <= TOLERANCE else "different",
            reason=f"The views of {keyed.service} give other values for {len(unlike)} of {len(record.inputs)} inputs now.",
            largest_difference=largest,
            differences=unlike,
        )


def _largest(unlike: list[ValueDifference]) -> float | None:
    """The largest difference of numbers, relative to what was served; None where something else differs."""
    found = []
    for each in unlike:
        if not isinstance(each.served, int | float) or not isinstance(each.now, int | float):
            return None
        found.append(abs(each.served - each.now) / max(1.0, abs(each.served)))
    return max(found)


def _not(reason: str) -> ReplayedPart:
    return ReplayedPart(verdict="not reproducible", reason=reason)
