"""Treadle: every system of MLOps on one graph of provenance.

`import treadle as td` is all that a user's script needs. This module defines nothing: it hands out the public names when
they are first asked for (PEP 562), so that importing it costs a millisecond and no library.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:  # the typing module itself would double the price of the import
    from typing import Any

    from treadle.ground.errors import TreadleError as TreadleError

    __version__: str

_HOME_OF = {
    "TreadleError": "treadle.ground.errors",
}
"""Where each public name lives."""

__all__ = ["TreadleError", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = import_module("importlib.metadata").version("treadle")
    elif name in _HOME_OF:
        value = getattr(import_module(_HOME_OF[name]), name)
    else:
        raise AttributeError(f"module 'treadle' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
