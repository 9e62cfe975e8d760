"""The control plane over a fresh embedded store, with a registry of real models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tests.systems.serve.models import Model, flights_model
from treadle.ground.clock import system_clock
from treadle.ground.errors import NotFound
from treadle.ground.ids import new_id
from treadle.kernel.catalog import Refs
from treadle.kernel.events import EventLog
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.systems.serve import Endpoints, ServableModel, Traffic
from treadle.testing import embedded_store

CALLER = Caller(project="default", actor="ada")


@dataclass
class Registry:
    """The registry as serving sees it: the versions of one model, the newest of which is the champion."""

    models: dict[str, Model] = field(default_factory=dict)

    def add(self, model: Model) -> str:
        version = str(len(self.models) + 1)
        self.models[version] = model
        return version

    def get(self, project: str, model: str, version: str) -> ServableModel:
        if version in ("champion", "newest"):
            version = str(len(self.models))
        if version not in self.models:
            raise NotFound(f"There is no version {version!r}.")
        return servable(self.models[version], version=version)


def servable(model: Model, **replaced: Any) -> ServableModel:
    manifest = model.manifest
    given: dict[str, Any] = {
        "model": "late-arrival",
        "version": "1",
        "digest": manifest.model_digest,
        "engine": manifest.engine,
        "content": model.content,
        "signature": msgspec.to_builtins(manifest.signature),
        "probe_rows": manifest.probe.rows,
        "probe_scores": manifest.probe.scores,
    }
    return ServableModel(**{**given, **replaced})


@dataclass
class Control:
    store: Store
    refs: Refs
    events: EventLog
    registry: Registry
    endpoints: Endpoints
    traffic: Traffic
    serving: Path

    def kinds(self) -> list[str]:
        return [event.kind for event in self.events.since("default", 0)]


def make_control(folder: Path, *models: Model) -> Control:
    """Versions 1, 2, … of `late-arrival` are the models given; two numeric ones unless told."""
    store = embedded_store(folder)
    events = EventLog(store, system_clock, new_id)
    refs = Refs(events, system_clock)
    registry = Registry()
    for model in models or (flights_model(numeric=True), flights_model(numeric=True, seed=2)):
        registry.add(model)
    serving = folder / "serving"
    endpoints = Endpoints(store, refs, events, registry, lambda project: serving / project, system_clock, new_id)
    return Control(store, refs, events, registry, endpoints, Traffic(store, endpoints), serving / "default")


@dataclass
class Sink:
    """Lands into memory, once for each landing id; may be told to die, before or after it has landed."""

    landed: dict[str, tuple[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    die: Sequence[str] = ()

    def land(self, endpoint: str, table: Any, landing_id: str, kind: str = "predictions") -> None:
        self.calls.append(landing_id)
        if "before" in self.die:
            raise ConnectionError("the sink is away")
        self.landed.setdefault(landing_id, (endpoint if kind == "predictions" else f"{kind}.{endpoint}", table))
        if "after" in self.die:
            raise ConnectionError("the sink went away")

    def rows(self, endpoint: str) -> list[Mapping[str, Any]]:
        return [row for name, table in self.landed.values() if name == endpoint for row in table.to_pylist()]
