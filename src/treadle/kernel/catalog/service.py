"""The verbs of runs: what ran, and what ran inside it."""

from __future__ import annotations

from dataclasses import dataclass

from treadle.kernel.catalog.records import Run
from treadle.kernel.catalog.runs import RunRows
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Store
from treadle.kernel.vocabulary.pages import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRuns:
    """Runs that no other run holds, newest first: of pipelines, or of another kind. `after` is a page's `next`."""

    kind: str = "pipeline"
    limit: int = 50
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunNamed:
    """One run by its id."""

    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSheet:
    """A run with every run inside it, in the order in which they were recorded."""

    run: Run
    below: list[Run]


class Runs:
    """The service."""

    def __init__(self, store: Store) -> None:
        self._store, self._rows = store, RunRows()

    @verb("runs.list", permission="run.read")
    def newest(self, caller: Caller, request: ListRuns) -> Page[Run]:
        """Runs, the newest first, a page at a time."""
        with self._store.read() as reader:
            return self._rows.top(
                reader, caller.project, kind=request.kind, after=request.after, limit=min(max(request.limit, 1), 1000)
            )

    @verb("runs.get", permission="run.read")
    def get(self, caller: Caller, request: RunNamed) -> RunSheet:
        """A run with everything inside it. Raises RunNotFound."""
        with self._store.read() as reader:
            run = self._rows.get(reader, caller.project, request.run)
            inside = self._rows.children(reader, caller.project, run.root)
        return RunSheet(run=run, below=inside if run.id == run.root else _below(run, inside))


def _below(run: Run, inside: list[Run]) -> list[Run]:
    """The runs of a tree that hang below one of it; a parent is recorded before its children."""
    known = {run.id}
    found = []
    for one in inside:
        if one.parent in known:
            known.add(one.id)
            found.append(one)
    return found
