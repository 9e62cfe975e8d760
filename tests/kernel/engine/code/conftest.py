"""A small project in a folder of its own, whose files are edited and loaded again as a user's would be."""

from __future__ import annotations

import importlib
import linecache
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from treadle.kernel.engine.code import CodeFingerprint, fingerprint


class Project:
    """Modules in a folder on `sys.path`. Every load starts anew, as a fresh process would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, **sources: str) -> None:
        """Writes `name.py` for each argument; `pkg__text` is `pkg/text.py`."""
        for name, source in sources.items():
            path = self.folder / (name.replace("__", "/", 1) + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(source, encoding="utf-8")

    def load(self, name: str) -> ModuleType:
        self.forget()
        return importlib.import_module(name)

    def forget(self) -> None:
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(self.folder) + os.sep):
                del sys.modules[name]
        importlib.invalidate_caches()
        linecache.clearcache()

    def of(self, function: str = "tidy", module: str = "prep") -> CodeFingerprint:
        """The fingerprint of a function in freshly loaded modules."""
        return fingerprint(getattr(self.load(module), function))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # edits follow each other within one tick of the clock
    made = Project(tmp_path)
    yield made
    made.forget()
