"""The endpoints of this server as the protocol's model repository: what there is, taken out of service, brought back.

What an endpoint serves is decided by its deployment. `unload` and `load` say only whether *this* server answers for it
now: for draining one of several, for freeing memory, for retrying a document that was refused. The next deployment of an
endpoint is served, whatever was unloaded before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor

from treadle.ground.errors import did_you_mean
from treadle.systems.serve.runtime.endpoints import RouteTable
from treadle.systems.serve.runtime.errors import FixedRepository, NoSuchModel, NotAllowed, NotLoaded
from treadle.wire.oip import IndexEntry, Parameter

_log = logging.getLogger("treadle.serve")
_HARMLESS = {"unload_dependents"}
"""What stock clients send with an unload; an endpoint has no dependents."""


class Repository:
    """A route table, and how its endpoints come and go. `changed` is called after each change."""

    def __init__(self, table: RouteTable, loader: Executor, *, is_controlled: bool = True) -> None:
        """is_controlled: whether clients may load and unload."""
        self.table, self._loader, self._is_controlled = table, loader, is_controlled
        self.changed: list[Callable[[], None]] = []

    def index(self, *, only_ready: bool = False) -> list[IndexEntry]:
        """Each version that is served, and each endpoint that is not, with the reason."""
        entries = [
            IndexEntry(name=name, version=version, state="READY")
            for name, endpoint in self.table.live.items()
            for version in endpoint.metadata[None].versions
        ]
        if not only_ready:
            reasons = dict.fromkeys(self.table.unloaded(), "unloaded") | self.table.failures
            entries += [
                IndexEntry(name=name, state="UNAVAILABLE", reason=reason)
                for name, reason in reasons.items()
                if name not in self.table.live
            ]
        return sorted(entries, key=lambda entry: (entry.name, entry.version))

    async def bring(self, name: str) -> bool:
        """Whether the document in force of an endpoint is served now: loaded and probed aside, swapped here."""
        endpoint = await asyncio.get_running_loop().run_in_executor(self._loader, self.table.load, name)
        if endpoint is None:
            _log.error("a document of endpoint %s is refused: %s", name, self.table.failures[name])
            return False
        self.table.swap(endpoint)
        self._tell()
        _log.info("endpoint %s serves document %d", name, endpoint.document.number)
        return True

    async def load(self, name: str, parameters: Mapping[str, Parameter]) -> None:
        """Serves an endpoint by its document in force, read and probed again.

        Raises NoSuchModel when none was deployed, NotLoaded when its document is refused, FixedRepository, NotAllowed.
        """
        self._check(parameters)
        if not self.table.is_known(name):
            raise NoSuchModel(
                f"No endpoint {name!r} was ever deployed here.", fix=did_you_mean(name, self.table.live) or _DEPLOY
            )
        if not await self.bring(name):
            raise NotLoaded(f"Endpoint {name!r} cannot be served.", why=self.table.failures[name], fix=_DEPLOY)

    def unload(self, name: str, parameters: Mapping[str, Parameter]) -> None:
        """Takes an endpoint out of service here; what is in flight is answered. Raises NoSuchModel, FixedRepository,
        NotAllowed."""
        self._check(parameters)
        if name not in self.table.live:
            raise NoSuchModel(f"No endpoint {name!r} is served here.", fix=did_you_mean(name, self.table.live))
        self.table.unload(name)
        self._tell()
        _log.info("endpoint %s was unloaded", name)

    def _check(self, parameters: Mapping[str, Parameter]) -> None:
        if not self._is_controlled:
            raise FixedRepository(
                "Clients of this server may not load or unload endpoints.",
                why="It listens beyond loopback and was started without --model-control.",
                fix="A deployment decides what is served: treadle endpoints.",
            )
        given = sorted(set(parameters) - _HARMLESS)
        if given:
            raise NotAllowed(
                f"The parameter {given[0]!r} is not taken.",
                why="A model and its settings come from a deployment.",
                fix=_DEPLOY,
            )

    def _tell(self) -> None:
        for tell in self.changed:
            tell()


_DEPLOY = "Deploy it: treadle endpoints deploy."
