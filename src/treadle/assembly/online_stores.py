"""Picks the online store that the settings name, one a project; the model server picks it by the same words."""

# Imports inside of functions are this package's purpose: a store that is not used is not imported.

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from treadle.systems.features.online.ports import OnlineStore
    from treadle.systems.features.online.reader import Vectors
    from treadle.systems.features.online.served import ServedLog


class OnlineStores:
    """The online stores of a workspace. url: see the setting `online_store`; folder: where embedded ones keep
    files, and logs of what was served are; share: of the reads that are logged."""

    def __init__(
        self, url: str, folder: Path, share: float, *, read_only: bool = False, timeout_s: float | None = None
    ) -> None:
        self._share = share
        self._logs: dict[str, ServedLog] = {}
        self._url, self._folder, self._read_only, self._timeout_s = url, folder, read_only, timeout_s
        self._open: dict[str, OnlineStore] = {}
        self._lock = threading.Lock()

    def of(self, project: str) -> OnlineStore:
        """The store of a project, opened when it is first asked for. Raises MissingExtra, OnlineStoreUnavailable."""
        with self._lock:
            found = self._open.get(project)
            if found is None:
                found = self._open[project] = self._opened(project)
            return found

    def served(self, project: str) -> ServedLog:
        """The log of what a project's readers were served."""
        from treadle.systems.features.online.served import ServedLog

        with self._lock:
            found = self._logs.get(project)
            if found is None:
                found = self._logs[project] = ServedLog(self._folder / "served" / project, share=self._share)
            return found

    def close(self) -> None:
        """Closes all of them."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()
            while self._logs:
                self._logs.popitem()[1].close()

    def _opened(self, project: str) -> OnlineStore:
        scheme = self._url.partition("://")[0]
        if scheme in ("redis", "rediss"):
            from treadle.backends.redis import RedisOnlineStore

            return RedisOnlineStore(self._url, project, timeout_s=self._timeout_s or 5.0)
        if scheme in ("postgresql", "postgres"):
            from treadle.backends.postgres_online import PostgresOnlineStore

            return PostgresOnlineStore(self._url, project, timeout_s=self._timeout_s or 30.0)
        if self._url == "lmdb":
            from treadle.backends.lmdb import LmdbOnlineStore

            return LmdbOnlineStore(self._folder / f"{project}.lmdb", read_only=self._read_only)
        from treadle.systems.features.online.embedded import SqliteOnlineStore

        path = self._folder / f"{project}.db"
        return SqliteOnlineStore(path, read_only=self._read_only, timeout_s=self._timeout_s or 30.0)


class ProjectReader:
    """Reads the vectors of one project in a model server, and notes a share of them as the services do."""

    def __init__(self, stores: OnlineStores, project: str, timeout_s: float) -> None:
        from treadle.systems.features.online.reader import FeatureReader

        self._stores, store = stores, stores.of(project)
        self._reader, self._served = FeatureReader(store, timeout_s=timeout_s), stores.served(project)
        self.is_local = not store.capabilities.is_shared

    def read(self, service: str, entities: Sequence[Mapping[str, Any]]) -> Vectors:
        """The vectors as they are now. Raises NotMaterialized, EntityRefused."""
        served_at = time.time_ns() // 1000
        found = self._reader.read(service, entities)
        self._served.note(found, entities, served_at)
        return found

    def close(self) -> None:
        """Gives back the store."""
        self._stores.close()


def reader_opener(folder: Path) -> Callable[[str, float], ProjectReader]:
    """Opens the reader of a project with a time limit in seconds, in a process that has no workspace: the settings
    `online_store` and `served_share` come from the environment (nothing is noted without it), embedded stores lie in the folder."""
    url = os.environ.get("TREADLE_ONLINE_STORE", "")
    share = float(os.environ.get("TREADLE_SERVED_SHARE") or 0.0)

    def open_reader(project: str, timeout_s: float) -> ProjectReader:
        return ProjectReader(OnlineStores(url, folder, share, read_only=True, timeout_s=timeout_s), project, timeout_s)

    return open_reader
