"""Which noun is whose: from the noun of a verb to the part of a workspace that does it.

A noun with many verbs has several parts, each in a module of its own.
"""

from __future__ import annotations

SERVICES = {
    "alerts": ("alerts", "treadle.systems.monitor.alert_service"),
    "anomalies": ("anomalies", "treadle.systems.prepare.anomalies.service"),
    "assessments": ("tracking.assessments", "treadle.systems.train.traces.assessing"),
    "audit": ("activity", "treadle.kernel.events.service"),
    "canaries": ("canaries", "treadle.loops.rollout.service"),
    "cleanings": ("cleanings", "treadle.systems.prepare.cleaning.service"),
    "catalogue": ("catalogue", "treadle.loops.catalogue.service"),
    "contracts": ("contracts", "treadle.systems.prepare.contracts"),
    "datasets": ("datasets", "treadle.systems.collect.service"),
    "endpoints": ("endpoints", "treadle.systems.serve.service"),
    "engines": ("engines", "treadle.loops.release.engines"),
    "evaluation_datasets": ("tracking.evaluation_datasets", "treadle.systems.train.traces.evaluation"),
    "events": ("activity", "treadle.kernel.events.service"),
    "experiments": ("tracking.experiments", "treadle.systems.train.tracking.experiments"),
    "features": ("features", "treadle.systems.features.service"),
    "feedback": ("feedback", "treadle.loops.feedback.service"),
    "files": ("tracking.files", "treadle.systems.train.files.service"),
    "incidents": ("incidents", "treadle.systems.prepare.incidents"),
    "inputs": ("tracking.inputs", "treadle.systems.train.tracking.inputs"),
    "labels": ("labels", "treadle.systems.labels.service"),
    "leaderboards": ("designs", "treadle.systems.design.service"),
    "logged_models": ("tracking.logged_models", "treadle.systems.train.tracking.logged_models"),
    "metrics": ("tracking.metrics", "treadle.systems.train.tracking.metrics"),
    "models": ("registry.models", "treadle.systems.train.registry.service"),
    "monitors": ("monitors", "treadle.systems.monitor.service"),
    "overview": ("overviews", "treadle.loops.overview.service"),
    "packages": ("registry.packages", "treadle.loops.release.packing"),
    "profiles": ("profiles", "treadle.systems.prepare.profiling.service"),
    "pipelines": ("pipelines", "treadle.kernel.engine.pipeline_service"),
    "predictions": ("predictions", "treadle.systems.serve.predictions"),
    "provenance": ("provenance", "treadle.loops.provenance.service"),
    "quarantine": ("quarantine", "treadle.systems.prepare.quarantine"),
    "replays": ("replays", "treadle.loops.feedback.hindsight"),
    "releases": ("releases", "treadle.loops.rollout.releasing"),
    "runs": ("runs", "treadle.kernel.catalog.service"),
    "scorers": ("tracking.scorers", "treadle.systems.train.traces.scorers"),
    "searches": ("tracking.searches", "treadle.systems.train.search.service"),
    "signatures": ("registry.signatures", "treadle.systems.train.signing.service"),
    "skew": ("skew", "treadle.loops.skew.service"),
    "sources": ("sources", "treadle.systems.collect.connectors.service"),
    "specs": ("designs", "treadle.systems.design.service"),
    "storage": ("storage", "treadle.systems.infra.service"),
    "studies": ("tracking.studies", "treadle.systems.train.tuning.service"),
    "tokens": ("accounts", "treadle.kernel.governance.identity.service"),
    "traces": ("tracking.traces", "treadle.systems.train.traces.service"),
    "tracking": ("tracking.runs", "treadle.systems.train.tracking.runs"),
    "triggers": ("triggers", "treadle.kernel.engine.trigger_service"),
    "trash": ("tracking.trash", "treadle.systems.train.files.trash"),
    "versions": ("registry.versions", "treadle.systems.train.registry.versions"),
    "value": ("value", "treadle.loops.value.service"),
    "webhooks": ("registry.webhooks", "treadle.systems.train.webhooks.service"),
    "users": ("accounts", "treadle.kernel.governance.identity.service"),
}
"""By noun, the part of the workspace that does its verbs, and the module that declares them."""

FURTHER = {
    "alerts": (("alert_routes", "treadle.systems.monitor.route_service"),),
    "datasets": (
        ("dataset_branches", "treadle.systems.collect.branching.service"),
        ("dataset_compaction", "treadle.systems.collect.compacting.service"),
        ("dataset_comparisons", "treadle.systems.collect.comparing.service"),
        ("dataset_files", "treadle.systems.collect.filesets.service"),
        ("dataset_queries", "treadle.systems.collect.querying.service"),
        ("dataset_tags", "treadle.systems.collect.tags"),
    ),
    "endpoints": (
        ("traffic", "treadle.systems.serve.traffic"),
        ("shadows", "treadle.loops.rollout.comparing"),
        ("trying", "treadle.systems.serve.trying"),
    ),
    "monitors": (("distributions", "treadle.systems.monitor.distributions"),),
    "features": (
        ("online_features", "treadle.systems.features.online.service"),
        ("training_sets", "treadle.systems.features.training_sets"),
        ("feature_queries", "treadle.systems.features.in_sql.service"),
    ),
    "runs": (("run_control", "treadle.kernel.engine.run_service"),),
    "releases": (("release", "treadle.loops.release.service"),),
}
"""Parts that do more verbs of a noun, and the modules that declare those."""


def place_of(noun: str, module: str) -> str:
    """The part of a workspace that does the verbs of a noun which a module declares."""
    return next((place for place, declaring in FURTHER.get(noun, ()) if declaring == module), SERVICES[noun][0])


def places() -> list[str]:
    """Every part of a workspace that does verbs, each once."""
    further = [place for parts in FURTHER.values() for place, _ in parts]
    return list(dict.fromkeys([*(place for place, _ in SERVICES.values()), *further]))


def modules() -> dict[str, tuple[str, ...]]:
    """By noun, the modules that declare its verbs."""
    return {noun: (module, *(more for _, more in FURTHER.get(noun, ()))) for noun, (_, module) in SERVICES.items()}
