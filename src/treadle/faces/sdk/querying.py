"""Questions in SQL from a user's script: `td.query`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.assembly import current_workspace
from treadle.kernel.engine.context import current_driver

if TYPE_CHECKING:
    import polars as pl


def query(sql: str) -> pl.DataFrame:
    """The answer to one SELECT on datasets: `td.query("select * from flights join weather@v3 using (origin)")`.

    A table is a dataset as it is now, or at a version, tag, branch or time behind an @. Inside a pipeline the snapshots are
    resolved once and recorded as inputs of the query, so that a resumed run asks the very same rows.
    The engine sees those snapshots alone. Raises QueryRefused, QueryFailed, QueryTooLong, QueryTooLarge, DatasetNotFound,
    SnapshotNotFound.
    """
    workspace, driver = current_workspace(), current_driver.get()
    queries = workspace.dataset_queries
    if driver is None:
        workspace.caller.require("dataset.query")
        return queries.frame(workspace.project, queries.question(workspace.project, sql))

    def resolve(_: object = None) -> dict[str, list[str]]:
        question = queries.question(workspace.project, sql)
        return {".".join(path): [one.dataset, one.id] for path, one in question.tables.items()}

    resolved: dict[str, list[str]] = workspace.engine.act("snapshot", resolve, params={"sql": sql})
    question = queries.pinned(workspace.project, sql, resolved)
    inputs = {name: _pinned(workspace, one) for name, one in question.inputs.items()}
    frame: list[pl.DataFrame] = []

    def ask() -> None:
        frame.append(queries.frame(workspace.project, question))

    workspace.engine.act("query", lambda _: {"rows": frame[0].height}, inputs=inputs, params={"sql": sql}, before=ask)
    if not frame:
        ask()
    return frame[0]


def _pinned(workspace: Any, snapshot: Any) -> Any:
    from treadle.faces.sdk.datasets import pinned

    return pinned(workspace, snapshot)
