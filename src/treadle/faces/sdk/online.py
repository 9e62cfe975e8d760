"""Features online, from a script or a pipeline: `td.features.materialize`, `.online`, `.push` and `.skew`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from treadle.assembly import current_workspace
from treadle.kernel.catalog import Edge, LineageRows
from treadle.kernel.engine.context import current_driver

if TYPE_CHECKING:
    from treadle.assembly import Workspace
    from treadle.kernel.store import Transaction
    from treadle.loops.skew import SkewReport
    from treadle.systems.features.online.materializing import Materialized
    from treadle.systems.features.online.reader import Vectors
    from treadle.systems.features.online.service import Pushed


def materialize(
    name: str | None = None, *, until: datetime | None = None, anew: bool = False
) -> Sequence[Materialized]:
    """Brings the values of a view, of a service's views, or of all of them online up to date; answers what was done.

    In a pipeline it happens once in its run, and the run records the versions, and the snapshots as its inputs: put it behind
    `@td.pipeline(schedule=…)` or `triggers=[td.on_landing(…)]`, and publish that. A resumed run that has done it before
    answers nothing. See `Materialize` for the rest.
    """
    from treadle.systems.features.online.service import Materialize

    workspace = current_workspace()
    brought: list[Materialized] = []

    def bring_up() -> None:
        request = Materialize(name=name, until=until, anew=anew)
        brought.extend(workspace.online_features.bring_up(workspace.caller, request))

    if current_driver.get() is None:
        bring_up()
        return brought
    params = {"name": name, "until": None if until is None else until.isoformat(), "anew": anew}

    def read(tx: Transaction, run: str) -> Mapping[str, str]:
        LineageRows().record(tx, workspace.project, _edges(workspace, run, brought))
        return {}

    workspace.engine.act("materialize", lambda _: _facts(brought), params=params, before=bring_up, makes=read)
    return brought


def online(service: str, entities: Sequence[Mapping[str, Any]], *, version: str | None = None) -> Vectors:
    """The feature vectors of some entities as they are now; `values` in the order of `features`, and beside each vector
    how each view answered and of which moment it is exactly that.

    Raises NotMaterialized, EntityRefused.
    """
    workspace = current_workspace()
    return workspace.online_features.read(workspace.caller, service, entities, version=version)


def push(dataset: str, rows: Any, *, key: str | None = None) -> Pushed:
    """Lands live rows (a frame, or mappings) in a dataset, and brings the views over it up to date before it answers."""
    from treadle.systems.features.online.service import PushRows

    workspace = current_workspace()
    if isinstance(rows, Sequence):
        return workspace.online_features.push(workspace.caller, PushRows(dataset=dataset, rows=list(rows), key=key))
    return workspace.online_features.push_frame(workspace.caller, dataset, rows, key=key)


def skew(
    service: str, *, since: datetime | None = None, sample: int = 1_000, tolerance: Mapping[str, float] | None = None
) -> SkewReport:
    """What was served of a service, computed again from the snapshots and compared; differences open incidents.

    Put it into a pipeline with a schedule to have it measured by itself. See `CheckSkew` for the options.
    """
    from treadle.loops.skew import CheckSkew

    workspace = current_workspace()
    request = CheckSkew(service=service, since=since, sample=sample, tolerance=dict(tolerance or {}))
    return workspace.skew.check(workspace.caller, request)


def _edges(workspace: Workspace, run: str, brought: Sequence[Materialized]) -> list[Edge]:
    """What a materialisation has read, as lineage: which snapshots are online is asked of it, downwards and upwards."""
    snapshots = {(one.dataset, one.snapshot) for one in brought}
    return [
        Edge(
            run=run,
            direction="in",
            role=f"dataset[{dataset}]" if count == 0 else f"dataset[{dataset}]#{count + 1}",
            digest=workspace.datasets.snapshot(workspace.project, dataset, snapshot).content_id,
            producer=snapshot,
        )
        for dataset in sorted({name for name, _ in snapshots})
        for count, snapshot in enumerate(sorted(id for name, id in snapshots if name == dataset))
    ]


def _facts(brought: Sequence[Materialized]) -> list[dict[str, Any]]:
    return [
        {"view": one.view, "digest": one.digest, "snapshot": one.snapshot, "until": one.until.isoformat()}
        for one in brought
    ]
