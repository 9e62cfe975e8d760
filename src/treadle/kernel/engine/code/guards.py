"""What a walk over code looked at, kept so that "has anything changed?" is a comparison of identities.

A name bound to another object, a function with other code, an edited list, a changed file that was declared: each is
noticed. Nothing is hashed again but mutable values. Cost: about 0.1 µs a name.
"""

# os.path: code names its files as text, and this runs before steps
# ruff: noqa: PTH116

from __future__ import annotations

import os
from collections.abc import Mapping
from types import CellType, CodeType, FunctionType
from typing import Any

from treadle.ground import digests
from treadle.kernel.engine import declaring
from treadle.kernel.engine.code.values import Encoder, Unhashable

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()
"""Stands for a name that is bound to nothing."""

Stamp = tuple[str, tuple[int, int, int] | None]
"""A path, and the modification time, size and inode of its file, or None while there is none."""


class Guards:
    """The observations of one walk. It holds on to all it saw, so that no identity is given out twice."""

    __slots__ = ("cells", "contents", "functions", "keep", "names", "stamps", "values", "variables")

    def __init__(self) -> None:
        self.names: list[tuple[Mapping[str, Any], str, Any]] = []
        self.cells: list[tuple[CellType, Any]] = []
        self.functions: list[tuple[FunctionType, CodeType, Any, Any]] = []
        self.values: list[tuple[Any, str, str]] = []
        self.stamps: list[Stamp] = []
        self.contents: list[tuple[str, str]] = []
        self.variables: list[tuple[str, str]] = []
        self.keep: list[object] = []

    def settle(self) -> None:
        """Drops repeated observations, once the walk is over."""
        self.names = list({(id(mapping), name): (mapping, name, value) for mapping, name, value in self.names}.values())
        self.stamps = list(dict.fromkeys(self.stamps))

    def hold(self, named: Mapping[int, str]) -> bool:
        """Whether all that was seen is still so; `named` are the names that the walk gave to code it met."""
        for mapping, name, value in self.names:
            if mapping.get(name, MISSING) is not value:
                return False
        for cell, content in self.cells:
            if _content(cell) is not content:
                return False
        for function, code, defaults, keyword_defaults in self.functions:
            if (
                function.__code__ is not code
                or function.__defaults__ is not defaults
                or function.__kwdefaults__ is not keyword_defaults
            ):
                return False
        return self._values_hold(named) and self._world_holds()

    def _values_hold(self, named: Mapping[int, str]) -> bool:
        def follow(thing: object) -> str:
            try:
                return named[id(thing)]
            except KeyError:
                raise Unhashable("met for the first time") from None

        for value, root, digest in self.values:
            encoder = Encoder(follow, root)
            try:
                encoder.put(value)
            except Unhashable:
                return False
            if digests.of_bytes(encoder.text().encode("utf-8", "surrogatepass")) != digest:
                return False
        return True

    def _world_holds(self) -> bool:
        return (
            all(stamp_of(path) == stamp for path, stamp in self.stamps)
            and all(declaring.digest_of_file(path) == digest for path, digest in self.contents)
            and all(declaring.digest_of_variable(name) == digest for name, digest in self.variables)
        )


def stamp_of(path: str) -> tuple[int, int, int] | None:
    """Modification time in nanoseconds, size and inode of a file; None where there is none."""
    try:
        facts = os.stat(path)
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None
