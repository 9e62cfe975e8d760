"""The serving area as the control plane writes it: models by digest, route documents, each whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from treadle.ground.digests import canonical_json, of_bytes
from treadle.ground.errors import Corrupt
from treadle.systems.serve.errors import BadDeployment
from treadle.systems.serve.ports import ServableModel
from treadle.systems.serve.runtime.documents import RouteDocument, read_document, write_document
from treadle.systems.serve.runtime.engines import EngineOptions
from treadle.systems.serve.runtime.models import (
    Manifest,
    ServedModel,
    folder_of,
    load_model,
    make_manifest,
    read_manifest,
    write_model,
)
from treadle.systems.serve.runtime.signature import Signature

_FILES = {
    "lightgbm": "model.txt",
    "xgboost": "model.ubj",
    "sklearn": "model.skops",
    "onnx": "model.onnx",
    "linear": "linear.json",
}


class ServingArea:
    """The folder that one project's servers read."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models, self.routes, self.predictions = root / "models", root / "routes", root / "predictions"

    def put_model(self, servable: ServableModel) -> Manifest:
        """The manifest under which the model now stands here; doing it twice is harmless. Raises BadDeployment for a
        signature, options or a probe that say nothing sensible."""
        manifest = manifest_of(servable)
        write_model(self.models, manifest, servable.content)
        return manifest

    def has_model(self, bundle: str) -> bool:
        """Whether the folder of a model is there; the server checks what is in it."""
        return (folder_of(self.models, bundle) / "manifest.json").is_file()

    def try_model(self, bundle: str, threads: int) -> ServedModel:
        """The model, loaded as a server would, its probe answered. Raises BadModel."""
        return load_model(self.models, bundle, threads=threads)

    def signature_of(self, bundle: str) -> Signature:
        """What a model here takes and gives, without loading it. Raises BadModel."""
        return read_manifest(self.models, bundle).signature

    def manifest_of(self, bundle: str) -> Manifest:
        """What is said of a model here. Raises BadModel."""
        return read_manifest(self.models, bundle)

    def serves(self, document: RouteDocument) -> bool:
        """Whether this very document is in force here."""
        with contextlib.suppress(Corrupt):
            return read_document(self.routes, document.endpoint) == document
        return False

    def put_route(self, document: RouteDocument) -> None:
        """Puts a document in force."""
        write_document(self.routes, document)

    @contextlib.contextmanager
    def only_writer(self) -> Iterator[None]:
        """Holds off other writers of routes on this host, so that an older document never follows a newer one."""
        import fcntl

        self.root.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.root / "routes.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def manifest_of(servable: ServableModel) -> Manifest:
    """The manifest of a registered version: always the same one, so that a lost model can be written again."""
    if servable.engine not in _FILES:
        raise BadDeployment(
            f"A model of the kind {servable.engine!r} cannot be served.", why=f"Known: {', '.join(_FILES)}."
        )
    try:
        signature = _read(servable.signature, Signature)
        options = _read(servable.options, EngineOptions)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadDeployment(
            f"The signature of {servable.model} version {servable.version} cannot be served: {error}.",
            fix="Register the model with inputs (name, datatype, nullable, categories) and its task.",
        ) from None
    if not servable.probe_rows or len(servable.probe_rows) != len(servable.probe_scores):
        raise BadDeployment(
            f"{servable.model} version {servable.version} has no probe: rows with the scores that it gave for them.",
            fix="Register it with a probe; a server takes no model that it cannot check.",
        )
    return make_manifest(
        model_digest=servable.digest,
        engine=servable.engine,
        file=_FILES[servable.engine],
        model=servable.content,
        signature=signature,
        probe_rows=tuple(servable.probe_rows),
        options=options,
        scores=np.array(servable.probe_scores, dtype=np.float64),
        tolerance=servable.tolerance,
    )


def bundle_of(manifest: Manifest) -> str:
    """The digest under which a model stands."""
    return of_bytes(canonical_json(manifest))


def _read(document: Any, kind: Any) -> Any:
    return msgspec.convert(document, kind)
