"""Snapshots of the project's source: what a run executed, whether committed or not, in a form that workers can import.

A bundle is a zip with sorted names and fixed times, so that the same files are the same bytes and one digest. Only
source that was really imported goes in, with the few files that say how to build the environment; anything that looks
like a secret stays out. A script run as `__main__` and functions typed into a notebook are carried as modules under
names of their own, so that no worker has to import `__main__`.
"""

from __future__ import annotations

import hashlib
import io
import linecache
import os
import re
import stat
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import FunctionType, ModuleType
from typing import Any

import msgspec

from treadle.ground import digests
from treadle.kernel.engine.code import importing, origins
from treadle.kernel.engine.code.errors import DamagedBundle, NotCode, UnsafeBundle
from treadle.kernel.engine.code.records import CodeBundle
from treadle.kernel.engine.code.sources import source_of

MANIFEST = "treadle-bundle.json"
MAX_BYTES = 256 << 20
"""What an archive may unpack to: source is small, and a bomb is not."""

_ALWAYS = ("pyproject.toml", "uv.lock", "treadle.toml")
_CONTRACTS = "contracts"
_EXCLUDED_FOLDERS = frozenset({".venv", "venv", ".git", ".hg", ".treadle", "__pycache__", "node_modules", ".tools"})
_SECRET = re.compile(
    r"(^|/)(\.env(\..*)?|\.netrc|\.pgpass|id_(rsa|dsa|ecdsa|ed25519).*|credentials(\.\w+)?|secrets?\.(toml|ya?ml|json|ini|env)"
    r"|.*\.(pem|key|p12|pfx|keystore|kdbx))$",
    re.IGNORECASE,
)
_INDENTED_IMPORT = re.compile(rb"^[ \t]+(from|import)[ \t]", re.MULTILINE)
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_SCRIPTS = (Path(sys.prefix) / "bin", Path(sys.prefix) / "Scripts")
"""Where console scripts lie: `pytest` or `treadle` as `__main__` is nobody's source."""
_CELLS = "treadle_cells"


def bundle(
    entry: Any = None,
    project_root: str | os.PathLike[str] = ".",
    *,
    modules: Iterable[ModuleType] = (),
    files: Iterable[str | os.PathLike[str]] = (),
) -> CodeBundle:
    """The project's modules that are imported now, as one archive.

    entry: the function that a worker shall call (a step's function), or None. project_root: the folder whose files
    count as the project's; modules from elsewhere that are no distribution's (a `src` beside it, an editable install)
    are carried under their import path. modules: only these, instead of all. files: data files of the project to carry
    along; folders count with all below them.
    The sources are read from disk as they are now. Cost: some ms for a project of a hundred files.
    Raises NotCode when the source of `entry` can be found nowhere.
    """
    root = Path(project_root).resolve()
    collected = _Collected(root)
    for module in list(modules) or list(sys.modules.values()):
        collected.add_module(module)
    entry_module = collected.add_entry(entry) if entry is not None else None
    for each in files:
        collected.add_file(Path(each))
    collected.add_project_files()
    manifest = {path: digests.of_bytes(data) for path, data in sorted(collected.content.items())}
    facts = {
        "entry": entry_module,
        "entry_name": getattr(entry, "__qualname__", None) if entry is not None else None,
        "manifest": manifest,
        "modules": dict(sorted(collected.modules.items())),
    }
    content = _zipped({**collected.content, MANIFEST: digests.canonical_json(facts)})
    return CodeBundle(
        digest=digests.of_bytes(content),
        content=content,
        manifest=manifest,
        modules=dict(sorted(collected.modules.items())),
        entry=entry_module,
        entry_name=facts["entry_name"],  # type: ignore[arg-type]
    )


class _Collected:
    """Paths inside the archive with their bytes, and the modules that they are."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.content: dict[str, bytes] = {}
        self.modules: dict[str, str] = {}

    def add_module(self, module: Any) -> None:
        filename = getattr(module, "__file__", None)
        name = getattr(module, "__name__", "")
        if not isinstance(filename, str) or not isinstance(name, str) or name == "__mp_main__":
            return
        if not origins.of_file(filename).is_project or not Path(filename).is_file():
            return
        path = Path(filename).resolve()
        if path.suffix in (".pyc", ".pyd", ".so", ".dll", ".dylib") or self._is_excluded(path):
            return
        if name == "__main__":
            spec = getattr(module, "__spec__", None)
            name = spec.name if spec is not None else path.stem
        self._add_source(path, name)

    def _add_source(self, path: Path, name: str) -> None:
        inside = self._inside(path, name)
        if inside in self.content:
            self.modules[name] = inside
            return
        self.content[inside] = data = path.read_bytes()
        self.modules[name] = inside
        if _INDENTED_IMPORT.search(data):
            self._add_later_imports(path, name)

    def _add_later_imports(self, path: Path, name: str) -> None:
        """Carries project modules that functions of this one import when they run, and that may not be loaded yet."""
        source = source_of(str(path), {})
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        whole = source.whole if source is not None else None
        for each in set(importing.spelled_in(whole, package)) if whole is not None else ():
            if each in self.modules or each.partition(".")[0] in sys.stdlib_module_names:
                continue
            found = importing.find(each)
            if found is not None and found.endswith(".py") and origins.of_file(found).is_project:
                inner = Path(found).resolve()
                if not self._is_excluded(inner):
                    self._add_source(inner, each)

    def add_entry(self, entry: Any) -> str:
        """Makes sure that the entry's own source is carried; answers the module that a worker imports for it."""
        function = entry
        while hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        if not isinstance(function, FunctionType | type):
            raise NotCode(
                f"{entry!r} has no source of its own to carry.",
                fix="Pass a function or a class that is defined in a module, a script or a notebook.",
            )
        module = sys.modules.get(function.__module__)
        filename = function.__code__.co_filename if isinstance(function, FunctionType) else None
        on_disk = getattr(module, "__file__", None)
        if module is not None and on_disk is not None and (filename is None or Path(filename).exists()):
            self.add_module(module)
            spec = getattr(module, "__spec__", None)
            plain = Path(on_disk).stem if module.__name__ == "__main__" else module.__name__
            return str(spec.name if spec is not None and module.__name__ == "__main__" else plain)
        return self._add_cells(function)

    def _add_cells(self, function: Any) -> str:
        """Carries what was typed: the cells that hold the functions and classes of the entry's module, in their order,
        or the program of `python -c` and standard input where Python keeps it."""
        module_globals = getattr(function, "__globals__", None) or vars(sys.modules[function.__module__])
        cells: dict[str, None] = {}
        for value in list(module_globals.values()):
            inner = getattr(value, "__wrapped__", value)
            if isinstance(inner, type):
                inner = next((each for each in vars(inner).values() if isinstance(each, FunctionType)), inner)
            if isinstance(inner, FunctionType) and inner.__globals__ is module_globals:
                cells[inner.__code__.co_filename] = None
        if isinstance(function, FunctionType):
            cells[function.__code__.co_filename] = None
        typed = [name for name in linecache.cache if name in cells]  # in the order in which the cells were run
        sources = ["".join(linecache.getlines(name)) for name in typed]
        if not any(sources):
            raise NotCode(
                f"The source of {function.__qualname__} is not kept by Python.",
                why="It was typed into an interpreter, or generated.",
                fix="Put it into a file or a notebook's cell.",
            )
        text = "\n\n".join(source.rstrip("\n") for source in sources) + "\n"
        name = f"{_CELLS}_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
        self.content[f"{name}.py"] = text.encode()
        self.modules[name] = f"{name}.py"
        return name

    def add_file(self, path: Path) -> None:
        full = path if path.is_absolute() else self.root / path
        for each in sorted(full.rglob("*")) if full.is_dir() else [full]:
            if each.is_file() and each.resolve().is_relative_to(self.root) and not self._is_excluded(each.resolve()):
                self.content[each.resolve().relative_to(self.root).as_posix()] = each.read_bytes()

    def add_project_files(self) -> None:
        for name in _ALWAYS:
            if (self.root / name).is_file():
                self.add_file(Path(name))
        for each in sorted((self.root / _CONTRACTS).glob("*.y*ml")):
            self.add_file(each)

    def _inside(self, path: Path, name: str) -> str:
        """The path in the archive from which `name` can be imported: its import path, whatever folder it came from."""
        depth = name.count(".") + (
            2 if path.name == "__init__.py" and path.parent.name == name.rpartition(".")[2] else 1
        )
        return "/".join(path.parts[-depth:])

    def _is_excluded(self, path: Path) -> bool:
        inside = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        if path.parent in _SCRIPTS:
            return True
        return bool(_EXCLUDED_FOLDERS.intersection(inside.parts)) or _SECRET.search(inside.as_posix()) is not None


def _zipped(content: dict[str, bytes]) -> bytes:
    """The same bytes for the same files: sorted, without times, owners or a compressor whose version could differ."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(content):
            entry = zipfile.ZipInfo(path, _FIXED_TIME)
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content[path])
    return buffer.getvalue()


def unpack(content: bytes, folder: str | os.PathLike[str]) -> CodeBundle:
    """Writes a bundle's files below a folder, and answers the bundle with its manifest.

    Nothing is written before every name and every digest has been checked.
    Raises UnsafeBundle for a name that leads out of the folder, a link, or more than `MAX_BYTES`; DamagedBundle for an
    archive that cannot be read or is not what its manifest says.
    """
    target = Path(folder)
    files, facts = _checked(content)
    for path, data in files.items():
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return CodeBundle(
        digest=digests.of_bytes(content),
        content=content,
        manifest=facts.manifest,
        modules=facts.modules,
        entry=facts.entry,
        entry_name=facts.entry_name,
    )


class _Facts(msgspec.Struct):
    manifest: dict[str, str]
    modules: dict[str, str]
    entry: str | None = None
    entry_name: str | None = None


def _checked(content: bytes) -> tuple[dict[str, bytes], _Facts]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_names(archive.infolist())
            files = {each.filename: archive.read(each) for each in archive.infolist()}
        facts = msgspec.json.decode(files.pop(MANIFEST), type=_Facts)
    except (zipfile.BadZipFile, KeyError, msgspec.MsgspecError, NotImplementedError, RuntimeError) as error:
        raise DamagedBundle("The code bundle cannot be read.", why=str(error)) from error
    found = {path: digests.of_bytes(data) for path, data in files.items()}
    if found != facts.manifest:
        wrong = sorted(
            path for path in found.keys() | facts.manifest.keys() if found.get(path) != facts.manifest.get(path)
        )
        raise DamagedBundle(
            "The code bundle is not what its manifest says.", why=f"It differs in {', '.join(wrong[:5])}."
        )
    return files, facts


def _check_names(entries: list[zipfile.ZipInfo]) -> None:
    if sum(each.file_size for each in entries) > MAX_BYTES:
        raise UnsafeBundle(f"The code bundle unpacks to more than {MAX_BYTES} bytes.")
    for each in entries:
        path = PurePosixPath(each.filename)
        is_link = stat.S_ISLNK(each.external_attr >> 16)
        is_outside = path.is_absolute() or ".." in path.parts or "\\" in each.filename or ":" in each.filename
        if is_link or is_outside or each.is_dir() or not path.parts:
            raise UnsafeBundle(
                f"The code bundle holds {each.filename!r}, which is not a plain file below the folder.",
                why="An archive that was tampered with could write anywhere.",
            )
