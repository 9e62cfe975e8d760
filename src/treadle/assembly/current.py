"""Opening a workspace, and the one that is current here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.assembly.workspace import Workspace
from treadle.ground.settings import load

if TYPE_CHECKING:
    from treadle.kernel.engine.service import Engine

_current: ContextVar[Workspace | None] = ContextVar("treadle_workspace", default=None)
_default: Workspace | None = None


def open_workspace(
    home: Path | str | None = None, *, project: str | None = None, actor: str | None = None, **flags: object
) -> Workspace:
    """The workspace that the settings name; what is given here goes before file and environment.

    Raises SettingInvalid.
    """
    return Workspace(load({"home": home, "project": project, **flags}), actor=actor)


@contextlib.contextmanager
def use(workspace: Workspace) -> Iterator[Workspace]:
    """Makes a workspace the current one inside a `with`."""
    token = _current.set(workspace)
    try:
        yield workspace
    finally:
        _current.reset(token)


def find_workspace() -> Workspace | None:
    """The workspace of the surrounding `use`, or that of this process, where one is open."""
    return _current.get() or _default


def current_workspace() -> Workspace:
    """The workspace of the surrounding `use`, or that of this process, opened from the settings when first asked for."""
    global _default
    found = _current.get()
    if found is not None:
        return found
    if _default is None:
        _default = open_workspace()
    return _default


def current_engine() -> Engine:
    """The engine of the current workspace; what a runner opens."""
    return current_workspace().engine


def onlooking_engine() -> Engine:
    """The engine of a workspace that may read everything and change nothing: what makes a recorded run again opens it."""
    workspace = current_workspace()
    workspace.caller = replace(workspace.caller, permissions=frozenset({"*.read"}))
    return workspace.engine
