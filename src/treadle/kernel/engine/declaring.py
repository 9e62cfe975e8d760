"""What a step says that it reads: files and environment variables that enter its cache key by digest.

Both are strings that can be used at once (`pl.read_csv(td.file("rates.csv"))`), and both carry a digest of what stands
behind them. A variable's value is never stored: keys, parts and `repr` show its name alone.
"""

# os.path: a path stays the text that the user wrote
# ruff: noqa: PTH100, PTH109, PTH110, PTH112, PTH116, PTH118

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

from treadle.ground import digests
from treadle.ground.digests import Digest
from treadle.ground.errors import NotFound

_CHUNK = 1 << 20
_MAX_REMEMBERED = 10_000

Stamp = tuple[int, int, int]
_remembered: dict[str, tuple[Stamp, Digest]] = {}


class DeclaredFile(str):
    """A path whose content belongs to the cache key of the steps that use it. It is a str, so every reader takes it."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """The path as a plain str."""
        return str.__str__(self)

    @property
    def digest(self) -> Digest:
        """The digest of what the file holds now; see `digest_of_file`."""
        return digest_of_file(self.path)

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"file({self.path!r})"


class DeclaredVariable(str):
    """The value of an environment variable that belongs to the cache key. A str; `repr` keeps the value to itself."""

    __slots__ = ("digest", "name")
    name: str
    digest: Digest

    def __new__(cls, name: str, value: str) -> DeclaredVariable:
        made = super().__new__(cls, value)
        made.name = name
        made.digest = _digest_of_value(value)
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.name, str.__str__(self))

    def __repr__(self) -> str:
        return f"env({self.name!r})"


def file(path: str | os.PathLike[str]) -> DeclaredFile:
    """Declares that a step reads a file, or a folder with all below it: `rates = td.file("rates.csv")`.

    Give it as an argument, keep it as a module constant, or call it in the step's body with a constant path; in all
    three cases the step runs again when the content changes. Raises NotFound when there is nothing at the path.
    """
    declared = DeclaredFile(os.fspath(path))
    if not os.path.exists(declared):
        raise NotFound(
            f"There is no file {str(declared)!r} to declare.",
            why=f"Relative paths start at {os.getcwd()}.",
            fix="Create it first, or correct the path.",
            path=str(declared),
        )
    return declared


def env(name: str, default: str | None = None) -> DeclaredVariable:
    """Declares that a step reads an environment variable, and answers its value: `region = td.env("REGION")`.

    Raises NotFound when it is not set and there is no default.
    """
    value = _peek(name)
    if value is None:
        value = default
    if value is None:
        raise NotFound(
            f"The environment variable {name} is not set.",
            fix=f"Set it, or give a default: env({name!r}, default=...)",
            name=name,
        )
    return DeclaredVariable(name, value)


def digest_of_file(path: str | os.PathLike[str]) -> Digest:
    """The digest of a file's content, of a folder's names and contents, or of nothing where nothing is.

    A file is read again only when its modification time, size or inode has changed. Cost: 2 µs when it has not, else
    0.5 s a GB.
    """
    full = os.path.abspath(os.fspath(path))
    try:
        facts = os.stat(full)
    except OSError:
        return digests.of_bytes(b"nothing")
    if os.path.isdir(full):
        return digests.of_json([[name, digest_of_file(os.path.join(full, name))] for name in sorted(_below(full))])
    stamp = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
    known = _remembered.get(full)
    if known is not None and known[0] == stamp:
        return known[1]
    digest = _digest_of_content(full)
    if len(_remembered) >= _MAX_REMEMBERED:
        _remembered.clear()
    _remembered[full] = (stamp, digest)
    return digest


def digest_of_variable(name: str) -> Digest:
    """The digest of a variable's present value; one of its own when it is not set."""
    return _digest_of_value(_peek(name))


def _digest_of_value(value: str | None) -> Digest:
    return digests.of_bytes(b"unset" if value is None else b"set " + value.encode("utf-8", "surrogateescape"))


def _peek(name: str) -> str | None:
    """The value without passing through `os.environ`, whose reads are observed."""
    data = os.environ._data  # type: ignore[attr-defined]
    value = data.get(os.environ.encodekey(name))
    return None if value is None else str(os.environ.decodevalue(value))


def _digest_of_content(path: str) -> Digest:
    state = hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY)
    try:
        while chunk := os.read(descriptor, _CHUNK):
            state.update(chunk)
    finally:
        os.close(descriptor)
    return f"sha256:{state.hexdigest()}"


def _below(folder: str) -> Iterator[str]:
    for here, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(here, name), folder)
