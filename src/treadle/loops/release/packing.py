"""The verb that gives a version files of its own in MLflow's layout, where a step of ours made the model.

A model that a step made is an artifact; MLflow's clients load folders. The folder is made when somebody first asks for it.
"""

from __future__ import annotations

from treadle.ground.clock import Clock
from treadle.ground.ids import NewId
from treadle.kernel.artifacts.service import Artifacts
from treadle.kernel.catalog import ArtifactRows
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store, Transaction
from treadle.loops.release.errors import NotServable
from treadle.loops.release.layout import files_of_model
from treadle.loops.release.servable import engine_and_file
from treadle.systems.train.registry.dossiers import Dossiers
from treadle.systems.train.registry.lookup import Lookup
from treadle.systems.train.registry.own_files import keep
from treadle.systems.train.registry.records import ModelVersion
from treadle.systems.train.registry.requests import VersionNamed


class Packages:
    """See the module."""

    def __init__(
        self, store: Store, lookup: Lookup, dossiers: Dossiers, artifacts: Artifacts, clock: Clock, new_id: NewId
    ) -> None:
        self._store, self._lookup, self._dossiers, self._artifacts = store, lookup, dossiers, artifacts
        self._clock, self._new_id = clock, new_id

    @verb("packages.make", permission="model.read")
    def make(self, caller: Caller, request: VersionNamed) -> ModelVersion:
        """The version, with files that MLflow's clients load.

        It stays as it is where it has files already, lies elsewhere, or is a model that no engine of ours loads.
        """
        with self._store.read() as reader:
            found = self._lookup.resolve(reader, caller.project, request.model, request.version)
            if found.location is not None or found.source is not None:
                return found
            dossier = self._dossiers.of(reader, found)
            artifact = ArtifactRows().find(reader, caller.project, found.digest)
        if artifact is None:
            return found
        try:
            engine, data = engine_and_file(artifact, self._artifacts)
        except NotServable:
            return found
        files = [(path, *self._put(content)) for path, content in sorted(files_of_model(engine, data, dossier).items())]
        facts = {**found.facts, "files": len(files), "flavors": {engine: {}, "python_function": {}}}

        def work(tx: Transaction) -> ModelVersion:
            current = self._lookup.resolve(tx, caller.project, request.model, str(found.number))
            if current.location is None:
                mark = self._new_id("mv")
                location = keep(tx, caller.project, files, mark=mark, actor=found.actor, at=self._clock())
                self._lookup.rows.place(tx, current, location, sum(size for _, _, size in files), facts)
            return self._lookup.resolve(tx, caller.project, request.model, str(found.number))

        return self._store.write(work)

    def _put(self, content: bytes) -> tuple[str, int]:
        with self._artifacts.blobs.create() as writer:
            writer.write(content)
            info = writer.commit()
        return info.digest, info.size_bytes
