"""`treadle.optuna_storage()`: Optuna's studies on the store of the current workspace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from treadle.assembly import Workspace, current_workspace, open_workspace
from treadle.faces.sdk.client import Client
from treadle.faces.sdk.connecting import client_of, connect

if TYPE_CHECKING:
    from treadle.systems.train.tuning.optuna_storage import CallVerb, OptunaStorage, StaleCallback


def optuna_storage(
    workspace: Workspace | None = None,
    *,
    heartbeat_interval: int | None = None,
    grace_period: int | None = None,
    heartbeat_stale_trial_callback: StaleCallback | None = None,
) -> OptunaStorage:
    """A storage for `optuna.create_study(storage=…)`: every trial is a run of this workspace, the current one if none is given.

    Processes may share a study: pickle the storage to them, fork, or call this in each. heartbeat_interval: seconds between
    the signs of life of a running trial; grace_period: seconds without one after which it is failed, and
    `heartbeat_stale_trial_callback(study, trial)` is called, for example `optuna.storages.RetryHeartbeatStaleTrialCallback()`.
    Raises MissingExtra where Optuna is not installed.
    """
    from treadle.systems.train.tuning.optuna_storage import OptunaStorage  # Optuna takes 0.5 s to import

    return OptunaStorage(
        _Way(workspace or current_workspace()),
        heartbeat_interval=heartbeat_interval,
        grace_period=grace_period,
        heartbeat_stale_trial_callback=heartbeat_stale_trial_callback,
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """What another process needs to open the same workspace; its token it finds by itself, where it runs."""

    home: str
    project: str
    store: str
    artifacts: str
    server: str


class _Way:
    """The way from a storage to its verbs: this process's workspace; in any other process, one opened there."""

    def __init__(self, workspace: Workspace) -> None:
        settings = workspace.settings
        self._workspace: Workspace | None = workspace
        self._pid = os.getpid()
        self._place = _Place(
            home=str(workspace.home.absolute()),
            project=workspace.project,
            store=settings.store,
            artifacts=settings.artifacts,
            server=settings.server,
        )

    def __getstate__(self) -> Mapping[str, Any]:
        return {"_place": self._place, "_workspace": None, "_pid": 0}

    def __call__(self) -> CallVerb:
        pid = os.getpid()
        workspace = self._workspace if self._workspace is not None and self._pid == pid else None
        client = _client(self._place, pid) if workspace is None else _client_of(workspace)
        return client.call


def _client_of(workspace: Workspace) -> Client:
    return connect(workspace.settings) if workspace.settings.server else client_of(workspace)


@lru_cache(maxsize=64)
def _client(place: _Place, pid: int) -> Client:
    """The client of a place in this process; it stays open as long as the process lives."""
    flags = {"store": place.store, "artifacts": place.artifacts, "server": place.server}
    return _client_of(open_workspace(place.home, project=place.project, **flags))
