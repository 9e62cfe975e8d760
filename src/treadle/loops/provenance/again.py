"""A recorded run made again, with what there is to say of the place where that was done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from treadle.kernel.catalog import ArtifactRows, LineageRows, Run, RunRows
from treadle.kernel.engine.environment import Environment, compare
from treadle.kernel.engine.errors import NotRecorded
from treadle.kernel.engine.rerunning import Wanted
from treadle.kernel.governance import Caller
from treadle.loops.provenance.errors import NotReproducible
from treadle.loops.provenance.ports import RunsAgain
from treadle.loops.provenance.records import EnvironmentVerdict
from treadle.loops.provenance.sources import Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of it: the new run, its steps by path, and the environment held against the recorded one."""

    run: str
    steps: Mapping[str, Run]
    environment: EnvironmentVerdict
    changes: list[str]


class Again:
    """Makes runs of one caller's project again."""

    def __init__(self, sources: Sources, runs_again: RunsAgain, caller: Caller) -> None:
        self._sources, self._runs_again, self.caller = sources, runs_again, caller
        self._rows, self._artifacts = RunRows(), ArtifactRows()

    def make(self, root_id: str, wanted: Wanted) -> Done:
        """Makes a root run again. Raises NotReproducible when something that it needs is gone, or when it fails now."""
        with self._sources.store.read() as reader:
            root = self._rows.get(reader, self.caller.project, root_id)
        recorded = self._environment(root)
        self._check_inputs(root, wanted)
        try:
            run_id = self._runs_again.run(root.id, wanted, {} if recorded is None else recorded.settings)
        except NotRecorded as error:
            raise NotReproducible(error.what, why=error.why, fix=error.fix, run=root.id) from error
        with self._sources.store.read() as reader:
            run = self._rows.get(reader, self.caller.project, run_id)
            inside = self._rows.children(reader, self.caller.project, run_id)
        verdict = self._held_against(recorded, self._environment(run))
        if run.status != "done":
            raise self._failure(root, run, inside, verdict)
        steps = {step.path: step for step in inside if step.kind == "step" and step.status == "done"}
        missing = sorted(wanted.targets - steps.keys())
        if missing:
            raise NotReproducible(
                f"The body of {root.path} did not come to {missing[0]} this time.",
                why="It branches on something that was not recorded.",
                run=run.id,
            )
        return Done(run=run.id, steps=steps, environment=verdict, changes=list((run.notes or {}).get("changes", [])))

    def _check_inputs(self, root: Run, wanted: Wanted) -> None:
        """Whether the values are there that the run was given or that its body had made, and that no step makes again."""
        edges = LineageRows()
        with self._sources.store.read() as reader:
            inside = self._rows.children(reader, self.caller.project, root.id)
            made_here = {run.id: run for run in inside if run.kind == "step"}
            for run in inside:
                if run.kind != "step" or not wanted.runs(run.path):
                    continue
                for edge in edges.of_run(reader, self.caller.project, run.id):
                    maker = made_here.get(edge.producer or "")
                    is_made_again = maker is not None and wanted.runs(maker.path)
                    is_snapshot = (edge.producer or "").startswith("snap_")
                    if edge.direction == "out" or is_made_again or is_snapshot:
                        continue
                    found = self._artifacts.find(reader, self.caller.project, edge.digest)
                    is_kept_by_digest = found is not None and found.codec == "none"
                    if found is None or (not is_kept_by_digest and not self._sources.artifacts.stands(found)):
                        raise NotReproducible(
                            f"The input {edge.role!r} of {run.path} is gone: {edge.digest}.",
                            why="Clean-up took its bytes after their retention, or they were lost.",
                            fix=f"Make it again from the start: treadle verify {root.id}",
                            digest=edge.digest,
                        )

    def _environment(self, run: Run) -> Environment | None:
        if run.environment_digest is None:
            return None
        with self._sources.store.read() as reader:
            artifact = self._artifacts.find(reader, self.caller.project, run.environment_digest)
        if artifact is None or not self._sources.artifacts.stands(artifact):
            return None
        loaded: Any = self._sources.artifacts.load(artifact)
        return msgspec.convert(loaded, Environment)

    @staticmethod
    def _held_against(recorded: Environment | None, now: Environment | None) -> EnvironmentVerdict:
        if recorded is None or now is None:
            missing = "then" if recorded is None else "now"
            return EnvironmentVerdict(verdict="unknown", differences=[f"It was not recorded {missing}."])
        found = compare(recorded, now)
        return EnvironmentVerdict(verdict=found.verdict, differences=list(found.differences))

    @staticmethod
    def _failure(root: Run, run: Run, inside: list[Run], environment: EnvironmentVerdict) -> NotReproducible:
        failed = next((step for step in inside if step.status == "failed"), None)
        error = (failed.error if failed is not None else run.error) or {}
        where = failed.path if failed is not None else run.path
        differs = f" The environment: {'; '.join(environment.differences[:3])}." if environment.differences else ""
        return NotReproducible(
            f"{root.path} cannot be made again: {where} failed.",
            why=f"{error.get('what') or run.status}{differs}",
            fix=f"See what happened: treadle runs show {run.id}",
            run=run.id,
        )
