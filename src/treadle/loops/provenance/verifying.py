"""A model, or a run, made again from what was recorded, and compared step by step.

Only the steps that the model stands on run, with nothing reused; the others, and every act, are answered from the record.
The ladder: the same bytes; another file of the same model (its canonical digest); another model with the same predictions
on the frozen probe, to the last bit of a float64; the same to a millionth; different.
"""

from __future__ import annotations

import time
from typing import Any

import msgspec
import numpy as np

from treadle.kernel.artifacts import Artifact
from treadle.kernel.catalog import ArtifactRows, LineageRows, Run, RunRows
from treadle.kernel.engine.rerunning import Wanted, bytes_digest
from treadle.kernel.store import Reader
from treadle.loops.provenance.again import Again, Done
from treadle.loops.provenance.errors import NotReproducible
from treadle.loops.provenance.records import ComparedStep, Rung, Verification
from treadle.loops.provenance.sources import Sources
from treadle.loops.release.registering import predict
from treadle.systems.serve.runtime.batches import InputPlan
from treadle.systems.serve.runtime.signature import Signature
from treadle.systems.train import ModelVersion

TOLERANCE = 1e-6


class Verifying:
    """Verifies for one caller."""

    def __init__(self, sources: Sources, again: Again) -> None:
        self._sources, self._again, self._project = sources, again, again.caller.project
        self._runs, self._edges, self._artifacts = RunRows(), LineageRows(), ArtifactRows()

    def model(self, version: ModelVersion) -> Verification:
        """Trains a version again. Raises NotReproducible; the verdict is not on record yet."""
        begun = time.monotonic()
        if version.run is None:
            raise NotReproducible(
                f"{version.model} version {version.number} cannot be trained again.",
                why="It was registered from outside of any run.",
            )
        with self._sources.store.read() as reader:
            step = self._runs.get(reader, self._project, version.run)
            if step.kind != "step":
                raise NotReproducible(f"{version.subject} was made by a {step.kind}, not by a step.", run=step.id)
            needed = self._needed(reader, step)
        wanted = Wanted(frozenset(needed), frozenset({step.path}))
        done = self._again.make(step.root, wanted)
        steps = self._compared(step.root, done)
        made = next(each for each in steps if each.path == step.path)
        verdict: Rung
        difference: float | None = None
        if made.verdict == "identical-bytes":
            verdict = "identical-bytes"
        elif made.verdict == "identical":
            verdict = "identical-model"
        else:
            verdict, difference = self._by_predictions(version, made.now)
        return Verification(
            subject=version.subject,
            verdict=verdict,
            environment=done.environment,
            of_run=step.root,
            run=done.run,
            steps=steps,
            first_difference=_first_difference(steps),
            largest_difference=difference,
            notes=_notes(steps, done),
            seconds=round(time.monotonic() - begun, 3),
        )

    def run(self, run: Run) -> Verification:
        """Makes a root run again, every step of it; of a step, the run around it up to there."""
        begun = time.monotonic()
        wanted = Wanted()
        if run.root != run.id:
            with self._sources.store.read() as reader:
                wanted = Wanted(frozenset(self._needed(reader, run)), frozenset({run.path}))
        done = self._again.make(run.root, wanted)
        steps = self._compared(run.root, done)
        verdict: Rung = "identical-bytes"
        if any(step.verdict == "different" for step in steps):
            verdict = "different"
        elif any(step.verdict == "identical" for step in steps):
            verdict = "identical-model"
        return Verification(
            subject=run.id,
            verdict=verdict,
            environment=done.environment,
            of_run=run.root,
            run=done.run,
            steps=steps,
            first_difference=_first_difference(steps),
            notes=_notes(steps, done),
            seconds=round(time.monotonic() - begun, 3),
        )

    def _needed(self, reader: Reader, step: Run) -> set[str]:
        """The paths of the steps of one root run that a step of it stands on, with its own."""
        inside = {run.id: run for run in self._runs.children(reader, self._project, step.root) if run.kind == "step"}
        needed: set[str] = set()
        waiting = [step]
        while waiting:
            run = waiting.pop()
            if run.path in needed:
                continue
            needed.add(run.path)
            for edge in self._edges.of_run(reader, self._project, run.id):
                maker = inside.get(edge.producer or "")
                if edge.direction == "in" and maker is not None:
                    waiting.append(maker)
        return needed

    def _compared(self, root: str, done: Done) -> list[ComparedStep]:
        with self._sources.store.read() as reader:
            recorded = {
                run.path: run
                for run in self._runs.children(reader, self._project, root)
                if run.kind == "step" and run.status in ("done", "cached")
            }
            return [self._compare(reader, recorded.get(path), step) for path, step in done.steps.items()]

    def _compare(self, reader: Reader, recorded: Run | None, now: Run) -> ComparedStep:
        then = None if recorded is None else self._result(reader, recorded)
        new = self._result(reader, now)
        seconds = None
        if now.started_at is not None and now.ended_at is not None:
            seconds = (now.ended_at - now.started_at).total_seconds()
        bytes_now = (now.notes or {}).get("bytes")
        is_same = then is not None and new is not None and then.digest == new.digest
        is_same_file = is_same and then is not None and bytes_digest(then) == bytes_now
        return ComparedStep(
            path=now.path,
            verdict="identical-bytes" if is_same_file else "identical" if is_same else "different",
            recorded=None if then is None else then.digest,
            now=None if new is None else new.digest,
            run=now.id,
            code_differs=recorded is not None and recorded.code_digest != now.code_digest,
            seconds=seconds,
        )

    def _result(self, reader: Reader, run: Run) -> Artifact | None:
        for edge in self._edges.of_run(reader, self._project, run.id):
            if edge.direction == "out":
                return self._artifacts.find(reader, self._project, edge.digest)
        return None

    def _by_predictions(self, version: ModelVersion, digest: str | None) -> tuple[Rung, float | None]:
        """How the new model's scores on the probe stand to those that were stored with the version."""
        if version.probe is None or digest is None:
            return "different", None
        with self._sources.store.read() as reader:
            probe = self._artifacts.find(reader, self._project, version.probe)
            artifact = self._artifacts.find(reader, self._project, digest)
        if probe is None or artifact is None:
            return "different", None
        stored = self._sources.artifacts.load(probe)
        recorded = np.array(stored["scores"], dtype=np.float64)
        scores = _scores(self._sources.artifacts.load(artifact), version.signature, stored["rows"])
        return rung_of(scores.reshape(len(recorded), -1), recorded)


def rung_of(scores: np.ndarray[Any, Any], recorded: np.ndarray[Any, Any]) -> tuple[Rung, float | None]:
    """How far down the ladder scores of another model stand, and the largest difference where there is one to tell.

    Both are float64 of one shape (n, k), or they are different. Compared are the bits, so that -0.0 is not 0.0.
    """
    if scores.shape != recorded.shape:
        return "different", None
    if np.array_equal(scores.view(np.int64), recorded.view(np.int64)):
        return "identical-predictions", 0.0
    if (np.isnan(scores) != np.isnan(recorded)).any():
        return "different", None
    difference = float(np.nanmax(np.abs(scores - recorded), initial=0.0))
    return ("equal-to-1e-6" if difference <= TOLERANCE else "different"), difference


def _scores(model: Any, signature: Any, rows: list[dict[str, Any]]) -> np.ndarray[Any, Any]:
    """The scores of a model for rows, made as the probe was made: by the server's own plan."""
    plan = InputPlan(msgspec.convert(dict(signature), Signature))
    return np.ascontiguousarray(predict(model, plan.from_rows(rows).matrix, task=signature["task"]), dtype=np.float64)


def _first_difference(steps: list[ComparedStep]) -> str | None:
    return next((step.path for step in steps if step.verdict == "different"), None)


def _notes(steps: list[ComparedStep], done: Done) -> list[str]:
    notes = list(done.changes)
    for step in steps:
        if step.code_differs:
            notes.append(f"{step.path}: what ran now is not the code that ran then.")
    return notes
