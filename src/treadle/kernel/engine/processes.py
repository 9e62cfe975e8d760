"""Runners as processes of this host: the project's interpreter, in the unpacked code of its publication."""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from treadle.kernel.catalog.artifacts import ArtifactRows
from treadle.kernel.engine.code_store import unpacked
from treadle.kernel.engine.publishing import Publication, get_publication
from treadle.kernel.engine.scheduler import Firing
from treadle.kernel.engine.service import Engine


class Processes:
    """Starts `treadle.kernel.engine.runner`. The runner opens its own engine, by the name given here."""

    def __init__(
        self,
        engine: Engine,
        opener: str,
        *,
        folder: Path,
        environment: dict[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        """opener: `module:function` that gives an Engine without arguments. folder: where code is unpacked.

        environment: variables for the runner besides those of this process. log: the file to which runners print;
        without one they print where this process does.
        """
        self._engine, self._opener, self._folder = engine, opener, folder
        self._environment, self._log = environment or {}, log

    def start(self, firing: Firing) -> subprocess.Popen[bytes]:
        """A runner for a firing."""
        return self._popen(firing.publication, ["--firing", firing.id])

    def resume(self, run: str, publication: str) -> subprocess.Popen[bytes]:
        """A runner that goes on with a run."""
        return self._popen(publication, ["--resume", run, "--publication", publication])

    def _popen(self, publication_id: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        with self._engine.store.read() as reader:
            publication = get_publication(reader, self._engine.project, publication_id)
        place = unpacked_code(self._engine, self._engine.project, publication, self._folder)
        environment = {**variables_for(place), **self._environment}
        command = [publication.interpreter, "-m", "treadle.kernel.engine.runner", "--open", self._opener, *arguments]
        with contextlib.ExitStack() as stack:
            output = None
            if self._log is not None:
                self._log.parent.mkdir(parents=True, exist_ok=True)
                output = stack.enter_context(self._log.open("ab"))
            # A session of its own: Ctrl-C in the terminal is for whoever started the runner, not for the run.
            return subprocess.Popen(
                command,
                cwd=place,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )


def unpacked_code(engine: Engine, project: str, publication: Publication, folder: Path) -> Path:
    """The folder with the published code, for a process to start in."""
    with engine.store.read() as reader:
        artifact = ArtifactRows().get(reader, project, publication.bundle)
    return unpacked(artifact, engine.artifacts, str(folder))


def variables_for(place: Path) -> dict[str, str]:
    """The variables of this process, with the code at `place` first on the path of imports."""
    paths = [str(place), *(each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONHASHSEED": "0"}
