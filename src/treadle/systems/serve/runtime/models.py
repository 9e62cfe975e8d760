"""A served model: a folder under the digest of its manifest, holding model file, signature and probe.

The manifest names every file by digest, and its own digest names the folder; so a model cannot change under an endpoint,
and a server can tell that it loaded what was registered. The *probe* is a handful of stored inputs with the float64
answers that the model gave when it was registered: a model takes no traffic before it has given them again here.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from treadle.ground.digests import Digest, canonical_json, is_digest, of_bytes
from treadle.systems.serve.runtime.batches import Batch, InputPlan
from treadle.systems.serve.runtime.engines import Engine, EngineOptions, open_engine
from treadle.systems.serve.runtime.engines.opening import Matrix
from treadle.systems.serve.runtime.errors import BadModel
from treadle.systems.serve.runtime.signature import Signature


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """Rows as a client would send them, and the scores (rows x width) that the registered model gave for them."""

    rows: tuple[dict[str, str | int | float | bool | None], ...]
    scores: tuple[tuple[float, ...], ...]
    tolerance: float = 1e-6


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in `manifest.json`."""

    model_digest: Digest
    engine: str
    file: str
    file_digest: Digest
    signature: Signature
    probe: Probe
    options: EngineOptions = EngineOptions()


@dataclass(slots=True)
class ServedModel:
    """A loaded model: rows in, float64 scores (n, width) out."""

    bundle: Digest
    manifest: Manifest
    engine: Engine
    plan: InputPlan
    seconds_per_call: float = 0.0
    """What a call of one row took when the model was warmed."""
    seconds_per_row: float = 0.0
    """What each further row adds, measured on a call of 32."""
    is_direct: bool = False
    """Whether the engine's numbers are the scores as they are; found out on the probe."""

    @property
    def signature(self) -> Signature:
        return self.manifest.signature

    def scores(self, matrix: Matrix) -> Matrix:
        """Scores, float64, C-contiguous, (n, width); for a binary task the probability of the positive class."""
        raw = self.engine.predict(matrix)
        if self.is_direct:
            return raw
        signature = self.manifest.signature
        if signature.task == "binary":
            if raw.shape[1] == 2:
                raw = raw[:, signature.positive_index : signature.positive_index + 1]
            elif signature.positive_index == 0:
                raw = 1.0 - raw
        if raw.shape[1] != signature.width:
            raise BadModel(
                f"The engine answers {raw.shape[1]} numbers a row, the signature says {signature.width}.",
                fix="Register the model with the task and the classes that it was trained for.",
            )
        return np.ascontiguousarray(raw)

    def call_seconds(self, rows: int) -> float:
        """How long a call of so many rows should take."""
        return self.seconds_per_call + self.seconds_per_row * (rows - 1)


def write_model(models: Path, manifest: Manifest, model: bytes) -> Digest:
    """The digest under which the model now stands in the folder `models`; doing it twice is harmless.

    Everything is written aside, synced and renamed, so a server never sees half a model.
    """
    if of_bytes(model) != manifest.file_digest:
        raise BadModel(f"{manifest.file} is not the file that the manifest names.")
    document = canonical_json(manifest)
    bundle = of_bytes(document)
    folder = folder_of(models, bundle)
    if _is_whole(folder, manifest):
        return bundle
    models.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=models) as aside:
        incoming = Path(aside) / "model"
        incoming.mkdir()
        _write_synced(incoming / manifest.file, model)
        _write_synced(incoming / "manifest.json", document)
        if folder.exists():  # torn by an earlier crash or by hand: out of the way first
            folder.rename(Path(aside) / "torn")
        incoming.rename(folder)
        _sync_folder(models)
    return bundle


def folder_of(models: Path, bundle: Digest) -> Path:
    """Where a model lies. Raises BadModel for what is no digest: nothing else ever becomes a path."""
    if not is_digest(bundle):
        raise BadModel(f"{bundle!r} is no digest of a model.")
    return models / bundle.removeprefix("sha256:")


def load_model(models: Path, bundle: Digest, *, threads: int | None = None) -> ServedModel:
    """The model of that digest, its files checked, warmed, and its probe answered as when it was registered.

    threads: instead of the manifest's. Raises BadModel when anything is not what the manifest says.
    """
    manifest = read_manifest(models, bundle)
    folder = folder_of(models, bundle)
    path = folder / manifest.file
    if Path(manifest.file).name != manifest.file or not path.is_file():
        raise BadModel(f"The model {bundle[:19]}… has no file {manifest.file!r}.")
    if of_bytes(path.read_bytes()) != manifest.file_digest:
        raise BadModel(f"{manifest.file} of the model {bundle[:19]}… is not the file that was registered.")
    options = manifest.options if threads is None else msgspec.structs.replace(manifest.options, threads=threads)
    engine = open_engine(manifest.engine, path, options)
    model = ServedModel(bundle, manifest, engine, InputPlan(manifest.signature))
    check_probe(model)
    model.is_direct = _answers_scores(model)
    _warm(model)
    return model


def check_probe(model: ServedModel) -> float:
    """The largest difference between the probe's scores and those given now. Raises BadModel beyond its tolerance."""
    probe = model.manifest.probe
    if not probe.rows or len(probe.rows) != len(probe.scores):
        raise BadModel("A model needs a probe of at least one row, with the scores of each.")
    given = model.scores(model.plan.from_rows(probe.rows).matrix)
    wanted = np.array(probe.scores, dtype=np.float64).reshape(len(probe.rows), -1)
    if wanted.shape != given.shape:
        raise BadModel(f"The probe stores scores of shape {wanted.shape}, the model gives {given.shape}.")
    difference = float(np.max(np.abs(wanted - given)))
    if not difference <= probe.tolerance:
        raise BadModel(
            f"On its probe the model answers otherwise than when it was registered: {difference:.3g} apart.",
            why=f"{probe.tolerance:g} is allowed; engine {model.engine.name} {model.engine.version} is installed here.",
            fix="Serve it with the engine version that it was registered with, or register it anew.",
        )
    return difference


def _answers_scores(model: ServedModel) -> bool:
    rows = model.plan.from_rows(model.manifest.probe.rows).matrix
    raw, scores = model.engine.predict(rows), model.scores(rows)
    return raw.shape == scores.shape and raw.flags.c_contiguous and bool(np.array_equal(raw, scores))


def _warm(model: ServedModel) -> None:
    """Measures a call of 1 and of 32 rows, each the best of three."""
    rows = model.plan.from_rows(model.manifest.probe.rows).matrix
    one, many = rows[:1].copy(), np.resize(rows, (32, rows.shape[1]))
    model.seconds_per_call = min(_timed(model, one) for _ in range(3))
    model.seconds_per_row = max(0.0, min(_timed(model, many) for _ in range(3)) - model.seconds_per_call) / 31


def _timed(model: ServedModel, matrix: Matrix) -> float:
    started = time.perf_counter()
    model.scores(matrix)
    return time.perf_counter() - started


def read_manifest(models: Path, bundle: Digest) -> Manifest:
    """The manifest of that digest. Raises BadModel when it is not there or not what its digest says."""
    try:
        document = (folder_of(models, bundle) / "manifest.json").read_bytes()
    except OSError as error:
        raise BadModel(
            f"The model {bundle[:19]}… is not in the serving area.",
            why=str(error),
            fix="Deploy the endpoint again; the reconciler writes models that were lost.",
        ) from None
    if of_bytes(document) != bundle:
        raise BadModel(f"The manifest of the model {bundle[:19]}… was changed after it was written.")
    try:
        return msgspec.json.decode(document, type=Manifest)
    except msgspec.DecodeError as error:
        raise BadModel(f"The manifest of the model {bundle[:19]}… cannot be read.", why=str(error)) from None


def _is_whole(folder: Path, manifest: Manifest) -> bool:
    try:
        return of_bytes((folder / manifest.file).read_bytes()) == manifest.file_digest and (
            folder / "manifest.json"
        ).read_bytes() == canonical_json(manifest)
    except OSError:
        return False


def _write_synced(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o444)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_manifest(
    *,
    model_digest: Digest,
    engine: str,
    file: str,
    model: bytes,
    signature: Signature,
    probe_rows: tuple[Mapping[str, Any], ...],
    options: EngineOptions | None = None,
    scores: Matrix | None = None,
    tolerance: float = 1e-6,
) -> Manifest:
    """The manifest of a model. scores: what it gave for the probe's rows where it was trained; when None, what its
    engine gives here and now."""
    options = options or EngineOptions()
    if scores is None:
        scores = _scores_here(engine, file, model, signature, options, InputPlan(signature).from_rows(probe_rows))
    probe = Probe(
        rows=tuple(dict(row) for row in probe_rows),
        scores=tuple(tuple(row) for row in np.asarray(scores, dtype=np.float64).reshape(len(probe_rows), -1).tolist()),
        tolerance=tolerance,
    )
    return Manifest(
        model_digest=model_digest,
        engine=engine,
        file=file,
        file_digest=of_bytes(model),
        signature=signature,
        probe=probe,
        options=options,
    )


def _scores_here(
    engine: str, file: str, model: bytes, signature: Signature, options: EngineOptions, batch: Batch
) -> Matrix:
    empty = Probe(rows=(), scores=())
    manifest = Manifest(
        model_digest="", engine=engine, file=file, file_digest="", signature=signature, probe=empty, options=options
    )
    with tempfile.TemporaryDirectory(prefix="treadle-probe-") as folder:
        path = Path(folder) / Path(file).name
        path.write_bytes(model)
        opened = open_engine(engine, path, options)
        return ServedModel("", manifest, opened, InputPlan(signature)).scores(batch.matrix)
