"""Finding the C library inside an installed Python package, without importing the package."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from treadle.ground.errors import MissingExtra

_SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")


@cache
def load_library(package: str, stem: str) -> ctypes.CDLL:
    """The library `stem` of that package. Raises MissingExtra when the package or its library is not there."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise MissingExtra.of(package, package, "Serving this model")
    name = stem.removeprefix("lib") if sys.platform == "win32" else stem
    for folder in ("lib", "bin"):
        path = Path(spec.origin).parent / folder / f"{name}{_SUFFIX}"
        if path.is_file():
            return ctypes.CDLL(str(path))
    raise MissingExtra.of(f"{stem}{_SUFFIX} of {package}", package, "Serving this model")


def package_version(package: str) -> str:
    """The installed version of a package."""
    return version(package)
