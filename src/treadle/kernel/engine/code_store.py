"""Code bundles in the artifact store: put by the driver, unpacked once per host by whoever runs the code."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from treadle.kernel.artifacts.records import Artifact
from treadle.kernel.engine.code.bundling import bundle, unpack
from treadle.kernel.engine.code_refs import find_step
from treadle.kernel.engine.ports import ArtifactStore
from treadle.kernel.engine.records import CodeRef
from treadle.kernel.engine.steps import Step

_on_path: set[str] = set()


def bundler(artifacts: ArtifactStore, project_root: Path) -> Callable[[Step[..., Any]], CodeRef]:
    """A function that stores the source of a script's or notebook's step and answers where workers find it."""

    def store(step: Step[..., Any]) -> CodeRef:
        made = bundle(step.function, project_root)
        artifact = artifacts.put(made.content, kind="code")
        return CodeRef(
            module=made.entry or step.function.__module__,
            qualname=made.entry_name or step.function.__qualname__,
            bundle=artifact.digest,
            artifact=artifact,
        )

    return store


def unpacked(artifact: Artifact, artifacts: ArtifactStore, folder: str) -> Path:
    """The folder that holds a bundle's files; made by whoever comes first."""
    place = Path(folder) / artifact.digest.removeprefix("sha256:")[:32]
    if place.exists():
        return place
    Path(folder).mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder, prefix=".unpacking-"))
    unpack(artifacts.load(artifact), unfinished)
    try:
        os.rename(unfinished, place)  # noqa: PTH104
    except OSError:
        if not place.exists():
            raise
    return place


def step_of_bundle(code: CodeRef, artifacts: ArtifactStore, folder: str) -> Step[..., Any]:
    """The step that a bundle holds; the bundle's folder stands first on the path from then on."""
    place = str(unpacked(code.artifact, artifacts, folder))
    if place not in _on_path:
        _on_path.add(place)
        sys.path.insert(0, place)
        importlib.invalidate_caches()
        known = sys.modules.get(code.module)
        if known is not None and not str(getattr(known, "__file__", "")).startswith(place):
            del sys.modules[code.module]
    return find_step(code)
