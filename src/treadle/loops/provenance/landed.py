"""Snapshots, landings and rows, by the ids under which the graph names them."""

from __future__ import annotations

from typing import Any

from treadle.kernel.store import Reader
from treadle.kernel.vocabulary.datasets import LANDING, ROW, RowId, Snapshot
from treadle.loops.provenance.records import Node
from treadle.loops.provenance.words import bare, moment
from treadle.systems.collect import Datasets, Landing
from treadle.systems.collect import repository as rows_of
from treadle.systems.prepare import Cleanings
from treadle.systems.prepare.cleaning.changes import Changes
from treadle.systems.prepare.cleaning.listing import page_of
from treadle.systems.prepare.cleaning.records import ChangesOf


class Landed:
    """What has landed in one project, as nodes."""

    def __init__(self, datasets: Datasets, cleanings: Cleanings, project: str) -> None:
        self._datasets, self._cleanings, self._project = datasets, cleanings, project
        self._logs: dict[str, tuple[str, Changes] | None] = {}

    def snapshot(self, reader: Reader, snapshot: str) -> Snapshot | None:
        """The snapshot of that id, without its files."""
        return rows_of.find_snapshot(reader, self._project, snapshot)

    def landing(self, reader: Reader, landing: str) -> Landing | None:
        """The landing of that id."""
        found = rows_of.find_landing(reader, self._project, landing)
        return None if found is None else found[0]

    def later(self, reader: Reader, snapshot: Snapshot) -> list[Snapshot]:
        """The snapshots that followed this one in its dataset, oldest first."""
        found = rows_of.list_snapshots(reader, self._project, snapshot.dataset)
        return [each for each in found if each.version > snapshot.version]

    def row(self, row: RowId, dataset: str, at: str | None, columns: list[str] | None = None) -> Node:
        """A raw row with what it says. Raises RowNotFound."""
        return self.rows([row], dataset, at, columns)[0]

    def rows(self, wanted: list[RowId], dataset: str, at: str | None, columns: list[str] | None = None) -> list[Node]:
        """Rows of one dataset with what they say, in that order; of a clean one, with what they said before.

        Raises RowNotFound.
        """
        frame = self._datasets.find_rows(self._project, dataset, wanted, at)
        kept = [name for name in frame.columns if name not in (LANDING, ROW) and name in (columns or frame.columns)]
        return [
            Node(
                kind="row",
                id=str(row),
                title=f"of {dataset}",
                facts={name: bare(said[name]) for name in kept},
                children=self._before(row, dataset, at),
            )
            for row, said in zip(wanted, frame.select(kept).to_dicts(), strict=True)
        ]

    def _before(self, row: RowId, dataset: str, at: str | None) -> list[Node]:
        """What a row of a cleaned dataset said before, column by column, with the steps that changed it."""
        snapshot = self._datasets.snapshot(self._project, dataset, at)
        if snapshot.id not in self._logs:
            self._logs[snapshot.id] = self._cleanings.behind(self._project, snapshot)
        found = self._logs[snapshot.id]
        if found is None:
            return []
        source, log = found
        changes = page_of(log, ChangesOf(name=dataset, row=str(row)), landing="").changes
        first: dict[str, Any] = {}
        by: dict[str, list[str]] = {}
        for change in changes:
            if change.column is not None:
                first.setdefault(change.column, bare(change.before))
                by.setdefault(change.column, []).append(change.rule)
        facts = {name: f"{value!r}, changed by {', '.join(by[name])}" for name, value in first.items()}
        note = "" if facts else "The cleaning left it as it was."
        return [Node(kind="row", id=str(row), title=f"of {source}", relation="cleaned from", facts=facts, note=note)]


def landing_node(landing: Landing, relation: str = "") -> Node:
    """A landing: from where, how much, when."""
    source = dict(landing.source)
    name = str(source.pop("name", landing.id))
    facts: dict[str, Any] = {
        "rows": f"{landing.rows_kept} of {landing.rows_in}" if landing.rows_refused else landing.rows_kept,
        "landed": f"{moment(landing.started_at)} by {landing.actor}",
        **{key: bare(value) for key, value in source.items()},
    }
    if landing.rows_refused:
        facts["refused by"] = dict(landing.refused_by)
    return Node(kind="landing", id=landing.id, title=name, relation=relation, facts=facts)
