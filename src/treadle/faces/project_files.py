"""Which files of a folder are the project: what publishing looks through, and what is watched for changes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_SETTINGS = ("treadle.toml", "pyproject.toml")
_LEFT_OUT = frozenset({"__pycache__", "node_modules", "build", "dist", "site-packages", "treadle-demo"})
_MARKS_OF_OTHERS = ("pyvenv.cfg", "api.token", "treadle.db", "treadle.toml")
_PIPELINE = re.compile(rb"^[ \t]*@(\w+\.)*pipeline\b", re.MULTILINE)


def is_project(root: Path) -> bool:
    """Whether a folder says of itself that it is a project of ours."""
    return (root / "treadle.toml").is_file()


def source_files(root: Path) -> Iterator[Path]:
    """Python files, contracts and settings of a project, in order; none of virtual environments and hidden folders."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if not _is_left_out(Path(folder), name))
        for name in sorted(files):
            if name.endswith((".py", ".odcs.yaml", ".odcs.yml")) or name in _SETTINGS:
                yield Path(folder) / name


def pipeline_files(root: Path) -> list[Path]:
    """The Python files that declare pipelines, judged by their text; tests are none of them."""
    found = []
    for path in source_files(root):
        inside = path.relative_to(root).parts
        if path.suffix != ".py" or "tests" in inside or path.name.startswith(("test_", "conftest")):
            continue
        if _PIPELINE.search(path.read_bytes()):
            found.append(path)
    return found


def _is_left_out(folder: Path, name: str) -> bool:
    """Hidden folders, caches, virtual environments, homes of Treadle, and projects inside of the project."""
    if name.startswith(".") or name in _LEFT_OUT:
        return True
    return any((folder / name / mark).is_file() for mark in _MARKS_OF_OTHERS)
