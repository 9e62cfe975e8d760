"""The one place that picks backends and hands out services.

A `Workspace` is one project of one store, as one caller sees it. Only this package imports `backends`.
"""

from treadle.assembly.current import (
    current_engine,
    current_workspace,
    find_workspace,
    onlooking_engine,
    open_workspace,
    use,
)
from treadle.assembly.services import modules
from treadle.assembly.workspace import Workspace

__all__ = [
    "Workspace",
    "current_engine",
    "current_workspace",
    "find_workspace",
    "modules",
    "onlooking_engine",
    "open_workspace",
    "use",
]
