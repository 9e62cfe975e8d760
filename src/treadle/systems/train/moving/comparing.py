"""Two stores of MLflow, field by field: does the second hold all that the first holds, as it is there?

What is compared of a thing is a mapping of fields to plain values, with long ones (histories, files) as counts and digests.
What the second holds besides is no difference. Locations are left out: files are compared by their bytes.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from treadle.systems.train.moving.errors import LocationClosed
from treadle.systems.train.moving.ports import MlflowStore, StoredFile
from treadle.systems.train.moving.records import (
    Compared,
    Difference,
    Points,
    StoredExperiment,
    StoredLoggedModel,
    StoredModel,
    StoredRun,
    StoredVersion,
)
from treadle.systems.train.moving.registering import source_here

Fields = Mapping[str, Any]
_AT_ONCE = 100
_SHOWN = 200
_CHUNK = 1 << 20


class _Tally:
    """What has been compared so far: of each kind how many there and here, and a digest over all of their fields."""

    def __init__(self) -> None:
        self.counts: dict[str, list[int]] = {}
        self._digests: dict[str, tuple[Any, Any]] = {}
        self.differences: list[Difference] = []
        self.differing = 0
        self.unopened = 0

    def take(self, kind: str, what: str, theirs: Fields, ours: Fields | None) -> None:
        """A thing there, and the same here if it is here."""
        counts = self.counts.setdefault(kind, [0, 0])
        there, here = self._digests.setdefault(kind, (hashlib.sha256(), hashlib.sha256()))
        counts[0] += 1
        there.update(_text([what, theirs]).encode())
        if ours is None:
            self._differ(what, "presence", "there", "missing")
            return
        counts[1] += 1
        if "files" in theirs and (theirs["files"] is None or ours.get("files") is None):
            self.unopened += 1  # they are kept elsewhere, as the import has said
            ours = {**ours, "files": theirs["files"]}
        here.update(_text([what, ours]).encode())
        for name, value in theirs.items():
            if _text(value) != _text(ours.get(name)):
                self._differ(what, name, _short(value), _short(ours.get(name)))

    def _differ(self, what: str, name: str, theirs: str, ours: str) -> None:
        self.differing += 1
        if len(self.differences) < _SHOWN:
            self.differences.append(Difference(what=what, field=name, theirs=theirs, ours=ours))

    def digests(self) -> dict[str, tuple[str, str]]:
        return {kind: (there.hexdigest(), here.hexdigest()) for kind, (there, here) in self._digests.items()}


def compare(theirs: MlflowStore, ours: MlflowStore, *, progress: Callable[[str, int, int], None]) -> Compared:
    """How the second store holds what the first one holds. Reads every byte of every file of the first."""
    tally = _Tally()
    names = {one.number: one.name for one in theirs.experiments()}
    own_names = {one.number: one.name for one in ours.experiments()}
    by_name = {one.name: one for one in ours.experiments()}
    for one in theirs.experiments():
        here = by_name.get(one.name)
        tally.take(
            "experiments", f"experiment {one.name}", _experiment(one), None if here is None else _experiment(here)
        )
    ids = list(theirs.run_ids())
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        found = {run.run: _run(run, own_names, ours) for run in ours.runs(some)}
        for run in theirs.runs(some):
            tally.take("runs", f"run {run.run}", _run(run, names, theirs), found.get(run.run))
        progress("runs compared", start + len(some), len(ids))
    models = {one.model: _logged_model(one, own_names, ours) for one in ours.logged_models()}
    for model in theirs.logged_models():
        what = f"logged model {model.model}"
        tally.take("logged models", what, _logged_model(model, names, theirs), models.get(model.model))
    _compare_registries(tally, theirs, ours)
    return Compared(
        source=theirs.name,
        counts={kind: (there, here) for kind, (there, here) in tally.counts.items()},
        digests=tally.digests(),
        differing=tally.differing,
        differences=tally.differences,
        unopened=tally.unopened,
    )


def _compare_registries(tally: _Tally, theirs: MlflowStore, ours: MlflowStore) -> None:
    registered = {model.name: model for model in ours.models()}
    for there in theirs.models():
        here = registered.get(there.name)
        tally.take("models", f"model {there.name}", _model(there), None if here is None else _model(here))
        versions = {} if here is None else {version.number: version for version in here.versions}
        for version in there.versions:
            found = versions.get(version.number)
            what = f"version {version.number} of {there.name}"
            tally.take("versions", what, _version(version), None if found is None else _version(found))


def _experiment(one: StoredExperiment) -> Fields:
    if one.number == 0:
        return {"name": one.name, "lifecycle": one.lifecycle}  # every store makes its own when it begins
    names = ("name", "lifecycle", "created_ms", "updated_ms")
    return {**{name: getattr(one, name) for name in names}, "tags": dict(one.tags)}


def _run(run: StoredRun, experiments: Mapping[int, str], store: MlflowStore) -> Fields:
    names = ("name", "status", "user_id", "start_ms", "end_ms", "lifecycle", "deleted_ms")
    return {
        **{name: getattr(run, name) for name in names},
        "experiment": experiments[run.experiment],
        "params": dict(run.params),
        "tags": dict(run.tags),
        "metrics": _history(run.points),
        "datasets": sorted(_text(_plain(one)) for one in run.datasets),
        "models": sorted(run.models),
        "outputs": sorted([one.model, one.step] for one in run.outputs),
        "files": _files(store, run.artifact_uri),
    }


def _history(points: Points) -> Fields:
    """By metric, how many different points there are, and a digest over them in order."""
    rows: dict[str, set[tuple[int, int, str]]] = {}
    for key, value, step, at_ms in zip(points.keys, points.values, points.steps, points.times, strict=True):
        rows.setdefault(key, set()).add((at_ms, step, "nan" if math.isnan(value) else repr(value + 0.0)))
    return {
        key: f"{len(found)} points, {hashlib.sha256(_text(sorted(found)).encode()).hexdigest()[:16]}"
        for key, found in rows.items()
    }


def _logged_model(model: StoredLoggedModel, experiments: Mapping[int, str], store: MlflowStore) -> Fields:
    names = ("name", "created_ms", "updated_ms", "status", "lifecycle", "model_type", "source_run", "status_message")
    return {
        **{name: getattr(model, name) for name in names},
        "experiment": experiments[model.experiment],
        "params": {pair.key: pair.value for pair in model.params},
        "tags": {pair.key: pair.value for pair in model.tags},
        "metrics": sorted(_text(_plain(point)) for point in model.metrics),
        "files": _files(store, model.artifact_location),
    }


def _model(model: StoredModel) -> Fields:
    names = ("description", "created_ms", "updated_ms")
    return {
        **{name: getattr(model, name) for name in names},
        "tags": dict(model.tags),
        "aliases": dict(model.aliases),
    }


def _version(version: StoredVersion) -> Fields:
    names = ("run_id", "run_link", "logged_model", "description", "stage", "created_ms", "updated_ms")
    return {
        **{name: getattr(version, name) for name in names},
        "source": source_here(version),
        "tags": dict(version.tags),
    }


def _files(store: MlflowStore, location: str) -> list[list[Any]] | None:
    """(path, size, digest) of every file at a location; None where they are kept elsewhere."""
    try:
        found = store.files(location)
    except LocationClosed:
        return None
    return [[file.path, file.size_bytes, digest_of(file)] for file in found]


def digest_of(file: StoredFile) -> str:
    """The SHA-256 of a file's bytes, read where it is not known."""
    known = getattr(file, "digest", None)
    if known is not None:
        return str(known)
    digest = hashlib.sha256()
    with file.open() as stream:
        for piece in iter(lambda: stream.read(_CHUNK), b""):
            digest.update(piece)
    return f"sha256:{digest.hexdigest()}"


def _plain(record: Any) -> Any:
    """A msgspec struct as plain values."""
    return {name: _plain_value(getattr(record, name)) for name in record.__struct_fields__}


def _plain_value(value: Any) -> Any:
    if isinstance(value, list):
        return sorted(_text(_plain(one)) for one in value)
    return value


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=list)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else _text(value)
    return text if len(text) <= 120 else f"{text[:119]}…"
