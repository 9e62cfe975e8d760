"""Imports inside functions, followed by text and without importing anything.

A step that imports a project module when it runs would be one thing before its first run and another after it, if
loaded modules were looked at here. So such a module always counts as a whole, with all that it imports in turn; of a
distribution the version counts, as everywhere.
"""

# os.path: module files are text to the import system
# ruff: noqa: PTH110, PTH112, PTH118, PTH119, PTH123

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from treadle.kernel.engine.code import origins, shapes
from treadle.kernel.engine.code.guards import Stamp, stamp_of
from treadle.kernel.engine.code.names import Import
from treadle.kernel.engine.code.origins import Origin
from treadle.kernel.engine.code.sources import Piece, source_of


@dataclass(frozen=True, slots=True)
class Reached:
    """One module that an import leads to: a distribution's, or a project's by its label and the shape of its source.
    `stamps` are the files on which this answer rests."""

    label: str
    text: str
    distribution: Origin | None
    stamps: tuple[Stamp, ...]


def reached_by(wanted: Import, module_globals: Mapping[str, Any]) -> list[Reached]:
    """All that an import statement in a module leads to, each module once."""
    package = str(module_globals.get("__package__") or "")
    seen: dict[str, Reached] = {}
    waiting = list(_spelled(wanted, package))
    while waiting:
        name = waiting.pop()
        if name in seen or name.partition(".")[0] in sys.stdlib_module_names:
            continue
        found = _module(name)
        if found is None:
            continue
        seen[name], imports = found
        waiting += imports
    return [seen[name] for name in sorted(seen)]


def _spelled(wanted: Import, package: str) -> Iterator[str]:
    """The full names of the modules that an import statement may mean, packages above them included."""
    name = wanted.module
    if wanted.level:
        parts = package.split(".") if package else []
        parts = parts[: len(parts) - wanted.level + 1]
        name = ".".join([*parts, name] if name else parts)
    steps = name.split(".") if name else []
    for depth in range(1, len(steps) + 1):
        yield ".".join(steps[:depth])
    for each in wanted.names:
        if each != "*" and name:
            yield f"{name}.{each}"


def _module(name: str) -> tuple[Reached, list[str]] | None:
    path = find(name)
    if path is None:
        return None
    origin = origins.of_file(path)
    if origin.kind == "standard":
        return None
    if origin.distribution is not None:
        return Reached("", "", origin, ()), []
    stamps = ((path, stamp_of(path)),)
    depth = name.count(".") + (2 if os.path.basename(path) == "__init__.py" else 1)
    label = "/".join(path.replace(os.sep, "/").split("/")[-depth:])
    source = source_of(path, {})
    whole = source.whole if source is not None else None
    if whole is None:  # an extension, or source that does not compile: the file's bytes count
        return Reached(label, _bytes_of(path), None, stamps), []
    package = name if os.path.basename(path) == "__init__.py" else name.rpartition(".")[0]
    return Reached(label, shapes.of_module(whole.tree), None, stamps), list(spelled_in(whole, package))


def spelled_in(piece: Piece, package: str) -> Iterator[str]:
    """The full names of the modules that a piece of source may import, anywhere in it."""
    for node in ast.walk(piece.tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                yield from _spelled(Import(each.name, (), 0), package)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(each.name for each in node.names)
            yield from _spelled(Import(node.module or "", names, node.level), package)


def find(name: str) -> str | None:
    """The file of a module, by its full name, or None where there is none. Nothing is imported on the way."""
    top, *rest = name.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    path, folders = spec.origin, list(spec.submodule_search_locations or ())
    for each in rest:
        found = _in_folders(each, folders)
        if found is None:
            return None
        path, folders = found
    return path if path is not None and os.path.exists(path) else None


def _in_folders(name: str, folders: list[str]) -> tuple[str | None, list[str]] | None:
    for folder in folders:
        package = os.path.join(folder, name)
        if os.path.exists(os.path.join(package, "__init__.py")):
            return os.path.join(package, "__init__.py"), [package]
        if os.path.exists(package + ".py"):
            return package + ".py", []
        if os.path.isdir(package):
            return None, [package]
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            if os.path.exists(package + suffix):
                return package + suffix, []
    return None


def _bytes_of(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return file.read().hex()
    except OSError:
        return ""
