"""Recorded runs made again in fresh processes of this host: from the recorded code, under the recorded thread settings.

The files of the project as they are now are out of reach of its imports: the unpacked bundle stands first on the path,
and the working folder is not on it. It is the working folder all the same, since that is where declared files are.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.catalog.artifacts import ArtifactRows
from treadle.kernel.catalog.errors import ArtifactNotFound
from treadle.kernel.engine.code.bundling import MANIFEST
from treadle.kernel.engine.code_store import unpacked
from treadle.kernel.engine.environment.capturing import SETTINGS
from treadle.kernel.engine.errors import NotRecorded, RunNotFound
from treadle.kernel.engine.leases import find
from treadle.kernel.engine.rerunning import DONE, Wanted, rerun_process_arguments
from treadle.kernel.engine.service import Engine

LAST_LETTERS = 4000
"""How much of what a process that failed has said is passed on."""


class RerunProcess:
    """Starts `treadle.kernel.engine.rerunning`, which opens its own engine, by the name given here."""

    def __init__(
        self, engine: Engine, opener: str, *, folder: Path, project_root: Path, environment: Mapping[str, str]
    ) -> None:
        """opener: `module:function` that gives an Engine without arguments. folder: where code is unpacked.

        environment: the variables by which the opener finds the same store.
        """
        self._engine, self._opener, self._folder = engine, opener, folder
        self._project_root, self._environment = project_root, environment

    def run(self, root: str, wanted: Wanted, settings: Mapping[str, str]) -> str:
        """The id of the run that made `root` again; returns when it has ended, well or not.

        settings: the recorded thread settings and hash seed; those that were not set are not set again.
        Raises NotRecorded when the code is not there, or when the process died before the run began.
        """
        held = find(self._engine.store, self._engine.project, root)
        artifact = self._code(held.bundle_digest, root)
        target = entry_of(self._engine.artifacts.load(artifact), str((held.notes or {}).get("target", "")))
        place = unpacked(artifact, self._engine.artifacts, str(self._folder))
        new_run = self._engine.new_id("run")
        command = [sys.executable, "-P", "-m", "treadle.kernel.engine.rerunning", "--open", self._opener]
        done = subprocess.run(
            [*command, *rerun_process_arguments(root, new_run, target, wanted)],
            cwd=self._project_root if self._project_root.is_dir() else place,
            env=self._variables(place, settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != DONE:
            self._check_begun(new_run, done.stderr)
        return new_run

    def _variables(self, place: Path, settings: Mapping[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in SETTINGS}
        paths = [str(place), *(each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each)]
        known = {name: value for name, value in settings.items() if name in SETTINGS}
        return {**kept, **self._environment, **known, "PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1"}

    def _code(self, digest: str | None, root: str) -> Artifact:
        if digest is None:
            raise NotRecorded(f"The code of the run {root} was not recorded.", why="It ended before it was.", run=root)
        try:
            with self._engine.store.read() as reader:
                artifact = ArtifactRows().get(reader, self._engine.project, digest)
        except ArtifactNotFound as error:
            raise NotRecorded(f"The code bundle {digest} is gone.", why=error.why, digest=digest) from error
        if not self._engine.artifacts.stands(artifact):
            raise NotRecorded(f"The bytes of the code bundle {digest} are gone.", digest=digest)
        return artifact

    def _check_begun(self, new_run: str, said: str) -> None:
        try:
            find(self._engine.store, self._engine.project, new_run)
        except RunNotFound as error:
            raise NotRecorded(
                "The recorded code could not be run.", why=said.strip()[-LAST_LETTERS:] or str(error)
            ) from error


class _Entry(msgspec.Struct):
    entry: str | None = None
    entry_name: str | None = None


def entry_of(content: bytes, target: str) -> str:
    """Where the pipeline is in a bundle, as `module:name`; a script is a module of its own there."""
    if target and not target.startswith("__main__:"):
        return target
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = msgspec.json.decode(archive.read(MANIFEST), type=_Entry)
    if found.entry is None or found.entry_name is None:
        raise NotRecorded("The recorded code does not say where its pipeline is.")
    return f"{found.entry}:{found.entry_name}"
