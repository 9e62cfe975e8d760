"""Datasets as a user's script sees them: land rows, take a snapshot, hand it to a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from treadle.assembly import Workspace, current_workspace
from treadle.kernel.engine.context import current_driver

if TYPE_CHECKING:
    import polars as pl

    from treadle.kernel.vocabulary.datasets import Snapshot
    from treadle.systems.collect import Landing
    from treadle.systems.collect.branching.records import BranchInfo, Merged
    from treadle.systems.collect.compacting.service import Compacted
    from treadle.systems.collect.comparing.records import Comparison
    from treadle.systems.collect.filesets.reading import FileSet as FileSet
    from treadle.systems.collect.filesets.service import FilesLanded

NOW = "now"


@dataclass(frozen=True, slots=True)
class PinnedSnapshot:
    """A snapshot that a run is pinned to. As an argument of a step it is known by its content; the body gets its rows.

    `digest` is the content's identity, so a compacted or restored snapshot with the same rows is the same input.
    It pickles as a few words: a worker opens the workspace of its own settings and reads the files.
    """

    id: str
    dataset: str
    version: int
    digest: str
    rows: int
    project: str
    home: str
    store: str

    def scan(self) -> pl.LazyFrame:
        """The rows, lazily, with `_landing` and `_row`."""
        workspace = self.workspace()
        snapshot = workspace.datasets.snapshot(self.project, self.dataset, self.id)
        return workspace.datasets.scan(self.project, snapshot)

    def treadle_load(self, as_type: Any) -> Any:
        """The rows in the type that a step's annotation asks for; a Polars data frame where it says nothing."""
        from treadle.ground import frames

        if getattr(as_type, "__name__", "") == "FileSet":
            return self.files()
        if isinstance(as_type, type) and issubclass(as_type, Path):
            return self._as_folder()
        wanted = f"{getattr(as_type, '__module__', '')}.{getattr(as_type, '__name__', '')}"
        if wanted.startswith("polars.") and wanted.endswith("LazyFrame"):
            return self.scan()
        table = self.scan().collect()
        if wanted.startswith("pyarrow."):
            return frames.to_arrow(table)
        if wanted.startswith("pandas."):
            return frames.to_pandas(table)
        return frames.to_numpy(table) if wanted == "numpy.ndarray" else table

    def files(self) -> FileSet:
        """The files, where the dataset is one of files. Raises FilesRefused where it is not."""
        workspace = self.workspace()
        snapshot = workspace.datasets.snapshot(self.project, self.dataset, self.id)
        return workspace.dataset_files.files(self.project, snapshot)

    def _as_folder(self) -> Path:
        """The files in a folder of their own, which goes with the process: whoever has it may write into it."""
        import atexit
        import shutil
        import tempfile

        folder = Path(tempfile.mkdtemp(prefix="treadle-files-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self.files().export(folder)
        return folder

    def treadle_producer(self) -> str | None:
        """What made it, for lineage: the snapshot itself, whose landing says the rest."""
        return self.id

    def workspace(self) -> Workspace:
        """The workspace that the snapshot is of."""
        workspace = current_workspace()
        if str(workspace.home.absolute()) == self.home and workspace.settings.store == self.store:
            return workspace
        from treadle.assembly import open_workspace

        return open_workspace(self.home, project=self.project, store=self.store)


class DatasetHandle:
    """A dataset by name; it need not exist before the first landing."""

    def __init__(self, name: str, workspace: Workspace) -> None:
        self.name, self._workspace = name, workspace

    def __repr__(self) -> str:
        return f"<dataset {self.name}>"

    def land(
        self, source: Any, *, key: str | None = None, event_column: str | None = None, **options: Any
    ) -> Sequence[Landing]:
        """Lands what is new in a source, or a frame or the handle of one. See `Datasets.land` for the options.

        Inside a pipeline the landing happens once in its run, and is linked with the step that made the frame.
        """
        from treadle.kernel.engine.handles import Handle, load

        workspace, driver = self._workspace, _driver()
        landed: list[Landing] = []

        def land() -> None:
            landed.extend(
                workspace.datasets.land(
                    workspace.caller,
                    self.name,
                    load(source),
                    key=key,
                    event_column=event_column,
                    run=None if driver is None else driver.run,
                    **options,
                )
            )

        if driver is None:
            land()
            return landed
        inputs = {"rows": source} if isinstance(source, Handle) else {}
        params = {"dataset": self.name, "key": key}
        ids = workspace.engine.act(
            "land", lambda _: [one.id for one in landed], inputs=inputs, params=params, before=land
        )
        return landed or self._landings(ids)

    def land_files(self, folder: str | Path) -> FilesLanded:
        """Makes a folder the newest snapshot of this dataset of files; what is as it was is not read again.

        Then `.snapshot().files()` has them: `for file in …`, `…["a/b.png"].bytes()`, `….open(path)`, `….export(folder)`; a step
        takes the snapshot as `td.FileSet`, or as a `Path` to a folder. Raises FilesRefused for links and what is no file.
        """
        driver = _driver()
        run = None if driver is None else driver.run
        return self._workspace.dataset_files.land(self._workspace.caller, self.name, Path(folder), run=run)

    def snapshot(self, at: str | int | datetime = NOW) -> PinnedSnapshot:
        """The snapshot at a version, tag, id or time; the newest by default.

        Inside a pipeline it is resolved once and recorded, so that a resumed run sees the very same rows.
        Raises DatasetNotFound, SnapshotNotFound.
        """
        workspace = self._workspace
        wanted = _wanted(at)

        def resolve(_: object = None) -> str:
            return workspace.datasets.snapshot(workspace.project, self.name, wanted).id

        if _driver() is None:
            found = resolve()
        else:
            asked = {"dataset": self.name, "at": wanted or NOW}
            found = workspace.engine.act("snapshot", resolve, params=asked, preview=resolve)
        return pinned(workspace, workspace.datasets.snapshot(workspace.project, self.name, found))

    def branch(self, name: str, *, at: str | int | datetime = NOW) -> DatasetHandle:
        """A branch of the dataset, begun at a snapshot where there was none of that name; it lands and is read like any.

        `td.dataset("flights").branch("fix").land(…)`; then `.merge()` brings it to main.
        """
        from treadle.systems.collect.branching.records import MakeBranch

        request = MakeBranch(name=self.name, branch=name, at=_wanted(at))
        made = self._workspace.dataset_branches.make(self._workspace.caller, request)
        return DatasetHandle(made.dataset, self._workspace)

    def branches(self) -> Sequence[BranchInfo]:
        """Every branch, with how far it and main have come since it was made."""
        from treadle.systems.collect.records import NamedDataset

        return self._workspace.dataset_branches.list(self._workspace.caller, NamedDataset(name=self.name))

    def merge(self, *, delete: bool = False, reason: str = "") -> Merged:
        """Brings this branch's rows to main, as one snapshot. Raises MergeConflict before anything has changed."""
        from treadle.systems.collect.branching.records import MergeBranch

        name, _, branch = self.name.partition("@")
        request = MergeBranch(name=name, branch=branch, delete=delete, reason=reason)
        return self._workspace.dataset_branches.merge(self._workspace.caller, request)

    def tag(self, tag: str, *, at: str | int | datetime = NOW, reason: str = "") -> None:
        """Gives a snapshot a name; one that is taken moves, and its history stays."""
        from treadle.systems.collect.records import TagSnapshot

        request = TagSnapshot(name=self.name, tag=tag, at=_wanted(at), reason=reason)
        self._workspace.dataset_tags.tag(self._workspace.caller, request)

    def restore(self, at: str | int | datetime, *, reason: str = "") -> Snapshot:
        """Makes the rows of an earlier snapshot the newest again, as a new snapshot."""
        from treadle.systems.collect.records import RestoreSnapshot

        request = RestoreSnapshot(name=self.name, at=_wanted(at) or "main", reason=reason)
        return self._workspace.datasets.restore(self._workspace.caller, request)

    def clean(
        self, at: str | int | datetime = NOW, *, to: str | None = None, contract: str | None = None
    ) -> PinnedSnapshot:
        """The snapshot of `to` that holds this dataset's rows, cleaned by the steps of a contract and judged by its rules.

        to: without it, the name without `.raw`, or with `.clean` after it. contract: the dataset whose contract says how;
        without it that of `to`, else this one's. Inside a pipeline it happens once in its run, and the snapshot that was
        cleaned is on record as its input. Raises CleaningRefused, ContractNotFound.
        """
        from treadle.systems.prepare.cleaning.records import CleanDataset

        workspace, driver = self._workspace, _driver()
        source = self.snapshot(at)
        request = CleanDataset(
            name=self.name, at=source.id, to=to, contract=contract, run=None if driver is None else driver.run
        )
        made: list[str] = []

        def work() -> None:
            done = workspace.cleanings.run(workspace.caller, request)
            head = workspace.datasets.snapshot(workspace.project, done.dataset)
            made[:] = [str(done.landing), head.id, done.dataset]

        if driver is None:
            work()
        else:
            params = {"dataset": self.name, "to": to, "contract": contract}
            made = workspace.engine.act(
                "clean", lambda _: list(made), inputs={"rows": source}, params=params, before=work
            )
        return pinned(workspace, workspace.datasets.snapshot(workspace.project, made[2], made[1]))

    def restored(self, at: str | int | datetime = NOW) -> pl.DataFrame:
        """The rows that were cleaned into this dataset, computed from what came of them and the log of the cleaning."""
        workspace = self._workspace
        rows: pl.DataFrame = workspace.cleanings.restored(workspace.project, self.name, _wanted(at))
        return rows

    def compact(self, *, target_bytes: int = 128 << 20) -> Compacted:
        """Lays many small files together; rows, their ids and their order stay."""
        from treadle.systems.collect.compacting.service import CompactDataset

        request = CompactDataset(name=self.name, target_bytes=target_bytes)
        return self._workspace.dataset_compaction.compact(self._workspace.caller, request)

    def history(self) -> Sequence[Snapshot]:
        """Every snapshot, oldest first."""
        from treadle.systems.collect.records import NamedDataset

        return self._workspace.datasets.history(self._workspace.caller, NamedDataset(name=self.name))

    def diff(
        self,
        before: str | int | datetime,
        after: str | int | datetime = NOW,
        *,
        key: str | Sequence[str] = (),
        **options: Any,
    ) -> Comparison:
        """What lies between two snapshots: columns, rows, rows by a key, values. Options: `distributions`, `examples`."""
        from treadle.systems.collect.comparing.records import CompareSnapshots

        request = CompareSnapshots(
            name=self.name,
            before=_wanted(before) or "main",
            after=_wanted(after),
            key=[key] if isinstance(key, str) else list(key),
            **options,
        )
        return self._workspace.dataset_comparisons.diff(self._workspace.caller, request)

    def _landings(self, ids: Sequence[str]) -> Sequence[Landing]:
        """Landings that an earlier attempt of this run has made."""
        from treadle.systems.collect.records import NamedDataset

        workspace = self._workspace
        known = workspace.datasets.landings(workspace.caller, NamedDataset(name=self.name))
        return [landing for landing in known if landing.id in ids]


def pinned(workspace: Workspace, snapshot: Snapshot) -> PinnedSnapshot:
    """A snapshot as what a run is pinned to."""
    return PinnedSnapshot(
        id=snapshot.id,
        dataset=snapshot.dataset,
        version=snapshot.version,
        digest=snapshot.content_id,
        rows=snapshot.rows,
        project=workspace.project,
        home=str(workspace.home.absolute()),
        store=workspace.settings.store,
    )


def __getattr__(name: str) -> Any:
    """`Batch`, what a source of a user's own hands over, and `FileSet`: loaded when asked for, since they are collect's."""
    if name == "FileSet":
        from treadle.systems.collect.filesets.reading import FileSet

        return FileSet
    if name == "Batch":
        from treadle.systems.collect.records import Batch

        return Batch
    raise AttributeError(name)


def dataset(name: str) -> DatasetHandle:
    """A dataset of the current workspace."""
    return DatasetHandle(name, current_workspace())


def contract(path: str | Path, *, reason: str = "") -> None:
    """Makes the contract in a file hold for every dataset that it names; one that holds already stays as it is."""
    from treadle.systems.prepare.records import PublishContract
    from treadle.wire import odcs

    workspace, text = current_workspace(), Path(path).read_text(encoding="utf-8")
    held = {found.dataset: found.text for found in workspace.contracts.list(workspace.caller)}
    for table in odcs.decode(text, source=str(path)).schema:
        if held.get(table.name) != text:
            request = PublishContract(dataset=table.name, text=text, reason=reason or f"from {Path(path).name}")
            workspace.contracts.publish(workspace.caller, request)


def _driver() -> Any:
    """The pipeline run in whose body this is called, or None."""
    return current_driver.get()


def _wanted(at: str | int | datetime) -> str | None:
    if isinstance(at, datetime):
        return at.isoformat()
    return None if at == NOW else str(at)
