"""Whose code a file is: the project's, a distribution's, the standard library's, or Treadle's own.

The project's code counts by content. A distribution counts by name and version, unless it was installed from a folder
on this machine (editable or not): its version says nothing, so it counts by content too. The standard library is
covered by Python's version. Treadle itself counts as a distribution by its version even in a checkout: working on
Treadle does not throw away anyone's cache, and a release whose steps compute something else has another version.
"""

# os.path: code objects name their files as text
# ruff: noqa: PTH100, PTH110, PTH118, PTH120

from __future__ import annotations

import linecache
import os
import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

from treadle.kernel.engine.environment.distributions import Distribution, in_folder, owner_of, site_of

Kind = Literal["project", "distribution", "standard"]

_STANDARD = os.path.dirname(os.__file__) + os.sep
_TREADLE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))) + os.sep


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose file it is; `distribution` is set where the kind is `distribution`."""

    kind: Kind
    distribution: Distribution | None = None

    @property
    def is_project(self) -> bool:
        return self.kind == "project"


PROJECT = Origin("project")
STANDARD = Origin("standard")

_known: dict[str, Origin] = {}


def of_file(filename: str) -> Origin:
    """Whose code a file holds. `filename` is as in a code object: a notebook's cell is the project's, what the import
    system or the standard library made up (`<frozen os>`) is the standard library's."""
    found = _known.get(filename)
    if found is None:
        found = _known[filename] = _classified(filename)
    return found


def _classified(filename: str) -> Origin:
    if filename.startswith("<frozen"):
        return STANDARD
    if filename.startswith("<"):
        return PROJECT
    path = os.path.abspath(filename)
    if path.startswith(_TREADLE):
        return Origin("distribution", treadle())
    site = site_of(path)
    if site is None:
        return STANDARD if path.startswith(_STANDARD) else PROJECT
    owner = owner_of(path, site)
    if owner is None:
        return PROJECT  # nobody's version covers it, so its content must
    return PROJECT if owner.is_local else Origin("distribution", owner)


def treadle() -> Distribution:
    """Treadle as a distribution; version 0 where it runs without being installed."""
    for folder in sys.path:
        found = in_folder(folder).get("treadle") if folder else None
        if found is not None:
            return found
    return Distribution("treadle", "0", "")


def of_module(module: ModuleType) -> Origin:
    """Whose module it is. A namespace package belongs to its first folder; a module without a file is built in."""
    filename = getattr(module, "__file__", None)
    if filename is None:
        folders = list(getattr(module, "__path__", ()))
        return of_file(os.path.join(folders[0], "__init__.py")) if folders else _of_fileless(module)
    return of_file(filename)


def _of_fileless(module: ModuleType) -> Origin:
    return PROJECT if module.__name__ == "__main__" else STANDARD


def of_class(kind: type) -> Origin:
    """Whose class it is, by the module that it names; the project's where that module is not registered, as with a file
    that was run and not imported."""
    module = sys.modules.get(kind.__module__)
    return PROJECT if module is None else of_module(module)


def label(filename: str, module_globals: dict[str, Any]) -> str:
    """A file as a person calls it, the same on every machine: `prep.py`, `shop/rates.py`, `notebook`.

    The path is as long as the module's name is deep. A script run as `python prep.py` and the module `prep` are the
    same file and get the same label.
    """
    if filename.startswith("<") or (filename in linecache.cache and not os.path.exists(filename)):
        return "notebook"
    spec = module_globals.get("__spec__")
    name = getattr(spec, "name", None) or str(module_globals.get("__name__", ""))
    parts = filename.replace(os.sep, "/").split("/")
    depth = name.count(".") + (2 if parts[-1] == "__init__.py" else 1)
    return "/".join(parts[-depth:])


def is_library(path: str) -> bool:
    """Whether a file lies among installed packages, in the standard library or in Treadle, by its path alone."""
    return (
        path.startswith((_STANDARD, _TREADLE)) or "site-packages" + os.sep in path or "dist-packages" + os.sep in path
    )
