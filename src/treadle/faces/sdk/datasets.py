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
        workspace = self._workspace()
        snapshot = workspace.datasets.snapshot(self.project, self.dataset, self.id)
        return workspace.datasets.scan(self.project, snapshot)

    def treadle_load(self, as_type: Any) -> Any:
        """The rows in the type that a step's annotation asks for; a Polars data frame where it says nothing."""
        from treadle.ground import frames

        wanted = f"{getattr(as_type, '__module__', '')}.{getattr(as_type, '__name__', '')}"
        if wanted.startswith("polars.") and wanted.endswith("LazyFrame"):
            return self.scan()
        table = self.scan().collect()
        if wanted.startswith("pyarrow."):
            return frames.to_arrow(table)
        if wanted.startswith("pandas."):
            return frames.to_pandas(table)
        return frames.to_numpy(table) if wanted == "numpy.ndarray" else table

    def treadle_producer(self) -> str | None:
        """What made it, for lineage: the snapshot itself, whose landing says the rest."""
        return self.id

    def _workspace(self) -> Workspace:
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
            found = workspace.engine.act("snapshot", resolve, params={"dataset": self.name, "at": wanted or NOW})
        return self._pinned(workspace.datasets.snapshot(workspace.project, self.name, found))

    def history(self) -> Sequence[Snapshot]:
        """Every snapshot, oldest first."""
        from treadle.systems.collect.records import NamedDataset

        return self._workspace.datasets.history(self._workspace.caller, NamedDataset(name=self.name))

    def _landings(self, ids: Sequence[str]) -> Sequence[Landing]:
        """Landings that an earlier attempt of this run has made."""
        from treadle.systems.collect.records import NamedDataset

        workspace = self._workspace
        known = workspace.datasets.landings(workspace.caller, NamedDataset(name=self.name))
        return [landing for landing in known if landing.id in ids]

    def _pinned(self, snapshot: Snapshot) -> PinnedSnapshot:
        return PinnedSnapshot(
            id=snapshot.id,
            dataset=snapshot.dataset,
            version=snapshot.version,
            digest=snapshot.content_id,
            rows=snapshot.rows,
            project=self._workspace.project,
            home=str(self._workspace.home.absolute()),
            store=self._workspace.settings.store,
        )


def __getattr__(name: str) -> Any:
    """`Batch`, what a source of a user's own hands over: loaded when it is asked for, since it is collect's."""
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
