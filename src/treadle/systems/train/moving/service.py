"""Moving as one service: bring a store of MLflow in, compare it with what stands here, write a project out.

These are no verbs: they read and write this host's disks, so only whoever works on the host itself can ask for them. What
they may do in the project is checked all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from treadle.kernel.catalog import Refs
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.systems.train.files import Files
from treadle.systems.train.moving.comparing import compare
from treadle.systems.train.moving.exporting import FolderExport
from treadle.systems.train.moving.importing import Import, Progress
from treadle.systems.train.moving.opening import OpenRows, open_store
from treadle.systems.train.moving.own_store import OwnStore
from treadle.systems.train.moving.ports import MlflowStore
from treadle.systems.train.moving.records import Brought, Compared


class Moving:
    """See the module.

    begin: sees to it that a project has its first experiment. databases: what opens the rows of foreign databases other
    than SQLite, by scheme.
    """

    def __init__(
        self,
        store: Store,
        files: Files,
        refs: Refs,
        begin: Callable[[str], None],
        new_import: Callable[[], Import],
        databases: Mapping[str, OpenRows],
    ) -> None:
        self._store, self._files, self._refs = store, files, refs
        self._begin, self._new_import, self._databases = begin, new_import, databases

    def open(self, address: str, artifacts: Sequence[Path], *, workspace: str = "default") -> MlflowStore:
        """The store at an address. Raises NoMlflowStore."""
        return open_store(address, artifacts, workspace=workspace, databases=self._databases)

    def bring(self, caller: Caller, source: MlflowStore, *, is_dry_run: bool, progress: Progress) -> Brought:
        """Brings all of a store in; what is here already is left alone."""
        return self._new_import().bring(caller, source, is_dry_run=is_dry_run, progress=progress)

    def compare(self, caller: Caller, source: MlflowStore, *, progress: Progress) -> Compared:
        """How the project holds what a store holds."""
        return compare(source, OwnStore(self._store, self._files, self._refs, caller), progress=progress)

    def write_folder(self, caller: Caller, folder: Path, *, progress: Progress) -> Brought:
        """Writes the project as an `mlruns` folder."""
        self._begin(caller.project)
        return FolderExport(OwnStore(self._store, self._files, self._refs, caller), folder, progress).write()
