"""Notices what a step reads without having said so: files, and environment variables.

A cache key can only rest on inputs that are known before the step runs. Reads that nobody declared are reported, so
that a person sees why a cached result may be out of date. Python's audit events show every `open`; the readers of
Polars, pandas, PyArrow and DuckDB, which open files in native code, are wrapped (`readers.py`); reads of `os.environ`
are seen where the project's own code makes them. Nothing is imported for it, and nothing is slowed down outside steps.

Not seen: native code that opens files by itself (`lightgbm.Dataset("train.bin")`), subprocesses, the network, folder
listings, functions imported by name (`from polars import read_csv`) before the first step ran, and threads that were
running before the step began.
"""

# os.path: this runs inside every `open`
# ruff: noqa: PTH100, PTH116

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from contextvars import ContextVar, Token
from typing import Any

from treadle.kernel.engine import readers
from treadle.kernel.engine.code import origins
from treadle.kernel.engine.declaring import DeclaredFile, DeclaredVariable, env, file

__all__ = ["DeclaredFile", "DeclaredVariable", "Reads", "env", "file", "observe"]

_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/share/zoneinfo/", "/usr/lib/")
_SOURCES = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dll", ".dylib", ".pth")
_THREAD_ATTRIBUTE = "_treadle_reads"
_PASSING = frozenset({os.__file__, "<frozen os>", "<frozen _collections_abc>"})


class Reads:
    """What one step read without declaring it. Used as `with observe() as reads:`; the properties are good at any time.

    files: absolute paths, or addresses such as `s3://…`, sorted. environment: names of variables, sorted.
    """

    __slots__ = ("_declared", "_files", "_ignored", "_names", "_started_ns", "_token", "_variables", "_written")

    def __init__(self, files: Iterable[str] = (), variables: Iterable[str] = (), ignored: Iterable[str] = ()) -> None:
        self._declared: set[str] | None = {os.path.abspath(each) for each in files} if files else None
        self._names = frozenset(variables) if variables else frozenset[str]()
        self._ignored = tuple(os.path.abspath(each) + os.sep for each in ignored) if ignored else ()
        self._files: set[str] | None = None
        self._variables: set[str] | None = None
        self._written: set[str] | None = None
        self._token: Token[Reads | None] | None = None
        self._started_ns = 0

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(sorted(self._files or ()))

    @property
    def environment(self) -> tuple[str, ...]:
        return tuple(sorted(self._variables or ()))

    def __iter__(self) -> Iterator[str]:
        """All of them as words: the files, then `$NAME` for each variable."""
        yield from self.files
        yield from (f"${name}" for name in self.environment)

    def __enter__(self) -> Reads:
        if not _installed:
            _install()
        readers.wrap_loaded()
        self._started_ns = time.time_ns()
        self._token = _active.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _active.reset(self._token)
            self._token = None

    def note_file(self, path: str) -> None:
        """Notes that a local file was read, unless it was declared, is the step's own, or is no input of a step."""
        full = os.path.abspath(path)
        if full.startswith(_SYSTEM) or full.endswith(_SOURCES) or "__pycache__" in full:
            return
        if (self._files and full in self._files) or (self._written and full in self._written):
            return
        if self._is_declared(full) or full.startswith(self._ignored) or f"{os.sep}.treadle{os.sep}" in full:
            return
        try:
            facts = os.stat(full)
        except OSError:
            return
        if facts.st_mtime_ns >= self._started_ns or origins.is_library(full):
            return
        self._files = self._files or set()
        self._files.add(full)

    def note_address(self, address: str) -> None:
        """Notes that something beyond this machine was read."""
        self._files = self._files or set()
        self._files.add(address)

    def note_written(self, path: str) -> None:
        """Notes that the step wrote a file: reading it back is no input."""
        self._written = self._written or set()
        self._written.add(os.path.abspath(path))

    def note_variable(self, name: str) -> None:
        """Notes that an environment variable was read, unless it was declared."""
        if name not in self._names:
            self._variables = self._variables or set()
            self._variables.add(name)

    def _is_declared(self, full: str) -> bool:
        declared = self._declared
        if declared is None:
            return False
        return full in declared or any(full.startswith(each + os.sep) for each in declared)


_active: ContextVar[Reads | None] = ContextVar("treadle_reads", default=None)
_UNOBSERVED = Reads()
"""Takes the place of an observation while Treadle itself reads something on a step's behalf."""
_installed = False
_installing = threading.Lock()


def observe(files: Iterable[str] = (), variables: Iterable[str] = (), ignored: Iterable[str] = ()) -> Reads:
    """Observes the reads of the code inside `with observe() as reads:`, and of the threads that it starts.

    files and variables: what is declared, and so not reported. ignored: folders that are nobody's input (the store).
    Cost: about 1 µs where nothing is read, 5 µs a file. The hooks stay for the life of the process; without an
    observation they cost a function call for each audit event.
    """
    return Reads(files, variables, ignored)


def current() -> Reads | None:
    """The observation that is going on here: of this context, or of the step that started this thread."""
    reads = _active.get()
    if reads is _UNOBSERVED:
        return None
    if reads is None:
        thread = threading._active.get(threading.get_ident())  # type: ignore[attr-defined]
        reads = getattr(thread, _THREAD_ATTRIBUTE, None)
        if reads is not None and reads._token is None:
            return None
    return reads


def _install() -> None:
    global _installed
    with _installing:
        if _installed:
            return
        sys.addaudithook(_audit)
        _observe_environment()
        _observe_threads()
        readers.install(current)
        _installed = True


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        reads = current()
        if reads is not None:
            with suppress(Exception):  # an audit hook that raises would break the user's own open
                _opened(reads, *arguments)
    elif event == "sqlite3.connect":
        reads = current()
        if reads is not None:
            with suppress(Exception):
                _connected(reads, arguments[0])


def _opened(reads: Reads, path: object, mode: str | None, flags: int) -> None:
    if not isinstance(path, str | bytes | os.PathLike):
        return
    name = os.fsdecode(path)
    if mode is None:
        is_read, is_written = flags & os.O_ACCMODE != os.O_WRONLY, flags & os.O_ACCMODE != os.O_RDONLY
    else:
        is_read, is_written = "r" in mode, "r" not in mode or "+" in mode
    if is_read:
        reads.note_file(name)
    if is_written:
        reads.note_written(name)


def _connected(reads: Reads, database: object) -> None:
    if isinstance(database, str | bytes | os.PathLike):
        name = os.fsdecode(database)
        if name and not name.startswith((":memory:", "file:")):
            reads.note_file(name)


def _observe_environment() -> None:
    """Puts an observer before `os.environ[...]`; `get`, `getenv` and `in` all pass through it."""
    kind: Any = type(os.environ)
    plain = kind.__getitem__

    def __getitem__(self: Any, key: str) -> str:  # noqa: N807  it takes the place of the method of that name
        reads = _active.get()
        if reads is not None and reads is not _UNOBSERVED and self is os.environ and _asked_by_project():
            reads.note_variable(key)
        value: str = plain(self, key)
        return value

    kind.__getitem__ = __getitem__


def _observe_threads() -> None:
    """Hands the observation on to the threads that a step starts; a context variable does not go there by itself."""
    plain = threading.Thread.start

    def start(self: threading.Thread) -> None:
        reads = current()
        if reads is not None:
            setattr(self, _THREAD_ATTRIBUTE, reads)
        plain(self)

    threading.Thread.start = start  # type: ignore[method-assign]


def _asked_by_project() -> bool:
    """Whether the code that reads `os.environ` is the project's. Libraries read dozens of variables that decide
    nothing about the result."""
    frame = sys._getframe(2)
    while frame.f_code.co_filename in _PASSING and frame.f_back is not None:
        frame = frame.f_back
    token = _active.set(_UNOBSERVED)
    try:
        return origins.of_file(frame.f_code.co_filename).is_project
    finally:
        _active.reset(token)
