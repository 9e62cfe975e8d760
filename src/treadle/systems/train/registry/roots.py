"""What clean-up must leave for the sake of registered versions: the models themselves, and what explains them.

A version is verified by training it again, and explained by walking up from it. So besides its own digests there stay
the inputs of the step that made it; code, environment and large arguments of every run that it came from; and those
inputs further up that no step made, since nothing could make them again. What a step further up did make can go with
its retention: the same code makes it again from the same inputs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from treadle.ground.digests import is_digest
from treadle.kernel.catalog import EvidenceRows, LineageRows, Run, RunRows
from treadle.kernel.store import Reader
from treadle.systems.train.registry.records import ModelVersion
from treadle.systems.train.registry.repository import VersionRows


class VersionRoots:
    """The roots of the registry; satisfies the port `Roots` of infra."""

    def __init__(self, evidence: EvidenceRows) -> None:
        self._evidence = evidence
        self._versions, self._runs, self._edges = VersionRows(), RunRows(), LineageRows()

    def needed(self, reader: Reader, project: str) -> Iterable[str]:
        """The digests that the registered versions of a project need. Cost: a few look-ups for each run they came from."""
        found: set[str] = set()
        visited: set[str] = set()
        for version in self._versions.of_project(reader, project):
            found.update(_own_digests(version))
            found.update(version.data.values())  # ids of snapshots
            found.update(self._proofs(reader, version))
            for run in (version.run, version.root):
                if run is not None:
                    found.update(self._walk(reader, project, run, visited))
        return found

    def _proofs(self, reader: Reader, version: ModelVersion) -> Iterator[str]:
        """What evidence about the version names: the rows on which it was judged."""
        for found in self._evidence.about(reader, version.project, version.subject):
            yield from _digests_in(found.body)

    def _walk(self, reader: Reader, project: str, first: str, visited: set[str]) -> Iterator[str]:
        """Up from the run that made a version; its own inputs all count."""
        is_maker = True
        waiting = [first]
        while waiting:
            run = self._runs.find(reader, project, waiting.pop())
            if run is None or (run.id in visited and not is_maker):
                continue
            visited.add(run.id)
            yield from _surroundings(run)
            for edge in self._edges.of_run(reader, project, run.id):
                if edge.direction == "in":
                    maker = None if edge.producer is None else self._runs.find(reader, project, edge.producer)
                    if is_maker or maker is None or maker.kind == "pipeline":
                        yield edge.digest
                    if maker is not None:
                        waiting.append(maker.id)
            waiting += [each for each in (run.reused_from, run.root) if each is not None and each not in visited]
            is_maker = False


def _own_digests(version: ModelVersion) -> Iterator[str]:
    for digest in (version.digest, version.probe, version.card):
        if digest is not None:
            yield digest
    yield from _digests_in(version.reference)
    yield from _digests_in(version.data)


def _surroundings(run: Run) -> Iterator[str]:
    for digest in (run.bundle_digest, run.environment_digest):
        if digest is not None:
            yield digest
    yield from _digests_in(run.params)


def _digests_in(value: Any) -> Iterator[str]:
    """Every digest among JSON-able values, however deep."""
    if isinstance(value, str):
        if is_digest(value):
            yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _digests_in(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _digests_in(item)
