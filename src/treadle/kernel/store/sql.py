"""Named SQL: each repository keeps its statements in a `statements.sql` beside it.

A file is a list of statements, each below a line `-- name: insert_run`. Parameters are written `:name`. One text serves
SQLite and PostgreSQL; where the two must differ, a second text follows under `-- name: insert_run (postgresql)`.
A test prepares every statement on both databases, so a slip is found there and not at a customer's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import resources

_HEADER = re.compile(r"^-- name: (\w+)(?: \((sqlite|postgresql)\))?\s*$")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]\w*)")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its name, and its text for each database in the driver's own parameter style."""

    name: str
    sqlite: str
    postgresql: str
    parameters: tuple[str, ...] = field(default=())


class Statements:
    """The statements of one package, read from its `statements.sql` when the first is asked for."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._known: dict[str, Statement] | None = None

    def __getattr__(self, name: str) -> Statement:
        if name.startswith("__"):
            raise AttributeError(name)
        statement = self.known().get(name)
        if statement is None:
            raise AttributeError(f"{self._package} has no statement named {name!r}")
        setattr(self, name, statement)
        return statement

    def known(self) -> dict[str, Statement]:
        """Every statement of the package by name."""
        if self._known is None:
            text = resources.files(self._package).joinpath("statements.sql").read_text(encoding="utf-8")
            self._known = parse(text)
        return self._known


def parse(text: str) -> dict[str, Statement]:
    """The statements of a file by name. Raises ValueError for a name that comes twice."""
    texts: dict[tuple[str, str], list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header:
            key = (header[1], header[2] or "")
            if key in texts:
                raise ValueError(f"the statement {header[1]!r} is written twice")
            current = texts[key] = []
        elif current is not None and not line.startswith("--"):
            current.append(line)
    bodies = {key: "\n".join(lines).strip().rstrip(";") for key, lines in texts.items()}
    return {name: _statement(name, bodies) for name in dict.fromkeys(name for name, _ in bodies)}


def composed(name: str, text: str) -> Statement:
    """A statement that is put together at run time, of fixed fragments and `:name`s alone; for both databases the same."""
    return _statement(name, {(name, ""): text})


def _statement(name: str, bodies: dict[tuple[str, str], str]) -> Statement:
    common = bodies.get((name, ""), "")
    sqlite = bodies.get((name, "sqlite"), common)
    postgresql = bodies.get((name, "postgresql"), common)
    parameters = tuple(dict.fromkeys(_PARAMETER.findall(sqlite)))
    return Statement(name, sqlite, _PARAMETER.sub(r"%(\1)s", postgresql), parameters)
