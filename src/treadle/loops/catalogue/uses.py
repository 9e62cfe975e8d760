"""Who uses a feature: training sets, models by the service that they were trained from, endpoints by their models."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from treadle.kernel.catalog import Refs
from treadle.kernel.governance import Caller
from treadle.kernel.store import Store
from treadle.systems.features.service import SERVICE
from treadle.systems.features.training_sets import TrainingSets
from treadle.systems.serve import Endpoints
from treadle.systems.train import Models
from treadle.systems.train.registry.records import ModelVersion
from treadle.systems.train.registry.service import ModelNamed


@dataclass(slots=True)
class Uses:
    """By feature, what rests on it."""

    training_sets: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    models: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    endpoints: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    importance: dict[str, dict[str, float]] = field(default_factory=lambda: defaultdict(dict))


def uses_of(
    caller: Caller, store: Store, refs: Refs, training_sets: TrainingSets, models: Models, endpoints: Endpoints
) -> Uses:
    """What rests on the features of a project."""
    uses = Uses()
    for kept in training_sets.list(caller):
        for feature in kept.features:
            uses.training_sets[feature].append(kept.name)
    with store.read() as reader:
        services = {
            move.target
            for ref in refs.list(reader, caller.project, SERVICE)
            for move in refs.history(reader, caller.project, ref.name)
        }
    serving: dict[tuple[str, str], list[str]] = defaultdict(list)
    for endpoint in endpoints.list(caller):
        for revision in endpoint.revisions:
            serving[revision.model, revision.model_version].append(endpoint.name)
    for model in models.list(caller):
        for version in models.versions(caller, ModelNamed(model=model.name)):
            if version.reference.get("feature_service") in services:
                _note(uses, version, serving[version.model, str(version.number)])
    return uses


def _note(uses: Uses, version: ModelVersion, endpoints: list[str]) -> None:
    name = f"{version.model}/{version.number}"
    carried = version.reference.get("importance")
    for column in version.signature.get("inputs", ()):
        feature = str(column["name"])
        uses.models[feature].append(name)
        uses.endpoints[feature] += [one for one in endpoints if one not in uses.endpoints[feature]]
        if isinstance(carried, dict) and isinstance(carried.get(feature), int | float):
            uses.importance[feature][name] = float(carried[feature])
