"""Which system an event belongs to, and how what flowed is counted: rows, checks, versions, predictions, alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import get_args

from treadle.loops.overview.records import Flow, SystemName

SYSTEMS: tuple[SystemName, ...] = get_args(SystemName)

_BY_KIND: dict[str, SystemName] = {
    "source": "collect",
    "cleaning": "prepare",
    "quality": "prepare",
    "quarantine": "prepare",
    "incident": "prepare",
    "contract": "prepare",
    "feature": "features",
    "features": "features",
    "training_set": "features",
    "skew": "features",
    "labels": "labels",
    "label": "labels",
    "leaderboard": "design",
    "spec": "design",
    "model": "train",
    "experiment": "train",
    "study": "train",
    "evidence": "train",
    "endpoint": "serve",
    "canary": "serve",
    "monitor": "monitor",
    "alert": "monitor",
}
_COUNTED: dict[SystemName, tuple[tuple[str, str], ...]] = {
    "collect": (("rows", "rows landed"), ("dataset.landed", "landings")),
    "prepare": (
        ("quality.checked", "checks"),
        ("dataset.cleaned", "cleanings"),
        ("incident.opened", "incidents opened"),
        ("incident.resolved", "incidents resolved"),
        ("released", "rows released"),
    ),
    "features": (("features.materialized", "materializations"), ("skew.checked", "skew checks")),
    "labels": (
        ("labels.reviewed", "reviews"),
        ("labels.exported", "exports"),
        ("labels.tasks_added", "batches of tasks"),
    ),
    "design": (("spec", "specifications"), ("leaderboard", "leaderboards")),
    "train": (("model.registered", "versions registered"), ("study.created", "studies")),
    "serve": (
        ("predictions", "predictions landed"),
        ("endpoint.deployed", "deployments"),
        ("canary.started", "canaries"),
    ),
    "monitor": (
        ("monitor.evaluated", "windows judged"),
        ("alert.opened", "alerts opened"),
        ("alert.resolved", "alerts ended"),
    ),
}
"""By system what is counted, the most telling first, and how it is called."""


def system_of(kind: str, noun: str) -> SystemName | None:
    """The system that an event of a kind about a noun belongs to; None for what the loop does as a whole."""
    if noun == "predictions":
        return "serve"
    if kind == "dataset.cleaned":
        return "prepare"
    if noun == "spec":
        return "design"
    if noun == "dataset" and kind.startswith("dataset."):
        return "collect"
    return _BY_KIND.get(kind.partition(".")[0])


def flow_of(system: SystemName, events: Iterable[tuple[str, str, int, int]]) -> list[Flow]:
    """What went through a system, of (kind, noun, events, rows): only what there was any of."""
    counts: Counter[str] = Counter()
    for kind, noun, count, rows in events:
        if noun == "predictions":
            counts["predictions"] += rows
            continue
        counts[kind] += count
        if kind == "dataset.landed":
            counts["rows"] += rows
        elif kind == "quarantine.released":
            counts["released"] += rows
        elif noun == "spec":
            counts["spec"] += count
    return [Flow(count=counts[name], what=what) for name, what in _COUNTED[system] if counts[name]]
