"""The verbs on sources: those that `treadle.toml` declares are listed, looked at, and run by their names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from treadle.ground.errors import TreadleError, did_you_mean
from treadle.kernel.governance import Caller, verb
from treadle.kernel.store import Reader, Store
from treadle.systems.collect import repository as rows_of
from treadle.systems.collect.connectors.credentials import redacted
from treadle.systems.collect.connectors.declaring import Declared, declared_sources
from treadle.systems.collect.connectors.errors import SourceNotDeclared
from treadle.systems.collect.connectors.looking import columns_seen, look_at, sentence
from treadle.systems.collect.connectors.records import (
    CheckSource,
    NamedSource,
    RunSource,
    SourceCheck,
    SourceSheet,
    SourceSummary,
)
from treadle.systems.collect.errors import LandingOvertaken, SourceMovedOn
from treadle.systems.collect.records import Landing
from treadle.systems.collect.service import Datasets

_SHOWN = 10
_SHOWN_LETTERS = 400
_TRIES = 5
_Summaries = list[SourceSummary]


class Sources:
    """The declared sources of one project.

    tables: reads `[sources]` of treadle.toml; asked at every call, so that an edit counts at once. root: the folder from which
    relative paths are seen.
    """

    def __init__(
        self, store: Store, datasets: Datasets, project: str, root: Path, tables: Callable[[], Mapping[str, object]]
    ) -> None:
        self._store, self._datasets = store, datasets
        self._project, self._root, self._tables = project, root, tables

    @verb("sources.list", permission="dataset.read")
    def list(self, caller: Caller) -> _Summaries:
        """Every declared source, and how far it has come."""
        with self._store.read() as reader:
            return [self._summary(reader, caller, source) for source in self._declared(caller).values()]

    @verb("sources.get", permission="dataset.read")
    def get(self, caller: Caller, request: NamedSource) -> SourceSheet:
        """A declared source with its newest landings."""
        source = self._find(caller, request.name)
        with self._store.read() as reader:
            summary = self._summary(reader, caller, source)
            landings = rows_of.newest_landings_of(reader, caller.project, source.dataset, source.name, _SHOWN)
        return SourceSheet(source=summary, landings=landings)

    @verb("sources.check", permission="dataset.write")
    def check(self, caller: Caller, request: CheckSource) -> SourceCheck:
        """Connects to a declared source, and says what its first rows are and what is wrong. Nothing lands."""
        declared = self._find(caller, request.name)
        try:
            seen = look_at(declared.open(), request.rows)
        except TreadleError as error:
            problem = redacted(sentence(error))
            return SourceCheck(name=request.name, is_ready=False, columns=[], rows=[], problems=[problem])
        known = self._datasets.lookup.types(caller.project, declared.dataset)
        columns, problems = columns_seen(seen.frame, known)
        problems = [*seen.problems, *problems]
        return SourceCheck(
            name=request.name,
            is_ready=not problems,
            columns=columns,
            rows=seen.frame.head(request.rows).to_dicts(),
            problems=problems,
            notes=seen.notes,
        )

    @verb("sources.run", permission="dataset.write", event="dataset.landed", shape="stream")
    def run(self, caller: Caller, request: RunSource) -> Iterator[Landing]:
        """Lands what is new in a declared source; each landing is answered when it stands.

        Stopping the stream stops the source after the landing that is under way; the next run goes on there.
        """
        declared = self._find(caller, request.name)
        source = declared.open()
        left, tries = request.limit, _TRIES
        while left is None or left > 0:
            try:
                for landing in self._datasets.land_each(
                    caller,
                    declared.dataset,
                    source,
                    event_column=declared.common.event_column,
                    evolution=declared.common.evolution,
                ):
                    yield landing
                    left = None if left is None else left - 1
                    if left == 0:
                        return
                return
            except (SourceMovedOn, LandingOvertaken):
                tries -= 1
                if not tries:
                    raise

    def names(self, caller: Caller) -> Mapping[str, Declared]:
        """The declarations by name. Raises SourceDeclarationInvalid."""
        return self._declared(caller)

    def _declared(self, caller: Caller) -> dict[str, Declared]:
        """Sources belong to the project of the folder that declares them, and to no other of the store."""
        return declared_sources(self._tables(), self._root) if caller.project == self._project else {}

    def _find(self, caller: Caller, name: str) -> Declared:
        declared = self._declared(caller)
        if name not in declared:
            raise SourceNotDeclared(
                f"There is no source {name!r}.",
                why=did_you_mean(name, declared) or "treadle.toml declares no source.",
                fix=f"Declare it in treadle.toml: [sources.{name}]",
                source=name,
            )
        return declared[name]

    def _summary(self, reader: Reader, caller: Caller, declared: Declared) -> SourceSummary:
        batches, rows, landed_at = rows_of.totals_of_source(reader, caller.project, declared.dataset, declared.name)
        cursor = self._datasets.lookup.cursor(caller.project, declared.dataset, declared.name)
        common = declared.common
        try:
            declared.open()
            problem = ""
        except TreadleError as error:
            problem = sentence(error)
        return SourceSummary(
            name=declared.name,
            kind=common.kind,
            dataset=declared.dataset,
            schedule=common.schedule or (f"every {common.every_s:g} s" if common.every_s else ""),
            options=declared.shown(),
            batches=batches,
            rows=rows,
            cursor=_shortened(cursor),
            landed_at=landed_at,
            problem=problem,
        )


def _shortened(cursor: str | None) -> str | None:
    """A cursor as it is shown; one that remembers many rows is cut."""
    return cursor if cursor is None or len(cursor) <= _SHOWN_LETTERS else cursor[:_SHOWN_LETTERS] + " …"
